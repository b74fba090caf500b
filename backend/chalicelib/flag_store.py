"""Where flags are kept: one small interface, for SQLite on one machine and DynamoDB in AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from chalicelib.errors import BadRequest, NotFound
from chalicelib.schema import Flag, FlagPage, FlagState

_CURSOR = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.[0-9a-f]{32}", re.ASCII)


class FlagStore(Protocol):
    """Flags; every method may raise `StoreUnavailable`. One that has expired counts as not there."""

    def add(self, flag: Flag) -> None:
        """Keep a new flag."""

    def get(self, flag_id: str) -> Flag:
        """Return a flag; raises `NotFound`."""

    def browse(
        self, state: FlagState | None = None, limit: int = 50, cursor: str | None = None, *, owner: str | None = None
    ) -> FlagPage:
        """Return flags, newest first.

        Args:
            state: only those in it; all where None.
            owner: only that person's; everybody's where None. One person has few enough that a state among them is
                found by looking at all.
            limit: at most so many, 1 to 500.
            cursor: from the page before; the first page where None. A flag that is there throughout is met once,
                whatever comes and goes meanwhile.

        Raises:
            BadRequest: the cursor is none of ours.
        """

    def list_due(self, at: str) -> Iterator[str]:
        """Yield the ids of flags whose `due_at` is not after `at`, by an index, never by a scan.

        A flag that is put off meanwhile is not met again. Read a little ahead, so that many take no more memory than
        few.

        Args:
            at: UTC, as flags spell it.

        Yields:
            Longest due first; in a store that is cut into shards, longest due first of each shard in turn.
        """

    def replace(self, flag: Flag) -> bool:
        """Put the next state of a flag in the place of the one before it.

        Returns:
            Whether it was done. False where the one that is kept is not of the revision before, since another was
            faster, or the flag is gone: then nothing is changed.
        """

    def delete(self, flag_id: str) -> None:
        """Forget a flag; raises `NotFound`."""

    def close(self) -> None:
        """Let go of the store; further calls raise `StoreUnavailable`. Closing twice does nothing."""


def flag_not_found() -> NotFound:
    """Build the error for an id that is not known, or not any more."""
    return NotFound("No flag is stored under that id.")


def cut_page(flags: list[Flag], limit: int) -> FlagPage:
    """Make a page of flags that were read newest first.

    Args:
        flags: one more than `limit`, where there are so many.
        limit: of the page, 1 at least.
    """
    if len(flags) <= limit:
        return {"flags": flags, "cursor": None}
    last = flags[limit - 1]
    return {"flags": flags[:limit], "cursor": f"{last['created_at']}.{last['id']}"}


def read_cursor(cursor: str | None) -> tuple[str, str] | None:
    """Return the time and id that a cursor names; None for the first page.

    Raises:
        BadRequest: it is none of ours.
    """
    if cursor is None:
        return None
    if not _CURSOR.fullmatch(cursor):
        raise BadRequest("The cursor is none of this list.")
    time, _, flag_id = cursor.partition(".")
    return time, flag_id

"""Where flags are kept: one small interface, for SQLite on one machine and DynamoDB in AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, Protocol

from chalicelib.errors import BadRequest, NotFound
from chalicelib.schema import Flag, FlagPage, FlagState

# Flags of one page of what is due.
_PAGE = 100
_CURSOR = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.[0-9a-f]{32}", re.ASCII)


class FlagStore(Protocol):
    """Flags; every method may raise `StoreUnavailable`. One that has expired counts as not there."""

    def add(self, flag: Flag) -> None:
        """Keep a new flag."""

    def get(self, flag_id: str) -> Flag:
        """Return a flag; raises `NotFound`."""

    def browse(self, state: FlagState | None = None, limit: int = 50, cursor: str | None = None) -> FlagPage:
        """Return flags, newest first.

        Args:
            state: only those in it; all where None.
            limit: at most so many, 1 to 500.
            cursor: from the page before; the first page where None. A flag that is there throughout is met once,
                whatever comes and goes meanwhile.

        Raises:
            BadRequest: the cursor is none of ours.
        """

    def due(self, at: str, limit: int = 100, cursor: str | None = None) -> FlagPage:
        """Return flags whose `due_at` is not after `at`, longest due first; by an index, never by a scan.

        Args:
            at: UTC, as flags spell it.
            limit: at most so many, 1 to 500.
            cursor: as in `browse`.

        Raises:
            BadRequest: the cursor is none of ours.
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


def read_due(store: FlagStore, at: str, limit: int | None = None) -> Iterator[Flag]:
    """Yield what is due, a page at a time.

    Args:
        store: of the flags.
        at: UTC, as flags spell it; what is put off meanwhile is due after it, so that nothing is met twice.
        limit: at most so many.
    """
    cursor: str | None = None
    left = limit
    while left is None or left > 0:
        page = store.due(at, _PAGE if left is None else min(left, _PAGE), cursor)
        yield from page["flags"]
        left = None if left is None else left - len(page["flags"])
        cursor = page["cursor"]
        if cursor is None:
            return


def flag_not_found() -> NotFound:
    """Build the error for an id that is not known, or not any more."""
    return NotFound("No flag is stored under that id.")


def cut_page(flags: list[Flag], limit: int, by: Literal["created_at", "due_at"]) -> FlagPage:
    """Make a page of flags that were read in order.

    Args:
        flags: one more than `limit`, where there are so many.
        limit: of the page, 1 at least.
        by: what they are in order of; all have it.
    """
    if len(flags) <= limit:
        return {"flags": flags, "cursor": None}
    last = flags[limit - 1]
    return {"flags": flags[:limit], "cursor": write_cursor(str(last[by]), last["id"])}


def write_cursor(time: str, flag_id: str) -> str:
    """Return what a page ends with: the place of its last flag in the order of the list."""
    return f"{time}.{flag_id}"


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

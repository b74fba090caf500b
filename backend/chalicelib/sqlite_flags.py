"""Flags in one SQLite file, for one machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import cast

from chalicelib.compatibility import upgrade_record
from chalicelib.flag_store import cut_page, flag_not_found, read_cursor
from chalicelib.schema import Flag, FlagPage, FlagState
from chalicelib.sqlite_file import SqliteFile
from chalicelib.times import now, spell_time

# Flags of which one query lists what is due.
_LISTED = 500
# Expired flags that one `add` takes away: twice what comes, so that none pile up.
_TIDIED = 2


class SqliteFlags:
    """See `flag_store.FlagStore`, and `SqliteFile` for threads and processes.

    Pages are found by key, never by offset: SQLite seeks to the row behind the last one in an index, whatever the table
    holds.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = now) -> None:
        """Open the store.

        Args:
            path: of the file, which may hold checks as well.
            clock: tells an aware time, by which flags expire.

        Raises:
            StoreUnavailable: no folder or file to write to, another program's file, or a newer Unmask's.
        """
        self._file = SqliteFile(path)
        self._clock = clock

    def add(self, flag: Flag) -> None:
        """See `FlagStore.add`."""
        row = (flag["id"], flag["owner"], flag["revision"], *_columns(flag))
        with self._file.transact() as connection:
            connection.execute(
                "DELETE FROM flags WHERE rowid IN"
                " (SELECT rowid FROM flags WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
                (self._now(), _TIDIED),
            )
            connection.execute(
                "INSERT INTO flags (id, owner, revision, state, created_at, due_at, expires_at, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def get(self, flag_id: str) -> Flag:
        """See `FlagStore.get`."""
        with self._file.lend() as connection:
            found = connection.execute(
                "SELECT body FROM flags WHERE id = ? AND expires_at > ?", (flag_id, self._now())
            ).fetchone()
            if found is None:
                raise flag_not_found()
            return cast(Flag, upgrade_record(json.loads(found[0])))

    def browse(
        self, state: FlagState | None = None, limit: int = 50, cursor: str | None = None, *, owner: str | None = None
    ) -> FlagPage:
        """See `FlagStore.browse`."""
        # No time and no id comes after these.
        created_at, flag_id = read_cursor(cursor) or ("~", "~")
        wanted = {"owner = ? AND ": owner, "state = ? AND ": state}
        chosen = "".join(words for words, value in wanted.items() if value is not None)
        values = [value for value in wanted.values() if value is not None]
        # What was chosen is of the constants above, never a caller's text.
        query = (
            f"SELECT body FROM flags WHERE {chosen}(created_at, id) < (?, ?) AND expires_at > ?"  # noqa: S608
            " ORDER BY created_at DESC, id DESC LIMIT ?"
        )
        with self._file.lend() as connection:
            rows = connection.execute(query, [*values, created_at, flag_id, self._now(), limit + 1]).fetchall()
            flags = [cast(Flag, upgrade_record(json.loads(body))) for (body,) in rows]
        return cut_page(flags, limit)

    def list_due(self, at: str) -> Iterator[str]:
        """See `FlagStore.list_due`."""
        place = ("", "")
        while True:
            with self._file.lend() as connection:
                rows = connection.execute(
                    "SELECT due_at, id FROM flags WHERE due_at <= ? AND (due_at, id) > (?, ?) AND expires_at > ?"
                    " ORDER BY due_at, id LIMIT ?",
                    (at, *place, self._now(), _LISTED),
                ).fetchall()
            yield from (flag_id for _, flag_id in rows)
            if len(rows) < _LISTED:
                return
            place = rows[-1]

    def replace(self, flag: Flag) -> bool:
        """See `FlagStore.replace`."""
        with self._file.lend() as connection:
            changed = connection.execute(
                "UPDATE flags SET revision = ?, state = ?, created_at = ?, due_at = ?, expires_at = ?, body = ?"
                " WHERE id = ? AND revision = ? AND expires_at > ?",
                (flag["revision"], *_columns(flag), flag["id"], flag["revision"] - 1, self._now()),
            ).rowcount
        return changed == 1

    def delete(self, flag_id: str) -> None:
        """See `FlagStore.delete`."""
        with self._file.lend() as connection:
            gone = connection.execute(
                "DELETE FROM flags WHERE id = ? AND expires_at > ?", (flag_id, self._now())
            ).rowcount
        if not gone:
            raise flag_not_found()

    def close(self) -> None:
        """See `FlagStore.close`."""
        self._file.close()

    def _now(self) -> str:
        return spell_time(self._clock())


def _columns(flag: Flag) -> tuple[str | None, ...]:
    body = json.dumps(flag, allow_nan=False)
    return flag["state"], flag["created_at"], flag["due_at"], flag["expires_at"], body

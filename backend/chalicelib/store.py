"""Checks remembered, so that the same bytes are scored once by the same model.

A check is kept as the JSON that was answered, beside the few columns it is looked up by.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, Protocol

from chalicelib.compatibility import upgrade_record
from chalicelib.errors import NotFound
from chalicelib.sqlite_file import SqliteFile

Check = dict[str, Any]


class Store(Protocol):
    """Where checks are remembered. Every method may raise `StoreUnavailable`."""

    def find(self, sha256: str, model_version: str) -> Check | None:
        """Return the check of these bytes by this model, or None."""

    def save(self, check: Check) -> Check:
        """Remember a check under its `media.sha256` and `model.version`.

        Args:
            check: a verdict as answered, all of it JSON.

        Returns:
            The check that is now remembered: this one, or the one that was there first. Of two equal checks
            that finish at once, one is kept and both callers are given it.
        """

    def get(self, check_id: str) -> Check:
        """Return the check of that id; raises `NotFound`."""

    def delete(self, check_id: str) -> None:
        """Forget the check of that id; raises `NotFound`."""

    def close(self) -> None:
        """Let go of the store; further calls raise `StoreUnavailable`. Closing twice does nothing."""


class SqliteStore:
    """Checks in one SQLite file, for one machine; see `SqliteFile` for threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open the store; see `SqliteFile`.

        Raises:
            StoreUnavailable: no folder or file to write to, another program's file, or a newer Unmask's.
        """
        self._file = SqliteFile(path)

    def find(self, sha256: str, model_version: str) -> Check | None:
        """See `Store.find`."""
        with self._file.lend() as connection:
            return _read(connection, "sha256 = ? AND model_version = ?", sha256, model_version)

    def save(self, check: Check) -> Check:
        """See `Store.save`.

        Raises:
            KeyError: a key of the verdict is missing.
            TypeError, ValueError: the check is not JSON; NaN is not.
        """
        sha256, version = check["media"]["sha256"], check["model"]["version"]
        row = (check["id"], sha256, version, check["checked_at"], json.dumps(check, allow_nan=False))
        with self._file.transact() as connection:
            connection.execute(
                "INSERT INTO checks (id, sha256, model_version, checked_at, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (sha256, model_version) DO NOTHING",
                row,
            )
            kept = _read(connection, "sha256 = ? AND model_version = ?", sha256, version)
        assert kept is not None  # noqa: S101 -- the transaction has just made it so
        return kept

    def get(self, check_id: str) -> Check:
        """See `Store.get`."""
        with self._file.lend() as connection:
            check = _read(connection, "id = ?", check_id)
        if check is None:
            raise check_not_found()
        return check

    def delete(self, check_id: str) -> None:
        """See `Store.delete`."""
        with self._file.lend() as connection:
            gone = connection.execute("DELETE FROM checks WHERE id = ?", (check_id,)).rowcount
        if not gone:
            raise check_not_found()

    def close(self) -> None:
        """See `Store.close`."""
        self._file.close()


def _read(connection: sqlite3.Connection, condition: str, *values: str) -> Check | None:
    # The condition is one of the constants above, never a caller's text.
    found = connection.execute(f"SELECT body FROM checks WHERE {condition}", values).fetchone()  # noqa: S608
    return None if found is None else upgrade_record(json.loads(found[0]))


def check_not_found() -> NotFound:
    """Build the error for an id that is not known, or not any more."""
    return NotFound("No check is stored under that id.")

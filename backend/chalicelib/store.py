"""Checks remembered, so that the same bytes are scored once by the same model.

A check is kept as the JSON that was answered, beside the few columns it is looked up by.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from chalicelib.errors import NotFound, StoreUnavailable

Check = dict[str, Any]

# "Unmk": tells our file from another program's SQLite file before anything is written to it.
_APPLICATION = 0x556E6D6B
_SCHEMA = 1
_TABLES = """
CREATE TABLE checks (
    id TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL,
    model_version TEXT NOT NULL,
    checked_at TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (sha256, model_version)
)
"""
# How long a writer waits for another one, s. A write takes milliseconds.
_PATIENCE = 5.0

_SENTENCES = {
    sqlite3.SQLITE_BUSY: "The store is in use by another process and did not become free; try again.",
    sqlite3.SQLITE_LOCKED: "The store is in use by another process and did not become free; try again.",
    sqlite3.SQLITE_READONLY: "The store's file or folder cannot be written.",
    sqlite3.SQLITE_PERM: "The store's file or folder cannot be written.",
    sqlite3.SQLITE_CANTOPEN: "The store's file or folder cannot be opened or made.",
    sqlite3.SQLITE_FULL: "The disk that holds the store is full.",
    sqlite3.SQLITE_IOERR: "The disk that holds the store failed to read or write.",
    sqlite3.SQLITE_NOTADB: "The store's file is not a store.",
    sqlite3.SQLITE_CORRUPT: "The store's file is damaged.",
}


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
    """Checks in one SQLite file, for one machine.

    One instance may be shared by threads, which take turns; processes open one instance each, after a fork
    and not before it.

    The journal is a write-ahead log, so readers never wait for a writer. Every save is synced to the disk
    before it is acknowledged (`synchronous=FULL`): the id of a check is handed out and must stay good, and a
    sync costs a few milliseconds beside the hundreds that scoring took.
    """

    def __init__(self, path: Path) -> None:
        """Open the store, making its folder and file where they are missing.

        Raises:
            StoreUnavailable: no folder or file to write to, another program's file, or a newer Unmask's.
        """
        self._lock = threading.Lock()
        with _explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            with _explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def find(self, sha256: str, model_version: str) -> Check | None:
        """See `Store.find`."""
        with self._lock, _explained():
            return self._read("sha256 = ? AND model_version = ?", sha256, model_version)

    def save(self, check: Check) -> Check:
        """See `Store.save`.

        Raises:
            KeyError: a key of the verdict is missing.
            TypeError, ValueError: the check is not JSON; NaN is not.
        """
        sha256, version = check["media"]["sha256"], check["model"]["version"]
        row = (check["id"], sha256, version, check["checked_at"], json.dumps(check, allow_nan=False))
        with self._lock, _explained(), self._transaction():
            self._connection.execute(
                "INSERT INTO checks (id, sha256, model_version, checked_at, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (sha256, model_version) DO NOTHING",
                row,
            )
            kept = self._read("sha256 = ? AND model_version = ?", sha256, version)
        assert kept is not None  # noqa: S101 -- the transaction has just made it so
        return kept

    def get(self, check_id: str) -> Check:
        """See `Store.get`."""
        with self._lock, _explained():
            check = self._read("id = ?", check_id)
        if check is None:
            raise _not_found()
        return check

    def delete(self, check_id: str) -> None:
        """See `Store.delete`."""
        with self._lock, _explained():
            gone = self._connection.execute("DELETE FROM checks WHERE id = ?", (check_id,)).rowcount
        if not gone:
            raise _not_found()

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock, _explained():
            self._connection.close()

    def _read(self, condition: str, *values: str) -> Check | None:
        # The condition is one of the constants above, never a caller's text.
        found = self._connection.execute(f"SELECT body FROM checks WHERE {condition}", values).fetchone()  # noqa: S608
        return None if found is None else json.loads(found[0])

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """Commit what happens inside, or none of it.

        IMMEDIATE takes the write lock at once, so that no read inside is out of date by the write; DEFERRED
        lets several reads see one and the same state.
        """
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _prepare(self) -> None:
        """Bring the file to our schema, having seen that it is ours."""
        with self._transaction("DEFERRED"):
            self._recognise()
        self._switch_to_log()
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            # Another process may have been here since.
            if self._recognise() < _SCHEMA:
                self._connection.execute(_TABLES)
                self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._connection.execute(f"PRAGMA user_version = {_SCHEMA}")

    def _recognise(self) -> int:
        """Return the schema in the file, 0 for an empty one."""
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (schema,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != _APPLICATION and (application or schema or tables):
            raise StoreUnavailable("The store's file belongs to another program.")
        if schema > _SCHEMA:
            raise StoreUnavailable("The store was written by a newer version of Unmask; update this one.")
        return int(schema)

    def _switch_to_log(self) -> None:
        """Turn the write-ahead log on; it stays on in the file.

        SQLite does not wait for the lock that the switch needs, so that processes which start together on a
        new file would fail: https://www.sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return


def _not_found() -> NotFound:
    return NotFound("No check is stored under that id.")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what SQLite and the file system say into an error with a sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(_SENTENCES.get(_code(error), "The store does not answer.")) from error
    except json.JSONDecodeError as error:
        raise StoreUnavailable(_SENTENCES[sqlite3.SQLITE_CORRUPT]) from error
    except OSError as error:
        raise StoreUnavailable(_SENTENCES[sqlite3.SQLITE_CANTOPEN]) from error

"""One SQLite file that holds all that is remembered on one machine, opened safely and brought to our schema."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.errors import StoreUnavailable

# "Unmk": tells our file from another program's SQLite file before anything is written to it.
_APPLICATION = 0x556E6D6B
# What brings a file from each schema to the next; the first makes an empty file ours.
_STEPS = (
    (
        """
        CREATE TABLE checks (
            id TEXT NOT NULL PRIMARY KEY,
            sha256 TEXT NOT NULL,
            model_version TEXT NOT NULL,
            checked_at TEXT NOT NULL,
            body TEXT NOT NULL,
            UNIQUE (sha256, model_version)
        )
        """,
    ),
    (
        """
        CREATE TABLE flags (
            id TEXT NOT NULL PRIMARY KEY,
            revision INTEGER NOT NULL,
            state TEXT NOT NULL,
            created_at TEXT NOT NULL,
            due_at TEXT,
            expires_at TEXT NOT NULL,
            body TEXT NOT NULL
        )
        """,
        "CREATE INDEX flags_due ON flags (due_at, id) WHERE due_at IS NOT NULL",
        "CREATE INDEX flags_by_age ON flags (created_at, id)",
        "CREATE INDEX flags_by_state ON flags (state, created_at, id)",
        "CREATE INDEX flags_expired ON flags (expires_at)",
    ),
    (
        # Until then all flags were those of the one person on this machine.
        "ALTER TABLE flags ADD COLUMN owner TEXT",
        "UPDATE flags SET owner = 'local', body = json_set(body, '$.owner', 'local')",
        "CREATE INDEX flags_by_owner ON flags (owner, created_at, id)",
    ),
)
_SCHEMA = len(_STEPS)
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


class SqliteFile:
    """A connection to the file.

    One instance may be shared by threads, which take turns; processes open one instance each, after a fork
    and not before it.

    The journal is a write-ahead log, so readers never wait for a writer. Every write is synced to the disk before it is
    acknowledged (`synchronous=FULL`): ids are handed out and must stay good, and a sync costs a few milliseconds.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, making it and its folder where they are missing.

        Raises:
            StoreUnavailable: no folder or file to write to, another program's file, or a newer Unmask's.
        """
        self._lock = threading.Lock()
        with explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            with explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one statement, which commits itself.

        What goes wrong inside is raised as `StoreUnavailable`.
        """
        with self._lock, explained():
            yield self._connection

    @contextmanager
    def transact(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection as `lend` does, and commit all that happens inside, or nothing."""
        with self._lock, explained(), self._transaction():
            yield self._connection

    def close(self) -> None:
        """Let go of the file. Closing twice does nothing."""
        with self._lock, explained():
            self._connection.close()

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
            schema = self._recognise()
            if schema < _SCHEMA:
                for statement in (statement for step in _STEPS[schema:] for statement in step):
                    self._connection.execute(statement)
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


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def explained() -> Iterator[None]:
    """Turn what SQLite and the file system say into an error with a sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(_SENTENCES.get(_code(error), "The store does not answer.")) from error
    except json.JSONDecodeError as error:
        raise StoreUnavailable(_SENTENCES[sqlite3.SQLITE_CORRUPT]) from error
    except OSError as error:
        raise StoreUnavailable(_SENTENCES[sqlite3.SQLITE_CANTOPEN]) from error

"""Flagged pictures that may be kept, under the id of their flag, until their time is over.

Where they lie is one of two: a folder on one machine (`FolderPictures`), or a bucket in AWS
(`buckets.BucketPictures`).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from chalicelib.errors import NotFound, StoreUnavailable

# Files beyond their time that one `put` takes away: what is kept in a day is far less.
TIDIED = 1000

_ID = re.compile("[0-9a-f]{32}")


class Pictures(Protocol):
    """Where kept pictures lie. Every method may raise `StoreUnavailable`."""

    def put(self, flag_id: str, data: bytes) -> None:
        """Keep a picture from now on, for as long as pictures are kept here."""

    def get(self, flag_id: str) -> bytes:
        """Return a picture; raises `NotFound`, also once its time is over."""

    def delete(self, flag_id: str) -> None:
        """Take a picture away, if there is one."""


class FolderPictures:
    """Pictures in a folder that none but its owner may read; safe to share between threads and processes."""

    def __init__(self, folder: Path, days: int, clock: Callable[[], float] = time.time) -> None:
        """Take a folder, which is made when it is needed.

        Args:
            folder: of these files and nothing else.
            days: how long a picture is kept.
            clock: seconds since 1970.
        """
        self._folder = folder
        self._lifetime = days * 86_400
        self._clock = clock

    def put(self, flag_id: str, data: bytes) -> None:
        """See `Pictures.put`."""
        path = self._path(flag_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._tidy()
            # Whole or not at all: a batch may be reading.
            unfinished = path.with_suffix(".new")
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            os.utime(unfinished, (self._clock(), self._clock()))
            unfinished.replace(path)
        except OSError as error:
            raise StoreUnavailable("The folder for kept pictures cannot be written.") from error

    def get(self, flag_id: str) -> bytes:
        """See `Pictures.get`."""
        path = self._path(flag_id)
        try:
            if self._is_over(path):
                raise picture_not_found()
            return path.read_bytes()
        except FileNotFoundError as error:
            raise picture_not_found() from error
        except OSError as error:
            raise StoreUnavailable("The folder for kept pictures cannot be read.") from error

    def delete(self, flag_id: str) -> None:
        """See `Pictures.delete`."""
        try:
            self._path(flag_id).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable("The folder for kept pictures cannot be written.") from error

    def _tidy(self) -> None:
        over = 0
        for path in self._folder.iterdir():
            # Another process may be tidying too.
            with suppress(FileNotFoundError):
                if self._is_over(path):
                    path.unlink()
                    over += 1
            if over == TIDIED:
                return

    def _is_over(self, path: Path) -> bool:
        return self._clock() - path.stat().st_mtime >= self._lifetime

    def _path(self, flag_id: str) -> Path:
        require_id(flag_id)
        return self._folder / flag_id


def require_id(flag_id: str) -> None:
    """Refuse what is no id of ours: it becomes part of a path.

    Raises:
        NotFound: it is none.
    """
    if not _ID.fullmatch(flag_id):
        raise picture_not_found()


def picture_not_found() -> NotFound:
    """Build the error for a picture that is not kept, or not any more."""
    return NotFound("No picture is kept for that flag.")

"""Files that are written whole or not at all, and known by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WriteFailed(OSError):
    """A file could not be written; what was there before is untouched."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, and rename it into place when all went well.

    Its name ends as the final one does, since Keras goes by that.

    Args:
        path: where the finished file lies; its folder is made when missing.

    Raises:
        WriteFailed: the disk is full or the folder cannot be written to.
    """
    unfinished = path.with_name(f"unfinished_{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    # HDF5 tells of a full disk by an OSError while it writes and by a RuntimeError where it closes.
    except (OSError, RuntimeError) as error:
        unfinished.unlink(missing_ok=True)
        raise WriteFailed(
            f"{path.name} could not be written ({error}). What was saved before is still there: "
            "make room and give the same command again."
        ) from error
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

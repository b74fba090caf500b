"""What a data set is made from: labelled clips and photos, and the folders that they lie in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.datasets.collection import Collection

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff"}
)
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv"}
)


class DatasetError(ValueError):
    """A data set cannot be built or gone on with; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled video or photo.

    Attributes:
        path: where it lies, relative to the root of the listing, with forward slashes.
        label: 1 fake, 0 real.
        source: the collection that it comes from.
        method: how the fake was made, "" for real or unknown.
        identities: whom or what it shows; clips that share one, directly or through others, are one group.
        split: "train", "validation" or "test" where the user's list states it, else "".
        official: the part that the collection itself puts it in, "" where it says nothing; for the record only.
    """

    path: str
    label: int
    source: str
    method: str
    identities: tuple[str, ...]
    split: str = ""
    official: str = ""

    @property
    def is_video(self) -> bool:
        """Whether its name is a video's."""
        return PurePosixPath(self.path).suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True, slots=True)
class Listing:
    """All that lies in a folder or stands in a list.

    Attributes:
        layout: name of the layout that it was read by.
        clips: what can be used, in the order of their paths or of the list.
        left_out: path → why it cannot be used.
        collections: what the collections say of themselves, by name; empty for other layouts.
    """

    layout: str
    clips: list[Clip]
    left_out: dict[str, str] = field(default_factory=dict)
    collections: list[Collection] = field(default_factory=list)


# Reads a text file of the folder by its path relative to the root.
ReadText = Callable[[str], str]


def is_media(path: str) -> bool:
    """Return whether the name is a photo's or a video's."""
    return PurePosixPath(path).suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES


def walk_files(root: Path, skipped: Path) -> list[str]:
    """Return all files below a folder, relative to it, sorted.

    Hidden files and folders are passed over, folders that are links are not entered, and neither is `skipped`:
    a data set that is written into the folder that it is made from must not feed on itself.

    Raises:
        DatasetError: a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise DatasetError(f"The folder {error.filename} cannot be listed: {error.strerror}.") from error

    skipped = skipped.resolve()
    files = []
    for folder, folders, names in os.walk(root, onerror=refuse):
        here = Path(folder)
        folders[:] = [name for name in folders if not name.startswith(".") and (here / name).resolve() != skipped]
        files += [(here / name).relative_to(root).as_posix() for name in names if not name.startswith(".")]
    return sorted(files)


def require_both_labels(labels: Sequence[int], what: str) -> None:
    """Refuse what holds one class only.

    Args:
        labels: 1 fake, 0 real.
        what: the things that carry them, in the plural.

    Raises:
        DatasetError: there are none, or all are of one class.
    """
    if not labels:
        raise DatasetError(f"There are no {what}.")
    if len(set(labels)) == 1:
        only, other = ("fake", "real") if labels[0] else ("real", "fake")
        raise DatasetError(f"All {len(labels)} {what} are {only}; a data set needs {other} ones too.")

"""Folders of one's own: `real/` and `fake/` at any depth, or one flat folder whose file names tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from training.datasets.clips import Clip, Listing, ReadText, is_media
from training.manifest import LABELS

NAME = "folders"
FLAT_NAME = "named"
GROUP_BY = ("clip", "folder")
# How a file name begins, and the method that this tells of; "" is an untouched clip.
PREFIXES = {
    "real": "",
    "original": "",
    "fake": "fake",
    "deepfakes": "deepfakes",
    "deepfakedetection": "deepfakedetection",
    "face2face": "face2face",
    "faceshifter": "faceshifter",
    "faceswap": "faceswap",
    "neuraltextures": "neuraltextures",
}
NAMED = re.compile(rf"({'|'.join(PREFIXES)})[_-](.+)", re.IGNORECASE)
NUMBERS = re.compile(r"\d+(?:[_-]\d+)*")


def matches(paths: Sequence[str], read: ReadText) -> bool:
    """Return whether some picture or clip lies below a folder called real or fake."""
    return any(_label_at(path) is not None for path in filter(is_media, paths))


def parse(paths: Sequence[str], read: ReadText, group_by: str = "clip") -> Listing:
    """Label every file by the nearest folder above it that is called real or fake.

    The folders above that one name the source, the first folder below `fake` names the method.

    Args:
        paths: files relative to the root.
        read: not used.
        group_by: "clip" groups files of one source by their name, so that `real/7.mp4` and `fake/7.mp4` stay
            together; "folder" groups by the folder that they lie in, `real/anna/1.jpg` with `fake/anna/9.jpg`.
    """
    listing = Listing(NAME, [])
    for path in filter(is_media, paths):
        at = _label_at(path)
        if at is None:
            listing.left_out[path] = "no folder above it is called real or fake"
            continue
        *folders, name = PurePosixPath(path).parts
        label = LABELS[folders[at].lower()]
        source = "_".join(folders[:at]) or "own"
        below = folders[at + 1 :]
        method = below[0] if label and below else ""
        group = "/".join(below) if group_by == "folder" else PurePosixPath(name).stem
        listing.clips.append(Clip(path, label, source, method, (f"{source} {group}".rstrip(),)))
    return listing


def matches_flat(paths: Sequence[str], read: ReadText) -> bool:
    """Return whether the root holds files whose names begin with real, original or a method."""
    return any("/" not in path and NAMED.fullmatch(PurePosixPath(path).stem) for path in filter(is_media, paths))


def parse_flat(paths: Sequence[str], read: ReadText) -> Listing:
    """Label every file by how its name begins; the numbers that follow are the people in it.

    `real_035.mp4`, `deepfakes_035_036.mp4` and `original_036.mp4` are one group.
    """
    listing = Listing(FLAT_NAME, [])
    for path in filter(is_media, paths):
        match = NAMED.fullmatch(PurePosixPath(path).stem)
        if match is None:
            listing.left_out[path] = f"its name begins with none of {', '.join(PREFIXES)}"
            continue
        method, rest = PREFIXES[match[1].lower()], match[2]
        people = re.split("[_-]", rest) if NUMBERS.fullmatch(rest) else [rest]
        listing.clips.append(Clip(path, int(bool(method)), "named", method, tuple(people)))
    return listing


def _label_at(path: str) -> int | None:
    """Return which folder of the path is the nearest one called real or fake."""
    folders = PurePosixPath(path).parts[:-1]
    return next((i for i in reversed(range(len(folders))) if folders[i].lower() in LABELS), None)

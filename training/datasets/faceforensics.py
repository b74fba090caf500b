"""The folders of FaceForensics++ and of the DeepFakeDetection clips that come with it.

`original_sequences/{youtube,actors}/<compression>/videos/035.mp4` and
`manipulated_sequences/<method>/<compression>/videos/035_036.mp4`: the person of 035 wears the face of 036.

Source: Rössler et al., "FaceForensics++: Learning to Detect Manipulated Facial Images", 2019.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from training.datasets.clips import Clip, Listing, ReadText, is_media

NAME = "faceforensics"
TOPS = {"original_sequences": 0, "manipulated_sequences": 1}
COMPRESSIONS = frozenset({"raw", "c0", "c23", "c40"})
PAIR = re.compile(r"(\d{3})(?:_(\d{3}))?")
# DeepFakeDetection: actors and scene, "01_02__outside_talking__YVGY8LOK".
ACTORS = re.compile(r"(\d{2})(?:_(\d{2}))?__.*")


def matches(paths: Sequence[str], read: ReadText) -> bool:
    """Return whether files lie below one of the two folders that only this collection has."""
    return any(part in TOPS for path in paths for part in PurePosixPath(path).parts[:-1])


def parse(paths: Sequence[str], read: ReadText) -> Listing:
    """Label every clip by its folders; every compression is a source of its own, `ffpp_c23` and so on."""
    listing = Listing(NAME, [])
    for path in filter(is_media, paths):
        clip = _parse_path(path)
        if isinstance(clip, Clip):
            listing.clips.append(clip)
        else:
            listing.left_out[path] = clip
    return listing


def _parse_path(path: str) -> Clip | str:
    """Return the clip, or why it is none."""
    parts = PurePosixPath(path).parts
    top = next((i for i, part in enumerate(parts) if part in TOPS), None)
    # …/<top>/<origin or method>/<compression>/<videos or images>/<clip>
    if top is None or len(parts) < top + 5:
        return "it lies outside original_sequences/… and manipulated_sequences/…"
    method, compression = parts[top + 1], parts[top + 2]
    if compression == "masks":
        return "it is a mask of what was manipulated"
    if compression not in COMPRESSIONS:
        return f"{compression!r} is no compression of FaceForensics++ ({', '.join(sorted(COMPRESSIONS))})"
    # Frames that somebody has already cut lie in a folder with the clip's name.
    name = PurePosixPath(parts[top + 4]).stem
    people = _people(name)
    if not people:
        return f"{name!r} is no clip name of FaceForensics++"
    label = TOPS[parts[top]]
    return Clip(path, label, f"ffpp_{compression}", method if label else "", people)


def _people(name: str) -> tuple[str, ...]:
    for pattern, kind in ((PAIR, "ffpp"), (ACTORS, "ffpp actor")):
        if match := pattern.fullmatch(name):
            return tuple(f"{kind} {number}" for number in match.groups() if number)
    return ()

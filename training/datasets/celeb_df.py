"""The folders of Celeb-DF, version 1 and 2.

`Celeb-real/id0_0000.mp4`, `Celeb-synthesis/id0_id1_0000.mp4` (id0 wears the face of id1), `YouTube-real/00000.mp4`
(other people), and `List_of_testing_videos.txt` with lines such as `1 Celeb-real/id0_0001.mp4`.

Source: Li et al., "Celeb-DF: A Large-scale Challenging Dataset for DeepFake Forensics", 2020.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from training.datasets.clips import Clip, Listing, ReadText, is_media

NAME = "celeb-df"
TOPS = {"Celeb-real": 0, "YouTube-real": 0, "Celeb-synthesis": 1}
TESTING = "List_of_testing_videos.txt"
PEOPLE = re.compile(r"(id\d+)(?:_(id\d+))?_\d+")


def matches(paths: Sequence[str], read: ReadText) -> bool:
    """Return whether files lie below one of the folders that only this collection has."""
    return any(part in TOPS for path in paths for part in PurePosixPath(path).parts[:-1])


def parse(paths: Sequence[str], read: ReadText) -> Listing:
    """Label every clip by its folder and group it by the people in it."""
    lists = [path for path in paths if PurePosixPath(path).name == TESTING]
    testing = {line.split()[-1] for path in lists for line in read(path).splitlines() if line.strip()}
    listing = Listing(NAME, [])
    for path in filter(is_media, paths):
        parts = PurePosixPath(path).parts
        top = next((i for i, part in enumerate(parts[:-1]) if part in TOPS), None)
        if top is None:
            listing.left_out[path] = f"it lies outside {', '.join(TOPS)}"
            continue
        # Frames that somebody has already cut lie in a folder with the clip's name.
        name = PurePosixPath(parts[top + 1]).stem
        people = _people(parts[top], name)
        if not people:
            listing.left_out[path] = f"{name!r} is no clip name of Celeb-DF"
            continue
        label = TOPS[parts[top]]
        official = ("test" if f"{parts[top]}/{name}.mp4" in testing else "train") if testing else ""
        method = "celeb-synthesis" if label else ""
        listing.clips.append(Clip(path, label, "celeb_df", method, people, official=official))
    return listing


def _people(top: str, name: str) -> tuple[str, ...]:
    if top == "YouTube-real":
        return (f"celeb_df youtube {name}",)
    match = PEOPLE.fullmatch(name)
    return tuple(f"celeb_df {person}" for person in match.groups() if person) if match else ()

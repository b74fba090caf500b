"""The folders of the Deepfake Detection Challenge: parts, each with a `metadata.json`.

`{"aaa.mp4": {"label": "FAKE", "split": "train", "original": "bbb.mp4"}, "bbb.mp4": {"label": "REAL", …}}`

Source: Dolhansky et al., "The DeepFake Detection Challenge (DFDC) Dataset", 2020.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from training.datasets.clips import Clip, DatasetError, Listing, ReadText, is_media

NAME = "dfdc"
METADATA = "metadata.json"
LABELS = {"REAL": 0, "FAKE": 1}


def matches(paths: Sequence[str], read: ReadText) -> bool:
    """Return whether some `metadata.json` labels files as this collection does."""
    return any(_looks_right(read(path)) for path in paths if PurePosixPath(path).name == METADATA)


def parse(paths: Sequence[str], read: ReadText) -> Listing:
    """Label every clip by the `metadata.json` beside it; a fake belongs to the clip that it was made from.

    Raises:
        DatasetError: a `metadata.json` is no JSON object.
    """
    listing = Listing(NAME, [])
    present = {path for path in paths if is_media(path)}
    named: set[str] = set()
    for metadata in (path for path in paths if PurePosixPath(path).name == METADATA):
        for name, entry in sorted(_load(read(metadata), metadata).items()):
            path = str(PurePosixPath(metadata).parent / name)
            named.add(path)
            label = LABELS.get(str(entry.get("label")).upper()) if isinstance(entry, dict) else None
            if path not in present:
                listing.left_out[path] = "metadata.json names it, but there is no such file"
            elif label is None:
                listing.left_out[path] = "metadata.json gives it no label REAL or FAKE"
            else:
                listing.clips.append(_to_clip(path, label, entry))
    for path in sorted(present - named):
        listing.left_out[path] = "no metadata.json names it"
    listing.clips.sort(key=lambda clip: clip.path)
    return listing


def _to_clip(path: str, label: int, entry: dict[str, Any]) -> Clip:
    # A real clip is its own original.
    original = str(entry.get("original") or PurePosixPath(path).name)
    split = str(entry.get("split") or "")
    return Clip(path, label, "dfdc", "dfdc" if label else "", (f"dfdc {PurePosixPath(original).stem}",), official=split)


def _load(text: str, path: str) -> dict[str, Any]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no JSON: {error}") from error
    if not isinstance(entries, dict):
        raise DatasetError(f"{path} must be an object of file names.")
    return entries


def _looks_right(text: str) -> bool:
    try:
        entries = _load(text, METADATA)
    except DatasetError:
        return False
    return any(isinstance(entry, dict) and entry.get("label") in LABELS for entry in entries.values())

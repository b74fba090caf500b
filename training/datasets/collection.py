"""Collections: folders that each say in a `collection.toml` what lies in them, with pictures and clips below `images/`.

```toml
name = "gallery-x-sdxl"      # a-z, 0-9 and -; becomes the source
label = "fake"               # or "real"
family = "sdxl"              # generator, editor or swapper; of real photos their kind, such as "webcam"
origin = "OWNER/NAME@commit"
terms = "MIT License"
tie = "gallery-x"            # optional: collections of one tie share groups; by itself, a collection is tied to none
grouped = false              # optional: true makes each folder below images/ one group (a person, a pair, a clip)
note = ""                    # optional
split = ""                   # optional: train, validation or test for all of it
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import PurePosixPath
from typing import Any

from training.datasets.clips import Clip, DatasetError, Listing, ReadText, is_media
from training.manifest import LABELS
from training.splits import PARTS

NAME = "collections"
DESCRIPTION = "collection.toml"
IMAGES = "images"
SOURCE_NAME = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Collection:
    """What a `collection.toml` says.

    Attributes:
        name: the source of its faces.
        label: "real" or "fake".
        family: what made the fakes, or what kind of photos the real ones are.
        origin: where it is from.
        terms: under which it may be used.
        tie: collections of one tie share their groups.
        grouped: whether each folder below `images/` is one group.
        note: what else there is to know.
        split: the part that all of it belongs to, "" where it is dealt.
    """

    name: str
    label: str
    family: str
    origin: str
    terms: str
    tie: str = ""
    grouped: bool = False
    note: str = ""
    split: str = ""

    def identify(self, below: PurePosixPath) -> str:
        """Return the group of a file.

        Args:
            below: its path below `images/`.

        Returns:
            The tie with the first folder where those are groups, else with the file's path without its suffix, so
            that an original and what was made of it stay together in tied collections.
        """
        own = below.parts[0] if self.grouped and len(below.parts) > 1 else str(below.with_suffix(""))
        return f"{self.tie or self.name} {own}"


def matches(paths: Sequence[str], read: ReadText) -> bool:
    """Return whether some folder has a `collection.toml`."""
    return any(PurePosixPath(path).name == DESCRIPTION for path in paths)


def parse(paths: Sequence[str], read: ReadText) -> Listing:
    """Label and group every file by the `collection.toml` of the nearest folder above it that has one.

    Raises:
        DatasetError: a `collection.toml` cannot be used, or does not fit another one.
    """
    found = {
        PurePosixPath(path).parent: read_collection(read(path), path)
        for path in paths
        if PurePosixPath(path).name == DESCRIPTION
    }
    _require_fitting(found)
    listing = Listing(NAME, [], collections=sorted(found.values(), key=lambda collection: collection.name))
    for path in filter(is_media, paths):
        folder = next((above for above in PurePosixPath(path).parents if above in found), None)
        if folder is None:
            listing.left_out[path] = f"no folder above it has a {DESCRIPTION}"
            continue
        first, *rest = PurePosixPath(path).relative_to(folder).parts
        if first != IMAGES or not rest:
            listing.left_out[path] = f"it lies outside {IMAGES}/ of its collection"
            continue
        collection = found[folder]
        label = LABELS[collection.label]
        group = collection.identify(PurePosixPath(*rest))
        method = collection.family if label else ""
        listing.clips.append(Clip(path, label, collection.name, method, (group,), collection.split))
    used = {clip.source for clip in listing.clips}
    for folder, collection in found.items():
        if collection.name not in used:
            listing.left_out[str(folder / DESCRIPTION)] = f"nothing that can be used lies below {IMAGES}/ beside it"
    return listing


def read_collection(text: str, path: str) -> Collection:
    """Read a `collection.toml`.

    Args:
        text: what it holds.
        path: where it lies, for messages.

    Raises:
        DatasetError: it is no TOML, a key is missing, unknown or of the wrong type, or a value is none of those that
            are known; the message names the file and the cure.
    """
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DatasetError(f"{path} is no TOML: {error}. Mend that place.") from error
    known = {field.name: field for field in fields(Collection)}
    if unknown := sorted(set(entries) - set(known)):
        raise DatasetError(f"{path} has the unknown key {', '.join(unknown)}; it may hold {', '.join(known)}.")
    needed = [name for name, field in known.items() if field.default is MISSING]
    if missing := [name for name in needed if name not in entries]:
        raise DatasetError(f"{path} lacks the key {', '.join(missing)}; it needs {', '.join(needed)}.")
    for name, value in entries.items():
        _require_type(name, value, bool if name == "grouped" else str, path)
        if name in needed and not value.strip():
            raise DatasetError(f"{path} leaves {name} empty; say it, or say that it is unknown.")
    collection = Collection(**entries)
    if not SOURCE_NAME.fullmatch(collection.name):
        raise DatasetError(f"{path}: a name is made of a-z, 0-9 and -. Received: {collection.name!r}")
    if collection.label not in LABELS:
        raise DatasetError(f"{path}: a label is {' or '.join(LABELS)}. Received: {collection.label!r}")
    if collection.split not in ("", *PARTS):
        raise DatasetError(f"{path}: a split is {', '.join(PARTS)}, or left out. Received: {collection.split!r}")
    return collection


def _require_type(name: str, value: Any, wanted: type, path: str) -> None:
    if not isinstance(value, wanted):
        kind = "true or false" if wanted is bool else "a text in quotes"
        raise DatasetError(f"{path}: {name} must be {kind}. Received: {value!r}")


def _require_fitting(found: dict[PurePosixPath, Collection]) -> None:
    """Refuse two collections of one name, and a tie whose collections are not grouped alike."""
    names: dict[str, PurePosixPath] = {}
    ties: dict[str, tuple[PurePosixPath, bool]] = {}
    for folder, collection in found.items():
        here = folder / DESCRIPTION
        if collection.name in names:
            raise DatasetError(
                f"{names[collection.name]} and {here} both name themselves {collection.name}; rename one of them."
            )
        names[collection.name] = here
        other, grouped = ties.setdefault(collection.tie or collection.name, (here, collection.grouped))
        if grouped != collection.grouped:
            raise DatasetError(
                f"{other} and {here} share the tie {collection.tie or collection.name}, but only one is grouped; "
                "give both the same value of grouped."
            )

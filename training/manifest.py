"""The manifest: a CSV that names every picture, its label, and what it must not be split from."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LABELS = {"real": 0, "fake": 1}
# What a `split` column may say, and the part that it means.
SPLITS = {
    "": "",
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}

# Lies beside a manifest and says of each source its label, family, origin and terms.
COLLECTIONS = "collections.json"


class ManifestError(ValueError):
    """A manifest cannot be read; the message names the file, the line and the cure."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture.

    Attributes:
        path: where the picture lies, relative to the data root.
        label: 1 fake, 0 real.
        source: the collection that it comes from; results are shown by source.
        method: how the fake was made, "" for real or unknown.
        group: pictures of one group (a person, a pair, a video) never lie on both sides of a split.
        split: "train", "validation" or "test" where the manifest says so, "" where it leaves it to us.
        weight: how much it counts in a training, beside others of its class.
        original: path of the real picture that a fake was made of, "" where that is not known.
    """

    path: str
    label: int
    source: str
    method: str
    group: str
    split: str = ""
    weight: float = 1.0
    original: str = ""


def read_manifest(manifest: Path) -> list[Sample]:
    """Read a faces CSV with the columns `path` and `label`, and optionally `source`, `method`, `group`, `split`,
    `weight`, `original`.

    An empty `source` becomes the picture's top folder; an empty `group` makes the picture its own group.

    Raises:
        ManifestError: the file is missing, has no such columns, an unknown label or split, a weight that is no
            positive number, a path twice, or an original that is no real picture of the file.
    """
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = {"path", "label"} - set(reader.fieldnames or ())
            if missing:
                raise ManifestError(f"{manifest} lacks the column {' and '.join(sorted(missing))}.")
            samples = [_parse(row, manifest, reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{manifest} cannot be read: {error}") from error
    seen: set[str] = set()
    for sample in samples:
        if sample.path in seen:
            raise ManifestError(f"{manifest} names {sample.path} more than once.")
        seen.add(sample.path)
    reals = {sample.path for sample in samples if not sample.label}
    for sample in samples:
        if sample.original and sample.original not in reals:
            raise ManifestError(f"{manifest}: the original of {sample.path} is no real picture of the file.")
    return samples


def _parse(row: dict[str, str | None], manifest: Path, line: int) -> Sample:
    path = (row["path"] or "").strip()
    label = (row["label"] or "").strip().lower()
    if not path or label not in LABELS:
        raise ManifestError(
            f"{manifest}, line {line}: a row needs a path and a label, real or fake. Received: {path!r}, {label!r}"
        )
    split = (row.get("split") or "").strip().lower()
    if split not in SPLITS:
        raise ManifestError(
            f"{manifest}, line {line}: a split is train, validation or test, or left empty. Received: {split!r}"
        )
    return Sample(
        path=path,
        label=LABELS[label],
        source=(row.get("source") or "").strip() or Path(path).parts[0],
        method=(row.get("method") or "").strip(),
        group=(row.get("group") or "").strip() or path,
        split=SPLITS[split],
        weight=_parse_weight((row.get("weight") or "").strip(), manifest, line),
        original=(row.get("original") or "").strip(),
    )


def _parse_weight(text: str, manifest: Path, line: int) -> float:
    try:
        weight = float(text or 1)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise ManifestError(f"{manifest}, line {line}: a weight is a number above 0, or left empty. Received: {text!r}")
    return weight


def count_by_source(samples: Sequence[Sample]) -> dict[tuple[str, int], int]:
    """Return how many samples each (source, label) holds, in the order of their names."""
    counts: dict[tuple[str, int], int] = {}
    for sample in sorted(samples, key=lambda s: (s.source, s.label)):
        key = (sample.source, sample.label)
        counts[key] = counts.get(key, 0) + 1
    return counts

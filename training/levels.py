"""From pictures to clips and groups: the frames of one clip are one witness, and are judged as one."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from chalicelib.aggregation import SERVED, aggregate
from chalicelib.verdicts import LEAST_FRAMES, Calibrations
from training.manifest import Sample

# A frame's file is named after its clip: `035_036_07.jpg` is a frame of `035_036`.
_FRAME = re.compile(r"(.+)_\d{2,}")
# What is said of where the clips come from.
BY_COLUMN = "the column `clip` of the manifest"
BY_NAME = "file names: NAME_01, NAME_02 … of one folder, label and group are frames of the clip NAME"
# Log-odds of a probability that was rounded to 0 or 1 are cut off here.
LEAST = 1e-4


def name_clips(samples: Sequence[Sample], manifest: Path | None = None) -> tuple[dict[str, str], str]:
    """Tell which clip each picture is a frame of.

    The manifest's column `clip` decides where there is one. Otherwise the names do: `NAME_01`, `NAME_02` … of one
    folder, label and group are frames of one clip; a name that stands alone is a photo.

    Args:
        samples: the pictures.
        manifest: the CSV that they come from.

    Returns:
        The clip of each path, those that are frames of none left out; and the rule in words.
    """
    if manifest is not None and (named := _read_column(manifest)) is not None:
        return {sample.path: named[sample.path] for sample in samples if named.get(sample.path)}, BY_COLUMN
    frames: dict[str, tuple[str, int, str]] = {}
    for sample in samples:
        path = PurePosixPath(sample.path)
        if match := _FRAME.fullmatch(path.stem):
            frames[sample.path] = (str(path.parent / match[1]), sample.label, sample.group)
    together = Counter(frames.values())
    return {path: clip[0] for path, clip in frames.items() if together[clip] > 1}, BY_NAME


def _read_column(manifest: Path) -> dict[str, str] | None:
    with manifest.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if "clip" not in (reader.fieldnames or ()):
            return None
        return {(row["path"] or "").strip(): (row["clip"] or "").strip() for row in reader}


def log_odds(row: Mapping[str, Any]) -> float:
    """Return the calibrated log-odds of a scored row; of older rows, what their rounded probability tells."""
    if "log_odds" in row:
        return float(row["log_odds"])
    probability = min(max(float(row["fake_probability"]), LEAST), 1 - LEAST)
    return float(np.log(probability / (1 - probability)))


def gather(
    rows: Sequence[dict[str, Any]], level: str, calibration: Calibrations | None = None, rule: str = SERVED
) -> list[dict[str, Any]]:
    """Judge clips or groups by their pictures' log-odds.

    A unit never holds two labels, sources or methods: the original clips of an identity pair and each manipulation of
    it are a unit each.

    Args:
        rows: of pictures, as `score` returns them.
        level: "clip" or "group"; pictures that belong to none take no part.
        calibration: of the model that scored them. A unit of `LEAST_FRAMES` pictures or more is read as a video, a
            smaller one as a picture. Without it the pictures' own log-odds count, and there is no verdict.
        rule: how several become one; see `chalicelib.aggregation`.

    Returns:
        A row a unit, of the same shape as a picture's; `pictures` counts those that were scored.
    """
    units: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get(level):
            units[row["source"], row["label"], row["method"], row[level]].append(row)
    return [_judge(name, members, calibration, rule) for (*_, name), members in sorted(units.items())]


def _judge(name: str, members: Sequence[dict[str, Any]], calibration: Calibrations | None, rule: str) -> dict[str, Any]:
    scored = [row for row in members if row["fake_probability"] is not None]
    same = {key: members[0][key] for key in ("label", "source", "method", "group")}
    unit: dict[str, Any] = {"path": name, **same, "pictures": len(scored), "fake_probability": None, "verdict": ""}
    if not scored:
        return unit
    found = [log_odds(row) for row in scored]
    odds = aggregate(found, rule)
    reading = None if calibration is None else calibration.picture
    if calibration is not None and len(scored) >= LEAST_FRAMES:
        reading = calibration.video
        odds = calibration.track_log_odds([calibration.picture.logit(one) for one in found], rule)
    probability = round(float(1 / (1 + np.exp(-odds))), 4)
    unit |= {"log_odds": odds, "fake_probability": probability}
    if reading is not None:
        unit["verdict"] = (
            "likely_fake"
            if probability > reading.fake_above
            else "no_traces"
            if probability < reading.no_traces_below
            else "uncertain"
        )
    return unit

"""Contact sheets of a model's most confident mistakes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.faces import crop_face
from training.bench import Bench
from training.files import replacing
from training.metrics import DECISION
from training.scoring import open_pictures

# Mistakes of each kind, pictures in a row, and the side of one, px.
MOST = 16
COLUMNS = 8
SIDE = 128


def pick_mistakes(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the reals called fake and the fakes missed, those first of which the model is surest."""
    scored = [row for row in rows if row["fake_probability"] is not None]
    alarms = [row for row in scored if row["label"] == "real" and row["fake_probability"] >= DECISION]
    misses = [row for row in scored if row["label"] == "fake" and row["fake_probability"] < DECISION]
    return {
        "real, called fake": sorted(alarms, key=lambda row: (-row["fake_probability"], row["path"]))[:MOST],
        "fake, missed": sorted(misses, key=lambda row: (row["fake_probability"], row["path"]))[:MOST],
    }


def draw_sheets(bench: Bench, entries: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    """Draw a PNG a model; return its path by the model's name, without the models that make no mistake.

    Raises:
        WriteFailed: a sheet cannot be written.
    """
    sheets = {}
    for entry in entries:
        mistakes = pick_mistakes(entry["rows"])
        if any(mistakes.values()):
            sheets[entry["name"]] = folder / f"{file_name(entry['name'])}.png"
            _draw(bench, entry["name"], mistakes, sheets[entry["name"]])
    return sheets


def file_name(name: str) -> str:
    """Return a model's name as a file may be called everywhere."""
    return re.sub(r"[^\w.+-]", "_", name)


def _draw(bench: Bench, name: str, mistakes: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    from matplotlib.figure import Figure

    crops = _cut(bench, {row["path"] for rows in mistakes.values() for row in rows})
    lines = {title: -(-len(rows) // COLUMNS) for title, rows in mistakes.items() if rows}
    figure = Figure(figsize=(1.35 * COLUMNS, 1.75 * sum(lines.values()) + 0.5 * len(lines) + 0.5), layout="constrained")
    figure.suptitle(f"{name}: the most confident mistakes")
    parts = figure.subfigures(len(lines), 1, height_ratios=list(lines.values()), squeeze=False)
    for part, (title, count) in zip(parts[:, 0], lines.items(), strict=True):
        part.suptitle(title, fontsize="medium")
        places = part.subplots(count, COLUMNS, squeeze=False).ravel()
        for place in places:
            place.axis("off")
        for place, row in zip(places, mistakes[title], strict=False):
            place.imshow(crops[row["path"]])
            # A dollar sign in a name would begin a formula.
            place.set_title(f"{row['fake_probability']:.2f} {row['source']}", fontsize=6, parse_math=False)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=120)


def _cut(bench: Bench, paths: set[str]) -> dict[str, np.ndarray]:
    """Return the largest face of each picture, uint8 RGB [SIDE, SIDE, 3]."""
    chosen = [sample for sample in bench.samples if sample.path in paths]
    return {
        sample.path: crop_face(pixels, bench.faces()[sample.path].boxes[0], SIDE)
        for sample, pixels in open_pictures(chosen, bench.root, bench.settings)
        if not isinstance(pixels, str)
    }

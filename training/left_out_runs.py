"""Scores by networks that were trained without some families of fakes: the nearest that there is to a stranger."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.manifest import LABELS, ManifestError

COLUMNS = ("label", "source", "method", "group", "logit", "left_out")


@dataclass(frozen=True, slots=True)
class LeftOutRun:
    """One network's logits of held-out pictures.

    Attributes:
        labels: int [N], 1 fake.
        logits: float [N].
        sources: of each picture.
        methods: of each picture, "" where none is named.
        groups: of each picture.
        unseen: bool [N], the fakes of families that the network was trained without.
    """

    labels: np.ndarray
    logits: np.ndarray
    sources: list[str]
    methods: list[str]
    groups: list[str]
    unseen: np.ndarray


def read_left_out_run(path: Path) -> LeftOutRun:
    """Read the scores of a network that was trained without some families.

    Args:
        path: a CSV with the columns `label` (real or fake), `source`, `method`, `group`, `logit` and `left_out` (1
            where the network was trained without this fake's family); or what `unmask evaluate --json` wrote for a run
            of `unmask train --leave-out`.

    Raises:
        ManifestError: the file cannot be read, lacks a column, holds a logit that is not finite, or lacks a seen or an
            unseen fake or a real picture.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows = _parse_report(json.loads(text)) if path.suffix == ".json" else _parse_table(text, path)
        run = _collect(rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"{path} cannot be read as scores of a run that left families out: {error}.") from error
    if not np.isfinite(run.logits).all():
        raise ManifestError(f"{path} holds a logit that is not a finite number.")
    fakes = run.labels == 1
    if fakes.all() or not run.unseen.any() or not (fakes & ~run.unseen).any():
        raise ManifestError(
            f"{path} needs real pictures, fakes of families that were left out of training, and fakes of others."
        )
    return run


def _parse_table(text: str, path: Path) -> list[dict[str, Any]]:
    reader = csv.DictReader(text.splitlines())
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise ManifestError(f"{path} lacks the column {' and '.join(sorted(missing))}.")
    return [{**row, "left_out": (row["left_out"] or "").strip() in ("1", "yes", "true")} for row in reader]


def _parse_report(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    families = {figures["family"] for figures in report["metrics"]["left_out"].values()}
    return [
        {
            **row,
            "logit": row["log_odds"],
            "left_out": row["label"] == "fake" and bool(families & {row["source"], row["method"]}),
        }
        for row in report["scores"]
        if "log_odds" in row
    ]


def _collect(rows: Sequence[Mapping[str, Any]]) -> LeftOutRun:
    labels = np.array([LABELS[row["label"]] for row in rows], int)
    return LeftOutRun(
        labels=labels,
        logits=np.array([float(row["logit"]) for row in rows], float),
        sources=[row["source"] for row in rows],
        methods=[row["method"] for row in rows],
        groups=[row["group"] for row in rows],
        unseen=np.array([bool(row["left_out"]) for row in rows], bool) & (labels == 1),
    )

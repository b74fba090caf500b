"""An honest evaluation: every picture goes the whole way that a user's picture goes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.aggregation import RULES, SERVED
from chalicelib.checks import Scores
from chalicelib.faces import FaceFinder
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibrations
from training.files import replacing
from training.levels import gather, name_clips
from training.manifest import Sample
from training.metrics import bootstrap, measure
from training.scoring import Progress, find_faces, no_progress, score_faces

# Pictures whose faces are found before they are scored.
STRETCH = 64


def score(
    samples: Sequence[Sample],
    root: Path,
    model: Scores,
    settings: Settings,
    progress: Progress = no_progress,
    clips: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Check every picture: decode, find faces, crop, score, calibrate, judge.

    Args:
        samples: the pictures.
        root: the folder that their paths start from.
        model: scores crops.
        settings: limits, and where the finder's networks lie.
        progress: called with (pictures done, pictures in all).
        clips: the clip of each path that is a frame of one; told by the names where it is not given.

    Returns:
        A row a picture; see `score_faces`.
    """
    clips = name_clips(samples)[0] if clips is None else clips
    finder = FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads)
    rows: list[dict[str, Any]] = []
    for start in range(0, len(samples), STRETCH):
        stretch = samples[start : start + STRETCH]
        faces = find_faces(stretch, root, settings, finder=finder)
        rows += score_faces(stretch, root, faces, model, settings, clips=clips)
        progress(len(rows), len(samples))
    return rows


def summarise(rows: Sequence[dict[str, Any]], calibration: Calibrations | None = None) -> dict[str, Any]:
    """Turn scored pictures into figures, overall, by source and by family of fakes, and by clip and group.

    A picture without a score is counted in `unscored` and takes no part in the other figures: leaving it out
    aloud is better than guessing for it.

    Args:
        rows: as `score` returns them.
        calibration: whose thresholds judge clips and groups; without it their verdicts are not counted.

    Returns:
        `overall`; `sources`: each source alone (figures that compare classes are NaN in a source of one
        class); `against_real`: each source of fakes, and each method where a source has several, against all
        real pictures, and against its own real ones where it has any; `levels`: `clip` and `group`, each with
        `overall` and `against_real` of units whose pictures become one score, left out where there is no such
        unit of several pictures; `aggregation`: see `compare_rules`. Bootstrap intervals by group.
    """
    sources = sorted({row["source"] for row in rows})
    levels = {}
    for level in ("clip", "group"):
        units = gather(rows, level, calibration)
        if any(unit["pictures"] > 1 for unit in units):
            levels[level] = {"overall": measure_rows(units), "against_real": compare_families(units)}
    return {
        "overall": measure_rows(rows),
        "sources": {s: measure_rows([row for row in rows if row["source"] == s]) for s in sources},
        "against_real": compare_families(rows),
        "levels": levels,
        "aggregation": compare_rules(rows),
    }


def compare_rules(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of clips by each rule that makes one score of their frames; see `chalicelib.aggregation`.

    The served rule is the one that is best here, on groups that neither the network nor its calibration learnt from.

    Args:
        rows: as `score` returns them; pictures that belong to no clip of several take no part.

    Returns:
        Figures by the name of the rule, and `frames`: those of the same frames one by one. Empty where there is no
        clip.
    """
    framed = [row for row in rows if row.get("clip")]
    if not framed:
        return {}
    by_rule = {rule: measure_rows(gather(framed, "clip", rule=rule)) for rule in RULES}
    return {**by_rule, "frames": measure_rows(framed)}


def format_rules(rules: dict[str, Any]) -> str:
    """Lay out for a terminal how rules of aggregation compare."""
    names = ("pictures", "auc", "auc_interval", "eer", "tpr_at_5_fpr")
    lines = [f"{'rule' + (' (served: ' + SERVED + ')'):<24}" + "".join(f"{name:>16}" for name in names)]
    for rule, figures in rules.items():
        lines.append(f"{rule:<24}" + "".join(f"{_cell(figures.get(name)):>16}" for name in names))
    return "\n".join(lines)


def compare_families(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of each family of fakes against real pictures; see `summarise`."""
    scored = [row for row in rows if row["fake_probability"] is not None]
    against: dict[str, Any] = {}
    reals = [row for row in scored if row["label"] == "real"]
    fakes = [row for row in scored if row["label"] == "fake"]
    for source in sorted({row["source"] for row in fakes}):
        own_fakes = [row for row in fakes if row["source"] == source]
        own_reals = [row for row in reals if row["source"] == source]
        against[source] = measure_rows(reals + own_fakes)
        if own_reals:
            against[f"{source} against its own real"] = measure_rows(own_reals + own_fakes)
        methods = sorted({row["method"] for row in own_fakes})
        for method in methods if len(methods) > 1 else ():
            of_method = [row for row in own_fakes if row["method"] == method]
            title = f"{source}, {method or 'unnamed'}" + (", against its own real" if own_reals else "")
            against[title] = measure_rows((own_reals or reals) + of_method)
    return against


def measure_rows(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of some pictures, clips or groups, with the intervals and the shares of verdicts."""
    scored = [row for row in rows if row["fake_probability"] is not None]
    figures: dict[str, Any] = {"unscored": len(rows) - len(scored)}
    if not scored:
        return figures
    labels = np.array([row["label"] == "fake" for row in scored], int)
    probabilities = np.array([row["fake_probability"] for row in scored], float)
    figures |= measure(labels, probabilities)
    groups = [row["group"] for row in scored]
    figures["groups"] = len(set(groups))
    intervals = bootstrap(labels, probabilities, groups)
    figures |= {f"{name}_interval": interval for name, interval in intervals.items()}
    verdicts = np.array([row["verdict"] for row in scored])
    if not verdicts.all():
        return figures
    figures["uncertain"] = float((verdicts == "uncertain").mean())
    for label, name in ((0, "real"), (1, "fake")):
        of_class = verdicts[labels == label]
        if len(of_class):
            figures[f"{name}_called_fake"] = float((of_class == "likely_fake").mean())
            figures[f"{name}_no_traces"] = float((of_class == "no_traces").mean())
    return figures


def write_report(rows: Sequence[dict[str, Any]], metrics: dict[str, Any], out: Path) -> None:
    """Write `{"metrics", "scores"}` as JSON, whole or not at all; NaN becomes null."""
    with replacing(out) as unfinished:
        unfinished.write_text(json.dumps({"metrics": to_json(metrics), "scores": rows}, indent=1), encoding="utf-8")


def to_json(value: Any) -> Any:
    """Round floats to five decimals and turn NaN into None, all the way down."""
    if isinstance(value, dict):
        return {name: to_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 5)
    return value


def format_table(metrics: dict[str, Any]) -> str:
    """Lay the main figures out for a terminal, a row for the whole and for each family of fakes."""
    names = ("pictures", "auc", "eer", "tpr_at_1_fpr", "tpr_at_5_fpr", "accuracy", "f1", "ece", "uncertain")
    rows = {"overall": metrics["overall"], **metrics["against_real"]}
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{name:>14}" for name in names)]
    for title, figures in rows.items():
        cells = "".join(f"{_cell(figures.get(name)):>14}" for name in names)
        lines.append(f"{title:<{width}}{cells}")
    return "\n".join(lines)


def _cell(value: float | int | tuple[float, float] | None) -> str:
    if isinstance(value, tuple):
        return "–".join(f"{bound:.3f}" for bound in value)
    if value is None or np.isnan(value):
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"

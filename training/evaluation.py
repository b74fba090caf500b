"""An honest evaluation: every picture goes the whole way that a user's picture goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.checks import Checker, Scores
from chalicelib.detector import Detector
from chalicelib.errors import ModelUnavailable, UnmaskError
from chalicelib.faces import FaceFinder
from chalicelib.settings import Settings
from training.keras_detector import KerasDetector
from training.manifest import Sample
from training.metrics import bootstrap_auc, measure

FLOAT_STUDENT = Path(__file__).parent / "weights" / "student.keras"


def load_model(name: str, settings: Settings) -> Scores:
    """Load what `--model` names.

    Args:
        name: "int8" (what is served), "float" (the network that it was made from), or a path to a .keras
            file or to a folder with `detector.tflite` and `model_card.json`.
        settings: where the served models lie.

    Raises:
        ModelUnavailable: there is no such model.
    """
    if name == "int8":
        return Detector(settings.models, settings.threads)
    if name == "float":
        return KerasDetector(FLOAT_STUDENT, settings.models)
    path = Path(name)
    if path.suffix == ".keras" and path.is_file():
        return KerasDetector(path, settings.models)
    if path.is_dir():
        return Detector(path, settings.threads)
    raise ModelUnavailable(f"There is no model {name!r}: give int8, float, a .keras file or a models folder.")


def score(
    samples: Sequence[Sample],
    root: Path,
    model: Scores,
    settings: Settings,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Check every picture: decode, find faces, crop, score, calibrate, judge.

    Returns:
        A row a picture: path, label, source, method, group, fake_probability (None where there is no face or
        the picture cannot be read) and verdict ("unreadable" where it cannot).
    """
    finder = FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads)
    checker = Checker(settings, finder, model, None)
    rows = []
    for done, sample in enumerate(samples, start=1):
        row: dict[str, Any] = {
            "path": sample.path,
            "label": "fake" if sample.label else "real",
            "source": sample.source,
            "method": sample.method,
            "group": sample.group,
        }
        try:
            check = checker.check_image((root / sample.path).read_bytes())
            row |= {"fake_probability": check["fake_probability"], "verdict": check["verdict"]}
        except ModelUnavailable:
            raise
        except (OSError, UnmaskError) as error:
            row |= {"fake_probability": None, "verdict": "unreadable", "error": str(error)}
        rows.append(row)
        progress(done, len(samples))
    return rows


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Turn scored pictures into figures, overall, by source and by family of fakes.

    A picture without a score is counted in `unscored` and takes no part in the other figures: leaving it out
    aloud is better than guessing for it.

    Returns:
        `overall`; `sources`: each source alone (figures that compare classes are NaN in a source of one
        class); `against_real`: each source of fakes, and each method where a source has several, against all
        real pictures, and against its own real ones where it has any. Bootstrap intervals of AUC by group.
    """
    scored = [row for row in rows if row["fake_probability"] is not None]
    against: dict[str, Any] = {}
    reals = [row for row in scored if row["label"] == "real"]
    fakes = [row for row in scored if row["label"] == "fake"]
    for source in sorted({row["source"] for row in fakes}):
        own_fakes = [row for row in fakes if row["source"] == source]
        against[source] = _figures(reals + own_fakes)
        own_reals = [row for row in reals if row["source"] == source]
        if not own_reals:
            continue
        against[f"{source} against its own real"] = _figures(own_reals + own_fakes)
        methods = sorted({row["method"] for row in own_fakes})
        for method in methods if len(methods) > 1 else ():
            of_method = [row for row in own_fakes if row["method"] == method]
            against[f"{source}, {method}, against its own real"] = _figures(own_reals + of_method)
    sources = sorted({row["source"] for row in rows})
    return {
        "overall": _figures(rows),
        "sources": {s: _figures([row for row in rows if row["source"] == s]) for s in sources},
        "against_real": against,
    }


def _figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    scored = [row for row in rows if row["fake_probability"] is not None]
    figures: dict[str, Any] = {"unscored": len(rows) - len(scored)}
    if not scored:
        return figures
    labels = np.array([row["label"] == "fake" for row in scored], int)
    probabilities = np.array([row["fake_probability"] for row in scored], float)
    figures |= measure(labels, probabilities)
    figures["auc_interval"] = bootstrap_auc(labels, probabilities, [row["group"] for row in scored])
    verdicts = np.array([row["verdict"] for row in scored])
    figures["uncertain"] = float((verdicts == "uncertain").mean())
    for label, name in ((0, "real"), (1, "fake")):
        of_class = verdicts[labels == label]
        if len(of_class):
            figures[f"{name}_called_fake"] = float((of_class == "likely_fake").mean())
            figures[f"{name}_called_real"] = float((of_class == "likely_real").mean())
    return figures


def write_report(rows: Sequence[dict[str, Any]], metrics: dict[str, Any], out: Path) -> None:
    """Write `{"metrics", "scores"}` as JSON, whole or not at all; NaN becomes null."""
    unfinished = out.with_name(out.name + ".part")
    unfinished.write_text(json.dumps({"metrics": to_json(metrics), "scores": rows}, indent=1), encoding="utf-8")
    unfinished.replace(out)


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


def _cell(value: float | int | None) -> str:
    if value is None or np.isnan(value):
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"

"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from training.contrasts import POOLED_FPR
from training.files import replacing
from training.promise import PROMISES, format_cell, format_promise, format_share, is_stranger
from training.reporting.plots import draw_curves, draw_grid, draw_model, draw_shares, to_scored
from training.reporting.summary import describe_probes, is_number, rank, spell, spell_interval, summarise_report
from training.reporting.yardsticks import YARDSTICKS, find_published

# Columns as they are headed, and whether less is better or nothing is (None).
HEADINGS: dict[str, tuple[str, bool | None]] = {
    "auc": ("AUC", False),
    "eer": ("EER", True),
    "average_precision": ("average precision", False),
    "tpr_at_1_fpr": ("TPR at 1 % FPR", False),
    "tpr_at_5_fpr": ("TPR at 5 % FPR", False),
    "ece": ("ECE", True),
    "brier": ("Brier", True),
    "uncertain": ("uncertain", None),
    "accuracy": ("accuracy", False),
    "precision": ("precision", False),
    "recall": ("recall", False),
    "specificity": ("specificity", False),
    "npv": ("NPV", False),
    "f1": ("F1", False),
    "mcc": ("MCC", False),
}
# The seven figures of source project (b), which need a decision; the others judge the scores as they are.
DECISIONS = ("accuracy", "precision", "recall", "specificity", "npv", "f1", "mcc")
RANKING = tuple(name for name in HEADINGS if name not in DECISIONS)
LEVELS = {"clip": "clips", "group": "groups"}
MEGA = 1e6


def write_page(
    content: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    out: Path,
    sheets: Mapping[str, Path] | None = None,
) -> None:
    """Write a report.

    Args:
        content: what `assemble` returned.
        entries: the models with their rows, for the plots.
        out: the HTML file.
        sheets: contact sheets to embed, by model. They show faces, so the page may not be passed on freely.

    Raises:
        WriteFailed: the page cannot be written.
    """
    page = render(content, entries, sheets or {})
    with replacing(out) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def render(content: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], sheets: Mapping[str, Path]) -> str:
    """Return the page; see `write_page`."""
    environment = Environment(
        loader=PackageLoader("training.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": spell,
        "interval": spell_interval,
        "share": format_share,
        "cell": format_cell,
        "promise": format_promise,
    }
    environment.tests["stranger"] = is_stranger
    models = rank(content["models"])
    scored = {entry["name"]: to_scored(entry["rows"]) for entry in entries}
    ranked = {model["name"]: scored[model["name"]] for model in models}
    harms = content["harms"]["tried"]
    aucs = {m["name"]: {harm: figures.get("auc") for harm, figures in m["grid"].items()} for m in models}
    return environment.get_template("report.html").render(
        content=content,
        data=content["data"],
        models=models,
        summary=summarise_report(content),
        ranking=_tabulate(models, RANKING),
        decisions=_tabulate(models, DECISIONS),
        published={model["name"]: find_published(model) for model in models},
        levels=_tabulate_levels(models),
        contrasts=_tabulate_contrasts(models),
        accused=_tabulate_accused(models),
        pooled_fpr=POOLED_FPR,
        promises=PROMISES,
        ablation=_tabulate_ablation(content["ablation"]),
        left_out=_tabulate_left_out(models),
        seeds=_tabulate_seeds(content["seeds"]),
        harms=harms,
        probes=describe_probes(content["probes"]),
        yardsticks=YARDSTICKS,
        curves=_trust(draw_curves(ranked, "ROC and precision-recall curves of the models")),
        grid=_trust(draw_grid(aucs, harms)) if harms else "",
        shares=_trust(draw_shares(content["pictures"]["shares"])),
        portraits={model["name"]: _trust(_draw_portrait(model, scored)) for model in models},
        sheets={name: _trust(_embed(path)) for name, path in sheets.items()},
        costs=[_cost(model) for model in models],
    )


def _trust(drawing: str) -> Markup:
    """Let a drawing through unescaped: matplotlib and we escape what is in it."""
    return Markup(drawing)  # noqa: S704


def _draw_portrait(model: Mapping[str, Any], scored: Mapping[str, Any]) -> str:
    thresholds = model["calibration"]["no_traces_below"], model["calibration"]["fake_above"]
    return draw_model(model["name"], scored[model["name"]], thresholds)


def _tabulate(models: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return a table of some figures, a row a model; the best of each column is marked where there are several."""
    overall = [model["metrics"]["overall"] for model in models]
    rows = [
        {
            "name": model["name"],
            "unscored": figures["unscored"],
            "cells": [
                {
                    "value": spell(figures.get(name)),
                    "interval": spell_interval(figures.get(f"{name}_interval")),
                    "best": len(models) > 1 and _is_best(name, figures, overall),
                }
                for name in names
            ],
        }
        for model, figures in zip(models, overall, strict=True)
    ]
    return {"headings": [HEADINGS[name][0] for name in names], "rows": rows}


def _is_best(name: str, figures: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    less = HEADINGS[name][1]
    values = [other[name] for other in others if is_number(other.get(name))]
    if less is None or not is_number(figures.get(name)):
        return False
    return bool(figures[name] == (min(values) if less else max(values)))


def _tabulate_levels(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a table a level: each model's figures where clips or groups are judged as one."""
    return [
        {
            "title": title,
            "units": next(m["metrics"]["levels"][level]["overall"]["pictures"] for m in with_level),
            "rows": [(m["name"], m["metrics"]["levels"][level]["overall"]) for m in with_level],
        }
        for level, title in LEVELS.items()
        if (with_level := [m for m in models if level in m["metrics"]["levels"]])
    ]


def _tabulate_contrasts(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a contrast, with each model's AUC, TPR at 5 % FPR and what a degradation takes; the mean last."""
    tables = [{row["title"]: row for row in model["table"]["rows"]} for model in models]
    rows = []
    for title in dict.fromkeys(title for table in tables for title in table):
        figures = [table.get(title, {}) for table in tables]
        counts = {key: max(f.get(key, 0) for f in figures) for key in ("fakes", "reals", "groups")}
        rows.append({"name": title, **counts, "cells": [_contrast(f) for f in figures]})
    means = [model["table"]["mean"] for model in models]
    if any(means):
        blank = dict.fromkeys(("fakes", "reals", "groups"), "–")
        rows.append({"name": "mean of the sources", **blank, "cells": [_contrast(mean) for mean in means]})
    return rows


def _contrast(figures: Mapping[str, Any]) -> dict[str, Any]:
    lost = figures.get("lost")
    return {
        **_heat(figures),
        "tpr": spell(figures.get("tpr_at_5_fpr")),
        "lost": spell(lost) if is_number(lost) else "",
    }


def _tabulate_accused(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a source of real pictures: the share that each model's one threshold calls fake."""
    sources = dict.fromkeys(source for model in models for source in model["table"]["accused"])
    return [
        {"name": source, "cells": [spell(model["table"]["accused"].get(source)) for model in models]}
        for source in sources
    ]


def _tabulate_ablation(ablation: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row a run: figure, spread over seeds and what it gained over the first; empty where there is none."""
    if not ablation:
        return {}
    first, *_ = ablation["runs"]
    return {
        "columns": ablation["columns"],
        "rows": [
            {
                "name": run["name"] + (f" ({run['seeds']} seeds)" if run["seeds"] > 1 else ""),
                "cells": [
                    {
                        "value": spell(value) + (f" ± {spell(spread)}" if is_number(spread) else ""),
                        "gain": f"{gain:+.3f}" if run is not first and is_number(gain) else "",
                    }
                    for value, spread, gain in zip(run["values"], run["spreads"], run["gains"], strict=True)
                ],
            }
            for run in ablation["runs"]
        ],
    }


def _tabulate_left_out(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": family, "cells": [_heat(model["left_out"][family]) for model in models]}
        for family in models[0]["left_out"]
    ]


def _heat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cell whose colour tells how far an AUC is above chance (0 to 1)."""
    value = figures.get("auc")
    heat = min(max((value - 0.5) / 0.5, 0.0), 1.0) if is_number(value) else 0.0  # type: ignore[operator]
    return {
        "value": spell(value),
        "interval": spell_interval(figures.get("auc_interval")),
        "heat": round(70 * heat),
        "below": is_number(value) and value < 0.5,  # type: ignore[operator]
    }


def _tabulate_seeds(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a table of mean and spread, a row a figure and a column a training; empty where there is none."""
    if not seeds:
        return {}
    return {
        "headings": [f"{family['name']} ({family['seeds']} seeds)" for family in seeds],
        "rows": [
            {
                "name": heading,
                "cells": [
                    f"{spell(figures['mean'])} ± {spell(figures['spread'])}"
                    if (figures := family["figures"].get(name))
                    else "–"
                    for family in seeds
                ],
            }
            for name, (heading, _) in HEADINGS.items()
        ],
    }


def _cost(model: Mapping[str, Any]) -> dict[str, str]:
    time = model.get("ms_per_face")
    return {
        "name": model["name"],
        "preset": model["preset"] or model["architecture"] or "–",
        "side": f"{model['side']} px",
        "parameters": f"{model['parameters'] / MEGA:.2f} million",
        "size": f"{model['bytes'] / MEGA:.1f} MB",
        "time": f"{time:.1f} ms" if is_number(time) else "–",
        "calibration": "its own" if model["own_calibration"] else "that of the served model",
    }


def _embed(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="">'

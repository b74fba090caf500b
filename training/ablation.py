"""What each ingredient bought: runs beside a first one, on the rows of one table."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from statistics import fmean, stdev
from typing import Any

from training.bench import BenchError
from training.contrasts import POOLED


def parse_ablation(text: str | None, models: Sequence[str]) -> list[str]:
    """Read NAME,NAME…, the first being what the others are compared with.

    Args:
        text: as given; None or "" for no ablation.
        models: names of all models; NAME stands for all of NAME#1, NAME#2 …

    Raises:
        BenchError: fewer than two names, one twice, or one that no model has.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if not names and not text:
        return []
    if len(names) < 2 or len(set(names)) < len(names):
        raise BenchError(f"--ablation takes two names or more, each once, the baseline first. Received: {text!r}")
    known = {part for model in models for part in (model, model.partition("#")[0])}
    for name in names:
        if name not in known:
            raise BenchError(f"No model is called {name!r}. There are: {', '.join(sorted(known))}.")
    return names


def ablate(entries: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return each run's figures, its seeds averaged, and what it gained over the first.

    Args:
        entries: what `training.comparison.examine` returned for each model.
        names: runs in order, as `parse_ablation` returns them; none for no ablation.

    Returns:
        `columns`: the rows of the table that were asked for (all where none was), the pooled TPR at 5 % FPR, and the
        families left out; `runs`: of each `name`, `seeds`, and per column `values`, `spreads` (standard deviation
        over seeds; NaN of one) and `gains`. Empty where there are no names.
    """
    if not names:
        return {}
    runs: list[dict[str, Any]] = []
    for name in names:
        figures = [_read(entry) for entry in entries if name in (entry["name"], entry["base"])]
        columns = list(figures[0])
        values = [fmean(one[column] for one in figures) for column in columns]
        spreads = [stdev(one[column] for one in figures) if len(figures) > 1 else nan for column in columns]
        baseline = runs[0]["values"] if runs else values
        gains = [value - before for value, before in zip(values, baseline, strict=True)]
        runs.append({"name": name, "seeds": len(figures), "values": values, "spreads": spreads, "gains": gains})
    return {"columns": columns, "runs": runs}


def _read(entry: dict[str, Any]) -> dict[str, float]:
    """Return the figures of one model by what they are called in the table."""
    rows = entry["table"]["rows"]
    wanted = [row for row in rows if row["asked"]] or rows
    pooled = next(row for row in rows if row["title"] == POOLED)
    return {
        **{row["title"]: row.get("auc", nan) for row in [*wanted, pooled]},
        f"{POOLED}: TPR at 5 % FPR": pooled.get("tpr_at_5_fpr", nan),
        **{f"{family}, left out": figures.get("auc", nan) for family, figures in entry["left_out"].items()},
    }

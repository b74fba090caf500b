"""The report in a few sentences, each with the figure that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from training.bench import CLEAN
from training.probes import explain

# From here on a probe is worth a warning.
CUE = 0.6


def is_number(value: Any) -> bool:
    """Say whether a figure was measured."""
    return isinstance(value, int | float) and not math.isnan(value)


def spell(value: Any, decimals: int = 3) -> str:
    """Return a figure as it is printed; a dash where there is none."""
    return f"{value:.{decimals}f}" if is_number(value) else "–"


def spell_interval(interval: Sequence[float] | None) -> str:
    """Return an interval as it is printed; nothing where there is none."""
    return f"{interval[0]:.3f}–{interval[1]:.3f}" if interval and all(map(is_number, interval)) else ""


def rank(models: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the models, highest AUC first; those without one last."""
    return sorted(models, key=lambda model: -_auc(model))


def _auc(model: Mapping[str, Any]) -> float:
    value = model["metrics"]["overall"].get("auc", math.nan)
    return float(value) if is_number(value) else -1.0


def summarise_report(content: Mapping[str, Any]) -> list[str]:
    """Return what a reader in a hurry should know, in order of weight."""
    ranked = rank(content["models"])
    best, overall = ranked[0], ranked[0]["metrics"]["overall"]
    sentences = []
    if is_number(overall.get("auc")):
        sentences.append(
            f"{'The highest AUC is that of' if len(ranked) > 1 else 'The AUC of'} {best['name']}"
            f"{': ' if len(ranked) > 1 else ' is '}{spell(overall['auc'])}"
            f" (95 % interval {spell_interval(overall['auc_interval'])})." + _name_rivals(ranked)
        )
        sentences.append(
            f"At a threshold that falsely accuses one real picture in a hundred, {best['name']} finds "
            f"{100 * overall['tpr_at_1_fpr']:.0f} % of the fakes; at five in a hundred, "
            f"{100 * overall['tpr_at_5_fpr']:.0f} %."
        )
    families = {
        family: figures["auc"]
        for family, figures in best["metrics"]["against_real"].items()
        if is_number(figures.get("auc"))
    }
    if len(families) > 1:
        hardest = min(families, key=lambda family: families[family])
        sentences.append(f"Hardest for it: {hardest}, with an AUC of {spell(families[hardest])}.")
    sentences += _warn_of_cues(content["probes"])
    grid = {harm: figures.get("auc") for harm, figures in best["grid"].items() if is_number(figures.get("auc"))}
    if len(grid) > 1 and CLEAN in grid:
        worst = min(grid, key=lambda harm: grid[harm])
        sentences.append(
            f"What harms it most: {worst}, which takes its AUC from {spell(grid[CLEAN])} to {spell(grid[worst])} "
            f"on {content['harms']['pictures']} pictures."
        )
    return sentences


def _name_rivals(ranked: Sequence[Mapping[str, Any]]) -> str:
    """Say of which models the best cannot be told apart."""
    low = ranked[0]["metrics"]["overall"]["auc_interval"][0]
    rivals = [
        model["name"]
        for model in ranked[1:]
        if is_number(model["metrics"]["overall"].get("auc")) and model["metrics"]["overall"]["auc_interval"][1] >= low
    ]
    if not rivals:
        return ""
    shown = ", ".join(rivals[:5]) + (f" and {len(rivals) - 5} more" if len(rivals) > 5 else "")
    return f" Its interval overlaps with that of {shown}: these pictures alone do not settle which is better."


def _warn_of_cues(probes: Mapping[str, Any]) -> list[str]:
    words = {"metadata": "the file alone (size, shape, compression)", "background": "the background alone"}
    cues = [
        f"{words[name]} with an AUC of {spell(probes[name]['raw']['auc'])}"
        for name in words
        if name in probes and probes[name]["raw"]["auc"] >= CUE
    ]
    if not cues:
        return []
    return [
        f"Beware: in these pictures fake can be told from real by {' and by '.join(cues)}, without looking at a face. "
        "So figures pooled over all sources flatter every detector; rows that set a family against its own real "
        "pictures are to be believed first."
    ]


def describe_probes(probes: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each probe and state, with what it means."""
    names = {"metadata": "file alone", "background": "background alone"}
    states = {
        "raw": "files as they are",
        "augmented": "after the training's augmentation",
        "trained": "as the training draws them",
    }
    return [
        {
            "probe": names[name],
            "state": states[state],
            "auc": spell(figures["auc"]),
            "interval": spell_interval(figures["auc_interval"]),
            "meaning": explain(figures["auc"], figures["auc_interval"]),
        }
        for name in names
        for state, figures in probes.get(name, {}).items()
    ]

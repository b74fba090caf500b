"""Which fakes are set against which real pictures, and what one threshold for all of them does to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

from chalicelib.verdicts import LEAST_FRAMES, Calibrations
from training.bench import BenchError
from training.evaluation import measure_rows
from training.levels import gather
from training.manifest import Sample
from training.metrics import auc, measure

# Share of all real pictures that the one threshold may accuse.
POOLED_FPR = 0.05
POOLED = "all, one threshold"
# Figures whose mean over sources is told.
MEANS = ("auc", "tpr_at_1_fpr", "tpr_at_5_fpr")


@dataclass(frozen=True, slots=True)
class Contrast:
    """A row of a table: these fakes against those reals.

    Attributes:
        title: what the row is called.
        fakes: sources, methods, or SOURCE/METHOD of the fakes.
        reals: sources of the real pictures; empty for all.
    """

    title: str
    fakes: tuple[str, ...]
    reals: tuple[str, ...] = ()

    def pick(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the scored rows of pictures, clips or groups that take part."""
        return [
            row
            for row in rows
            if row["fake_probability"] is not None
            and (
                _name(row["source"], row["method"]) & set(self.fakes)
                if row["label"] == "fake"
                else not self.reals or row["source"] in self.reals
            )
        ]


def _name(source: str, method: str) -> set[str]:
    """Return the names under which fakes may be asked for."""
    return {source, method, f"{source}/{method}"} if method else {source, f"{source}/"}


def parse_contrasts(texts: Sequence[str]) -> list[Contrast]:
    """Read TITLE=FAKES or TITLE=FAKES:REALS, names apart by commas.

    Raises:
        BenchError: a part is missing, or a title is used twice.
    """
    contrasts: dict[str, Contrast] = {}
    for text in texts:
        title, _, sides = (part.strip() for part in text.partition("="))
        fakes, colon, reals = sides.partition(":")
        contrast = Contrast(title, _split(fakes), _split(reals))
        if not title or not contrast.fakes or (colon and not contrast.reals):
            raise BenchError(
                "--row takes TITLE=FAKES, or TITLE=FAKES:REALS, with names of sources or methods apart by commas. "
                f"Received: {text!r}"
            )
        if title in contrasts:
            raise BenchError(f"Two rows are called {title!r}; give each a title of its own.")
        contrasts[title] = contrast
    return list(contrasts.values())


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


def check_contrasts(contrasts: Sequence[Contrast], samples: Sequence[Sample]) -> None:
    """Make sure that all that a row names is there.

    Raises:
        BenchError: something is not.
    """
    fakes = {name for sample in samples if sample.label for name in _name(sample.source, sample.method)}
    reals = {sample.source for sample in samples if not sample.label}
    for contrast in contrasts:
        for named, known, kind in ((contrast.fakes, fakes, "fake"), (contrast.reals, reals, "real")):
            if missing := [name for name in named if name not in known]:
                raise BenchError(
                    f"The row {contrast.title!r} asks for {', '.join(missing)}, of which there is no {kind} picture "
                    f"here. There are: {', '.join(sorted(name for name in known if '/' not in name)) or 'none'}."
                )


def find_contrasts(rows: Sequence[dict[str, Any]]) -> list[Contrast]:
    """Return the contrasts that pictures suggest.

    Each source of fakes against all reals and against its own, where it has any; and each of its methods, where there
    are several.
    """
    found = []
    reals = {row["source"] for row in rows if row["label"] == "real"}
    for source in _list_sources(rows, "fake"):
        found.append(Contrast(source, (source,)))
        if source in reals:
            found.append(Contrast(f"{source} against its own real", (source,), (source,)))
        methods = sorted({row["method"] for row in rows if (row["label"], row["source"]) == ("fake", source)})
        for method in methods if len(methods) > 1 else ():
            own = (source,) if source in reals else ()
            title = f"{source}, {method or 'unnamed'}" + (", against its own real" if own else "")
            found.append(Contrast(title, (f"{source}/{method}",), own))
    return found


def _list_sources(rows: Sequence[dict[str, Any]], label: str) -> list[str]:
    return sorted({row["source"] for row in rows if row["label"] == label})


def tabulate(
    rows: Sequence[dict[str, Any]],
    asked: Sequence[Contrast] = (),
    *,
    calibration: Calibrations | None = None,
    harmed: Mapping[str, Sequence[dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Return a table of contrasts.

    Args:
        rows: of pictures, as `training.scoring.score_faces` returns them.
        asked: the rows of the table; those that the pictures suggest follow.
        calibration: of the model that scored them; it judges clips.
        harmed: the same pictures, or some of them, after a degradation; by its name.

    Returns:
        `rows`: of each contrast `title`, `level` ("picture"; and once more "clip" or "group", where all its fakes
        come in such and the mean of a clip's or group's logits is judged), `asked`, `against`, `reals`, `fakes`, the
        figures of `measure_rows`, `tpr_pooled` (share of the pictures found at the one threshold), and per degradation
        `harms`: `auc`, `pictures` and `lost`, what the AUC lost on the very pictures scored before and after; `lost`
        is the largest. The last row holds everything.
        `mean`: of `MEANS` over the sources of fakes, each against its own reals where it has some.
        `threshold`: the one at which at most `POOLED_FPR` of all reals are called fake, and `accused`: the share of
        each source's reals that are.
    """
    contrasts = [*asked, *(c for c in find_contrasts(rows) if c.title not in {given.title for given in asked})]
    scored = [row for row in rows if row["fake_probability"] is not None]
    threshold = find_threshold(scored)
    everything = Contrast(POOLED, tuple(_list_sources(scored, "fake")))
    lines = []
    for contrast in [*contrasts, everything]:
        for level in ("picture", *_find_units(contrast, scored)):
            units = contrast.pick(_raise(scored, level, calibration))
            lines.append(
                {
                    "title": contrast.title + ("" if level == "picture" else f", {level}s"),
                    "level": level,
                    "asked": contrast in asked,
                    "against": ", ".join(contrast.reals),
                    **count_labels(units),
                    **measure_rows(units),
                    # A clip's probability is read in another way, so the pictures' threshold says nothing of it.
                    **({"tpr_pooled": _share_above(_take(units, "fake"), threshold)} if level == "picture" else {}),
                    **_tell_losses(contrast, level, scored, harmed or {}),
                }
            )
    return {
        "rows": lines,
        "mean": _average(scored),
        "threshold": threshold,
        "accused": {
            source: _share_above([row for row in _take(scored, "real") if row["source"] == source], threshold)
            for source in _list_sources(scored, "real")
        },
    }


def count_labels(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return how many `reals` and `fakes` there are."""
    return {f"{label}s": sum(row["label"] == label for row in rows) for label in ("real", "fake")}


def find_threshold(rows: Sequence[dict[str, Any]], fpr: float = POOLED_FPR) -> float:
    """Return the lowest score at or above which at most this share of the reals lies; NaN where a class is missing."""
    labels, probabilities = _to_arrays(rows)
    if len(set(labels.tolist())) < 2:
        return float("nan")
    alarms, _, thresholds = roc_curve(labels, probabilities, drop_intermediate=False)
    return float(thresholds[alarms <= fpr][-1])


def _to_arrays(rows: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([row["label"] == "fake" for row in rows], int)
    return labels, np.array([row["fake_probability"] for row in rows], float)


def _raise(
    rows: Sequence[dict[str, Any]], level: str, calibration: Calibrations | None = None
) -> Sequence[dict[str, Any]]:
    return rows if level == "picture" else gather(rows, level, calibration)


def _find_units(contrast: Contrast, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return "clip" or "group" where all fakes of a contrast come in such units of many pictures, and reals too."""
    picked = contrast.pick(rows)
    fakes = _take(picked, "fake")
    for level in ("clip", "group"):
        units = gather(picked, level)
        many = [unit for unit in _take(units, "fake") if unit["pictures"] >= LEAST_FRAMES]
        if fakes and sum(unit["pictures"] for unit in many) == len(fakes) and _take(units, "real"):
            return [level]
    return []


def _take(rows: Sequence[dict[str, Any]], label: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["label"] == label]


def _share_above(rows: Sequence[dict[str, Any]], threshold: float) -> float:
    if not rows or np.isnan(threshold):
        return float("nan")
    return fmean(row["fake_probability"] >= threshold for row in rows)


def _average(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the mean figures over the sources of fakes, so that a large easy source does not hide a small hard one."""
    reals = {row["source"] for row in rows if row["label"] == "real"}
    if not reals:
        return {}
    figures = []
    for source in _list_sources(rows, "fake"):
        own = Contrast(source, (source,), (source,) if source in reals else ())
        figures.append(measure(*_to_arrays(own.pick(rows))))
    return {name: fmean(of_source[name] for of_source in figures) for name in MEANS} if figures else {}


def _tell_losses(
    contrast: Contrast,
    level: str,
    rows: Sequence[dict[str, Any]],
    harmed: Mapping[str, Sequence[dict[str, Any]]],
) -> dict[str, Any]:
    """Return what each degradation costs a contrast, on pictures in which a face was found before and after."""
    harms = {}
    for harm, after in harmed.items():
        both = {row["path"] for row in after if row["fake_probability"] is not None} & {row["path"] for row in rows}
        pair = []
        for scored in (rows, after):
            units = contrast.pick(_raise([row for row in scored if row["path"] in both], level))
            pair.append(auc(*_to_arrays(units)))
        harms[harm] = {"auc": pair[1], "lost": pair[0] - pair[1], "pictures": len(units)}
    losses = [figures["lost"] for figures in harms.values() if not np.isnan(figures["lost"])]
    return {"harms": harms, "lost": max(losses)} if losses else {"harms": harms}

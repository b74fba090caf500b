"""Does the evidence lie where the forgery is? Maps of faces that were forged in a known place.

Photos that a model was not trained on are blended with themselves; photo and fake are cropped as serving crops them,
and their maps are calibrated and enlarged as they are shown. Two questions are asked: how much of what raises the
score of a fake lies within its mask, and how much there is of it in a photo that nobody touched.

Beside each fake stands its twin, the real half of the pair. It has the fake's colours and sharpness, which may be
altered all over, so only against it does a score tell of the blend alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from chalicelib.checks import Scores
from chalicelib.faces import crop_face, crop_square, resize_square
from chalicelib.settings import Settings
from chalicelib.verdicts import judge_face
from training.crops import open_picture
from training.faces import LocatedFace
from training.forgeries.masks import BAND_NAMES
from training.forgeries.self_blending import blend_self, can_blend, cut_region
from training.manifest import Sample
from training.metrics import auc
from training.scoring import BATCH, Progress, no_progress
from training.splits import limit_by_class

# A place is inside where the mask is above this share of its largest value: what is left of the edge is too faint.
EDGE = 0.1
# From this share of the altered copy on a fake counts as strong.
STRONG = 0.5
# Log-odds of a cell from which on the page puts it into words, a tenth of full colour; see page/words.js.
VISIBLE = 0.4
# Log-odds at full colour; see backend/overlays.py.
FULL_COLOUR = 4.0
# What a map must reach: the share of its positive mass inside the mask, or how often its highest cell lies there.
LEAST_MASS, LEAST_POINTING = 0.70, 0.85

# What of a case is scored, in this order.
HALVES = ("photo", "twin", "fake")
# What `locate` says of where evidence lies; each comes for the mask and for the widened one.
SHARES = ("mass_inside", "coarse_inside", "area", "points_inside", "centre_inside")


class LocalisationError(ValueError):
    """Nothing can be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """A photo, a fake that was made of it and the fake's twin, as serving crops them.

    Attributes:
        sample: the photo.
        band: which part of the face the mask covers, one of `BAND_NAMES`.
        strength: share of the altered copy where the mask is at its largest, 0 to 1.
        photo: uint8 RGB [S, S, 3], untouched.
        twin: uint8 RGB [S, S, 3], equal to the fake outside the mask and not blended.
        fake: uint8 RGB [S, S, 3].
        mask: float32 [S, S] in [0, 1].
    """

    sample: Sample
    band: str
    strength: float
    photo: np.ndarray
    twin: np.ndarray
    fake: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, slots=True)
class Example:
    """A case and what a model said of it.

    Attributes:
        case: the case.
        probabilities: of photo, twin and fake being fake, 0 to 1.
        maps: of the same, float32 [3, h, w], calibrated log-odds.
    """

    case: Case
    probabilities: tuple[float, ...]
    maps: np.ndarray


@dataclass(frozen=True, slots=True)
class Localisation:
    """What was measured of one model.

    Attributes:
        figures: plain numbers, NaN where there is none; see `localise`.
        examples: the first few cases, to look at.
    """

    figures: dict[str, Any]
    examples: list[Example]


def localise(
    model: Scores,
    samples: Sequence[Sample],
    faces: Mapping[str, LocatedFace],
    root: Path,
    settings: Settings,
    *,
    limit: int = 400,
    seed: int = 0,
    shown: int = 0,
    progress: Progress = no_progress,
) -> Localisation:
    """Forge photos in known places and measure where a model's evidence lies.

    Args:
        model: answers with maps.
        samples: of the part that the model was not trained on; only the real photos are used.
        faces: the face of each path; photos without one, or whose face is too small for a mask, take no part.
        root: the folder that the paths start from.
        settings: limits of decoding.
        limit: at most so many photos, every source giving alike; 0 for all.
        seed: fixes which photos and how each is forged.
        shown: how many examples to keep.
        progress: called with (photos done, photos in all).

    Returns:
        Figures `pairs`, `seed`; `fakes`, the rows of `summarise` by set: "all", "strong" (at least half of the altered
        copy laid over), "called_fake" and, among the strong ones, each band; and `maps`, those of `describe_maps` and
        `called_fake`, the share judged likely fake, by "photo", "twin" and "fake".

    Raises:
        LocalisationError: the model makes no maps, or no photo can be forged.
        ValueError: a picture cannot be read any more.
    """
    if not model.card.get("evidence", True):
        raise LocalisationError("This network makes no maps, so there is nothing to localise with.")
    chosen = choose_photos(samples, faces, limit, seed)
    if not chosen:
        raise LocalisationError("None of the pictures is a real photo with a face large enough to be blended.")
    calibration = model.calibration.of("picture")
    rows: list[dict[str, Any]] = []
    examples: list[Example] = []
    for case, logits, maps in _score(model, _forge(chosen, faces, root, model.side, settings, seed)):
        grids = maps / calibration.temperature + calibration.bias
        judgements = [judge_face(float(logit), (), calibration) for logit in logits]
        rows.append(
            {
                "band": case.band,
                "strong": case.strength >= STRONG,
                "logits": logits,
                "called_fake": [judgement.verdict == "likely_fake" for judgement in judgements],
                "cells": grids.reshape(len(HALVES), -1),
                **locate(grids[HALVES.index("fake")], case.mask),
            }
        )
        if len(examples) < shown:
            examples.append(Example(case, tuple(judgement.probability for judgement in judgements), grids))
        progress(len(rows), len(chosen))
    return Localisation({"pairs": len(rows), "seed": seed, **_summarise_all(rows)}, examples)


def choose_photos(samples: Sequence[Sample], faces: Mapping[str, LocatedFace], limit: int, seed: int) -> list[Sample]:
    """Choose real photos whose face a mask fits on, evenly from every source; in an order drawn from the seed."""
    fit = [
        sample
        for sample in samples
        if not sample.label and sample.path in faces and can_blend(np.array(faces[sample.path].landmarks))
    ]
    return sorted(limit_by_class(fit, limit, seed), key=lambda sample: _digest(sample, seed))


def forge(pixels: np.ndarray, face: LocatedFace, sample: Sample, side: int, rng: np.random.Generator) -> Case:
    """Blend a photo with itself and crop photo, pair and mask as serving crops the photo.

    Args:
        pixels: uint8 RGB [H, W, 3], upright.
        face: where the face is in it.
        sample: the photo.
        side: S, px.
        rng: the only source of chance.

    Raises:
        ValueError: the face spans no mask.
    """
    region, inner = cut_region(pixels, face)
    # A face that is small in its region would have its mask blurred away; the points are what decides.
    pair = blend_self(region, np.array(inner.landmarks), rng)
    return Case(
        sample,
        next(name for name in BAND_NAMES if pair.about.startswith(name)),
        float(pair.mask.max()),
        crop_face(pixels, face.box, side),
        crop_face(pair.real, inner.box, side),
        crop_face(pair.fake, inner.box, side),
        crop_mask(pair.mask, inner.box, side),
    )


def crop_mask(mask: np.ndarray, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """Cut and resize a mask float32 [H, W] as `crop_face` does the picture that it lies on; float32 [side, side]."""
    left, top, length = crop_square(box, mask.shape)
    return resize_square(mask[top : top + length, left : left + length], side)


def enlarge(grid: np.ndarray, side: int) -> np.ndarray:
    """Enlarge a map [h, w] as it is shown: bilinear between the middles of the cells; float32 [side, side]."""
    return cv2.resize(np.asarray(grid, np.float32), (side, side), interpolation=cv2.INTER_LINEAR)


def inside(mask: np.ndarray, reach: float = 0.0) -> np.ndarray:
    """Return where a mask [S, S] covers, bool; `reach` px further in every direction."""
    covered = (mask > EDGE * mask.max()).astype(np.uint8)
    if round(reach) > 0:
        size = 2 * round(reach) + 1
        covered = cv2.dilate(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return covered.astype(bool)


def locate(grid: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Compare a map with the mask of what was forged.

    A map is coarse: where a cell lies across the mask's edge even a perfect one spills over. So each figure comes
    twice, the second time, `_widened`, for the mask dilated by half a cell.

    Args:
        grid: float [h, w], log-odds.
        mask: float32 [S, S], of the same square.

    Returns:
        `mass`, the mean positive evidence a place, log-odds; `mass_inside`, the share of it inside the mask, NaN where
        there is none; `coarse_inside`, the share that a map would have that holds of each cell how much of it the mask
        covers; `area`, the mask's share of the square, which an even map would have; `points_inside`, whether the
        middle of the highest cell lies inside; `centre_inside`, whether the middle of the square does.
    """
    side = mask.shape[0]
    positive = np.maximum(enlarge(grid, side), 0)
    highest = np.unravel_index(int(grid.argmax()), grid.shape)
    peak = tuple(int((place + 0.5) * side / cells) for place, cells in zip(highest, grid.shape, strict=True))
    figures = {"mass": float(positive.mean(dtype=float))}
    for suffix, reach in (("", 0.0), ("_widened", side / max(grid.shape) / 2)):
        covered = inside(mask, reach)
        figures |= {
            f"mass_inside{suffix}": _share(positive, covered),
            f"coarse_inside{suffix}": _share(enlarge(_shrink(covered, grid.shape), side), covered),
            f"area{suffix}": float(covered.mean()),
            f"points_inside{suffix}": float(covered[peak]),
            f"centre_inside{suffix}": float(covered[side // 2, side // 2]),
        }
    return figures


def _share(mass: np.ndarray, covered: np.ndarray) -> float:
    """Return the share of a mass [S, S] that lies where it is covered, NaN where there is no mass."""
    whole = float(mass.sum(dtype=float))
    return float(mass[covered].sum(dtype=float)) / whole if whole else float("nan")


def _shrink(covered: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return how much of each cell of a grid is covered, float32 [h, w] in [0, 1]."""
    return cv2.resize(covered.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Average what `locate` said of some fakes.

    Returns:
        `pairs`; `auc` of the fakes against their twins; `called_fake`, the share that is judged likely fake;
        the means of `locate`, where `mass_inside` is of the fakes with any positive evidence, `with_mass` their share;
        and `pooled_inside`, the share of all positive evidence together, in which a strong map counts for more.
    """
    if not rows:
        return {"pairs": 0}
    masses = np.array([row["mass"] for row in rows])
    parts = np.array([row["mass_inside"] for row in rows])
    evident = masses > 0
    logits = np.array([row["logits"][1:] for row in rows])
    means = {name: _average([row[name] for row in rows]) for name in rows[0] if name.startswith(SHARES)}
    return {
        "pairs": len(rows),
        "auc": auc(np.tile((0, 1), len(rows)), logits.ravel()),
        "called_fake": float(np.mean([row["called_fake"][-1] for row in rows])),
        "with_mass": float(evident.mean()),
        "pooled_inside": float(np.average(parts[evident], weights=masses[evident])) if evident.any() else float("nan"),
        **means,
    }


def _average(values: Sequence[float]) -> float:
    """Return the mean of what is a number, NaN where nothing is."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def describe_maps(cells: np.ndarray) -> dict[str, float]:
    """Say how much evidence maps hold, wherever it lies.

    Args:
        cells: float [N, C], calibrated log-odds of the C cells of N maps, N ≥ 1.

    Returns:
        `evidence`, the mean log-odds of a cell; `positive`, the mean of what is above nought; `cells_visible`, the
        share of cells that the page would put into words; `maps_visible`, the share of maps with such a cell;
        `maps_full`, the share with a cell at full colour; `highest`, the median over maps of the highest cell.
    """
    highest = cells.max(axis=1)
    return {
        "evidence": float(cells.mean()),
        "positive": float(np.maximum(cells, 0).mean()),
        "cells_visible": float((cells >= VISIBLE).mean()),
        "maps_visible": float((highest >= VISIBLE).mean()),
        "maps_full": float((highest >= FULL_COLOUR).mean()),
        "highest": float(np.median(highest)),
    }


def format_localisation(figures: Mapping[str, Any]) -> str:
    """Lay the figures of `localise` out for a terminal."""
    columns = {
        "pairs": "pairs",
        "called fake": "called_fake",
        "AUC": "auc",
        "mass": "mass_inside",
        "coarse": "coarse_inside",
        "even": "area",
        "pointing": "points_inside",
        "centre": "centre_inside",
        "mass +½": "mass_inside_widened",
        "even +½": "area_widened",
        "pointing +½": "points_inside_widened",
    }
    names = {"all": "all fakes", "called_fake": "called fake", "strong": f"strength ≥ {STRONG:g}"}
    titles = {name: names.get(name, f"  {name}") for name in figures["fakes"]}
    lines = [
        "share of the evidence inside the mask, and how often the highest cell lies there (+½: wider by half a cell)",
        " " * 16 + "".join(f"{title:>12}" for title in columns),
    ]
    for name, row in figures["fakes"].items():
        cells = (_spell(row.get(key, float("nan"))) for key in columns.values())
        lines.append(f"{titles[name]:<16}" + "".join(f"{cell:>12}" for cell in cells))
    keys = ("evidence", "positive", "cells_visible", "maps_visible", "maps_full", "highest", "called_fake")
    lines += ["", "what maps hold, log-odds", " " * 16 + "".join(f"{key.replace('_', ' '):>14}" for key in keys)]
    for name, row in figures["maps"].items():
        lines.append(f"{name:<16}" + "".join(f"{_spell(row[key]):>14}" for key in keys))
    aim = f"{LEAST_MASS:.0%} of the mass inside, or pointing inside {LEAST_POINTING:.0%} of the time"
    return "\n".join([*lines, "", f"aim: {aim}: {'reached' if meets_aim(figures) else 'not reached'}"])


def meets_aim(figures: Mapping[str, Any]) -> bool:
    """Say whether the figures of `localise` reach `LEAST_MASS` or `LEAST_POINTING` over all fakes."""
    reached = figures["fakes"]["all"]
    return reached["mass_inside"] >= LEAST_MASS or reached["points_inside"] >= LEAST_POINTING


def _spell(value: float) -> str:
    return str(value) if isinstance(value, int) else "–" if np.isnan(value) else f"{value:.3f}"


def _digest(sample: Sample, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{sample.path}".encode()).digest()


def _forge(
    samples: Sequence[Sample],
    faces: Mapping[str, LocatedFace],
    root: Path,
    side: int,
    settings: Settings,
    seed: int,
) -> Iterator[Case]:
    """Forge each photo; how depends on its path and the seed alone, not on the others."""
    for sample in samples:
        rng = np.random.default_rng(list(_digest(sample, seed)[:8]))
        yield forge(open_picture(root, sample, settings), faces[sample.path], sample, side, rng)


def _score(model: Scores, cases: Iterator[Case]) -> Iterator[tuple[Case, np.ndarray, np.ndarray]]:
    """Yield each case with the logits [3] and the maps [3, h, w] of its `HALVES`."""
    count = len(HALVES)
    while some := list(islice(cases, BATCH // count)):
        logits, maps = model.score(np.stack([getattr(case, half) for case in some for half in HALVES]))
        yield from zip(some, logits.reshape(-1, count), maps.reshape(-1, count, *maps.shape[1:]), strict=True)


def _summarise_all(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    strong = [row for row in rows if row["strong"]]
    sets = {
        "all": rows,
        "called_fake": [row for row in rows if row["called_fake"][-1]],
        "strong": strong,
        **{band: [row for row in strong if row["band"] == band] for band in BAND_NAMES},
    }
    cells = np.stack([row["cells"] for row in rows], axis=1)
    called = np.mean([row["called_fake"] for row in rows], axis=0)
    return {
        "fakes": {name: summarise(members) for name, members in sets.items()},
        "maps": {
            name: {**describe_maps(cells[half]), "called_fake": float(called[half])} for half, name in enumerate(HALVES)
        },
    }

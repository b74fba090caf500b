"""From logits to probabilities that mean what they say, and to a band of honest doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from chalicelib.aggregation import aggregate
from chalicelib.verdicts import LEAST_FRAMES, Calibration, Calibrations

# Share of real pictures that may be expected to be called likely fake.
FALSE_ALARMS = 0.02
# Share of fakes among what counts as no traces, where fakes are as frequent as real pictures.
OMISSIONS = 0.10
# Share of the fakes of any one source that may count as no traces.
MISSES = 0.25
# Fakes that a source must have before it may hold the threshold back alone.
LEAST_OF_SOURCE = 20
# How far few clips may move slope and bias from those of pictures: standard deviations of a Gaussian prior, the slope's
# in units of the slope, the bias's in log-odds. A dozen clips move the bias by about a fifth of what they say.
SLOPE_DEVIATION = 0.2
BIAS_DEVIATION = 0.4
# Clips of a class that count as much as its pictures do where the thresholds of clips are fitted.
PRIOR_CLIPS = 50
# Newton's method ends where it moves less than this, or after so many steps.
STILL = 1e-8
MOST_STEPS = 100


def fit_calibration(
    labels: np.ndarray, logits: np.ndarray, sources: Sequence[str], groups: Sequence[str] | None = None
) -> Calibration:
    """Fit temperature, bias and the two thresholds of pictures on held-out groups.

    The temperature and the bias are Platt's (1999): a logistic regression on the one logit, both classes weighing the
    same. In both thresholds every source weighs the same, so that a large easy collection does not buy a threshold
    that fails on a small hard one. They keep three promises and are otherwise as near to each other as they can be:

    - `fake_above`: of real pictures of new groups, at most `FALSE_ALARMS` are expected to be called likely fake. The
      order statistic is Cunnane's (1978), for as many independent pictures as the groups are worth (Kish 1965): with
      few groups it lies further out than the plain quantile, and with fewer than 30 it is the largest real score, of
      which nothing is promised.
    - `no_traces_below`: of what counts as no traces, at most `OMISSIONS` is fake where both classes are as frequent;
    - and of the fakes of no source do more than `MISSES` count as no traces, however many other sources are easy.

    Args:
        labels: int [N], 1 fake, 0 real.
        logits: float [N] of the network that will serve, after quantisation.
        sources: the collection of each sample.
        groups: of each sample; each is its own where None.

    Returns:
        The calibration.

    Raises:
        ValueError: a class is missing, or the logits rank fakes below reals.
    """
    slope, bias = fit_platt(labels, logits)
    return _draw_bands(slope, bias, *_weigh(labels, _squash(slope * logits + bias), sources, groups))


def fit_calibrations(
    labels: np.ndarray,
    logits: np.ndarray,
    sources: Sequence[str],
    groups: Sequence[str],
    clips: Sequence[str],
) -> Calibrations:
    """Fit the calibration of each medium on held-out groups.

    Every sample counts as a picture, a frame too: a file does not tell what it was taken from. Those of a clip count
    as frames, each clip weighing the same; and each clip with `LEAST_FRAMES` of them, by its aggregated logit, as a
    video.

    There are mostly few clips. So slope and bias of frames and videos start from those of pictures and are held to
    them by a Gaussian prior, and in the thresholds the pictures count as `PRIOR_CLIPS` clips of each class. A medium
    that lacks a class, or whose fakes rank below its reals, is read as pictures are.

    Args:
        labels: int [N], 1 fake, 0 real.
        logits: float [N] of the network that will serve, after quantisation.
        sources: the collection of each sample.
        groups: of each sample.
        clips: of each sample, "" where it is a photo. Names of clips need to differ only within a source and class.
            Frames that were degraded for the purpose are another clip than those that were not.

    Raises:
        ValueError: as `fit_calibration` does.
    """
    picture = fit_calibration(labels, logits, sources, groups)
    slope, bias = fit_platt(labels, logits)
    pictures = _Held(labels, logits, np.asarray(sources), np.asarray(groups))
    clip_of = np.array([f"{s}\n{label}\n{c}" if c else "" for s, label, c in zip(sources, labels, clips, strict=True)])
    media = []
    for units, names in (_take_frames(pictures, clip_of), _take_videos(pictures, clip_of)):
        both = len(set(units.labels.tolist())) == 2
        own = _fit_few(units, names, pictures, slope, bias) if both else None
        media.append(own or picture)
    return Calibrations(picture, *media)


@dataclass(frozen=True, slots=True)
class _Held:
    """Held-out samples: labels [N], logits [N], sources [N], groups [N]."""

    labels: np.ndarray
    logits: np.ndarray
    sources: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True, slots=True)
class _Scores:
    """Calibrated probabilities of one class, float [N], with the mass of each, 1 in all, and where they come from."""

    values: np.ndarray
    masses: np.ndarray
    sources: np.ndarray
    groups: np.ndarray

    def pool(self, other: _Scores, share: float) -> _Scores:
        """Return both together, the other having this share of the mass."""
        return _Scores(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.masses * (1 - share), other.masses * share]),
            np.concatenate([self.sources, other.sources]),
            np.concatenate([self.groups, other.groups]),
        )

    def worth(self) -> float:
        """Return how many independent samples of one mass the groups are worth."""
        names = [f"{source}\n{group}" for source, group in zip(self.sources, self.groups, strict=True)]
        _, inverse = np.unique(names, return_inverse=True)
        return float(1 / (np.bincount(inverse, self.masses) ** 2).sum())


def _take_frames(pictures: _Held, clip_of: np.ndarray) -> tuple[_Held, np.ndarray]:
    """Return the frames of clips, and the clip of each."""
    kept = clip_of != ""
    parts = (pictures.labels, pictures.logits, pictures.sources, pictures.groups)
    return _Held(*(part[kept] for part in parts)), clip_of[kept]


def _take_videos(pictures: _Held, clip_of: np.ndarray) -> tuple[_Held, np.ndarray]:
    """Return the clips that can be judged as such, each with its aggregated logit, and their names."""
    frames, clips = _take_frames(pictures, clip_of)
    names, first, inverse, counts = np.unique(clips, return_index=True, return_inverse=True, return_counts=True)
    logits = np.array([aggregate(frames.logits[inverse == clip].tolist()) for clip in range(len(names))])
    kept = counts >= LEAST_FRAMES
    at = first[kept]
    return _Held(frames.labels[at], logits[kept], frames.sources[at], frames.groups[at]), names[kept]


def fit_platt(labels: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    """Return slope and bias of the calibrated log-odds."""
    if len(set(labels.tolist())) < 2:
        raise ValueError("calibration needs real and fake pictures")
    platt = LogisticRegression(C=1e6, class_weight="balanced").fit(logits[:, None], labels)
    slope, bias = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    if slope <= 0:
        raise ValueError("the network ranks fakes below reals; there is nothing to calibrate")
    return slope, bias


def _fit_few(units: _Held, clips: np.ndarray, pictures: _Held, slope: float, bias: float) -> Calibration | None:
    """Fit a medium of few clips, held to the slope and bias of pictures; None where fakes rank below reals.

    `clips` [N] names the clip of each unit.
    """
    _, inverse, sizes = np.unique(clips, return_inverse=True, return_counts=True)
    weights = 1.0 / sizes[inverse]
    counts = {label: weights[units.labels == label].sum() for label in (0, 1)}
    # Both classes weigh the same, and all together as much as there are clips.
    weights *= np.array([len(sizes) / 2 / counts[label] for label in units.labels.tolist()])
    prior = np.array([slope, bias])
    own_slope, own_bias = _descend(units, weights, prior, np.array([SLOPE_DEVIATION * slope, BIAS_DEVIATION]))
    if own_slope <= 0:
        return None
    # A picture counts by the probability that it is given as a picture.
    base = _weigh(pictures.labels, _squash(slope * pictures.logits + bias), pictures.sources, pictures.groups)
    own = _weigh(units.labels, _squash(own_slope * units.logits + own_bias), units.sources, units.groups, weights)
    real, fake = (base[label].pool(own[label], counts[label] / (counts[label] + PRIOR_CLIPS)) for label in (0, 1))
    return _draw_bands(own_slope, own_bias, real, fake)


def _descend(units: _Held, weights: np.ndarray, prior: np.ndarray, deviations: np.ndarray) -> tuple[float, float]:
    """Return slope and bias of least log loss under a Gaussian prior, by Newton's method with halved steps."""
    inputs = np.stack([units.logits, np.ones(len(units.logits))], axis=1).astype(float)
    signs = np.where(units.labels == 1, -1.0, 1.0)

    def loss(point: np.ndarray) -> float:
        held = (((point - prior) / deviations) ** 2).sum() / 2
        return float((weights * np.logaddexp(0, signs * (inputs @ point))).sum() + held)

    point = prior
    for _ in range(MOST_STEPS):
        fake = _squash(inputs @ point)
        gradient = inputs.T @ (weights * (fake - units.labels)) + (point - prior) / deviations**2
        curvature = (inputs.T * (weights * fake * (1 - fake))) @ inputs + np.diag(1 / deviations**2)
        step = np.linalg.solve(curvature, gradient)
        while loss(point - step) > loss(point) and np.abs(step).max() > STILL:
            step = step / 2
        if np.abs(step).max() <= STILL:
            break
        point = point - step
    return float(point[0]), float(point[1])


def _squash(odds: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -odds))


def _weigh(
    labels: np.ndarray,
    values: np.ndarray,
    sources: Sequence[str] | np.ndarray,
    groups: Sequence[str] | np.ndarray | None,
    weights: np.ndarray | None = None,
) -> tuple[_Scores, _Scores]:
    """Return the reals and the fakes, every source of a class having the same mass."""
    names = np.asarray(sources)
    apart = np.arange(len(labels)).astype(str) if groups is None else np.asarray(groups)
    weights = np.ones(len(labels)) if weights is None else weights
    classes = []
    for label in (0, 1):
        kept = labels == label
        found, inverse = np.unique(names[kept], return_inverse=True)
        masses = weights[kept] / np.bincount(inverse, weights[kept])[inverse] / len(found)
        classes.append(_Scores(values[kept], masses, names[kept], apart[kept]))
    return classes[0], classes[1]


def _draw_bands(slope: float, bias: float, real: _Scores, fake: _Scores) -> Calibration:
    fake_above = _find_fake_above(real)
    no_traces_below = min(_find_omissions(real, fake), _find_misses(fake))
    # A network that separates perfectly would leave the two crossed; then there is no doubt to name.
    no_traces_below, fake_above = min(no_traces_below, fake_above, 0.5), max(fake_above, 0.5)
    return Calibration(
        temperature=round(1 / slope, 4),
        bias=round(bias, 4),
        no_traces_below=round(no_traces_below, 4),
        fake_above=round(fake_above, 4),
    )


def _find_fake_above(real: _Scores) -> float:
    """Return the least score that few enough of new reals are expected to exceed."""
    worth = real.worth()
    # Of `worth` samples, a share s above the threshold stands for (s × worth + .6) / (worth + .2) of new ones.
    share = (FALSE_ALARMS * (worth + 0.2) - 0.6) / worth
    order = np.argsort(real.values)[::-1]
    beyond = np.cumsum(real.masses[order])
    may_exceed = int(np.searchsorted(beyond, share + 1e-9, side="right"))
    return float(real.values[order][min(may_exceed, len(order) - 1)])


def _find_omissions(real: _Scores, fake: _Scores) -> float:
    """Return the highest score below which few enough are fake."""
    values = np.concatenate([real.values, fake.values])
    order = np.argsort(values)
    of_fake = np.concatenate([np.zeros(len(real.values)), fake.masses])[order]
    of_real = np.concatenate([real.masses, np.zeros(len(fake.values))])[order]
    # What lies below each value, itself excluded: a face at the threshold is not below it.
    missed, kept = np.cumsum(of_fake) - of_fake, np.cumsum(of_real) - of_real
    fine = np.nonzero(missed <= OMISSIONS * (missed + kept))[0]
    return float(values[order][fine[-1]])


def _find_misses(fake: _Scores) -> float:
    """Return the highest score below which few enough fakes of every source lie."""
    bounds = [1.0]
    for source in np.unique(fake.sources):
        own = fake.sources == source
        if own.sum() < LEAST_OF_SOURCE:
            continue
        order = np.argsort(fake.values[own])
        below = np.cumsum(fake.masses[own][order])
        at = np.searchsorted(below, MISSES * below[-1] + 1e-9, side="right")
        bounds.append(float(fake.values[own][order][at]))
    return min(bounds)

"""From logits to probabilities that mean what they say, and to a band of honest doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from chalicelib.aggregation import aggregate, count_independent
from chalicelib.verdicts import LEAST_FRAMES, Calibration, Calibrations
from training.left_out_runs import LeftOutRun
from training.thresholds import Scores, Unseen, find_thresholds, leave_sources_out, pool_small

# How far few clips may move slope and bias from those of pictures: standard deviations of a Gaussian prior, the slope's
# in units of the slope, the bias's in log-odds. A dozen clips move the bias by about a fifth of what they say.
SLOPE_DEVIATION = 0.2
BIAS_DEVIATION = 0.4
# Clips of a class that count as much as its pictures do where the thresholds of clips are fitted.
PRIOR_CLIPS = 50
# Clips of a class that count as if their frames repeated each other: few clips prove little independence.
REPEATING_CLIPS = 4
# Newton's method ends where it moves less than this, or after so many steps.
STILL = 1e-8
MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted, and what it is worth.

    Attributes:
        calibrations: how logits are to be read.
        promise: by medium: `rests_on`, in words, and what `training.promise.describe_promise` says of sources that
            were left out one by one; the latter is missing where a medium is read as another.
    """

    calibrations: Calibrations
    promise: dict[str, Any]


def fit_calibration(
    labels: np.ndarray,
    logits: np.ndarray,
    sources: Sequence[str],
    groups: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
) -> Calibration:
    """Fit temperature, bias and the two thresholds of pictures on held-out groups.

    The temperature and the bias are Platt's (1999): a logistic regression on the one logit, both classes weighing the
    same, and within a class each source by the square root of its size, so that none drowns the others. The thresholds
    are those of `training.thresholds.find_thresholds`: at most 2 % of the real pictures of a source that was left out
    are called fake, and at most 10 % of the fakes of a family that was left out fall below the lower one.

    Args:
        labels: int [N], 1 fake, 0 real.
        logits: float [N] of the network that will serve, after quantisation.
        sources: the collection of each sample.
        groups: of each sample; each is its own where None.
        methods: how each fake was made, which is its family; the source is where it is "", or all are None.

    Returns:
        The calibration.

    Raises:
        ValueError: a class is missing, or the logits rank fakes below reals.
    """
    pictures = _Held.gather(labels, logits, sources, groups, methods)
    slope, bias = _fit_platt(pictures)
    return _to_calibration(slope, bias, *find_thresholds(*pictures.weigh(slope * pictures.logits + bias)))


def fit_calibrations(
    labels: np.ndarray,
    logits: np.ndarray,
    sources: Sequence[str],
    groups: Sequence[str],
    clips: Sequence[str],
    methods: Sequence[str] | None = None,
    left_out_runs: Sequence[LeftOutRun] = (),
) -> Fitted:
    """Fit the calibration of each medium on held-out groups, and say what it promises to sources never met.

    Every sample counts as a picture, a frame too: a file does not tell what it was taken from. Those of a clip count
    as frames, each clip weighing the same; and each clip with `LEAST_FRAMES` of them, by its aggregated log-odds, as a
    video.

    There are mostly few clips. So slope and bias of frames start from those of pictures and are held to them by a
    Gaussian prior, and in the thresholds the pictures count as `PRIOR_CLIPS` clips of each class. A clip is read by
    the slope and bias of its frames, and is the surer the more of them there are, as far as they do not repeat each
    other; see `chalicelib.aggregation.count_independent`. Without clips of both classes, or where fakes rank below
    reals, frames are read as pictures, and clips as single frames.

    Args:
        labels: int [N], 1 fake, 0 real.
        logits: float [N] of the network that will serve, after quantisation.
        sources: the collection of each sample.
        groups: of each sample.
        clips: of each sample, "" where it is a photo. Names of clips need to differ only within a source and class.
            Frames that were degraded for the purpose are another clip than those that were not.
        methods: as in `fit_calibration`.
        left_out_runs: scores by networks that were trained without some families. Where there are some, the lower
            threshold is also as low as their unseen families ask for.

    Raises:
        ValueError: as `fit_calibration` does; for a run that is left out too.
    """
    pictures = _Held.gather(labels, logits, sources, groups, methods)
    slope, bias = _fit_platt(pictures)
    real, fake = pictures.weigh(slope * pictures.logits + bias)
    unseen = [_read_run(run) for run in left_out_runs]
    picture = _to_calibration(slope, bias, *find_thresholds(real, fake, unseen))
    promise: dict[str, Any] = {
        "picture": {"rests_on": _count_pictures(real, fake, unseen), **leave_sources_out(real, fake, unseen=unseen)}
    }
    clip_of = np.array([f"{s}\n{label}\n{c}" if c else "" for s, label, c in zip(sources, labels, clips, strict=True)])
    media = _fit_moving(pictures, clip_of, (slope, bias), unseen)
    if media is None:
        why = "pictures: there are no clips of both classes whose fakes rank above their reals"
        promise |= {"frame": {"rests_on": why}, "video": {"rests_on": why}}
        return Fitted(Calibrations.alike(picture), promise)
    frame, video, correlation, of_media = media
    return Fitted(Calibrations(picture, frame, video, correlation), promise | of_media)


def estimate_correlation(odds: np.ndarray, labels: np.ndarray, clips: np.ndarray) -> float:
    """Estimate how far frames of one clip repeat each other.

    It is the intraclass correlation of a one-way analysis of variance (Fisher 1925), for clips of unlike length. It is
    taken within each class, over all of its sources: what sets a source apart moves all frames of a clip alike, and no
    further frame corrects it. The larger of the two classes counts, drawn towards 1 as if `REPEATING_CLIPS` more clips
    of that class held one frame over and over.

    Args:
        odds: of each frame, float [N]; any affine scale.
        labels: int [N].
        clips: the clip of each frame, [N].

    Returns:
        The correlation, 0 to 1; 1 where a class has fewer than two clips of several frames.
    """
    found = []
    for label in (0, 1):
        own = labels == label
        _, inverse, sizes = np.unique(clips[own], return_inverse=True, return_counts=True)
        several = sizes[inverse] > 1
        values, inverse = odds[own][several], np.unique(inverse[several], return_inverse=True)[1]
        sizes = np.bincount(inverse)
        count, total = len(sizes), len(values)
        if count < 2:
            return 1.0
        means = np.bincount(inverse, values) / sizes
        between = float((sizes * (means - values.mean()) ** 2).sum() / (count - 1))
        within = float(((values - means[inverse]) ** 2).sum() / (total - count))
        size = (total - (sizes**2).sum() / total) / (count - 1)
        spread = between + (size - 1) * within
        correlation = min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else 1.0
        found.append((count * correlation + REPEATING_CLIPS) / (count + REPEATING_CLIPS))
    return float(max(found))


@dataclass(frozen=True, slots=True)
class _Held:
    """Held-out samples: labels [N], logits [N], strata [N] (source of a real, family of a fake), groups [N]."""

    labels: np.ndarray
    logits: np.ndarray
    strata: np.ndarray
    groups: np.ndarray

    @classmethod
    def gather(
        cls,
        labels: np.ndarray,
        logits: np.ndarray,
        sources: Sequence[str],
        groups: Sequence[str] | None,
        methods: Sequence[str] | None,
        *,
        pooled: bool = True,
    ) -> _Held:
        """Name strata, small ones pooled unless told otherwise, and number groups; one is a witness within a source."""
        labels, logits = np.asarray(labels), np.asarray(logits, float)
        methods = [""] * len(labels) if methods is None else methods
        names = np.array(
            [m or s if label else s for s, m, label in zip(sources, methods, labels, strict=True)], dtype=object
        )
        strata = np.empty(len(labels), dtype=object)
        for label in (0, 1):
            own = labels == label
            strata[own] = pool_small(names[own]) if pooled else names[own]
        apart = [str(n) for n in range(len(labels))] if groups is None else groups
        witnesses = [f"{s}\n{g}" for s, g in zip(sources, apart, strict=True)]
        return cls(labels, logits, strata.astype(str), np.unique(witnesses, return_inverse=True)[1])

    def take(self, at: np.ndarray) -> _Held:
        """Return some, by a mask or by their places."""
        return _Held(self.labels[at], self.logits[at], self.strata[at], self.groups[at])

    def weigh(self, odds: np.ndarray, weights: np.ndarray | None = None) -> tuple[Scores, Scores]:
        """Return the reals and the fakes with these log-odds [N]."""
        classes = []
        for label in (0, 1):
            own = self.labels == label
            of_class = None if weights is None else weights[own]
            classes.append(Scores.weigh(odds[own], self.strata[own], self.groups[own], of_class))
        return classes[0], classes[1]

    def balance(self, weights: np.ndarray) -> np.ndarray:
        """Return weights [N] of the same sum with which classes weigh alike, and strata by the root of theirs."""
        balanced = np.empty(len(weights))
        for label in (0, 1):
            own = self.labels == label
            _, inverse = np.unique(self.strata[own], return_inverse=True)
            rooted = weights[own] / np.sqrt(np.bincount(inverse, weights[own]))[inverse]
            balanced[own] = rooted / rooted.sum() * weights.sum() / 2
        return balanced


def _fit_platt(held: _Held) -> tuple[float, float]:
    """Return slope and bias of the calibrated log-odds, classes and strata balanced."""
    if len(set(held.labels.tolist())) < 2:
        raise ValueError("calibration needs real and fake pictures")
    return fit_platt(held.labels, held.logits, held.balance(np.ones(len(held.labels))))


def fit_platt(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, float]:
    """Return slope and bias that turn a logit into log-odds (Platt 1999).

    Args:
        labels: int [N], 1 fake; both classes are there.
        logits: float [N].
        weights: of each sample; both classes weigh alike where None.

    Raises:
        ValueError: the logits rank fakes below reals.
    """
    balance = "balanced" if weights is None else None
    platt = LogisticRegression(C=1e6, class_weight=balance).fit(logits[:, None], labels, sample_weight=weights)
    slope, bias = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    if slope <= 0:
        raise ValueError("the network ranks fakes below reals; there is nothing to calibrate")
    return slope, bias


def _to_calibration(slope: float, bias: float, low: float, high: float) -> Calibration:
    no_traces_below, fake_above = (float(1 / (1 + np.exp(-odds))) for odds in (low, high))
    return Calibration(
        temperature=round(1 / slope, 4),
        bias=round(bias, 4),
        no_traces_below=round(no_traces_below, 4),
        fake_above=round(fake_above, 4),
    )


def _read_run(run: LeftOutRun) -> Unseen:
    """Calibrate a network that was trained without some families on what it knows, and read all fakes by that."""
    held = _Held.gather(run.labels, run.logits, run.sources, run.groups, run.methods, pooled=False)
    slope, bias = _fit_platt(held.take(~run.unseen))
    odds = slope * held.logits + bias
    seen, unseen = (
        Scores.weigh(odds[kept], held.strata[kept], held.groups[kept])
        for kept in ((held.labels == 1) & ~run.unseen, run.unseen)
    )
    return Unseen(seen, unseen)


def _count_pictures(real: Scores, fake: Scores, unseen: Sequence[Unseen]) -> str:
    words = (
        f"{len(real.odds)} real pictures of {len(set(real.strata))} sources, "
        f"{len(fake.odds)} fakes of {len(set(fake.strata))} families"
    )
    families = {name for one in unseen for name in one.unseen.strata}
    return words + (f", {len(families)} of them by networks trained without them" if families else "")


def _fit_moving(
    pictures: _Held, clip_of: np.ndarray, platt: tuple[float, float], unseen: Sequence[Unseen]
) -> tuple[Calibration, Calibration, float, dict[str, Any]] | None:
    """Fit frames and clips; None where there are none to learn from.

    Returns:
        How frames and videos are read, how far frames repeat each other, and what both promise.
    """
    frames, names = pictures.take(clip_of != ""), clip_of[clip_of != ""]
    if len(set(frames.labels.tolist())) < 2:
        return None
    fitted = _fit_frames(frames, names, platt)
    if fitted is None:
        return None
    slope, bias = fitted
    odds = slope * frames.logits + bias
    _, inverse, sizes = np.unique(names, return_inverse=True, return_counts=True)
    counts = _count_clips(frames.labels, names)
    # A picture counts by the log-odds that it is given as a picture.
    base = pictures.weigh(platt[0] * pictures.logits + platt[1])
    own = frames.weigh(odds, 1.0 / sizes[inverse])
    frame, frame_promise = _draw_medium(slope, bias, base, own, counts, unseen)
    words = f"{len(frames.labels)} frames of {counts[0]} real and {counts[1]} fake clips, and pictures"
    promise: dict[str, Any] = {"frame": {"rests_on": words, **frame_promise}}

    correlation = round(estimate_correlation(odds, frames.labels, names), 4)
    clips, clip_odds = _take_clips(frames, odds, names, correlation)
    if len(set(clips.labels.tolist())) < 2:
        promise["video"] = {"rests_on": f"frames: no clips of both classes have {LEAST_FRAMES} frames"}
        return frame, frame, 1.0, promise
    independent = count_independent(round(float(np.median(sizes[sizes >= LEAST_FRAMES]))), correlation)
    base = _to_clips(base[0], independent), _to_clips(base[1], independent)
    unseen = [Unseen(_to_clips(one.seen, independent), _to_clips(one.unseen, independent)) for one in unseen]
    counts = [int((clips.labels == label).sum()) for label in (0, 1)]
    video, video_promise = _draw_medium(slope, bias, base, clips.weigh(clip_odds), counts, unseen)
    words = f"{counts[0]} real and {counts[1]} fake clips, and pictures as if each were a clip"
    promise["video"] = {"rests_on": words, **video_promise}
    return frame, video, correlation, promise


def _count_clips(labels: np.ndarray, names: np.ndarray) -> list[int]:
    return [len(set(names[labels == label])) for label in (0, 1)]


def _fit_frames(frames: _Held, names: np.ndarray, platt: tuple[float, float]) -> tuple[float, float] | None:
    """Return slope and bias of frames, held to those of pictures; None where fakes rank below reals.

    `names` [N] are the clips of the frames.
    """
    _, inverse, sizes = np.unique(names, return_inverse=True, return_counts=True)
    # All together weigh as much as there are clips.
    weights = frames.balance(1.0 / sizes[inverse])
    slope, bias = _descend(frames, weights, np.array(platt), np.array([SLOPE_DEVIATION * platt[0], BIAS_DEVIATION]))
    return (slope, bias) if slope > 0 else None


def _draw_medium(
    slope: float,
    bias: float,
    base: tuple[Scores, Scores],
    own: tuple[Scores, Scores],
    counts: Sequence[int],
    unseen: Sequence[Unseen],
) -> tuple[Calibration, dict[str, Any]]:
    """Find the thresholds of a medium of few clips, and hold them to its own scores, source by source."""
    real, fake = (
        of_pictures.pool(of_clips, count / (count + PRIOR_CLIPS))
        for of_pictures, of_clips, count in zip(base, own, counts, strict=True)
    )
    calibration = _to_calibration(slope, bias, *find_thresholds(real, fake, unseen))
    return calibration, leave_sources_out(real, fake, own, unseen)


def _take_clips(frames: _Held, odds: np.ndarray, names: np.ndarray, correlation: float) -> tuple[_Held, np.ndarray]:
    """Return the clips that can be judged as such, and their log-odds as served."""
    _, first, inverse, counts = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts >= LEAST_FRAMES)
    served = [
        aggregate(odds[inverse == clip].tolist()) * count_independent(int(counts[clip]), correlation) for clip in kept
    ]
    return frames.take(first[kept]), np.array(served)


def _to_clips(pictures: Scores, independent: float) -> Scores:
    """Return what pictures would score as clips of so many independent frames.

    The mean of a clip lies nearer to that of its class than one frame does, by the root of their number, and counts
    that many times.
    """
    mean = float((pictures.masses * pictures.odds).sum())
    return pictures.move((mean + (pictures.odds - mean) / np.sqrt(independent)) * independent)


def _descend(units: _Held, weights: np.ndarray, prior: np.ndarray, deviations: np.ndarray) -> tuple[float, float]:
    """Return slope and bias of least log loss under a Gaussian prior, by Newton's method with halved steps."""
    inputs = np.stack([units.logits, np.ones(len(units.logits))], axis=1).astype(float)
    signs = np.where(units.labels == 1, -1.0, 1.0)

    def loss(point: np.ndarray) -> float:
        held = (((point - prior) / deviations) ** 2).sum() / 2
        return float((weights * np.logaddexp(0, signs * (inputs @ point))).sum() + held)

    point = prior
    for _ in range(MOST_STEPS):
        fake = np.exp(-np.logaddexp(0, -(inputs @ point)))
        gradient = inputs.T @ (weights * (fake - units.labels)) + (point - prior) / deviations**2
        curvature = (inputs.T * (weights * fake * (1 - fake))) @ inputs + np.diag(1 / deviations**2)
        step = np.linalg.solve(curvature, gradient)
        while loss(point - step) > loss(point) and np.abs(step).max() > STILL:
            step = step / 2
        if np.abs(step).max() <= STILL:
            break
        point = point - step
    return float(point[0]), float(point[1])

"""The yardsticks of a detector. Positive class is *fake*; a score is larger the more fake."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn import metrics as sk

# At or above it a picture counts as fake, for the figures that need a decision.
DECISION = 0.5
# Figures that come with a bootstrap interval.
WITH_INTERVAL = ("auc", "accuracy", "eer", "tpr_at_1_fpr", "tpr_at_5_fpr")
ROUNDS = 400
# Values of one matrix of the bootstrap, which bounds its memory at some 100 MB.
MOST_VALUES = 2_000_000


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve, or NaN where a class is missing.

    Args:
        labels: [N], 1 fake, 0 real.
        scores: [N], any monotone scale.
    """
    if len(set(labels.tolist())) < 2:
        return float("nan")
    return float(sk.roc_auc_score(labels, scores))


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the error rate where FPR and FNR meet, in [0, 1]."""
    fpr, tpr, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
    crossing = int(np.nanargmin(np.abs(fpr - (1 - tpr))))
    return float((fpr[crossing] + 1 - tpr[crossing]) / 2)


def tpr_at_fpr(labels: np.ndarray, scores: np.ndarray, fpr: float) -> float:
    """Return the share of fakes found at the most sensitive threshold whose FPR is at most `fpr`."""
    found_fpr, found_tpr, _ = sk.roc_curve(labels, scores)
    return float(found_tpr[found_fpr <= fpr].max())


def bin_by_mass(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> list[tuple[float, float, int]]:
    """Return (mean probability said, share of fakes seen, pictures) of bins that hold as many pictures each."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [(float(probabilities[part].mean()), float(labels[part].mean()), len(part)) for part in parts]


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error over bins of equal mass, in [0, 1] (Nguyen & O'Connor 2015)."""
    return sum(abs(seen - said) * n for said, seen, n in bin_by_mass(labels, probabilities, bins)) / len(labels)


def count_decisions(labels: np.ndarray, probabilities: np.ndarray, threshold: float = DECISION) -> dict[str, int]:
    """Return the confusion matrix: `tp` fakes called fake, `fp` reals called fake, `fn`, `tn`."""
    called, fake = probabilities >= threshold, labels == 1
    return {
        "tp": int((called & fake).sum()),
        "fp": int((called & ~fake).sum()),
        "fn": int((~called & fake).sum()),
        "tn": int((~called & ~fake).sum()),
    }


def measure(labels: np.ndarray, probabilities: np.ndarray, threshold: float = DECISION) -> dict[str, float]:
    """Return all figures of one set of pictures.

    Args:
        labels: int [N], 1 fake, 0 real.
        probabilities: float [N], calibrated, in [0, 1].
        threshold: at or above it a picture counts as fake, for the figures that need a decision.

    Returns:
        Figures by name. Those that compare the classes are NaN where one is missing, and so is a share of
        nothing (the precision when nothing was called fake).
    """
    tp, fp, fn, tn = count_decisions(labels, probabilities, threshold).values()
    both = 0 < labels.sum() < len(labels)

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    def compare(figure: Callable[[], float]) -> float:
        return float(figure()) if both else float("nan")

    return {
        "pictures": len(labels),
        "auc": auc(labels, probabilities),
        "eer": compare(lambda: equal_error_rate(labels, probabilities)),
        "tpr_at_1_fpr": compare(lambda: tpr_at_fpr(labels, probabilities, 0.01)),
        "tpr_at_5_fpr": compare(lambda: tpr_at_fpr(labels, probabilities, 0.05)),
        "average_precision": compare(lambda: sk.average_precision_score(labels, probabilities)),
        "accuracy": share(tp + tn, len(labels)),
        "precision": share(tp, tp + fp),
        "recall": share(tp, tp + fn),
        "specificity": share(tn, tn + fp),
        "npv": share(tn, tn + fn),
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "mcc": compare(lambda: sk.matthews_corrcoef(labels, probabilities >= threshold)),
        "ece": calibration_error(labels, probabilities),
        "brier": float(np.mean((probabilities - labels) ** 2)),
    }


def bootstrap(
    labels: np.ndarray,
    scores: np.ndarray,
    groups: Sequence[str],
    *,
    threshold: float = DECISION,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return the 95 % intervals of `WITH_INTERVAL` when whole groups are drawn with replacement.

    Drawing pictures one by one would take twenty frames of one clip for twenty independent witnesses.

    Args:
        labels: int [N], 1 fake, 0 real.
        scores: float [N].
        groups: [N]; pictures of one group are drawn together.
        threshold: of the accuracy.
        rounds: draws.
        seed: fixes them.

    Returns:
        (low, high) by figure; NaN where no draw has both classes (for the accuracy: never).
    """
    _, members = np.unique(np.asarray(groups), return_inverse=True)
    count = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(1, MOST_VALUES // max(len(labels), count))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in WITH_INTERVAL}
    for start in range(0, rounds, step):
        drawn = rng.integers(count, size=(min(step, rounds - start), count))
        times = np.stack([np.bincount(row, minlength=count) for row in drawn])
        for name, values in _measure_weighted(labels, scores, times[:, members], threshold).items():
            parts[name].append(values)
    return {name: _middle(np.concatenate(values)) for name, values in parts.items()}


def bootstrap_auc(
    labels: np.ndarray, scores: np.ndarray, groups: Sequence[str], *, rounds: int = ROUNDS, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of the AUC alone; see `bootstrap`."""
    return bootstrap(labels, scores, groups, rounds=rounds, seed=seed)["auc"]


def _measure_weighted(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, threshold: float
) -> dict[str, np.ndarray]:
    """Return each figure [R] for R ways [R, N] of counting the pictures; one sort serves them all."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    # A threshold lies after the last of equal scores only.
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    fakes = labels[order] == 1
    drawn = weights[:, order].astype(float)
    found, alarms = (
        np.pad(np.cumsum(drawn * of_class, axis=1)[:, ends], ((0, 0), (1, 0))) for of_class in (fakes, ~fakes)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        tpr, fpr = found / found[:, -1:], alarms / alarms[:, -1:]
    both = (found[:, -1] > 0) & (alarms[:, -1] > 0)
    tpr, fpr = np.where(both[:, None], tpr, 0), np.where(both[:, None], fpr, 0)
    crossing = np.abs(fpr - (1 - tpr)).argmin(axis=1)[:, None]
    figures = {
        "auc": (np.diff(fpr, axis=1) * (tpr[:, 1:] + tpr[:, :-1]) / 2).sum(axis=1),
        "eer": (np.take_along_axis(fpr, crossing, 1) + 1 - np.take_along_axis(tpr, crossing, 1))[:, 0] / 2,
        "tpr_at_1_fpr": np.where(fpr <= 0.01, tpr, 0).max(axis=1),
        "tpr_at_5_fpr": np.where(fpr <= 0.05, tpr, 0).max(axis=1),
    }
    right = (scores >= threshold) == (labels == 1)
    return {
        **{name: np.where(both, values, np.nan) for name, values in figures.items()},
        "accuracy": weights @ right / weights.sum(axis=1),
    }


def _middle(values: np.ndarray) -> tuple[float, float]:
    """Return the 2.5th and the 97.5th percentile of what is a number."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)

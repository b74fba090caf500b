"""The yardsticks of a detector. Positive class is *fake*; a score is larger the more fake."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn import metrics as sk


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


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error over bins of equal mass, in [0, 1] (Nguyen & O'Connor 2015)."""
    order = np.argsort(probabilities, kind="stable")
    gaps = [
        abs(labels[part].mean() - probabilities[part].mean()) * len(part)
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return float(sum(gaps) / len(labels))


def measure(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Return all figures of one set of pictures.

    Args:
        labels: int [N], 1 fake, 0 real.
        probabilities: float [N], calibrated, in [0, 1].
        threshold: at or above it a picture counts as fake, for the figures that need a decision.

    Returns:
        Figures by name. Those that compare the classes are NaN where one is missing, and so is a share of
        nothing (the precision when nothing was called fake).
    """
    called = probabilities >= threshold
    fake = labels == 1
    tp, fp = int((called & fake).sum()), int((called & ~fake).sum())
    fn, tn = int((~called & fake).sum()), int((~called & ~fake).sum())
    both = fake.any() and not fake.all()

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
        "mcc": compare(lambda: sk.matthews_corrcoef(labels, called)),
        "ece": calibration_error(labels, probabilities),
        "brier": float(np.mean((probabilities - labels) ** 2)),
    }


def bootstrap_auc(
    labels: np.ndarray, scores: np.ndarray, groups: Sequence[str], *, rounds: int = 400, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of the AUC when whole groups are drawn with replacement.

    Drawing pictures one by one would take twenty frames of one clip for twenty independent witnesses.
    """
    rng = np.random.default_rng(seed)
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(members == i) for i in range(len(names))]
    drawn = []
    for _ in range(rounds):
        chosen = np.concatenate([rows[i] for i in rng.integers(len(names), size=len(names))])
        value = auc(labels[chosen], scores[chosen])
        if not np.isnan(value):
            drawn.append(value)
    if not drawn:
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)

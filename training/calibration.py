"""From logits to probabilities that mean what they say, and to a band of honest doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from chalicelib.verdicts import Calibration

# Of real pictures, at most this share may be called likely fake; of fakes, at most that share likely real.
FALSE_ALARMS = 0.02
MISSES = 0.05


def fit_calibration(labels: np.ndarray, logits: np.ndarray, sources: Sequence[str]) -> Calibration:
    """Fit temperature, bias and the two thresholds on held-out groups.

    The temperature and the bias are Platt's (1999): a logistic regression on the one logit, both classes
    weighing the same. In both thresholds every source weighs the same, so that a large easy collection
    does not buy a threshold that fails on a small hard one.

    Args:
        labels: int [N], 1 fake, 0 real.
        logits: float [N] of the network that will serve, after quantisation.
        sources: the collection of each sample.

    Returns:
        The calibration.

    Raises:
        ValueError: a class is missing, or the logits rank fakes below reals.
    """
    if len(set(labels.tolist())) < 2:
        raise ValueError("calibration needs real and fake pictures")
    platt = LogisticRegression(C=1e6, class_weight="balanced").fit(logits[:, None], labels)
    slope, bias = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    if slope <= 0:
        raise ValueError("the network ranks fakes below reals; there is nothing to calibrate")
    probabilities = 1 / (1 + np.exp(-(slope * logits + bias)))
    names = np.asarray(sources)
    real, fake = labels == 0, labels == 1
    fake_above = _quantile(probabilities[real], names[real], 1 - FALSE_ALARMS)
    real_below = _quantile(probabilities[fake], names[fake], MISSES)
    # A network that separates perfectly would leave the two crossed; then there is no doubt to name.
    real_below, fake_above = min(real_below, fake_above, 0.5), max(fake_above, 0.5)
    return Calibration(
        temperature=round(1 / slope, 4),
        bias=round(bias, 4),
        real_below=round(real_below, 4),
        fake_above=round(fake_above, 4),
    )


def _quantile(values: np.ndarray, sources: np.ndarray, share: float) -> float:
    """Return the value below which `share` of the mass lies when every source has the same mass."""
    order = np.argsort(values)
    _, inverse, counts = np.unique(sources, return_inverse=True, return_counts=True)
    mass = np.cumsum(1.0 / counts[inverse[order]])
    return float(values[order][np.searchsorted(mass, share * mass[-1])])

"""Calibration mends what a network overstates and keeps false alarms within bounds in every source."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import FALSE_ALARMS, MISSES, fit_calibration


def draw(count: int, scale: float, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that overstate honest log-odds by `scale` and are off by `shift`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, count)
    labels = (rng.random(count) < 1 / (1 + np.exp(-odds))).astype(int)
    return labels, odds * scale + shift


def test_an_overstated_and_shifted_network_is_put_right() -> None:
    labels, logits = draw(40_000, scale=3, shift=1.5)
    calibration = fit_calibration(labels, logits, ["street"] * len(labels))
    assert calibration.temperature == pytest.approx(3, rel=0.05)
    assert calibration.bias == pytest.approx(-0.5, abs=0.05)


def test_thresholds_keep_false_alarms_and_misses_within_bounds() -> None:
    labels, logits = draw(20_000, scale=1, shift=0)
    calibration = fit_calibration(labels, logits, ["street"] * len(labels))
    probabilities = np.array([calibration.probability(float(logit)) for logit in logits])
    assert (probabilities[labels == 0] > calibration.fake_above).mean() <= FALSE_ALARMS + 0.001
    assert (probabilities[labels == 1] < calibration.real_below).mean() <= MISSES + 0.001
    assert calibration.real_below < 0.5 < calibration.fake_above


def test_a_large_easy_source_does_not_buy_the_threshold_of_a_small_hard_one() -> None:
    rng = np.random.default_rng(0)
    easy_labels = rng.integers(0, 2, 10_000)
    easy = np.where(easy_labels == 1, 6.0, -6.0) + rng.normal(0, 1, 10_000)
    hard_labels, hard = draw(500, 1, 0)
    both = fit_calibration(
        np.concatenate([easy_labels, hard_labels]),
        np.concatenate([easy, hard]),
        ["easy"] * 10_000 + ["hard"] * 500,
    )
    probabilities = np.array([both.probability(float(logit)) for logit in hard[hard_labels == 0]])
    assert (probabilities > both.fake_above).mean() <= 2 * FALSE_ALARMS + 0.01


@pytest.mark.parametrize(
    ("labels", "logits", "says"),
    [([0, 0], [1.0, 2.0], "real and fake"), ([0, 0, 1, 1], [3.0, 2.0, -1.0, -2.0], "below reals")],
)
def test_what_cannot_be_calibrated_is_refused(labels: list[int], logits: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit_calibration(np.array(labels), np.array(logits), ["street"] * len(labels))

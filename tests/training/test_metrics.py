"""Every yardstick against a value worked out by hand or by definition."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import auc, bootstrap_auc, calibration_error, equal_error_rate, measure, tpr_at_fpr

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SCORES = np.array([0.1, 0.2, 0.3, 0.8, 0.4, 0.6, 0.7, 0.9])


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    pairs = [(f > r) + (f == r) / 2 for r in SCORES[LABELS == 0] for f in SCORES[LABELS == 1]]
    assert auc(LABELS, SCORES) == pytest.approx(np.mean(pairs))
    assert np.isnan(auc(np.zeros(3), SCORES[:3]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pictures", 8),
        ("accuracy", 6 / 8),
        ("precision", 3 / 4),
        ("recall", 3 / 4),
        ("specificity", 3 / 4),
        ("npv", 3 / 4),
        ("f1", 3 / 4),
        ("mcc", 0.5),
        ("brier", np.mean((SCORES - LABELS) ** 2)),
        ("eer", 0.25),
        ("tpr_at_1_fpr", 0.25),
        ("average_precision", (1 / 1 + 2 / 3 + 3 / 4 + 4 / 5) / 4),
    ],
)
def test_figures_of_eight_pictures(name: str, value: float) -> None:
    assert measure(LABELS, SCORES)[name] == pytest.approx(value)


def test_one_class_alone_has_no_comparison_and_no_crash() -> None:
    figures = measure(np.zeros(4, int), SCORES[:4])
    assert figures["specificity"] == 0.75
    assert all(np.isnan(figures[name]) for name in ("auc", "eer", "recall", "mcc", "tpr_at_1_fpr"))


def test_a_perfect_detector() -> None:
    perfect = LABELS.astype(float)
    assert equal_error_rate(LABELS, perfect) == 0
    assert tpr_at_fpr(LABELS, perfect, 0.01) == 1
    assert calibration_error(LABELS, perfect) == 0


def test_calibration_error_is_the_gap_between_said_and_seen() -> None:
    labels = np.tile([0, 1], 300)
    assert calibration_error(labels, np.full(600, 0.9)) == pytest.approx(0.4)
    assert calibration_error(labels, np.full(600, 0.5)) == pytest.approx(0)


def test_frames_of_one_clip_are_one_witness() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(0, 2, 20), 30)
    scores = np.repeat(rng.normal(size=20), 30) + labels
    by_clip = bootstrap_auc(labels, scores, [str(i // 30) for i in range(600)])
    by_frame = bootstrap_auc(labels, scores, [str(i) for i in range(600)])
    assert by_clip[1] - by_clip[0] > 2 * (by_frame[1] - by_frame[0])

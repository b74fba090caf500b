"""Every yardstick against a value worked out by hand or by definition."""

from __future__ import annotations

import numpy as np
import pytest

from training import metrics
from training.metrics import (
    WITH_INTERVAL,
    _measure_weighted,
    auc,
    bin_by_mass,
    bootstrap,
    bootstrap_auc,
    calibration_error,
    count_decisions,
    equal_error_rate,
    measure,
    tpr_at_fpr,
)

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


@pytest.mark.parametrize("seed", range(5))
def test_the_fast_figures_of_the_bootstrap_are_the_slow_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 300)
    # Rounded, so that many scores are equal, some of them across the classes.
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1).round(2)
    times = rng.integers(0, 3, 300)
    fast = _measure_weighted(labels, scores, times[None], 0.5)
    slow = measure(labels.repeat(times), scores.repeat(times))
    assert {name: values[0] for name, values in fast.items()} == pytest.approx({n: slow[n] for n in WITH_INTERVAL})


def test_a_draw_of_one_class_has_an_accuracy_and_nothing_else() -> None:
    figures = _measure_weighted(LABELS, SCORES, np.array([[1, 1, 1, 1, 0, 0, 0, 0]]), 0.5)
    assert figures["accuracy"] == [0.75]
    assert all(np.isnan(figures[name][0]) for name in WITH_INTERVAL if name != "accuracy")


def test_intervals_enclose_the_figure_and_do_not_depend_on_how_draws_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    groups = [str(i // 4) for i in range(200)]
    whole = bootstrap(labels, scores, groups)
    figures = measure(labels, scores)
    assert all(whole[name][0] < figures[name] < whole[name][1] for name in ("auc", "accuracy", "tpr_at_5_fpr"))
    monkeypatch.setattr(metrics, "MOST_VALUES", 1000)
    assert bootstrap(labels, scores, groups) == whole


def test_decisions_are_counted_and_bins_hold_as_many_pictures_each() -> None:
    assert count_decisions(LABELS, SCORES) == {"tp": 3, "fp": 1, "fn": 1, "tn": 3}
    bins = bin_by_mass(LABELS, SCORES, bins=2)
    assert bins == [(pytest.approx(0.25), 0.25, 4), (pytest.approx(0.75), 0.75, 4)]

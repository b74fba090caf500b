"""How the answers to a face's views become one."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.face_views import ViewRule
from training.crops import join_views
from training.view_rule import PROPOSED, fit_rule


def faces(seed: int, whole: float, squares: float, shrink: float = 1.0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return labels and logits of 400 small and 400 large faces, whose views tell fakes from reals so far apart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 800)
    signs = 2 * labels - 1
    logits = []
    for index, sign in enumerate(signs):
        small = np.array([2 * sign + rng.normal()])
        large = np.concatenate([[sign * whole + rng.normal()], sign * squares + rng.normal(size=2)]) * shrink
        logits.append(small if index < 400 else large)
    return labels, logits


def test_what_tells_more_counts_more() -> None:
    assert fit_rule(*faces(1, whole=2.0, squares=0.0)).weight == 0
    assert fit_rule(*faces(2, whole=0.0, squares=2.0)).weight >= 0.8
    assert 0.2 <= fit_rule(*faces(3, whole=1.5, squares=1.5)).weight <= 0.8


def test_large_and_small_faces_are_put_on_one_scale() -> None:
    labels, logits = faces(4, whole=2.0, squares=2.0, shrink=0.5)
    rule = fit_rule(labels, logits)
    assert rule.places == PROPOSED.places
    joined = join_views(logits, rule)
    # The mean of three views is surer than one, and all were halved: a logit of one means as much as one of the other.
    small, large = (np.abs(np.array([joined[i] for i in part])) for part in (range(400), range(400, 800)))
    assert 1.2 < rule.scale <= 2.5
    assert large.mean() == pytest.approx(2 * small.mean(), rel=0.6)


def test_too_few_faces_teach_nothing() -> None:
    labels, logits = faces(5, whole=2.0, squares=0.0)
    assert fit_rule(labels[380:420], logits[380:420]) == PROPOSED
    rule = fit_rule(labels[390:], logits[390:])
    assert (rule.scale, rule.bias) == (1.0, 0.0)


def test_a_face_without_squares_keeps_its_logit() -> None:
    rule = ViewRule(PROPOSED.places, 0.5, 2.0, 1.0)
    assert join_views([np.array([3.0]), np.array([1.0, 3.0])], rule).tolist() == [3.0, 5.0]

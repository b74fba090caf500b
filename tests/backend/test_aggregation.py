"""Each rule that makes one score of many frames, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregation import RULES, SERVED, aggregate, count_independent


@pytest.mark.parametrize(
    ("rule", "odds", "result"),
    [
        ("mean", [1.0, 2.0, 6.0], 3.0),
        ("mean", [-2.0], -2.0),
        pytest.param("confident", [4.0, 2.0, -1.0, 0.0], 3.0, id="half are sure of a fake"),
        pytest.param("confident", [4.0, -1.0, 0.0], 1.0, id="a third is sure of a fake, too few"),
        pytest.param("confident", [-2.0] * 9 + [3.0], -1.5, id="nine of ten are sure of a real face: just too few"),
        pytest.param("confident", [-2.0] * 19 + [3.0], -2.0, id="nineteen of twenty are"),
        pytest.param("top", [float(n) for n in range(8)], 6.5, id="the highest quarter of eight"),
        pytest.param("top", [3.0, 1.0], 3.0, id="at least one"),
    ],
)
def test_a_rule_makes_one_score(rule: str, odds: list[float], result: float) -> None:
    assert aggregate(odds, rule) == pytest.approx(result)
    assert aggregate(odds[::-1], rule) == pytest.approx(result)


@pytest.mark.parametrize("rule", RULES)
def test_frames_that_agree_are_taken_at_their_word(rule: str) -> None:
    assert aggregate([0.7] * 12, rule) == pytest.approx(0.7)


def test_the_served_rule_is_one_of_them() -> None:
    assert SERVED in RULES


@pytest.mark.parametrize(
    ("frames", "correlation", "independent"),
    [
        (1, 0.0, 1.0),
        (1, 0.7, 1.0),
        (20, 0.0, 20.0),
        (20, 1.0, 1.0),
        # 5 / (1 + 4 / 2)
        (5, 0.5, 5 / 3),
        # 32 / (1 + 31 x .7)
        (32, 0.7, 1.40969),
    ],
)
def test_frames_that_repeat_each_other_are_worth_fewer(frames: int, correlation: float, independent: float) -> None:
    assert count_independent(frames, correlation) == pytest.approx(independent, abs=1e-5)


@given(st.integers(1, 1000), st.floats(0, 1))
def test_every_further_frame_adds_something_but_less_than_the_one_before(frames: int, correlation: float) -> None:
    worth = [count_independent(frames + more, correlation) for more in range(3)]
    slack = 1e-9 * worth[2]
    assert worth[0] <= worth[1] + slack
    assert worth[1] <= worth[2] + slack
    assert worth[2] - worth[1] <= worth[1] - worth[0] + slack
    assert worth[0] + slack >= 1
    assert worth[0] <= frames

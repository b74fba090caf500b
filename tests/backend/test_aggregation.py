"""Each rule that makes one score of many frames, worked out by hand."""

from __future__ import annotations

import pytest

from chalicelib.aggregation import RULES, SERVED, aggregate


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

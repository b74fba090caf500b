"""Thresholds hold for sources that took no part in them, and cost no more than that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.promise import LOW_FAKES, REAL_ALARMS
from training.thresholds import (
    LEAST_OF_SOURCE,
    SMALL,
    Scores,
    Unseen,
    find_bound,
    find_margin,
    find_thresholds,
    leave_sources_out,
    pool_small,
)


def draw(shifts: list[float], count: int = 200, seed: int = 0, sign: int = 1) -> Scores:
    """Scores of sources whose means lie apart."""
    rng = np.random.default_rng(seed)
    odds = np.concatenate([rng.normal(sign * shift, 1, count) for shift in shifts])
    strata = np.repeat([f"s{n}" for n in range(len(shifts))], count)
    return Scores.weigh(odds, strata, np.arange(len(odds)))


def test_sources_weigh_alike_and_small_ones_less() -> None:
    names = np.array(["large"] * 400 + ["fair"] * LEAST_OF_SOURCE + ["small"] * (LEAST_OF_SOURCE // 2))
    scores = Scores.weigh(np.zeros(len(names)), names, np.arange(len(names)))
    masses = [scores.masses[names == name].sum() for name in ("large", "fair", "small")]
    assert masses == pytest.approx([0.4, 0.4, 0.2])
    left = scores.without(["large"])
    assert left.masses.sum() == pytest.approx(1)
    assert set(left.strata) == {"fair", "small"}


def test_small_sources_are_pooled() -> None:
    names = ["a"] * LEAST_OF_SOURCE + ["b"] * (LEAST_OF_SOURCE - 1) + ["c"]
    assert pool_small(names).tolist() == ["a"] * LEAST_OF_SOURCE + [SMALL] * LEAST_OF_SOURCE


def test_one_source_is_bounded_by_what_new_groups_of_it_exceed() -> None:
    # Of 1,000 alike, the plain quantile lets 20 pass; Cunnane's lets (0.02 x 1000.2 - 0.6) = 19.4 of them.
    scores = Scores.weigh(np.arange(1000.0), np.repeat("only", 1000), np.arange(1000))
    assert find_bound(scores, 0.02) == 1000 - 20
    # With ten groups nothing can be promised: the largest.
    few = Scores.weigh(np.arange(1000.0), np.repeat("only", 1000), np.arange(1000) // 100)
    assert find_bound(few, 0.02) == 999


def test_sources_that_differ_move_the_threshold_out_and_those_that_do_not_hardly() -> None:
    alike, apart = draw([0.0] * 8), draw([0, 0, 0, 0, 0, 0, 0, 3.0])
    plain = np.quantile(alike.odds, 1 - REAL_ALARMS)
    assert plain <= find_bound(alike, REAL_ALARMS) < plain + 0.35
    # The one apart exceeds what the others would have set, and is an eighth of what may be met.
    exceeding = apart.odds[apart.strata == "s7"]
    assert (exceeding > find_bound(apart.without(["s7"]), REAL_ALARMS)).mean() > 0.5
    assert find_bound(apart, REAL_ALARMS) > np.quantile(apart.odds, 1 - REAL_ALARMS) + 0.5


def test_of_sources_never_met_few_are_called_fake_and_few_fakes_low() -> None:
    alarms, lows = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shifts = rng.normal(0, 0.7, (2, 13))
        real, fake = draw((shifts[0, :12] - 2).tolist(), 60, seed), draw((shifts[1, :12] + 2).tolist(), 60, seed + 99)
        low, high = find_thresholds(real, fake)
        alarms.append((rng.normal(shifts[0, 12] - 2, 1, 400) > high).mean())
        lows.append((rng.normal(shifts[1, 12] + 2, 1, 400) < low).mean())
    assert np.mean(alarms) <= REAL_ALARMS
    assert np.mean(lows) <= LOW_FAKES
    assert np.mean(lows) > LOW_FAKES / 4, "a threshold that never speaks keeps any promise"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.lists(st.floats(-5, 5), min_size=1, max_size=5))
def test_the_thresholds_never_cross(reals: list[float], fakes: list[float]) -> None:
    low, high = find_thresholds(draw(reals, 25), draw(fakes, 25, 1))
    assert low <= 0 <= high


def test_every_source_left_out_is_judged_by_thresholds_found_without_it() -> None:
    real, fake = draw([-3, -3, -3, 1.0]), draw([3, 3, 3, -2.0], seed=1)
    told = leave_sources_out(real, fake)
    rows = {(row["label"], row["source"]): row for row in told["rows"]}
    assert len(rows) == 8
    low, high = find_thresholds(real.without(["s3"]), fake)
    own = real.odds[real.strata == "s3"]
    assert rows["real", "s3"]["called_fake"] == pytest.approx((own > high).mean())
    assert rows["real", "s3"]["called_low"] == pytest.approx((own < low).mean())
    assert not rows["real", "s3"]["kept"]
    assert (own > find_thresholds(real, fake)[1]).mean() < rows["real", "s3"]["called_fake"], "it is missed"
    assert told["real"]["worst"] == told["fake"]["worst"] == "s3"


def test_a_lone_source_cannot_be_left_out() -> None:
    assert leave_sources_out(draw([-2]), draw([2], seed=1))["rows"] == []


def test_other_scores_can_be_tried_than_those_that_the_thresholds_rest_on() -> None:
    real, fake = draw([-2, -2]), draw([2, 2], seed=1)
    tried = Scores.weigh(np.array([9.0, -9.0]), np.array(["s1", "s1"]), np.arange(2))
    rows = leave_sources_out(real, fake, (tried, fake.without(["s0"])))["rows"]
    assert [(row["label"], row["source"], row["pictures"]) for row in rows] == [("real", "s1", 2), ("fake", "s1", 200)]
    assert rows[0]["called_fake"] == rows[0]["called_low"] == 0.5


def test_the_margin_is_what_unseen_fakes_lie_below_those_seen() -> None:
    seen = draw([2.0])
    unseen = Scores.weigh(seen.odds - 1.5, np.repeat("new", 200), seen.groups)
    assert find_margin([Unseen(seen, unseen)]) == pytest.approx(1.5)
    assert find_margin([Unseen(seen, unseen.move(seen.odds + 1))]) == 0, "it never raises a threshold"
    assert find_margin([]) == 0
    plain, moved = (
        find_thresholds(draw([-2, -2]), draw([1, 1], seed=1), given) for given in ((), [Unseen(seen, unseen)])
    )
    assert moved[0] == pytest.approx(-find_bound(draw([1, 1], seed=1).flip(), LOW_FAKES, 1.5))
    assert moved[0] < plain[0]
    assert moved[1] == plain[1]

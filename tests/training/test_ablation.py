"""What a run gained is the difference to the first, with seeds averaged."""

from __future__ import annotations

import math
from typing import Any

import pytest

from training.ablation import ablate, parse_ablation
from training.bench import BenchError
from training.contrasts import POOLED


def entry(name: str, swaps: float, pooled: float, **left_out: float) -> dict[str, Any]:
    """Return a model with a row that was asked for, one that was not, and the pooled one."""
    return {
        "name": name,
        "base": name.partition("#")[0],
        "table": {
            "rows": [
                {"title": "swaps", "asked": True, "auc": swaps},
                {"title": "other", "asked": False, "auc": 0.5},
                {"title": POOLED, "asked": False, "auc": pooled, "tpr_at_5_fpr": pooled - 0.2},
            ]
        },
        "left_out": {family: {"auc": auc} for family, auc in left_out.items()},
    }


def test_gains_are_over_the_first_run_and_seeds_are_averaged() -> None:
    entries = [entry("plain", 0.7, 0.8), entry("blended#1", 0.8, 0.85), entry("blended#2", 0.9, 0.85)]
    table = ablate(entries, ["plain", "blended"])
    assert table["columns"] == ["swaps", POOLED, f"{POOLED}: TPR at 5 % FPR"]
    plain, blended = table["runs"]
    assert (plain["seeds"], blended["seeds"]) == (1, 2)
    assert plain["gains"] == [0, 0, 0]
    assert blended["values"] == pytest.approx([0.85, 0.85, 0.65])
    assert blended["gains"] == pytest.approx([0.15, 0.05, 0.05])
    assert blended["spreads"] == pytest.approx([0.0707, 0, 0], abs=1e-3)
    assert all(math.isnan(spread) for spread in plain["spreads"])


def test_one_seed_may_be_named_and_what_was_left_out_has_a_column() -> None:
    entries = [entry("a#1", 0.7, 0.8, sd21=0.6), entry("a#2", 0.9, 0.9, sd21=0.8)]
    table = ablate(entries, ["a#1", "a#2"])
    assert table["columns"][-1] == "sd21, left out"
    assert [run["values"][-1] for run in table["runs"]] == [0.6, 0.8]


def test_a_table_without_rows_asked_for_gives_all() -> None:
    entries = [entry("a", 0.7, 0.8), entry("b", 0.8, 0.8)]
    for one in entries:
        one["table"]["rows"][0]["asked"] = False
    assert ablate(entries, ["a", "b"])["columns"][:3] == ["swaps", "other", POOLED]


def test_no_names_no_table() -> None:
    assert parse_ablation(None, ["a"]) == []
    assert ablate([entry("a", 0.7, 0.8)], []) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [(",", "two names or more"), ("a", "two names"), ("a,a", "each once"), ("a,c", "No model is called 'c'")],
)
def test_an_odd_list_is_refused(text: str, says: str) -> None:
    with pytest.raises(BenchError, match=says):
        parse_ablation(text, ["a", "b#1", "b#2"])
    assert parse_ablation("a, b", ["a", "b#1", "b#2"]) == ["a", "b"]

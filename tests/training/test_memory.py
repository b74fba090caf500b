"""What fits the budget is made once; the rest is made anew, and is the same."""

from __future__ import annotations

import numpy as np
import pytest

from training.memory import Memory


@pytest.mark.parametrize(("budget", "made"), [(0, 9), (8, 7), (24, 3), (2**20, 3)])
def test_a_budget_bounds_what_is_kept(budget: int, made: int) -> None:
    asked: list[int] = []

    def make(index: int) -> np.ndarray:
        asked.append(index)
        return np.full(8, index, np.uint8)

    memory = Memory(make, budget)
    for _ in range(3):
        for index in range(3):
            assert memory[index].tolist() == [index] * 8
    assert len(asked) == made


def test_what_is_kept_cannot_be_changed_by_whoever_asked() -> None:
    kept = Memory(lambda index: np.zeros(3), 100)[0]
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1

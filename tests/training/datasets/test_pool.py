"""Jobs run on other processes; one that takes its process down is named, and the rest is done."""

from __future__ import annotations

import math
import multiprocessing
import signal

import pytest

from training.datasets.pool import Crashed, Pool

CRASH = "__import__('os')._exit(3)"


def test_every_job_comes_back_with_its_result() -> None:
    numbers = list(range(20))
    assert sorted(Pool(math.factorial, 2).run(numbers)) == [(n, math.factorial(n)) for n in numbers]


def test_a_crash_costs_only_the_job_that_caused_it() -> None:
    jobs = ["1 + 1", "2 + 2", CRASH, "3 + 3", "4 + 4", "5 + 5"]
    results = dict(Pool(eval, 2).run(jobs))
    assert isinstance(results.pop(CRASH), Crashed)
    assert results == {"1 + 1": 2, "2 + 2": 4, "3 + 3": 6, "4 + 4": 8, "5 + 5": 10}


def test_an_error_ends_the_run_and_leaves_no_process() -> None:
    with pytest.raises(ZeroDivisionError):
        list(Pool(eval, 2).run(["1 / 0", *["__import__('time').sleep(0.01)"] * 50]))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("jobs", [["__import__('time').sleep(0.01)"] * 300, [CRASH] * 20], ids=["together", "alone"])
def test_ctrl_c_ends_a_run_where_no_executor_is_at_work(jobs: list[str]) -> None:
    done = 0
    with pytest.raises(KeyboardInterrupt):
        for _ in Pool(eval, 2).run(jobs):
            signal.raise_signal(signal.SIGINT)
            done += 1
    assert 1 <= done <= 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert multiprocessing.active_children() == []

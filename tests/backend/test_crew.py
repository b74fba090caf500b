"""Files checked side by side are told in their order, and fail as they would alone."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend import crew
from backend.crew import AHEAD, WORTH, Failure, check_all, count_workers
from chalicelib.errors import FetchTimeout, StoreUnavailable, UnmaskError, UrlNotAllowed


class Checker:
    """Stands in for the real one; knows which process it is in."""

    def close(self) -> None: ...


def ask(checker: Any, source: Any) -> Any:
    """Answer by the name of the source."""
    match source:
        case "slow":
            time.sleep(0.3)
        case "refused":
            raise UrlNotAllowed
        case "late":
            raise FetchTimeout("Too slow.")
        case "broken":
            raise StoreUnavailable("The store does not answer.")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    return {"source": source, "process": os.getpid()}


def fail() -> Any:
    raise StoreUnavailable("The disk is full.")


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_order_with_each_failure_at_its_place(workers: int) -> None:
    sources = ["slow", "a", "refused", "late", *(str(n) for n in range(20))]
    told = list(check_all(sources, Checker, ask, workers))  # type: ignore[arg-type]
    assert [source for source, _ in told] == sources
    failures = {source: answer.error for source, answer in told if isinstance(answer, Failure)}
    assert {source: (error.status, error.code) for source, error in failures.items()} == {
        "refused": (400, "url_not_allowed"),
        "late": (504, "fetch_timeout"),
    }
    assert failures["late"].message == "Too slow."
    processes = {answer["process"] for _, answer in told if not isinstance(answer, Failure)}
    assert (os.getpid() in processes) == (workers == 1)
    assert len(processes) <= workers


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_our_fault_ends_the_run(workers: int) -> None:
    with pytest.raises(UnmaskError, match="The store does not answer") as failed:
        list(check_all(["a", "broken", "b"], Checker, ask, workers))  # type: ignore[arg-type]
    assert failed.value.status == 503


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_begin_says_so_before_anything_is_told(workers: int) -> None:
    with pytest.raises(StoreUnavailable, match="The disk is full"):
        check_all(["a"], fail, ask, workers)


def test_a_process_that_is_killed_is_a_sentence() -> None:
    with pytest.raises(UnmaskError, match="ended by somebody else"):
        list(check_all(["a", "killed", "b"], Checker, ask, 2))  # type: ignore[arg-type]


def test_sources_are_read_a_little_ahead_and_no_further() -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield str(read)

    answers = check_all(endless(), Checker, ask, 2)  # type: ignore[arg-type]
    for _ in range(10):
        next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert read <= 10 + 2 * AHEAD


@pytest.mark.parametrize("at", ["source", "answer"])
def test_ctrl_c_raises_where_no_executor_is_at_work(at: str) -> None:
    went_on: list[int] = []

    def read() -> Iterator[str]:
        for number in range(100):
            if at == "source" and number == AHEAD:
                signal.raise_signal(signal.SIGINT)
                # A second one ends the process at once.
                assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
            went_on.append(number)
            yield str(number)

    told = []
    with pytest.raises(KeyboardInterrupt):
        for source, _ in check_all(read(), Checker, ask, 2):  # type: ignore[arg-type]
            if at == "answer":
                signal.raise_signal(signal.SIGINT)
            told.append(source)
    assert told == (["0"] if at == "answer" else [])
    assert len(went_on) <= 2 * AHEAD + 1
    assert went_on[-1] >= AHEAD
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert multiprocessing.active_children() == []


def test_processes_are_begun_only_where_there_is_work_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "count_processors", lambda: 4)
    assert [count_workers(files) for files in (0, 1, WORTH, 2 * WORTH, 3 * WORTH, 1000)] == [1, 1, 1, 2, 3, 4]


def test_the_functions_of_the_command_travel() -> None:
    import pickle

    from backend import cli

    pickle.dumps(functools.partial(cli._check_source, maps=Path("maps")))
    pickle.dumps(functools.partial(cli._open_checker, remember=False))

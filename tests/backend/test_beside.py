"""Work beside other work: in order, counted, and its failures are told."""

from __future__ import annotations

import threading

import pytest

from chalicelib.beside import Ahead, Aside


def test_what_is_done_aside_comes_back_in_order_with_its_seconds() -> None:
    with Aside(lambda number: number * number, "test") as aside:
        for number in range(5):
            aside.add(number)
        told = aside.gather()
    assert [result for result, _ in told] == [0, 1, 4, 9, 16]
    assert all(seconds >= 0 for _, seconds in told)


def test_what_is_done_aside_is_done_in_another_thread() -> None:
    with Aside(lambda _: threading.get_ident(), "test") as aside:
        aside.add(None)
        ((worker, _),) = aside.gather()
    assert worker != threading.get_ident()


def test_what_fails_aside_is_raised_where_it_is_gathered() -> None:
    with Aside(lambda number: 1 / number, "test") as aside:
        aside.add(1)
        aside.add(0)
        with pytest.raises(ZeroDivisionError):
            aside.gather()


def test_the_next_thing_is_made_ahead_and_no_further() -> None:
    made: list[int] = []
    second = threading.Event()

    def make(number: int) -> int:
        made.append(number)
        if number == 1:
            second.set()
        return number

    with Ahead(make, lambda number: number < 3, "test") as ahead:
        assert ahead.take(0)[0] == 0
        assert second.wait(10)
        assert made == [0, 1]
        assert [ahead.take(number)[0] for number in (1, 2)] == [1, 2]
    assert made == [0, 1, 2]


def test_what_must_not_be_made_ahead_waits_until_it_is_asked_for() -> None:
    made: list[int] = []
    with Ahead(lambda number: made.append(number), lambda _: False, "test") as ahead:
        ahead.take(0)
        assert made == [0]
        ahead.take(1)
    assert made == [0, 1]


def test_what_fails_ahead_is_raised_when_it_is_asked_for() -> None:
    with Ahead(lambda number: 1 / (1 - number), lambda number: number < 2, "test") as ahead:
        assert ahead.take(0)[0] == 1
        with pytest.raises(ZeroDivisionError):
            ahead.take(1)

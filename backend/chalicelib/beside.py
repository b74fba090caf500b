"""Work that is done beside other work, in a thread of its own: the networks and decoders let go of the interpreter."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Self, TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")


class _Thread:
    """A thread that is there as long as somebody is within it; what waits is dropped at the end."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


class Aside(_Thread, Generic[Given, Result]):
    """Does something with one thing after another, while the caller goes on."""

    def __init__(self, act: Callable[[Given], Result], name: str) -> None:
        """Take what is done, and what the thread is called."""
        super().__init__(name)
        self._act = act
        self._parts: list[Future[tuple[Result, float]]] = []

    def add(self, given: Given) -> None:
        """Have it done with the next thing."""
        self._parts.append(self._pool.submit(_time, self._act, given))

    def gather(self) -> list[tuple[Result, float]]:
        """Wait, and return what came of each thing, in order, and the seconds that it took; raise what was raised."""
        return [part.result() for part in self._parts]


class Ahead(_Thread, Generic[Result]):
    """Makes numbered things in order, each while the caller is busy with the one before."""

    def __init__(self, make: Callable[[int], Result], may: Callable[[int], bool], name: str) -> None:
        """Take what makes a thing.

        Args:
            make: makes the thing of a number; the first one is 0.
            may: whether there is one of a number, and it may be made before it is asked for.
            name: of the thread.
        """
        super().__init__(name)
        self._make, self._may = make, may
        self._next: Future[tuple[Result, float]] | None = None

    def take(self, number: int) -> tuple[Result, float]:
        """Return a thing and the seconds that it took; they are asked for in order, from 0."""
        ahead, self._next = self._next, None
        told = ahead.result() if ahead else _time(self._make, number)
        if self._may(number + 1):
            self._next = self._pool.submit(_time, self._make, number + 1)
        return told


def _time(act: Callable[[Given], Result], given: Given) -> tuple[Result, float]:
    started = time.perf_counter()
    result = act(given)
    return result, time.perf_counter() - started

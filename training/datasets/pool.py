"""Many jobs on several processes: results as they come, and one that takes its process down is only lost itself."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from typing import Any, Generic, TypeVar

from chalicelib.processes import belong_to_parent, hold_interrupts, open_executor, submit

Job = TypeVar("Job")
Result = TypeVar("Result")

# Seconds after which a Ctrl-C is noticed.
ASK_EVERY = 0.2


class Crashed(Exception):
    """A job took its process down."""


class Stopped(Exception):
    """The run was called off while this job was under way."""


class Pool(Generic[Job, Result]):
    """Runs a function over jobs on processes of its own.

    Args:
        task: a module's function; what it raises ends the whole run.
        workers: number of processes, ≥ 1.
        prepare: called once in each process.
        arguments: for `prepare`.
    """

    def __init__(
        self,
        task: Callable[[Job], Result],
        workers: int,
        prepare: Callable[..., None] | None = None,
        arguments: Sequence[Any] = (),
    ) -> None:
        self._task = task
        self._workers = workers
        self._prepare = (prepare, *arguments)

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Result | Crashed]]:
        """Yield every job with its result, in the order in which they are done.

        A process that dies says nothing about why, so the jobs that were under way are tried again one at a
        time; the one that dies alone is answered with `Crashed`.
        """
        todo = deque(jobs)
        with hold_interrupts() as let_through:
            while todo:
                suspects = yield from self._run_together(todo, let_through)
                for job in suspects:
                    yield job, self._run_alone(job, let_through)

    def _run_together(
        self, todo: deque[Job], let_through: Callable[[], None]
    ) -> Generator[tuple[Job, Result | Crashed], None, list[Job]]:
        """Work through `todo` until it is empty, or until a process dies: then return what was under way."""
        under_way: dict[Future[Result], Job] = {}
        with self._open(self._workers) as executor:
            try:
                while todo or under_way:
                    # Few at a time, so that a crash leaves few suspects.
                    while todo and len(under_way) < 2 * self._workers:
                        under_way[submit(executor, self._task, todo[0])] = todo[0]
                        todo.popleft()
                    done = _wait(under_way, let_through)
                    for future in done:
                        result = future.result()
                        yield under_way.pop(future), result
            except BrokenProcessPool:
                return list(under_way.values())
        return []

    def _run_alone(self, job: Job, let_through: Callable[[], None]) -> Result | Crashed:
        with self._open(1) as executor:
            try:
                (done,) = _wait([submit(executor, self._task, job)], let_through)
                return done.result()
            except BrokenProcessPool:
                return Crashed()

    @contextlib.contextmanager
    def _open(self, workers: int) -> Iterator[ProcessPoolExecutor]:
        called_off = multiprocessing.get_context("spawn").Event()
        with open_executor(workers, _start, called_off, *self._prepare) as executor:
            try:
                yield executor
            finally:
                # Here by Ctrl-C or an error, jobs under way need not be finished; otherwise there are none.
                called_off.set()


def _wait(under_way: Iterable[Future[Result]], let_through: Callable[[], None]) -> set[Future[Result]]:
    """Wait until at least one is done, but not for longer than somebody who pressed Ctrl-C would."""
    while True:
        let_through()
        done, _ = wait(under_way, ASK_EVERY, FIRST_COMPLETED)
        if done:
            return done


_called_off: Event | None = None


def require_going_on() -> None:
    """Let a long job end early; in a process that belongs to no pool it does nothing.

    Raises:
        Stopped: the run was called off.
    """
    if _called_off is not None and _called_off.is_set():
        raise Stopped


def _start(called_off: Event, prepare: Callable[..., None] | None, *arguments: Any) -> None:
    """Make a process ready."""
    global _called_off
    _called_off = called_off
    belong_to_parent()
    if prepare is not None:
        prepare(*arguments)

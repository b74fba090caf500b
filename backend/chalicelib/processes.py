"""Processes that work for this one: how many are worth it, how they begin and end, and what Ctrl-C does meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

Given = TypeVar("Given")
Result = TypeVar("Result")


def count_processors() -> int:
    """Return how many processors this process may use, ≥ 1."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@contextmanager
def hold_interrupts() -> Iterator[Callable[[], None]]:
    """Keep Ctrl-C from this thread until it asks for it.

    The executors of the standard library hold locks that their own threads need. An interrupt that is raised as one is
    taken leaves it taken, and then their end is waited for without end. A second Ctrl-C ends the process at once.

    Where an interrupt raises nothing, as in a thread or in a process that ignores it, it stays so.

    Yields:
        What raises `KeyboardInterrupt` if there was one; to be called often, between the calls of an executor.
    """
    raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not raises or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    interrupted = False

    def keep(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def let_through() -> None:
        if interrupted:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, keep)
    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def open_executor(workers: int, begin: Callable[..., None], *given: Any) -> Iterator[ProcessPoolExecutor]:
    """Lend processes; at the end work under way is waited for, and what waits is dropped.

    Args:
        workers: number of processes, ≥ 1.
        begin: called once in each, with what is given.
        given: travels to the processes.
    """
    # One file alone does not wait for these modules.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Not by a fork, which threads of the model runtime and of OpenCV do not survive.
    executor = ProcessPoolExecutor(workers, get_context("spawn"), begin, given)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def submit(executor: ProcessPoolExecutor, act: Callable[[Given], Result], given: Given) -> Future[Result]:
    """Hand work to an executor; a process that is started for it never hears of Ctrl-C.

    Processes inherit what is blocked here. Otherwise Ctrl-C, which a terminal sends to all, would end one that is not
    yet up with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return executor.submit(act, given)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(act, given)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def belong_to_parent() -> None:
    """Leave Ctrl-C to the process that started this one, and end when that one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

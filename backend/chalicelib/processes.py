"""Processes that work for this one: how many are worth it, how they begin and end, and what Ctrl-C does meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

Given = ParamSpec("Given")
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
        What raises `KeyboardInterrupt` if there was one; to be called often, where no executor is at work.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not _is_main_thread():
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


def submit(
    executor: ProcessPoolExecutor, act: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
) -> Future[Result]:
    """Hand work to an executor; a process that is started for it never hears of Ctrl-C.

    Processes inherit what is blocked here. Otherwise Ctrl-C, which a terminal sends to all, would end one that is not
    yet up with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return executor.submit(act, *given, **named)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(act, *given, **named)
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


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()

"""Ctrl-C is held back where it would do harm, and nowhere else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from chalicelib.processes import count_processors, hold_interrupts, submit


def test_processors_are_those_that_this_process_may_use() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert count_processors() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert count_processors() == len(before)


def test_an_interrupt_waits_until_it_is_asked_for() -> None:
    with hold_interrupts() as let_through:
        let_through()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            let_through()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_second_interrupt_ends_the_process() -> None:
    program = (
        "import signal\n"
        "from chalicelib.processes import hold_interrupts\n"
        "with hold_interrupts():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('once', flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('twice', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.returncode) == ("once\n", -signal.SIGINT)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_what_another_handler_does_stays(handler: signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        with hold_interrupts() as let_through:
            assert signal.getsignal(signal.SIGINT) is handler
            let_through()
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_has_nothing_to_hold() -> None:
    raised: list[BaseException] = []

    def hold() -> None:
        try:
            with hold_interrupts() as let_through:
                let_through()
        except ValueError as error:
            raised.append(error)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert not raised
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_begins_does_not_hear_of_it() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        future = submit(pool, time.sleep, 0)
        (child,) = pool._processes
        # Long before it is up, whatever it would do itself.
        os.kill(child, signal.SIGINT)
        assert future.result(timeout=60) is None

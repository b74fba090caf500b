"""A row of the table: two sides that take turns, and how many times faster ours is."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.counter import Counter

# Does something once; where it returns seconds, those count, and else the time that it took.
Side = Callable[[], object]
# Seconds by the clock, those that processors worked, and instructions; these are not a number where none are counted.
Cost = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one pair.

    Attributes:
        name: of what is done.
        peer: who does it on the other side.
        ours_ms: median, milliseconds.
        peer_ms: likewise.
        ratio: median over the pairs of the peer's time to ours.
        low: a quarter of the pairs is below it.
        high: a quarter is above.
        runs: pairs.
        bar: what the ratio has to be at least; None where nothing is asked.
        ours_cpu_ms: median of what processors worked, milliseconds, this process and those that it started: what
            stands here for energy.
        peer_cpu_ms: likewise.
        threads: of each network.
        ours_instructions: median of the instructions of programs, not of the kernel; None where none are counted.
        peer_instructions: likewise.
        ours_mb: the most memory that a process held which did this alone; None where that was not measured.
        peer_mb: likewise.
    """

    name: str
    peer: str
    ours_ms: float
    peer_ms: float
    ratio: float
    low: float
    high: float
    runs: int
    bar: float | None = None
    ours_cpu_ms: float = 0.0
    peer_cpu_ms: float = 0.0
    threads: int = 1
    ours_instructions: float | None = None
    peer_instructions: float | None = None
    ours_mb: float | None = None
    peer_mb: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the bar is reached; None where there is none."""
        return None if self.bar is None else self.ratio >= self.bar

    def to_dict(self) -> dict[str, object]:
        """Return the row for bench.json."""
        return {**asdict(self), "holds": self.holds}

    def spell(self) -> str:
        """Return the row for the eye."""
        bar = "" if self.bar is None else f"≥ {self.bar:.3g} {'held' if self.holds else 'MISSED'}"
        spread = f"{self.ratio:.2f} ({self.low:.2f}–{self.high:.2f})"
        times = f"{self.ours_ms:>10.1f}{self.peer_ms:>11.1f}{self.ours_cpu_ms:>10.1f}{self.peer_cpu_ms:>11.1f}"
        return f"{self.name:<42}{self.threads:>7}{times}  {spread:<24}{bar:<16}{self.peer}"


HEAD = (
    f"{'what':<42}{'threads':>7}{'ours, ms':>10}{'peer, ms':>11}{'our CPU':>10}{'peer CPU':>11}"
    f"  {'ratio (quartiles)':<24}{'bar':<16}peer"
)


def pair(
    name: str,
    ours: Side,
    peer: Side,
    other: str,
    runs: int,
    bar: float | None = None,
    warm: int = 2,
    threads: int = 1,
    counter: Counter | None = None,
) -> Row:
    """Have two sides take turns.

    The two of a pair run one after the other, so that a machine that changes its speed changes both; who begins
    changes from pair to pair.

    Args:
        name: of what is done.
        ours: does it once.
        peer: does the same once.
        other: who the peer is.
        runs: pairs that count.
        bar: what the ratio has to be at least.
        warm: pairs before, that do not count.
        threads: of each network, which is only told.
        counter: of instructions, where the machine counts them.
    """
    times = []
    for run in range(-warm, runs):
        gc.collect()
        sides = (ours, peer) if run % 2 else (peer, ours)
        taken = [cost_once(side, counter) for side in sides][:: 1 if run % 2 else -1]
        if run >= 0:
            times.append(taken)
    (mine, our_work, our_count), (theirs, their_work, their_count) = np.array(times).transpose(1, 2, 0)
    low, middle, high = np.percentile(theirs / mine, (25, 50, 75))
    return Row(
        name,
        other,
        float(np.median(mine)) * 1000,
        float(np.median(theirs)) * 1000,
        float(middle),
        float(low),
        float(high),
        runs,
        bar,
        float(np.median(our_work)) * 1000,
        float(np.median(their_work)) * 1000,
        threads,
        None if counter is None else float(np.median(our_count)),
        None if counter is None else float(np.median(their_count)),
    )


def time_once(side: Side) -> float:
    """Return the seconds that a side takes once, or says that it took."""
    started = time.perf_counter()
    told = side()
    return told if isinstance(told, float) else time.perf_counter() - started


def cost_once(side: Side, counter: Counter | None = None) -> Cost:
    """Return the same, the seconds that processors worked for it, and the instructions that it took."""
    read = counter.read if counter else lambda: math.nan
    # What is read first before is read last after, so that reading costs neither side.
    others, own, count = _work_of_others(), time.process_time(), read()
    seconds = time_once(side)
    count, own = read() - count, time.process_time() - own
    return seconds, own + _work_of_others() - others, count


def _work_of_others() -> float:
    """Return the processor seconds of all processes that this one started."""
    ended = os.times()
    return ended.children_user + ended.children_system + sum(_work_of(process) for process in _children())


def _children() -> list[int]:
    """Return the processes that go on; none where the kernel does not tell."""
    told = []
    for task in Path("/proc/self/task").glob("*/children"):
        # A thread may end meanwhile.
        with suppress(OSError):
            told += [int(process) for process in task.read_text(encoding="ascii").split()]
    return told


def _work_of(process: int) -> float:
    """Return the processor seconds of another process, by the clock that clock_getcpuclockid(3) would name."""
    try:
        return time.clock_gettime((~process << 3) | 2)
    except OSError:
        return 0.0

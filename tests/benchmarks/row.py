"""A row of the table: two sides that take turns, and how many times faster ours is."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

# Does something once; where it returns seconds, those count, and else the time that it took.
Side = Callable[[], object]


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
        return f"{self.name:<48}{self.ours_ms:>10.1f}{self.peer_ms:>11.1f}  {spread:<24}{bar:<16}{self.peer}"


HEAD = f"{'what':<48}{'ours, ms':>10}{'peer, ms':>11}  {'ratio (quartiles)':<24}{'bar':<16}peer"


def pair(name: str, ours: Side, peer: Side, other: str, runs: int, bar: float | None = None, warm: int = 2) -> Row:
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
    """
    times = []
    for run in range(-warm, runs):
        gc.collect()
        taken = (time_once(ours), time_once(peer)) if run % 2 else (time_once(peer), time_once(ours))[::-1]
        if run >= 0:
            times.append(taken)
    mine, theirs = np.array(times).T
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
    )


def time_once(side: Side) -> float:
    """Return the seconds that a side takes once, or says that it took."""
    started = time.perf_counter()
    told = side()
    return told if isinstance(told, float) else time.perf_counter() - started

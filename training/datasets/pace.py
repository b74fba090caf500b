"""Progress of work whose pieces differ: how far, how fast, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds between two lines.
TELL_EVERY = 5.0


class Pace:
    """Tells how far a run is, often enough to be seen and seldom enough to be read.

    Args:
        total: files of the whole run.
        done: those that were done before it began, which say nothing about its speed.
        report: receives the lines.
        clock: seconds.
        what: is counted.
    """

    def __init__(
        self,
        total: int,
        done: int,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        what: str = "files",
    ) -> None:
        self._what = what
        self._total = total
        self._before = done
        self._report = report
        self._clock = clock
        self._started = self._told = clock()

    def tell(self, done: int) -> None:
        """Say that so many are done, if it is time to say so or the last one is."""
        now = self._clock()
        if done < self._total and now - self._told < TELL_EVERY:
            return
        self._told = now
        speed = (done - self._before) / max(now - self._started, 1e-9)
        left = "" if done == self._total else f", {spell((self._total - done) / speed)} to go"
        self._report(f"{done} of {self._total} {self._what} done, {speed:.1f} a second{left}")


def spell(seconds: float) -> str:
    """Return a duration in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

"""How far a night in AWS is, told to CloudWatch now and then."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from chalicelib.sight import is_watched, tell
from training.rescoring.outcomes import Outcome

PERIOD = 60.0
FIGURES = {"scored": "Scored", "gone": "Gone", "failed": "FailedLooks", "taken": "Taken"}


class Pulse:
    """Gathers looks and tells them once a minute; does nothing where nobody reads figures."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; the clock gives seconds."""
        self._clock = clock
        self._told = clock()
        self._counts: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count a look."""
        self._counts[FIGURES[outcome["kind"]]] += 1
        self._counts["NeedsReview"] += outcome["kind"] == "failed" and outcome["state"] == "needs_review"
        if self._clock() - self._told >= PERIOD:
            self.beat()

    def beat(self) -> None:
        """Tell what was counted since the last time."""
        if self._counts and is_watched():
            tell({"Looks": sum(self._counts[name] for name in FIGURES.values()), **self._counts})
        self._counts.clear()
        self._told = self._clock()

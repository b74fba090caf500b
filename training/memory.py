"""What was read once and need not be read again, within a budget."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import numpy as np

# Bytes of pictures that a training holds: some ten thousand faces of 256 px, or a third of the machine's memory where
# that is more, since to decode a picture anew takes longer than all that is drawn of it.
BUDGET = max(2 * 2**30, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 3)


class Memory:
    """Arrays by number, made on first use and kept while they fit; safe to share between threads.

    What no longer fits is made anew each time. Nothing is dropped for it: a training comes by every picture as
    often as by any other, so what is kept is as good as what would take its place.

    Attributes:
        failure: what the last attempt to make an array failed of; a thread's own error may reach nobody.
    """

    def __init__(self, make: Callable[[int], np.ndarray], budget: int) -> None:
        """Take what makes an array, and the bytes that may be kept."""
        self._make, self._left = make, budget
        self._kept: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()
        self.failure: Exception | None = None

    def __getitem__(self, index: int) -> np.ndarray:
        """Return an array that must not be written to."""
        known = self._kept.get(index)
        if known is not None:
            return known
        try:
            made = self._make(index)
        except Exception as error:
            self.failure = error
            raise
        made.flags.writeable = False
        with self._lock:
            if index not in self._kept and made.nbytes <= self._left:
                self._kept[index] = made
                self._left -= made.nbytes
        return made

"""Progress of long work, said often enough to be seen and seldom enough to be read."""

from __future__ import annotations

import time
from collections.abc import Callable


def every(seconds: float, what: str, report: Callable[[str], None]) -> Callable[[int, int | None], None]:
    """Return a callback (done, total) that reports at most every so many seconds, and at the end.

    Where the end is not known, total is None.

    Args:
        seconds: least time between two lines.
        what: the words before the figures.
        report: receives the lines.
    """
    last = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds or done == total:
            last = time.monotonic()
            report(f"{what} {done}" if total is None else f"{what} {done}/{total}")

    return tell

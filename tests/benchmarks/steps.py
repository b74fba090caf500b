"""Where a millisecond of a check goes: the functions that take most of it."""

from __future__ import annotations

import cProfile
import pstats
import time
from pathlib import Path

import numpy as np

from chalicelib.checks import Checker

PROFILE = Path("build/bench.prof")
# Functions whose own time is told, with what they call outside Python.
SHOWN = 14


def time_steps(checker: Checker, photo: bytes, runs: int) -> dict[str, float]:
    """Return milliseconds by step of a warm check, and by function; writes the whole profile to build/bench.prof.

    The profile, which `python -m pstats` and flame-graph programs read, makes functions look dearer than they are: the
    steps are timed without it.

    Args:
        checker: remembers nothing.
        photo: a JPEG.
        runs: checks.
    """
    checks = []
    wholes = []
    for _ in range(runs):
        started = time.perf_counter()
        checks.append(checker.check_image(photo))
        wholes.append((time.perf_counter() - started) * 1000)
    steps = {name: float(np.median([check["timing_ms"][name] for check in checks])) for name in checks[0]["timing_ms"]}
    whole = float(np.median(wholes))
    told = {"a check": whole, **{f"  {name}": ms for name, ms in steps.items()}}
    told["  all else"] = whole - sum(steps.values())
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(runs):
        checker.check_image(photo)
    profile.disable()
    PROFILE.parent.mkdir(exist_ok=True)
    profile.dump_stats(PROFILE)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    dearest = sorted(stats.items(), key=lambda item: -item[1][2])[:SHOWN]
    for (file, _, function), (_, _, own, _, _) in dearest:
        place = f"{Path(file).stem}." if file != "~" else ""
        told[f"    {place}{function}"[:44]] = own / runs * 1000
    return told

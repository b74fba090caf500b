"""Press a real service with many clients at once, honest and hostile.

`python -m tests.load [--clients 32] [--seconds 120]`, or `make load`. Loopback only, and no address is ever fetched
from. Every answer must be the one that its input earns; equal bytes are scored once; the memory is flat; the store is
intact and holds every check that was answered. Prints a table, writes build/load.json; exits with 1 where it is not so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.load.crowd import Book, Outcome, press
from tests.load.service import serving
from tests.load.traffic import LIMIT

OUT = Path("build/load.json")
# What the memory may grow by between the first quarter and the end of a run, MB. A leak of 10 kB a request would be
# more than that in a minute.
MAY_GROW = 24


def summarise(book: Book, outcome: Outcome) -> dict[str, float]:
    """Return the figures of a run."""
    early, late = outcome.growth()
    return {
        "seconds": round(outcome.seconds, 1),
        "answers": sum(book.counts.values()),
        "answers a second": round(sum(book.counts.values()) / outcome.seconds, 1),
        "scored": len(book.seconds),
        "scored a second": round(len(book.seconds) / outcome.seconds, 1),
        "cores busy": round(outcome.cpu / outcome.seconds, 2),
        "answers a second and core": round(sum(book.counts.values()) / outcome.cpu, 1),
        "scored a second and core": round(len(book.seconds) / outcome.cpu, 1),
        "one check alone, ms": round(1000 * outcome.alone[0], 1),
        "one check alone, ms of processor": round(1000 * outcome.alone[1], 1),
        "one check in the crowd, ms, median": round(1000 * sorted(book.seconds)[len(book.seconds) // 2], 1),
        "memory after a quarter, MB": round(early, 1),
        "memory at the end, MB": round(late, 1),
        "peak memory, MB": round(outcome.peak, 1),
        "wrong": len(book.wrong),
    }


def main() -> None:
    """Press, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store, log = Path(name, "checks.sqlite3"), Path(name, "log")
        with serving(store, log, {"UNMASK_MAX_BYTES": str(LIMIT)}) as service:
            book, outcome = press(service, options.clients, options.seconds)
        book.audit(store)
        trouble = [line for line in log.read_text().splitlines() if '"ERROR"' in line or "Traceback" in line]
    book.wrong += [f"in the log: {line}" for line in trouble]
    if outcome.status != 0:
        book.wrong.append(f"the service ended with status {outcome.status}")
    early, late = outcome.growth()
    if late - early > MAY_GROW:
        book.wrong.append(f"memory grew from {early:.0f} to {late:.0f} MB")
    figures = summarise(book, outcome)
    for name, value in {**figures, **dict(book.counts.most_common())}.items():
        print(f"{name:<36}{value:>12,}")
    for sentence, count in Counter(book.wrong).most_common(20):
        print(f"{count} × {sentence}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"clients": options.clients, **figures, "answers by kind": book.counts}, indent=1))
    sys.exit(1 if book.wrong else 0)


if __name__ == "__main__":
    main()

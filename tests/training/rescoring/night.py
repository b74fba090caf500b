"""One night's run in a process of its own, which its test may kill: real stores, a real web server, stand-in networks.

`python -m tests.training.rescoring.night STORE PORT TIME LOG` looks at all that is due at TIME. The internet is a
server on loopback; crops that are scored are written to LOG, a line each.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np

from chalicelib import fetching
from chalicelib.pictures import FolderPictures
from chalicelib.settings import Settings
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.store import SqliteStore
from chalicelib.times import spell_time
from tests.backend.conftest import FakeDetector, FakeFinder
from tests.backend.web import Internet
from training.rescoring import worker as workers
from training.rescoring.plan import Plan
from training.rescoring.worker import Worker

HOST = "photos.example"
# Long beside what an honest answer takes on a busy machine, s.
PATIENCE = 6.0


class Logging(FakeDetector):
    """Tells the log of every crop that it scores."""

    def __init__(self, log: Path) -> None:
        super().__init__(3.0)
        self._log = log

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with self._log.open("a") as file:
            file.writelines(hashlib.sha256(crop.tobytes()).hexdigest() + "\n" for crop in crops)
        return super().score(crops)


def connect(port: int) -> None:
    """Let the internet be one server on this machine."""
    made = Internet(b"")
    made.place(("127.0.0.1", port))
    made.name(HOST, ["93.184.216.34"])
    fetching.resolve = made.resolve
    fetching.dial = made.dial


def open_night(store: Path, time: datetime, log: Path) -> Worker:
    """Return a worker for whom it is that time."""
    workers.now = lambda: time
    settings = Settings(store_path=store, fetch_seconds=PATIENCE)
    return Worker(
        Plan(settings, "none", spell_time(time)),
        FakeFinder((10.0, 10.0, 55.0, 60.0)),
        Logging(log),
        SqliteStore(store),
        SqliteFlags(store, lambda: time),
        FolderPictures(store.parent / "flagged", 30),
    )


def main() -> None:
    """Look at what is due, and say how many looks that were and how much memory they took."""
    import resource

    store, port, time, log = Path(sys.argv[1]), int(sys.argv[2]), datetime.fromisoformat(sys.argv[3]), Path(sys.argv[4])
    connect(port)
    with closing(open_night(store, time, log)) as worker, closing(SqliteFlags(store, lambda: time)) as flags:
        looks = sum(1 for _ in worker.run(worker.find(flags.list_due(spell_time(time)))))
    print(looks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main()

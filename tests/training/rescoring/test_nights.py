"""Three nights with a web that misbehaves and runs that are killed: every flag ends in its one right state."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chalicelib.flags import make_flag
from chalicelib.schema import Flag
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.store import SqliteStore
from tests.backend.conftest import CARD
from tests.training.rescoring.night import HOST
from tests.training.rescoring.test_worker import check_of, draw, hash_of

ROOT = Path(__file__).parents[3]
EVENING = datetime(2026, 3, 1, 18, tzinfo=UTC)
# The second and third come when what failed is due again: after one hour, after six more.
NIGHTS = (EVENING + timedelta(hours=8), EVENING + timedelta(hours=10), EVENING + timedelta(hours=18))
# What lies at an address, how often, and what must come of it: state, what lies there now, revision at the end.
KINDS = {
    "same": (0.55, ("scored", "same", 2)),
    "changed": (0.15, ("scored", "replaced", 2)),
    "gone": (0.1, ("gone", "gone", 2)),
    "private": (0.05, ("needs_review", None, 4)),
    "slow": (0.02, ("needs_review", None, 4)),
    "page": (0.03, ("needs_review", None, 4)),
    "flaky": (0.1, ("scored", "same", 3)),
}


class Web(ThreadingHTTPServer):
    """Serves what each address is named after; `night` counts from 1."""

    daemon_threads = True
    request_queue_size = 128
    night = 1

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.over = threading.Event()


class Page(BaseHTTPRequestHandler):
    """An address: /KIND/NUMBER."""

    server: Web

    def do_GET(self) -> None:
        kind, number = self.path.strip("/").split("/")
        if kind == "private":
            self.send_response(302)
            self.send_header("Location", "http://10.0.0.1/picture.png")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if kind == "slow":
            self.server.over.wait()
            return
        if kind == "gone":
            self.send_error(404)
            return
        if kind == "flaky" and self.server.night == 1:
            self.send_error(503)
            return
        body = b"<!doctype html>" if kind == "page" else draw(int(number) + 20_000 * (kind == "changed"))
        # Whoever asked may have been killed, or have lost patience.
        with suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve() -> Iterator[Web]:
    server = Web(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


def flag_pictures(store: Path, count: int) -> list[Flag]:
    """Flag so many addresses of all kinds, each with a check of its own picture."""
    chance = random.Random(5)
    kinds = chance.choices(list(KINDS), [share for share, _ in KINDS.values()], k=count)
    flags = [
        make_flag(EVENING, check=check_of(number), url=f"http://{HOST}/{kind}/{number}")
        for number, kind in enumerate(kinds)
    ]
    with closing(SqliteFlags(store, lambda: EVENING)) as kept:
        for flag in flags:
            kept.add(flag)
    return flags


def start(store: Path, port: int, time_: datetime, log: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.rescoring.night", str(store), str(port), time_.isoformat(), str(log)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'backend'}", "PATH": ""},
        stdout=subprocess.PIPE,
        text=True,
    )


def count_due(store: Path, time_: datetime) -> int:
    with closing(SqliteFlags(store, lambda: time_)) as flags:
        return sum(1 for _ in flags.list_due(time_.isoformat().replace("+00:00", "Z")))


def sleep_through(store: Path, server: Web, kills: int, log: Path) -> int:
    """Run three nights, killing runs at random times until there were so many kills; return how many."""
    chance, killed = random.Random(9), 0
    for number, night in enumerate(NIGHTS, start=1):
        server.night = number
        before = count_due(store, night)
        while True:
            run = start(store, server.server_port, night, log)
            quota = kills if number == len(NIGHTS) else kills * number // 2
            left = count_due(store, night)
            if killed < quota:
                # Some kills hit the start, most the middle.
                deadline = time.monotonic() + 120
                enough = left - chance.randrange(max(1, before // kills + 1))
                while run.poll() is None and count_due(store, night) > enough and time.monotonic() < deadline:
                    time.sleep(0.02)
                if run.poll() is None:
                    run.send_signal(signal.SIGKILL)
                    run.wait()
                    killed += 1
                    continue
            assert run.wait(3000) == 0
            break
    return killed


def assert_all_is_right(store: Path, flags: list[Flag], log: Path, killed: int) -> None:
    with closing(SqliteFlags(store, lambda: NIGHTS[-1])) as kept, closing(SqliteStore(store)) as checks:
        for number, flag in enumerate(flags):
            kind = str(flag["url"]).split("/")[3]
            now = kept.get(flag["id"])
            picture = now["after"]["picture"] if now["after"] else None
            assert (now["state"], picture, now["revision"]) == KINDS[kind][1], kind
            if now["state"] == "needs_review":
                assert (now["failures"], now["due_at"], now["after"]) == (3, None, None)
            if now["state"] == "scored":
                sha256 = hash_of(number + 20_000 * (kind == "changed"))
                assert now["after"] is not None
                assert now["after"]["score"] is not None
                assert now["after"]["score"]["sha256"] == sha256
                assert checks.find(sha256, CARD["version"]) is not None
    scored = Counter(log.read_text().split())
    again = sum(count - 1 for count in scored.values())
    assert again <= killed * 64, "what is scored again is at most the batch that a kill has hit"
    assert max(scored.values()) <= 1 + killed


@pytest.mark.parametrize(
    ("count", "kills"),
    [pytest.param(120, 3, id="a few"), pytest.param(10_000, 20, id="many", marks=pytest.mark.slow)],
)
@pytest.mark.timeout(7200)
def test_every_flag_ends_in_its_one_right_state_however_often_runs_are_killed(
    tmp_path: Path, count: int, kills: int
) -> None:
    store, log = tmp_path / "checks.sqlite3", tmp_path / "scored.txt"
    flags = flag_pictures(store, count)
    with serve() as server:
        killed = sleep_through(store, server, kills, log)
    assert killed == kills
    assert_all_is_right(store, flags, log, killed)


def measure_memory(folder: Path, count: int) -> int:
    """Return the largest memory of a night with so many flags that lie where they should, kB."""
    store = folder / "checks.sqlite3"
    with closing(SqliteFlags(store, lambda: EVENING)) as kept:
        for number in range(count):
            kept.add(make_flag(EVENING, url=f"http://{HOST}/same/{number}"))
    with serve() as server:
        run = start(store, server.server_port, NIGHTS[0], folder / "scored.txt")
        told, _ = run.communicate(timeout=3000)
    looks, memory = map(int, told.split())
    assert looks == count
    return memory


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_memory_does_not_grow_with_the_number_of_flags(tmp_path: Path) -> None:
    folders = [tmp_path / "few", tmp_path / "many"]
    for folder in folders:
        folder.mkdir()
    few, many = (measure_memory(folder, count) for folder, count in zip(folders, (500, 10_000), strict=True))
    assert many < 1.15 * few, (few, many)

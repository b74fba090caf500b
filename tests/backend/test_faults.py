"""The world turns against a service: its store, disk, models and clock fail, and it is killed again and again."""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from chalicelib import checks, fetching, times
from chalicelib.checks import Checker
from chalicelib.errors import FetchTimeout, StoreUnavailable
from chalicelib.settings import MODELS, Settings
from chalicelib.store import SqliteStore
from tests.backend.web import Server, drip, internet, reply
from tests.load.service import Answer, Service, greet, launch, serving

Encode = Callable[..., bytes]


@dataclass
class Start:
    """What came of starting the service."""

    status: int
    out: str
    err: str


@pytest.fixture
def start(tmp_path: Path, models: Path) -> Callable[..., Start]:
    """Start the service where that cannot succeed, and wait for its end."""

    def start_(**settings: str) -> Start:
        log = tmp_path / "log"
        log.unlink(missing_ok=True)
        known = {"UNMASK_MODELS": str(models)} | settings
        process = launch(Path(known.pop("UNMASK_STORE_PATH", tmp_path / "checks.sqlite3")), log, known)
        try:
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        return Start(process.returncode, out, log.read_text())

    return start_


def told_in_a_sentence(start: Start, sentence: str) -> bool:
    return (start.status, start.out, start.err) == (1, "", f"Error: {sentence}\n")


def pictures(encode: Encode) -> Iterator[bytes]:
    """Small pictures, each another one."""
    for number in itertools.count():
        yield encode((number // 65536, number // 256 % 256, number % 256), size=(64, 64))


# The store.


def test_a_store_that_cannot_be_opened_stops_the_start(start: Callable[..., Start], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("not a store" * 100)
    nowhere = "The store's file or folder cannot be opened or made."
    assert told_in_a_sentence(start(UNMASK_STORE_PATH=str(tmp_path / "folder")), nowhere)
    assert told_in_a_sentence(start(UNMASK_STORE_PATH="/proc/none/checks.sqlite3"), nowhere)
    assert told_in_a_sentence(start(UNMASK_STORE_PATH=str(tmp_path / "text")), "The store's file is not a store.")


def test_a_store_that_is_locked_too_long_is_a_failure_for_a_while_and_never_a_verdict(
    tmp_path: Path, models: Path, encode: Encode
) -> None:
    path = tmp_path / "checks.sqlite3"
    with serving(path, tmp_path / "log", {"UNMASK_MODELS": str(models)}) as service:
        first, second = encode((1, 2, 3)), encode((3, 2, 1))
        known = service.ask("POST", "/v2/checks/image", first)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            failed = service.ask("POST", "/v2/checks/image", second)
            assert (failed.status, failed.code, set(failed.told)) == (503, "store_unavailable", {"error"})
            assert service.ask("POST", "/v2/checks/image", first).told == {**known.told, "cached": True}
            other.execute("ROLLBACK")
        again = service.ask("POST", "/v2/checks/image", second)
        assert (again.status, again.told["cached"]) == (200, False)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Put a disk of so many bytes at a folder; skips where there is no right to."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_cannot_be_written_stops_the_start(start: Callable[..., Start], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 1_000_000):
        SqliteStore(disk / "checks.sqlite3").close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        known = start(UNMASK_STORE_PATH=str(disk / "checks.sqlite3"))
        new = start(UNMASK_STORE_PATH=str(disk / "new.sqlite3"))
    assert told_in_a_sentence(known, "The store's file or folder cannot be opened or made.")
    assert told_in_a_sentence(new, "The store's file or folder cannot be opened or made.")


def limit_files(size: int) -> Callable[[], None]:
    """Let no file of a process grow beyond so many bytes, as where a quota is used up."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def fill(service: Service, encode: Encode) -> tuple[dict[str, Any], bytes]:
    """Check pictures until the store takes no more; return what was answered, and the picture that was not."""
    answered: dict[str, Any] = {}
    for picture in itertools.islice(pictures(encode), 2000):
        answer = service.ask("POST", "/v2/checks/image", picture)
        if answer.status != 200:
            assert (answer.status, answer.code, set(answer.told)) == (503, "store_unavailable", {"error"})
            return answered, picture
        answered[answer.told["id"]] = answer.told
    raise AssertionError("the disk was never full")


def held(path: Path) -> dict[str, Any]:
    """Return all that a store holds, by id, having seen that it is whole."""
    with closing(sqlite3.connect(path)) as direct:
        assert direct.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = direct.execute("SELECT id, sha256, model_version, checked_at, body FROM checks").fetchall()
    found = {}
    for check_id, sha256, version, checked_at, body in rows:
        check = found[check_id] = json.loads(body)
        told = check["id"], check["media"]["sha256"], check["model"]["version"], check["checked_at"]
        assert told == (check_id, sha256, version, checked_at), "half a check"
        assert check["verdict"] in ("likely_fake", "no_traces", "uncertain", "no_face")
    return found


def test_a_full_disk_is_told_until_there_is_room_again_and_costs_no_check(
    tmp_path: Path, models: Path, encode: Encode
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 400_000), serving(disk / "a.sqlite3", tmp_path / "log", {"UNMASK_MODELS": str(models)}) as on:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(100_000))
        answered, refused = fill(on, encode)
        assert len(answered) > 5
        for check_id, check in answered.items():
            assert on.ask("GET", f"/v2/checks/{check_id}").told == {**check, "cached": True}
        ballast.unlink()
        again = on.ask("POST", "/v2/checks/image", refused)
        assert (again.status, again.told["cached"]) == (200, False)
        assert on.stop() == 0
        assert held(disk / "a.sqlite3") == answered | {again.told["id"]: again.told}


def test_a_used_up_quota_is_told_and_costs_no_check(tmp_path: Path, models: Path, encode: Encode) -> None:
    path = tmp_path / "checks.sqlite3"
    options = tmp_path / "log", {"UNMASK_MODELS": str(models)}
    with serving(path, *options, preexec_fn=limit_files(150_000)) as service:
        answered, refused = fill(service, encode)
        assert len(answered) > 5
        service.kill()
    assert held(path) == answered
    with serving(path, *options) as service:
        assert service.ask("POST", "/v2/checks/image", refused).told["cached"] is False


# The models.


def _cut(share: float) -> Callable[[Path], None]:
    return lambda file: os.truncate(file, int(file.stat().st_size * share))


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x10
    file.write_bytes(data)


def _fill_with(data: bytes) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(data) and None


@pytest.mark.parametrize("name", ["detector.tflite", "pnet.tflite", "rnet.tflite", "onet.tflite", "model_card.json"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(Path.unlink, id="missing"),
        pytest.param(_cut(0.5), id="half"),
        pytest.param(_fill_with(os.urandom(50_000)), id="garbage"),
    ],
)
def test_a_missing_or_damaged_model_stops_the_start(
    start: Callable[..., Start], tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(MODELS, tmp_path / "models")
    damage(folder / name)
    kind = "card" if name == "model_card.json" else "file"
    assert told_in_a_sentence(start(UNMASK_MODELS=str(folder)), f"The model {kind} {name} is missing or damaged.")


def test_a_network_with_one_wrong_bit_stops_the_start(start: Callable[..., Start], tmp_path: Path) -> None:
    folder = shutil.copytree(MODELS, tmp_path / "models")
    _flip(folder / "detector.tflite")
    sentence = "The model card and the detector do not belong together."
    assert told_in_a_sentence(start(UNMASK_MODELS=str(folder)), sentence)


def test_the_card_of_another_network_stops_the_start(start: Callable[..., Start], tmp_path: Path) -> None:
    folder = shutil.copytree(MODELS, tmp_path / "models")
    card = json.loads((folder / "model_card.json").read_text())
    (folder / "model_card.json").write_text(json.dumps(card | {"version": "2026.11-00000000"}))
    sentence = "The model card and the detector do not belong together."
    assert told_in_a_sentence(start(UNMASK_MODELS=str(folder)), sentence)


@pytest.mark.parametrize("name", ["detector.tflite", "pnet.tflite", "rnet.tflite", "onet.tflite"])
def test_no_cut_of_any_length_takes_the_runtime_down(tmp_path: Path, name: str) -> None:
    # In a process of its own: where the runtime dies, it takes the process with it.
    code = """
import sys
from pathlib import Path
from chalicelib.errors import ModelUnavailable
from chalicelib.runtime import load_interpreter

whole, file = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
for step in range(100):
    file.write_bytes(whole[: len(whole) * step // 100])
    try:
        load_interpreter(file)
    except ModelUnavailable:
        continue
    print("opened", step)
"""
    command = [sys.executable, "-c", code, str(MODELS / name), str(tmp_path / "cut.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# The clock.


class Jumping(datetime):
    """A clock that is set anew whenever it is read: centuries ahead, then back, across both ends of 32 bits."""

    years = itertools.cycle((2025, 2039, 1970, 2262, 2001))

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime(next(cls.years), 1, 1, tzinfo=tz or UTC)


@pytest.fixture
def jumping_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every clock jump that can be set by anybody; the monotonic one cannot."""
    stamps = itertools.cycle((4e9, 0.0, 1.7e9, 9e9, -1.0))
    monkeypatch.setattr(time, "time", lambda: next(stamps))
    monkeypatch.setattr(times, "datetime", Jumping)


@pytest.mark.usefixtures("jumping_clock")
def test_a_clock_that_jumps_changes_stamps_and_nothing_else(
    tmp_path: Path, make_checker: Callable[..., Checker], encode: Encode
) -> None:
    checker = make_checker(2.0, store=SqliteStore(tmp_path / "checks.sqlite3"))
    stamps = []
    for picture in itertools.islice(pictures(encode), 10):
        check = checker.check_image(picture)
        stamps.append(check["checked_at"])
        assert checker.get(check["id"]) == checker.check_image(picture) == {**check, "cached": True}
        assert all(ms >= 0 for ms in check["timing_ms"].values())
    assert stamps == 2 * [f"{year}-01-01T00:00:00Z" for year in (2025, 2039, 1970, 2262, 2001)]
    checker.close()
    assert len(held(tmp_path / "checks.sqlite3")) == 10


@pytest.mark.usefixtures("jumping_clock")
def test_a_clock_that_jumps_neither_ends_nor_prolongs_a_fetch(monkeypatch: pytest.MonkeyPatch, encode: Encode) -> None:
    picture = encode((7, 7, 7))
    with internet(monkeypatch, picture) as net:
        net.put(Server(reply(picture), drip(b"HTTP/1.1 200 OK\r\n", 0.05)))
        assert fetching.fetch("http://pictures.example/a.png", Settings()) == picture
        started = time.monotonic()
        with pytest.raises(FetchTimeout):
            fetching.fetch("http://pictures.example/a.png", Settings(fetch_seconds=0.5))
        assert 0.4 < time.monotonic() - started < 60


@pytest.mark.usefixtures("jumping_clock")
def test_a_clock_that_jumps_neither_ends_nor_prolongs_the_wait_for_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.sqlite_file._PATIENCE", 0.3)
    path = tmp_path / "checks.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="in use"):
            SqliteStore(path)
        assert 0.25 < time.monotonic() - started < 60


def test_no_deadline_of_ours_hangs_on_a_clock_that_can_be_set() -> None:
    for path in (Path(checks.__file__).parent.parent).rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "time.time(" not in source, path.name
        assert source.count("datetime.now(") <= (path.name == "times.py"), path.name


# Killed.


@dataclass
class Past:
    """What was answered in all lives so far; safe to share between threads."""

    answered: dict[str, Any] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    wrong: list[Answer] = field(default_factory=list)
    numbers: Iterator[bytes] = field(default_factory=lambda: iter(()))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def live(self, service: Service) -> None:
        """Send pictures, and forget some, until there is no answer."""
        with suppress(OSError, HTTPException):
            for turn in itertools.count(1):
                with self.lock:
                    picture = next(self.numbers)
                answer = service.ask("POST", "/v2/checks/image", picture)
                if answer.status != 200:
                    self.wrong.append(answer)
                    continue
                check_id = answer.told["id"]
                if turn % 5:
                    self.answered[check_id] = answer.told
                    continue
                gone = service.ask("DELETE", f"/v2/checks/{check_id}")
                if gone.status == 204:
                    self.forgotten.add(check_id)
                else:
                    self.wrong.append(gone)


def live_and_die(path: Path, log: Path, settings: dict[str, str], past: Past, chance: random.Random) -> bool:
    """Start a service, let clients at it, kill it at a random moment; say whether it had come so far as to answer."""
    process = launch(path, log, settings)
    try:
        # One in five dies while it starts: while it makes or mends its store.
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0.0, 1.5))
            return False
        service = greet(process, log)
        assert service is not None, log.read_text()
        clients = [threading.Thread(target=past.live, args=(service,)) for _ in range(4)]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.0, 0.4))
        service.kill()
        for client in clients:
            client.join()
        return True
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_a_service_killed_again_and_again_keeps_what_it_answered_and_nothing_by_halves(
    tmp_path: Path, models: Path, encode: Encode, kills: int
) -> None:
    path, log, chance = tmp_path / "checks.sqlite3", tmp_path / "log", random.Random(kills)
    past, settings = Past(numbers=pictures(encode)), {"UNMASK_MODELS": str(models)}
    lives = 0
    for _ in range(kills):
        lives += live_and_die(path, log, settings, past, chance)
        kept = held(path) if path.exists() else {}
        assert {check_id: kept.get(check_id) for check_id in past.answered} == past.answered
        assert not past.forgotten & kept.keys()
    assert past.wrong == []
    assert lives and past.answered
    print(f"{kills} kills, {lives} while answering: {len(past.answered)} answered, {len(past.forgotten)} forgotten")
    with serving(path, log, settings) as service:
        for check_id, check in list(past.answered.items())[:: max(len(past.answered) // 50, 1)]:
            assert service.ask("GET", f"/v2/checks/{check_id}").told == {**check, "cached": True}
        assert service.stop() == 0
    assert "unexpected" not in log.read_text()

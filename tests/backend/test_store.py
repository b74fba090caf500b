"""What a store must do, whatever keeps it, and what SQLite must do when the world turns against it."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import NotFound, StoreUnavailable
from chalicelib.store import SqliteStore, Store


def make_check(number: int = 0, *, sha256: str | None = None, version: str = "1", **more: Any) -> dict[str, Any]:
    """A check as it is answered, in short."""
    return {
        "id": f"check-{number}",
        "verdict": "likely_fake",
        "fake_probability": 0.1 + 0.2,
        "reasons": [],
        "faces": [{"box": [1, 2, 30, 40], "evidence": {"grid": [[0.0, 1.0]], "box": [0, 0, 5, 5]}}],
        "media": {"kind": "image", "sha256": sha256 or f"{number:064x}", "width": 64, "height": 48},
        "model": {"name": "test", "version": version},
        "checked_at": "2025-01-02T03:04:05Z",
        **more,
    }


@pytest.fixture(params=["sqlite", "dynamo"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """A function that opens one and the same store anew, as another process would."""
    opened: list[Store] = []

    table = request.getfixturevalue("table") if request.param == "dynamo" else None

    def open_() -> Store:
        if table is None:
            opened.append(SqliteStore(tmp_path / "deep" / "checks.sqlite3"))
        else:
            from chalicelib.dynamo_store import DynamoStore

            opened.append(DynamoStore(table))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checks.sqlite3"


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()


# The contract: every store passes these.


def test_a_saved_check_is_found_by_its_bytes_and_model(store: Store) -> None:
    check = make_check()
    assert store.save(check) == check
    assert store.find(check["media"]["sha256"], "1") == check
    assert store.get("check-0") == check


def test_nothing_is_found_where_nothing_was_saved(store: Store) -> None:
    assert store.find("0" * 64, "1") is None
    for ask in (store.get, store.delete):
        with pytest.raises(NotFound) as caught:
            ask("check-0")
        assert caught.value.status == 404


@pytest.mark.parametrize(
    ("sha256", "version"),
    [("a" * 63 + "b", "1"), ("a" * 64, "2"), ("a" * 64, ""), ("", "1"), ("A" * 64, "1")],
)
def test_another_picture_or_model_is_another_check(store: Store, sha256: str, version: str) -> None:
    store.save(make_check(1, sha256="a" * 64))
    assert store.find(sha256, version) is None
    store.save(make_check(2, sha256=sha256, version=version))
    assert store.get("check-1")["media"]["sha256"] == "a" * 64
    assert store.get("check-2")["model"]["version"] == version


def test_the_first_of_two_equal_checks_stays(store: Store) -> None:
    first = make_check(1, sha256="a" * 64, verdict="no_traces")
    second = make_check(2, sha256="a" * 64, verdict="likely_fake")
    assert store.save(first) == first
    assert store.save(second) == first
    assert store.find("a" * 64, "1") == first
    with pytest.raises(NotFound):
        store.get("check-2")


def test_saving_the_same_check_twice_changes_nothing(store: Store) -> None:
    check = make_check()
    assert store.save(check) == store.save(check) == store.get("check-0")


def test_an_id_never_comes_to_name_another_check(store: Store) -> None:
    store.save(make_check(1))
    with pytest.raises(StoreUnavailable):
        store.save({**make_check(2), "id": "check-1"})
    assert store.get("check-1") == make_check(1)
    assert store.find(make_check(2)["media"]["sha256"], "1") is None
    assert store.save(make_check(3)) == make_check(3)


def test_a_deleted_check_is_gone_and_may_be_made_again(store: Store) -> None:
    check = make_check()
    store.save(check)
    store.delete("check-0")
    assert store.find(check["media"]["sha256"], "1") is None
    with pytest.raises(NotFound):
        store.get("check-0")
    with pytest.raises(NotFound):
        store.delete("check-0")
    again = make_check(5, sha256=check["media"]["sha256"])
    assert store.save(again) == again


def test_a_check_is_remembered_when_the_store_is_opened_again(open_store: Callable[[], Store]) -> None:
    first = open_store()
    first.save(make_check())
    first.close()
    assert open_store().get("check-0") == make_check()


def test_what_comes_back_is_a_copy(store: Store) -> None:
    check = make_check()
    store.save(check)["verdict"] = "changed"
    check["verdict"] = "changed"
    store.get("check-0")["faces"].clear()
    assert store.get("check-0") == make_check()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0.1 + 0.2,
        1e-12,
        2**53,
        -0.0,
        "ß 漢 🙂 \u0000 \ud800 ' \" \\",
        [],
        {},
        [[1.5]],
        "x" * 300_000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_json_comes_back_as_it_was(store: Store, value: object) -> None:
    store.save(make_check(faces=value))
    assert store.get("check-0")["faces"] == value


@pytest.mark.parametrize("word", ["' OR 1=1 --", "%", "*", "\x00", "ß", "x" * 900])
def test_ids_and_keys_are_taken_literally(store: Store, word: str) -> None:
    store.save(make_check(1))
    with pytest.raises(NotFound):
        store.get(word)
    with pytest.raises(NotFound):
        store.delete(word)
    assert store.find(word, word) is None
    check = {**make_check(2, sha256=word, version=word), "id": word}
    store.save(check)
    assert store.get(word) == store.find(word, word) == check


def test_an_id_that_is_too_long_for_any_store_is_not_found(store: Store) -> None:
    for deed in (store.get, store.delete):
        with pytest.raises(NotFound):
            deed("x" * 100_000)
    assert store.find("x" * 100_000, "1") is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"fake_probability": float("nan")}, ValueError),
        ({"fake_probability": float("inf")}, ValueError),
        ({"faces": b"bytes"}, TypeError),
        ({"media": {}}, KeyError),
        ({"model": {}}, KeyError),
    ],
)
def test_what_is_no_verdict_is_not_kept(store: Store, change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        store.save({**make_check(), **change})
    with pytest.raises(NotFound):
        store.get("check-0")


def test_a_closed_store_says_so_and_may_be_closed_again(store: Store) -> None:
    store.close()
    store.close()
    for use in (lambda: store.find("a", "1"), lambda: store.save(make_check()), lambda: store.get("a")):
        with pytest.raises(StoreUnavailable) as caught:
            use()
        assert caught.value.status == 503


def test_who_saves_a_check_that_is_there_is_given_the_first(open_store: Callable[[], Store]) -> None:
    one, other = open_store(), open_store()
    first = one.save(make_check(1, sha256="a"))
    assert other.save(make_check(2, sha256="a")) == first
    with pytest.raises(NotFound):
        one.get("check-2")
    other.delete("check-1")
    assert one.save(make_check(3, sha256="a"))["id"] == "check-3"


def test_row_48_threads_that_save_the_same_check_are_all_given_the_first(
    open_store: Callable[[], Store],
) -> None:
    stores = [open_store(), open_store()]
    for round_ in range(20):
        start = threading.Barrier(4)

        def save(worker: int, round_: int = round_, start: threading.Barrier = start) -> dict[str, Any]:
            check = make_check(round_ * 10 + worker, sha256=f"{round_:064x}")
            start.wait(10)
            return stores[worker % 2].save(check)

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(save, range(4)))
        assert answers == [answers[0]] * 4
        assert stores[0].find(f"{round_:064x}", "1") == answers[0]


def test_many_threads_may_share_one_store(store: Store) -> None:
    def work(worker: int) -> None:
        for i in range(worker * 100, worker * 100 + 15):
            store.save(make_check(i))
            assert store.get(f"check-{i}") == make_check(i)
            assert store.find(f"{i:064x}", "1") == make_check(i)
            if i % 2:
                store.delete(f"check-{i}")

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, worker) for worker in range(8)]:
            done.result()
    assert sum(store.find(f"{w * 100 + i:064x}", "1") is not None for w in range(8) for i in range(15)) == 8 * 8


# SQLite alone.

# Imports no test library: a child's start is most of what these tests take.
_CHILD = """
import json, sys
from pathlib import Path
from chalicelib.store import SqliteStore

path, first, last, shared, checks = json.loads(sys.argv[1])
print("ready", flush=True)
sys.stdin.read(1)
store = SqliteStore(Path(path))
for number in range(first, last):
    sha256 = f"{number - first if shared else number:064x}"
    kept = store.save(json.loads(checks.replace("NUMBER", str(number)).replace("SHA256", sha256)))
    print(json.dumps(kept["id"]), flush=True)
"""


def start_children(path: Path, *numbers: range, shared: bool = False) -> list[subprocess.Popen[bytes]]:
    """Start processes that open the store at the same time and save checks of these numbers.

    Each prints an id as soon as its save is acknowledged. With `shared`, all save checks of the same
    pictures.
    """
    template = json.dumps({**make_check(sha256="SHA256"), "id": "check-NUMBER"})
    children = []
    for each in numbers:
        orders = json.dumps([str(path), each.start, each.stop, shared, template])
        command = [sys.executable, "-c", _CHILD, orders]
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write(b"!")
        child.stdin.close()
    return children


def read_ids(child: subprocess.Popen[bytes]) -> list[str]:
    """Return the acknowledged ids up to the child's end, the first ones at least."""
    assert child.stdout
    with child.stdout as lines:
        # A killed child may leave a part of a line; that save was done but not acknowledged.
        return [json.loads(line) for line in lines if line.endswith(b"\n")]


def test_row_48_processes_that_save_the_same_checks_make_one_record_of_each(path: Path) -> None:
    children = start_children(path, range(1000, 1060), range(2000, 2060), range(3000, 3060), shared=True)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(read_ids, children))
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert len(answers[0]) == 60
    assert answers[0] == answers[1] == answers[2]
    with closing(sqlite3.connect(path)) as direct:
        assert direct.execute("SELECT count(*) FROM checks").fetchone() == (60,)


def test_processes_that_start_together_on_a_new_file_all_open_it(tmp_path: Path) -> None:
    for round_ in range(3):
        path = tmp_path / str(round_) / "checks.sqlite3"
        children = start_children(path, *(range(number, number + 1) for number in range(4)))
        assert [read_ids(child) for child in children] == [[f"check-{number}"] for number in range(4)]
        assert [child.wait(60) for child in children] == [0, 0, 0, 0]


def test_a_process_killed_while_it_saves_loses_nothing_that_it_acknowledged(path: Path) -> None:
    chance = random.Random(11)
    acknowledged: list[str] = []
    for life in range(10):
        (child,) = start_children(path, range(life * 100_000, (life + 1) * 100_000))
        threading.Timer(chance.uniform(0.02, 0.15), child.kill).start()
        acknowledged += read_ids(child)
        assert child.wait(60) == -signal.SIGKILL

        store = SqliteStore(path)
        for check_id in acknowledged:
            assert store.get(check_id) == make_check(int(check_id.removeprefix("check-")))
        store.close()
        with closing(sqlite3.connect(path)) as direct:
            assert direct.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            bodies = direct.execute("SELECT id, body FROM checks").fetchall()
        assert all(json.loads(body)["id"] == check_id for check_id, body in bodies)
        # One more a life may be there: killed after the save and before its acknowledgement.
        assert len(acknowledged) <= len(bodies) <= len(acknowledged) + life + 1
    assert acknowledged


def explain(path: Path) -> str:
    """Return the sentence with which a store refuses to open."""
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(path)
    assert caught.value.status == 503
    assert str(path.parent) not in caught.value.message
    return caught.value.message


def test_a_path_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be opened or made" in explain(tmp_path / "file" / "checks.sqlite3")


def test_a_folder_in_place_of_the_file_cannot_be_opened(path: Path) -> None:
    path.mkdir()
    assert "cannot be opened or made" in explain(path)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder with a store in it, neither of which the process may write, even where tests run as root."""
    if not hasattr(os, "seteuid"):
        pytest.skip("this system has no user to change to")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = SqliteStore(folder / "checks.sqlite3")
        store.save(make_check())
        store.close()
        (folder / "checks.sqlite3").chmod(0o444)
        folder.chmod(0o555)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(before)
            folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_named_as_the_reason(read_only: Path) -> None:
    assert "cannot be written" in explain(read_only / "checks.sqlite3")
    assert "cannot be opened or made" in explain(read_only / "new.sqlite3")
    assert "cannot be opened or made" in explain(read_only / "folder" / "new.sqlite3")


@pytest.mark.parametrize("content", [b"this is a text file, not a database " * 50, os.urandom(5000), b"\0" * 5000])
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "not a store" in explain(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    assert "another program" in explain(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    assert "newer version" in explain(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    assert SqliteStore(path).save(make_check()) == make_check()


def test_a_damaged_page_is_told_and_not_answered_around(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(200):
        store.save(make_check(number))
    store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    damaged = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match="damaged"):
        for number in range(200):
            damaged.get(f"check-{number}")


def test_a_body_that_is_no_json_is_told(path: Path) -> None:
    store = SqliteStore(path)
    store.save(make_check())
    with sqlite3.connect(path) as direct:
        direct.execute("UPDATE checks SET body = substr(body, 1, 20)")
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.get("check-0")


def test_a_full_disk_is_told_and_leaves_nothing_half_written(path: Path) -> None:
    store = SqliteStore(path)
    store.save(make_check(1))
    pages = store._file._connection.execute("PRAGMA page_count").fetchone()[0]
    store._file._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreUnavailable, match="full"):
        store.save(make_check(2, faces="x" * 1_000_000))
    with pytest.raises(NotFound):
        store.get("check-2")
    assert store.save(make_check(3)) == make_check(3)
    assert store.get("check-1") == make_check(1)


def test_a_write_that_fails_is_told_and_leaves_nothing_half_written(path: Path) -> None:
    # A limit on the size of files stands in for a disk that fails under the journal.
    code = """
import json, resource, signal, sys
from pathlib import Path
from chalicelib.errors import NotFound, StoreUnavailable
from chalicelib.store import SqliteStore

path, small, large = json.loads(sys.argv[1])
store = SqliteStore(Path(path))
store.save(small)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    store.save(large | {"faces": "x" * 1_000_000})
except StoreUnavailable as error:
    print(error.message)
assert store.get("check-1") == small
try:
    store.get("check-2")
except NotFound:
    print("gone")
"""
    orders = json.dumps([str(path), make_check(1), make_check(2)])
    done = subprocess.run([sys.executable, "-c", code, orders], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["The disk that holds the store failed to read or write.", "gone"]
    store = SqliteStore(path)
    assert store.get("check-1") == make_check(1)
    assert store.save(make_check(2)) == make_check(2)


def test_a_store_held_by_another_writer_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.sqlite_file._PATIENCE", 0.05)
    store = SqliteStore(path)
    store.save(make_check(1))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="in use"):
        store.save(make_check(2))
    assert store.get("check-1") == make_check(1), "a reader does not wait for a writer"
    holder.execute("ROLLBACK")
    holder.close()
    assert store.save(make_check(2)) == make_check(2)


def test_saves_are_synced_and_logged_ahead(path: Path) -> None:
    store = SqliteStore(path)
    assert store._file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._file._connection.execute("PRAGMA synchronous").fetchone() == (2,)

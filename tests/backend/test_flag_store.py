"""What a store of flags must do, whatever keeps it; and that SQLite finds what is due by an index."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import BadRequest, NotFound, StoreUnavailable
from chalicelib.flag_store import FlagStore
from chalicelib.flags import LIFETIME, LOCAL, make_flag, record_failure, record_loss
from chalicelib.schema import Flag
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.store import SqliteStore
from chalicelib.times import spell_time
from tests.backend.test_store import make_check

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMEOUT: Any = {"code": "fetch_timeout", "message": "Too slow."}
# Rows of the default suite, and of the long one, behind which the planner must find what is due.
FEW, MANY = 20_000, 1_000_000


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "dynamo"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[FlagStore]:
    if request.param == "sqlite":
        made: FlagStore = SqliteFlags(tmp_path / "checks.sqlite3", clock)
    else:
        from chalicelib.dynamo_flags import DynamoFlags

        made = DynamoFlags(request.getfixturevalue("table"), clock)
    with closing(made):
        yield made


def make(minutes: float = 0, **more: Any) -> Flag:
    return make_flag(START + timedelta(minutes=minutes), url="https://photos.example/1.jpg", **more)


def walk(read: Callable[..., Any], limit: int, *arguments: Any) -> Iterator[Flag]:
    """Yield the flags of all pages."""
    cursor = None
    while True:
        page = read(*arguments, limit=limit, cursor=cursor)
        assert len(page["flags"]) <= limit
        yield from page["flags"]
        cursor = page["cursor"]
        if cursor is None:
            return


def test_a_flag_comes_back_as_it_was_until_it_is_deleted(store: FlagStore) -> None:
    flag = make(note="seltsames Ohr 👂 \u202e")
    store.add(flag)
    assert store.get(flag["id"]) == flag
    store.delete(flag["id"])
    for deed in (store.get, store.delete):
        with pytest.raises(NotFound):
            deed(flag["id"])


@pytest.mark.parametrize("word", ["", "' OR 1=1 --", "%", "\x00", "x" * 100_000])
def test_an_unknown_id_is_not_found_whatever_it_is(store: FlagStore, word: str) -> None:
    store.add(make())
    for deed in (store.get, store.delete):
        with pytest.raises(NotFound):
            deed(word)


def test_flags_are_listed_newest_first_each_once_whatever_the_page(store: FlagStore) -> None:
    # Three of each minute: their ids decide.
    flags = [make(n // 3) for n in range(30)]
    for flag in random.Random(1).sample(flags, len(flags)):
        store.add(flag)
    expected = sorted(flags, key=lambda flag: (flag["created_at"], flag["id"]), reverse=True)
    for limit in (1, 3, 7, 29, 30, 31):
        assert list(walk(store.browse, limit, None)) == expected


def test_a_list_may_be_of_one_state(store: FlagStore) -> None:
    waiting, gone = make(), make()
    for flag in (waiting, gone):
        store.add(flag)
    lost = record_loss(gone, START)
    assert store.replace(lost)
    assert list(walk(store.browse, 1, "waiting")) == [waiting]
    assert list(walk(store.browse, 1, "gone")) == [lost]
    assert list(walk(store.browse, 1, "scored")) == []


def test_a_list_may_be_of_one_owner_and_of_one_state_of_theirs(store: FlagStore) -> None:
    mine = [make(n, owner="me") for n in range(5)]
    for flag in [*mine, make(owner="you"), make(owner=None)]:
        store.add(flag)
    lost = record_loss(mine[1], START)
    assert store.replace(lost)
    kept = [mine[4], mine[3], mine[2], lost, mine[0]]

    def browse(state: Any, limit: int, cursor: str | None) -> Any:
        return store.browse(state, limit, cursor, owner="me")

    for limit in (1, 2, 5):
        assert list(walk(browse, limit, None)) == kept
    assert list(walk(browse, 1, "gone")) == [lost]
    assert list(walk(browse, 1, "waiting")) == [flag for flag in kept if flag is not lost]
    assert store.browse(owner="nobody")["flags"] == []


def test_what_comes_and_goes_meanwhile_hides_nothing_that_stays(store: FlagStore) -> None:
    flags = [make(n) for n in range(20)]
    for flag in flags:
        store.add(flag)
    met = []
    for number, flag in enumerate(walk(store.browse, 2, None)):
        met.append(flag["id"])
        store.add(make(100 + number))
        if number == 5:
            store.delete(flags[10]["id"])
    staying = [flag["id"] for flag in reversed(flags) if flag is not flags[10]]
    assert [flag_id for flag_id in met if flag_id in staying] == staying
    assert len(set(met)) == len(met)


def is_sharded(store: FlagStore) -> bool:
    return not isinstance(store, SqliteFlags)


def test_what_is_due_comes_longest_due_first_and_nothing_else(store: FlagStore) -> None:
    flags = [make(n // 2) for n in range(20)]
    for flag in random.Random(2).sample(flags, len(flags)):
        store.add(flag)
    store.add(make(check=None, kept_until=None) | {"due_at": None})  # type: ignore[arg-type]
    now = spell_time(START + timedelta(minutes=6))
    ordered = sorted((f for f in flags if (f["due_at"] or "") <= now), key=lambda f: (f["due_at"], f["id"]))
    expected = [flag["id"] for flag in ordered]
    assert len(expected) == 14
    found = list(store.list_due(now))
    if is_sharded(store):
        shards = sorted({flag_id[0] for flag_id in expected})
        assert found[: len(shards)] == [next(f for f in expected if f[0] == shard) for shard in shards]
        found.sort(key=lambda flag_id: flag_id[0])
        expected.sort(key=lambda flag_id: flag_id[0])
    assert found == expected


def test_a_row_that_was_done_is_due_no_more_in_a_list_that_goes_on(
    store: FlagStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend in ("sqlite_flags", "dynamo_flags"):
        monkeypatch.setattr(f"chalicelib.{backend}._LISTED", 3)
    for n in range(40):
        store.add(make(n))
    now = START + timedelta(minutes=60)
    seen = []
    for flag_id in store.list_due(spell_time(now)):
        seen.append(flag_id)
        assert store.replace(record_failure(store.get(flag_id), TIMEOUT, now))
    assert len(set(seen)) == len(seen) == 40
    assert list(store.list_due(spell_time(now))) == []


def test_what_is_due_is_read_only_as_far_as_it_is_asked_for(store: FlagStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in ("sqlite_flags", "dynamo_flags"):
        monkeypatch.setattr(f"chalicelib.{backend}._LISTED", 2)
    for n in range(10):
        store.add(make(n))
    due = store.list_due(spell_time(START + timedelta(minutes=60)))
    next(due)
    store.close()
    with pytest.raises(StoreUnavailable):
        list(due)


def test_only_the_next_revision_takes_the_place_of_a_flag(store: FlagStore) -> None:
    flag = make()
    store.add(flag)
    one, other = record_failure(flag, TIMEOUT, START), record_loss(flag, START)
    assert store.replace(one)
    assert not store.replace(other), "somebody was faster"
    assert not store.replace(one)
    assert store.get(flag["id"]) == one
    store.delete(flag["id"])
    assert not store.replace(record_loss(one, START)), "what was deleted does not come back"
    with pytest.raises(NotFound):
        store.get(flag["id"])


def test_of_many_at_once_exactly_one_changes_a_flag(store: FlagStore) -> None:
    flag = make()
    store.add(flag)
    following = [record_failure(flag, TIMEOUT, START + timedelta(minutes=n)) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(store.replace, following)) == 1


def test_an_expired_flag_is_not_there(store: FlagStore, clock: Clock) -> None:
    old, young = make(), make(60)
    store.add(old)
    store.add(young)
    clock.time = START + LIFETIME
    for deed in (store.get, store.delete):
        with pytest.raises(NotFound):
            deed(old["id"])
    assert not store.replace(record_loss(old, START))
    assert list(walk(store.browse, 1, None)) == [young]
    assert list(store.list_due(spell_time(clock.time))) == [young["id"]]


@pytest.mark.parametrize(
    "cursor", ["", "1", "' OR 1=1 --", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z." + "g" * 32, "é"]
)
def test_a_cursor_that_is_none_is_refused(store: FlagStore, cursor: str) -> None:
    with pytest.raises(BadRequest):
        store.browse(cursor=cursor)


def test_a_closed_store_says_so(store: FlagStore) -> None:
    store.close()
    store.close()
    for deed in (
        lambda: store.get("1" * 32),
        lambda: store.add(make()),
        lambda: store.browse(),
        lambda: list(store.list_due(spell_time(START))),
        lambda: store.replace(make()),
        lambda: store.delete("1" * 32),
    ):
        with pytest.raises(StoreUnavailable):
            deed()


def test_a_thousand_deeds_leave_what_a_dictionary_would(store: FlagStore) -> None:
    chance, known = random.Random(7), dict[str, Flag]()
    for step in range(1000):
        deed = chance.choice(["add", "add", "fail", "lose", "delete", "stale", "read"])
        now = START + timedelta(minutes=step)
        flag = known[chance.choice(list(known))] if known else None
        if deed == "add" or flag is None:
            flag = make(step)
            store.add(flag)
            known[flag["id"]] = flag
        elif deed in ("fail", "lose"):
            following = record_failure(flag, TIMEOUT, now) if deed == "fail" else record_loss(flag, now)
            assert store.replace(following)
            known[flag["id"]] = following
        elif deed == "stale":
            assert not store.replace({**flag, "revision": flag["revision"] + 2})
        elif deed == "delete":
            store.delete(flag["id"])
            del known[flag["id"]]
        else:
            assert store.get(flag["id"]) == flag
    assert {flag["id"]: flag for flag in walk(store.browse, 50, None)} == known
    now_text = spell_time(START + timedelta(minutes=700))
    due = {flag["id"] for flag in known.values() if flag["due_at"] and flag["due_at"] <= now_text}
    assert set(store.list_due(now_text)) == due


def test_a_file_from_before_flags_gains_them_and_keeps_its_checks(tmp_path: Path) -> None:
    path = tmp_path / "checks.sqlite3"
    with closing(SqliteStore(path)) as store:
        store.save(make_check(1))
    with closing(sqlite3.connect(path)) as older:
        older.execute("DROP TABLE flags")
        older.execute("PRAGMA user_version = 1")
        older.commit()
    with closing(SqliteFlags(path)) as flags:
        flag = make_flag(datetime.now(UTC), url="https://photos.example/1.jpg")
        flags.add(flag)
        assert flags.get(flag["id"]) == flag
    with closing(SqliteStore(path)) as store:
        assert store.get("check-1") == make_check(1)


def test_flags_from_before_there_were_owners_are_those_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "checks.sqlite3"
    with closing(SqliteFlags(path)) as flags:
        flag = make_flag(datetime.now(UTC), url="https://photos.example/1.jpg")
        flags.add(flag)
    with closing(sqlite3.connect(path)) as older:
        older.execute("DROP INDEX flags_by_owner")
        older.execute("UPDATE flags SET body = json_remove(body, '$.owner')")
        older.execute("ALTER TABLE flags DROP COLUMN owner")
        older.execute("PRAGMA user_version = 2")
        older.commit()
    with closing(SqliteFlags(path)) as flags:
        assert flags.get(flag["id"]) == flag
        assert flags.browse(owner=LOCAL)["flags"] == [flag]


def test_a_flag_that_is_added_takes_expired_ones_away(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "checks.sqlite3"
    with closing(SqliteFlags(path, clock)) as flags:
        for n in range(4):
            flags.add(make(n))
        clock.time = START + 2 * LIFETIME
        for _ in range(2):
            flags.add(make_flag(clock.time, url="https://photos.example/1.jpg"))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM flags").fetchone() == (2,)


def spell_flag(number: int) -> dict[str, str]:
    """The least that a page needs of a flag; the first thousand are due at START, each other half a minute later."""
    due_at = START + timedelta(seconds=30 * max(0, number - 999))
    return {"id": f"{number:032x}", "created_at": spell_time(START), "due_at": spell_time(due_at)}


def fill(path: Path, rows: int) -> None:
    """Put so many flags in a store."""
    SqliteFlags(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.executemany(
            "INSERT INTO flags VALUES (:id, 1, 'waiting', :created_at, :due_at, '2030-01-01T00:00:00Z', :body, 'me')",
            ({**flag, "body": json.dumps(flag)} for flag in map(spell_flag, range(rows))),
        )
        raw.commit()


def count_steps(path: Path, ask: Callable[[SqliteFlags], Any]) -> int:
    """Return how many of its steps SQLite's machine takes for one page."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(SqliteFlags(path, lambda: START)) as flags:
        flags._file._connection.set_progress_handler(step, 1)
        ask(flags)
    return steps


@pytest.mark.parametrize("rows", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_what_is_due_costs_the_same_however_many_flags_there_are(tmp_path: Path, rows: int) -> None:
    small, large = tmp_path / "small.sqlite3", tmp_path / "large.sqlite3"
    fill(small, 1000)
    fill(large, rows)
    for ask in (
        lambda flags: list(flags.list_due(spell_time(START))),
        lambda flags: flags.browse(limit=100),
        lambda flags: flags.browse("waiting", limit=100),
        lambda flags: flags.browse(limit=100, owner="me"),
    ):
        assert count_steps(large, ask) <= 1.05 * count_steps(small, ask)


def test_pages_are_read_in_the_order_of_an_index(tmp_path: Path) -> None:
    path = tmp_path / "checks.sqlite3"
    fill(path, 1000)
    asked: list[str] = []
    with closing(SqliteFlags(path, lambda: START)) as flags:
        flags._file._connection.set_trace_callback(asked.append)
        next(flags.list_due(spell_time(START)))
        flags.browse()
        flags.browse("waiting")
        flags.browse(owner="me")
    used = []
    with closing(sqlite3.connect(path)) as raw:
        for query in asked:
            plan = " ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert "SEARCH flags USING INDEX" in plan
            assert "TEMP B-TREE" not in plan, "nothing is sorted"
            used.append(plan.split()[4])
    assert used == ["flags_due", "flags_by_age", "flags_by_state", "flags_by_owner"]


def test_dynamo_is_never_scanned_and_a_page_asks_each_shard_once(table: str, clock: Clock, aws: list[str]) -> None:
    from chalicelib.dynamo_flags import SHARDS, DynamoFlags

    with closing(DynamoFlags(table, clock)) as store:
        for n in range(60):
            store.add(make(n))
        for read, count in (
            (lambda: list(store.list_due(spell_time(START + timedelta(hours=2)))), 60),
            (lambda: store.browse(limit=30)["flags"], 30),
            (lambda: store.browse("waiting", limit=30)["flags"], 30),
        ):
            aws.clear()
            assert len(read()) == count
            assert aws == ["Query"] * len(SHARDS)


def test_a_flag_that_changes_its_state_between_two_pages_is_met_once(store: FlagStore) -> None:
    flags = [make(n) for n in range(20)]
    for flag in flags:
        store.add(flag)
    first = store.browse(limit=10)
    for flag in flags:
        assert store.replace(record_loss(flag, START))
    rest = store.browse(limit=10, cursor=first["cursor"])
    met = [flag["id"] for flag in first["flags"] + rest["flags"]]
    assert met == [flag["id"] for flag in reversed(flags)]


@pytest.mark.usefixtures("aws")
def test_a_table_that_is_not_there_is_told_as_such(clock: Clock) -> None:
    from chalicelib.dynamo_flags import DynamoFlags

    with closing(DynamoFlags("nowhere", clock)) as store:
        for deed in (lambda: store.get("1" * 32), lambda: store.add(make()), lambda: store.replace(make())):
            with pytest.raises(StoreUnavailable, match="does not exist"):
                deed()

"""A crowd of clients on a real service: a short run of what `make load` does at length, and whether it would notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.store import SqliteStore
from tests.backend.test_store import make_check
from tests.load.crowd import Book, Outcome, press
from tests.load.service import Answer, serving
from tests.load.traffic import LIMIT, Call

CALL = Call("face", "POST", "/", b"bytes", like="face")


def test_a_crowd_is_answered_rightly_and_leaves_the_store_whole(tmp_path: Path) -> None:
    store, log = tmp_path / "checks.sqlite3", tmp_path / "log"
    with serving(store, log, {"UNMASK_MAX_BYTES": str(LIMIT)}) as service:
        book, outcome = press(service, clients=8, seconds=5, alone_runs=2)
    book.audit(store)
    assert book.wrong == []
    assert outcome.status == 0
    assert len(book.counts) > 5 and book.scored > 5
    assert outcome.peak < 600
    assert not [line for line in log.read_text().splitlines() if '"ERROR"' in line or "Traceback" in line]


def check(**more: Any) -> dict[str, Any]:
    return make_check(1) | {"cached": False, "timing_ms": {}} | more


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Answer(200, check()), []),
        (Answer(500, {"error": {"code": "internal_error"}}), ["face: 500 internal_error instead of 200 None"]),
        (Answer(200, check(verdict="no_traces")), ["face: another verdict than before"]),
    ],
)
def test_an_answer_that_is_not_the_expected_one_is_written_down(answer: Answer, wrong: list[str]) -> None:
    book = Book()
    expected = {key: value for key, value in check().items() if key not in ("id", "checked_at", "cached", "timing_ms")}
    expected["media"] = {key: value for key, value in expected["media"].items() if key != "sha256"}
    book.judge(CALL, answer, expected, 0.1)
    assert book.wrong == wrong


def test_a_verdict_in_a_refusal_is_written_down() -> None:
    book = Book()
    call = Call("truncated", "POST", "/", b"", status=422, code="image_cut_off")
    book.judge(call, Answer(422, {"error": {"code": "image_cut_off"}, "verdict": "no_traces"}), None, 0)
    assert book.wrong == ["truncated: more than a refusal in the answer"]


@pytest.mark.parametrize(
    ("answers", "stored", "wrong"),
    [
        ([("a", True), ("a", False)], ["a"], []),
        ([("a", True), ("a", True)], ["a"], ["equal bytes were scored 2 times"]),
        ([("a", True), ("b", False)], ["a", "b"], ["equal bytes have more than one id"]),
        ([("a", True)], ["a", "b"], ["2 checks are stored, 1 were answered"]),
    ],
)
def test_the_book_is_held_against_the_store(
    tmp_path: Path, answers: list[tuple[str, bool]], stored: list[str], wrong: list[str]
) -> None:
    path = tmp_path / "checks.sqlite3"
    store = SqliteStore(path)
    kept = {name: make_check(number, cached=False) | {"id": name} for number, name in enumerate(stored)}
    for each in kept.values():
        store.save(each)
    store.close()
    book = Book(checks={name: {**kept[name], "cached": True} for name, _ in answers})
    book.ids["bytes"] = answers
    book.audit(path)
    assert book.wrong == wrong


@pytest.mark.parametrize(("memory", "growth"), [([100.0] * 40, 0), ([float(n) for n in range(100)], 55)])
def test_growth_is_seen_behind_the_first_quarter(memory: list[float], growth: float) -> None:
    early, late = Outcome(1, 1, memory, 0, (1, 1), 0).growth()
    assert late - early == growth

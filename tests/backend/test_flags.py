"""What becomes of a flag: its states, when it is due, and what a request for one may say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import flags
from chalicelib.errors import BadRequest
from chalicelib.schema import Check

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMEOUT = {"code": "fetch_timeout", "message": "Too slow."}


def make_check(sha256: str = "a" * 64, verdict: str = "uncertain", **more: Any) -> Check:
    return {
        "id": "1" * 32,
        "verdict": verdict,
        "fake_probability": 0.5,
        "signals": [],
        "media": {"sha256": sha256},
        "model": {"name": "test", "version": "1"},
        "checked_at": "2026-03-01T11:00:00Z",
        **more,
    }  # type: ignore[typeddict-item,return-value]


def test_a_flag_is_due_at_once_and_remembers_what_the_check_said() -> None:
    flag = flags.make_flag(NOW, check=make_check(), url="https://a.example/1.jpg", note="odd ear")
    assert (flag["state"], flag["due_at"], flag["revision"]) == ("waiting", "2026-03-01T12:00:00Z", 1)
    assert flag["before"] is not None
    assert flag["before"]["verdict"] == "uncertain"
    assert flag["sha256"] == "a" * 64
    assert flag["expires_at"] == "2026-05-30T12:00:00Z"


def test_a_flag_without_picture_and_address_waits_for_a_person() -> None:
    flag = flags.make_flag(NOW, check=make_check())
    assert (flag["state"], flag["due_at"]) == ("needs_review", None)
    assert flag["error"] is not None
    assert flag["error"]["code"] == "nothing_kept"


def test_a_kept_picture_is_enough() -> None:
    flag = flags.make_flag(NOW, check=make_check(), kept_until=NOW + timedelta(days=30))
    assert (flag["state"], flag["kept_until"]) == ("waiting", "2026-03-31T12:00:00Z")


def test_looks_that_succeed_come_twice_as_seldom_each_time() -> None:
    flag = flags.make_flag(NOW, check=make_check(), url="https://a.example/1.jpg")
    days = []
    now = NOW
    while flag["due_at"] is not None:
        now = datetime.fromisoformat(flag["due_at"])
        days.append((now - NOW).days)
        flag = flags.record_score(flag, make_check(verdict="likely_fake"), "same", now)
    assert days == [0, 1, 3, 7, 15, 31, 63]
    assert flag["state"] == "scored"
    assert flag["revision"] == 8


@pytest.mark.parametrize(("sha256", "change"), [("a" * 64, "same"), ("b" * 64, "replaced")])
def test_a_look_tells_whether_the_picture_is_the_one_that_was_flagged(sha256: str, change: str) -> None:
    flag = flags.make_flag(NOW, check=make_check(), url="https://a.example/1.jpg")
    assert flags.compare_picture(flag, sha256) == change
    flag = flags.record_score(flag, make_check(sha256), flags.compare_picture(flag, sha256), NOW)
    assert flag["after"] is not None
    assert flag["after"]["picture"] == change
    assert flag["sha256"] == "a" * 64, "what was flagged stays what it was"


def test_an_address_that_was_never_fetched_is_known_by_its_first_look() -> None:
    flag = flags.make_flag(NOW, url="https://a.example/1.jpg")
    assert flag["before"] is None
    assert flags.compare_picture(flag, "b" * 64) == "same"
    flag = flags.record_score(flag, make_check("b" * 64), "same", NOW)
    assert flag["after"] is not None
    assert (flag["sha256"], flag["after"]["picture"]) == ("b" * 64, "same")


def test_three_failures_in_a_row_need_a_person() -> None:
    flag = flags.make_flag(NOW, url="https://a.example/1.jpg")
    flag = flags.record_failure(flag, TIMEOUT, NOW)
    assert (flag["state"], flag["due_at"]) == ("waiting", "2026-03-01T13:00:00Z")
    flag = flags.record_failure(flag, TIMEOUT, NOW)
    assert (flag["state"], flag["due_at"]) == ("waiting", "2026-03-01T18:00:00Z")
    flag = flags.record_failure(flag, TIMEOUT, NOW)
    assert (flag["state"], flag["due_at"], flag["failures"]) == ("needs_review", None, 3)
    assert flag["after"] is None, "a failure is never a verdict"


def test_a_look_that_succeeds_forgives_failures_and_a_failure_forgets_no_verdict() -> None:
    flag = flags.make_flag(NOW, url="https://a.example/1.jpg")
    flag = flags.record_failure(flags.record_failure(flag, TIMEOUT, NOW), TIMEOUT, NOW)
    flag = flags.record_score(flag, make_check(), "same", NOW)
    assert (flag["failures"], flag["error"]) == (0, None)
    flag = flags.record_failure(flag, TIMEOUT, NOW)
    assert flag["state"] == "scored"
    assert flag["after"] is not None
    assert flag["failures"] == 1


def test_a_picture_that_is_gone_is_looked_for_no_more() -> None:
    flag = flags.make_flag(NOW, check=make_check(), url="https://a.example/1.jpg")
    flag = flags.record_loss(flags.record_score(flag, make_check(), "same", NOW), NOW)
    assert (flag["state"], flag["due_at"]) == ("gone", None)
    assert flag["after"] is not None
    assert flag["after"]["picture"] == "gone"
    assert flag["after"]["score"] is not None, "what was found before stays"


def test_no_step_changes_the_flag_that_it_is_given() -> None:
    flag = flags.make_flag(NOW, check=make_check(), url="https://a.example/1.jpg")
    before = json.dumps(flag)
    flags.record_score(flag, make_check("b" * 64), "replaced", NOW)
    flags.record_failure(flag, TIMEOUT, NOW)
    flags.record_loss(flag, NOW)
    assert json.dumps(flag) == before


def test_a_flag_expires_to_the_second() -> None:
    flag = flags.make_flag(NOW, url="https://a.example/1.jpg")
    assert not flags.is_expired(flag, NOW + flags.LIFETIME - timedelta(seconds=1))
    assert flags.is_expired(flag, NOW + flags.LIFETIME)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "object"),
        (b'{"check": 1}', "object"),
        (b"{}", "must have"),
        (b'{"note": "odd"}', "must have"),
        (b'{"check_id": 1}', '"check_id" must be a text'),
        (b'{"check_id": "../../etc"}', "id of a check"),
        (b'{"url": "https://a.example", "keep": 1}', "true or false"),
        (json.dumps({"url": "https://a.example/" + "a" * 2048}).encode(), "at most 2048"),
        (json.dumps({"url": "https://a.example/", "note": "a" * 501}).encode(), "at most 500"),
        (json.dumps({"check_id": "1" * 32, "picture": "AA=="}).encode(), '"keep"'),
        (json.dumps({"url": "https://a.example/", "keep": True, "picture": "AA=="}).encode(), '"check_id"'),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_in_words(body: bytes, word: str) -> None:
    with pytest.raises(BadRequest, match=word):
        flags.read_flag(body)


@pytest.mark.parametrize(
    "told",
    [
        {"check_id": "1" * 32},
        {"url": "https://a.example/1.jpg", "note": "odd ear", "keep": False},
        {"check_id": "1" * 32, "url": "https://a.example/1.jpg", "keep": True, "picture": "AA=="},
    ],
)
def test_a_request_that_can_be_met_is_read_as_it_stands(told: dict[str, Any]) -> None:
    assert flags.read_flag(json.dumps(told).encode()) == told


def test_a_state_is_read_by_name() -> None:
    assert flags.read_state(None) is None
    assert flags.read_state("gone") == "gone"
    with pytest.raises(BadRequest, match="needs_review"):
        flags.read_state("lost")

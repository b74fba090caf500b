"""What an operator sees in AWS, and what nobody sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chalice.test import Client

from backend import app as web
from chalicelib.checks import Checker
from chalicelib.sight import NAMESPACE, STAGE, describe_answer, is_watched, tell

Encode = Callable[..., bytes]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STAGE, "unmask-test")
    # Powertools reads it once.
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")


@pytest.fixture
def client(make_checker: Callable[..., Checker], parts: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    made = make_checker(3.0, store=parts.Store())
    monkeypatch.setattr(web, "checker", lambda: made)
    monkeypatch.setattr(web, "desk", lambda: None)
    web._warm.clear()
    with Client(web.app) as client:
        yield client


def read(text: str) -> list[dict[str, Any]]:
    """Return the figures that were told, with their names and dimensions."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_check_is_told_by_its_verdict_with_its_steps_and_without_what_was_sent(
    watched: None, client: Client, encode: Encode, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"Content-Type": "image/png", "X-Forwarded-For": "192.0.2.7"}
    for _ in range(2):
        client.http.post("/v2/checks/image", headers=headers, body=encode())
    out = capsys.readouterr().out
    fresh, verdict, known, _ = read(out)
    assert fresh["_aws"]["CloudWatchMetrics"][0]["Namespace"] == NAMESPACE
    assert fresh["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    units = {each["Name"]: each["Unit"] for each in fresh["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units["DetectorMs"] == units["RequestMs"] == "Milliseconds"
    assert {"DecodeMs", "FacesMs", "DetectorMs", "RequestMs"} <= fresh.keys()
    assert (fresh["ColdStarts"], fresh["CacheHits"], fresh["Errors"]) == ([1.0], [0.0], [0.0])
    assert (verdict["verdict"], verdict["Checks"], verdict["service"]) == ("likely_fake", [1.0], "unmask-test")
    assert (known["ColdStarts"], known["CacheHits"]) == ([0.0], [1.0])
    assert "DetectorMs" not in known, "nothing was computed"
    assert "192.0.2" not in out


def test_failures_and_refusals_are_counted_apart(
    watched: None, client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.http.post("/v2/checks/image", headers={"Content-Type": "image/png"}, body=b"no picture")
    (refused,) = read(capsys.readouterr().out)
    assert (refused["Errors"], refused["Refusals"]) == ([0.0], [0.0]), "what a stranger sends is no failure of ours"
    monkeypatch.setattr(web, "checker", lambda: 1 / 0)
    client.http.get("/v2/model")
    (failed,) = read(capsys.readouterr().out)
    assert failed["Errors"] == [1.0]


def test_nothing_is_told_where_nobody_reads_it(
    client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(STAGE, raising=False)
    assert not is_watched()
    client.http.get("/v2/model")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("body", [None, "text", b"", {}, {"verdict": "likely_fake"}, {"error": {"code": "x"}}])
def test_of_what_is_no_check_nothing_is_logged(body: object) -> None:
    assert describe_answer(body) == {}


def test_a_figure_has_the_unit_that_its_name_says(watched: None, capsys: pytest.CaptureFixture[str]) -> None:
    tell({"OldestDueSeconds": 5.0, "DueFlags": 2.0})
    (told,) = read(capsys.readouterr().out)
    units = {each["Name"]: each["Unit"] for each in told["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {"OldestDueSeconds": "Seconds", "DueFlags": "Count"}

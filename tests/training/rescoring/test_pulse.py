"""How far a night is, as CloudWatch reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from chalicelib.flags import make_flag
from chalicelib.sight import STAGE
from training.rescoring.outcomes import tell_outcome
from training.rescoring.pulse import PERIOD, Pulse

FLAG = make_flag(datetime(2026, 3, 1, tzinfo=UTC), url="https://photos.example/1.jpg")


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def test_looks_are_told_once_a_minute_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(STAGE, "unmask-test")
    clock = Clock()
    pulse = Pulse(clock)
    for kind in ("scored", "scored", "gone"):
        pulse.add(tell_outcome(FLAG, kind))  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""
    clock.time = PERIOD
    pulse.add(tell_outcome({**FLAG, "state": "needs_review"}, "failed"))
    told = json.loads(capsys.readouterr().out)
    counts = {"Looks": [4.0], "Scored": [2.0], "Gone": [1.0], "FailedLooks": [1.0], "NeedsReview": [1.0]}
    assert counts.items() <= told.items()
    pulse.add(tell_outcome(FLAG, "scored"))
    pulse.beat()
    assert json.loads(capsys.readouterr().out)["Looks"] == [1]
    pulse.beat()
    assert capsys.readouterr().out == "", "nothing new"


def test_on_one_machine_nothing_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(STAGE, raising=False)
    pulse = Pulse(Clock())
    pulse.add(tell_outcome(FLAG, "scored"))
    pulse.beat()
    assert capsys.readouterr().out == ""

"""Figures generator by generator."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.verdicts import Calibration
from training.generators import measure_generators
from training.left_out_runs import LeftOutRun

CALIBRATION = Calibration(temperature=1.0, bias=0.0, no_traces_below=0.2, fake_above=0.8)


def row(label: str, method: str, probability: float | None, verdict: str, source: str = "web") -> dict[str, object]:
    return {"label": label, "method": method, "source": source, "fake_probability": probability, "verdict": verdict}


def test_known_generators_are_told_from_those_of_sister_networks() -> None:
    rows = [
        *[row("real", "", 0.1, "no_traces")] * 3,
        row("real", "", 0.9, "likely_fake"),
        *[row("fake", "paint", 0.95, "likely_fake")] * 4,
        row("fake", "paint", 0.5, "uncertain"),
        row("fake", "paint", None, "no_face"),
        *[row("fake", "", 0.05, "no_traces", "swaps")] * 5,
        *[row("fake", "rare", 0.9, "likely_fake")] * 4,
    ]
    run = LeftOutRun(
        labels=np.array([0, 0, 1, 1, 1, 1, 1, 1]),
        logits=np.array([-3.0, 0.0, 3.0, 3.0, 0.0, -3.0, -3.0, 9.0]),
        sources=["web"] * 8,
        methods=["", "", *["new"] * 5, "paint"],
        groups=[str(n) for n in range(8)],
        unseen=np.array([False, False, True, True, True, True, True, False]),
    )
    known = {found["name"]: found for found in measure_generators(rows, [], CALIBRATION)}
    assert list(known) == ["paint", "swaps"], "four fakes say nothing"
    paint, swaps = known["paint"], known["swaps"]
    assert (paint["fakes"], paint["seen"], paint["called_fake"], paint["no_traces"]) == (5, True, 0.8, 0.0)
    # Of 20 pairs with a real picture only the one of .5 against .9 is ranked wrongly.
    assert paint["auc"] == pytest.approx(19 / 20)
    assert (swaps["auc"], swaps["no_traces"]) == (0.0, 1.0)
    (*_, new) = measure_generators(rows, [run], CALIBRATION)
    assert (new["name"], new["seen"], new["fakes"]) == ("new", False, 5)
    assert new["called_fake"] == pytest.approx(2 / 5)
    assert new["no_traces"] == pytest.approx(2 / 5)
    # Ties count half: -3 against -3 twice, 0 against 0 once.
    assert new["auc"] == pytest.approx((4 + 1.5 + 2 * 0.5) / 10)

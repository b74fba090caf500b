"""Whether verdicts keep their promise is told of each source, and of strangers apart from those that were known."""

from __future__ import annotations

from typing import Any

import pytest

from training.promise import describe_promise, format_cell, format_promise, measure_promise


def row(label: str, source: str, verdict: str, method: str = "") -> dict[str, Any]:
    probability = None if verdict in ("no_face", "unreadable") else 0.5
    return {"label": label, "source": source, "method": method, "verdict": verdict, "fake_probability": probability}


CARD = {
    "left_out": ["paint"],
    "data": {"faces": {"train": {"street/real": 9, "web/fake": 9}, "validation": {}, "test": {"film/real": 4}}},
}


def test_shares_of_verdicts_are_told_by_source_and_by_family() -> None:
    rows = [
        *[row("real", "street", "no_traces")] * 3,
        row("real", "street", "likely_fake"),
        *[row("fake", "web", "uncertain", "swap")] * 2,
        row("fake", "web", "no_traces", "swap"),
        row("fake", "web", "likely_fake"),
        row("real", "street", "no_face"),
    ]
    promise = measure_promise(rows, {})
    told = {(r["label"], r["source"]): r for r in promise["rows"]}
    assert [told["real", "street"][key] for key in ("pictures", "called_fake", "called_low", "uncertain", "kept")] == [
        *(4, 0.25, 0.75, 0, False)
    ]
    assert told["fake", "swap"]["uncertain"] == pytest.approx(2 / 3)
    assert (told["fake", "web"]["called_low"], told["fake", "web"]["kept"]) == (0, True)
    assert {r["known"] for r in promise["rows"]} == {None}
    # Three fakes of one family and one of another weigh by their number: they are few.
    assert promise["fake"]["called_low"] == pytest.approx(1 / 4)
    assert (promise["fake"]["worst"], promise["fake"]["kept"]) == ("swap", False)


def test_strangers_alone_make_the_mean_where_the_card_tells_them() -> None:
    rows = [
        *[row("real", "street", "likely_fake")] * 5,
        *[row("real", "film", "no_traces")] * 5,
        *[row("fake", "web", "no_traces", "swap")] * 5,
        *[row("fake", "web", "likely_fake", "paint")] * 5,
    ]
    promise = measure_promise(rows, CARD)
    known = {r["source"]: r["known"] for r in promise["rows"]}
    assert known == {"street": True, "film": False, "swap": True, "paint": False}
    assert (promise["real"]["called_fake"], promise["real"]["kept"], promise["real"]["strangers"]) == (0, True, True)
    assert (promise["fake"]["sources"], promise["fake"]["called_low"]) == (1, 0)


def test_a_large_source_weighs_no_more_than_a_fair_one_and_a_handful_is_not_the_worst() -> None:
    shares = {"called_low": 0.0}
    told = describe_promise(
        [
            {"source": "large", "label": "real", "pictures": 1000, "called_fake": 0.0, **shares},
            {"source": "fair", "label": "real", "pictures": 20, "called_fake": 0.05, **shares},
            {"source": "few", "label": "real", "pictures": 4, "called_fake": 0.25, **shares},
        ]
    )["real"]
    assert told["called_fake"] == pytest.approx((20 * 0 + 20 * 0.05 + 4 * 0.25) / 44)
    assert (told["worst"], told["worst_share"], told["kept"]) == ("fair", 0.05, False)


def test_the_promise_is_told_in_a_sentence_a_class() -> None:
    real, fake = format_promise(measure_promise([row("real", "a", "no_traces"), row("fake", "b", "no_traces")], {}))
    assert real.startswith(
        "Of real pictures of 1 source taken one by one, 0.0 % are called fake (promised: at most 2.0 %,"
    )
    assert "100.0 % fall below the lower threshold" in fake
    assert "NOT kept" in fake
    assert "NOT" not in real
    assert format_promise({"rows": []}) == []


@pytest.mark.parametrize(("value", "words"), [(True, "yes"), (False, "no"), (12, "12"), (0.125, "12.5 %")])
def test_a_cell_is_printed_as_what_it_is(value: float, words: str) -> None:
    assert format_cell(value) == words

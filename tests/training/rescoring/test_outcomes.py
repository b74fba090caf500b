"""What looks add up to, and the page that tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.rescoring.joining import join
from training.rescoring.outcomes import MOST_SHOWN, Outcome, Tally
from training.rescoring.report import render

ABOUT = {"started": "a", "finished": "b", "interrupted": False, "model": "m 1", "engine": "inline", "workers": 1}


def score(verdict: str | None, probability: float | None = 0.5, sha256: str = "a", signals: int = 0) -> Any:
    if verdict is None:
        return None
    model = {"name": "student", "version": "1"}
    return {
        "verdict": verdict,
        "fake_probability": probability,
        "sha256": sha256,
        "model": model,
        "signals": signals,
        "checked_at": "",
    }


def outcome(kind: str = "scored", **more: Any) -> Outcome:
    told = {"id": "1", "host": "a.example", "state": "scored", "picture": "same", "error": None, "kept": False}
    return {**told, "kind": kind, "before": None, "after": None, **more}  # type: ignore[typeddict-item,return-value]


def sum_up(*outcomes: Outcome) -> dict[str, Any]:
    tally = Tally()
    for each in outcomes:
        tally.add(each)
    tally.close()
    return tally.to_dict()


@pytest.mark.parametrize(
    ("before", "after", "agreements", "flips"),
    [
        ("likely_fake", "likely_fake", 1, 0),
        ("likely_fake", "no_traces", 0, 1),
        ("no_traces", "likely_fake", 0, 1),
        ("uncertain", "likely_fake", 0, 0),
        ("no_traces", "uncertain", 0, 0),
        ("no_face", "likely_fake", 0, 0),
    ],
)
def test_a_flip_is_from_one_side_to_the_other(before: str, after: str, agreements: int, flips: int) -> None:
    told = sum_up(outcome(before=score(before), after=score(after)))
    assert (told["agreements"], told["flips"]) == (agreements, flips)
    assert told["verdicts"] == [{"before": before, "after": after, "pictures": 1}]
    assert len(told["changed"]) == 1 - agreements


def test_another_picture_neither_agrees_nor_disagrees() -> None:
    told = sum_up(outcome(before=score("no_traces"), after=score("likely_fake", sha256="b"), picture="replaced"))
    assert (told["agreements"], told["flips"], told["other_pictures"], told["verdicts"]) == (0, 0, 1, [])


def test_every_look_is_counted_once() -> None:
    told = sum_up(
        outcome(after=score("likely_fake", signals=2)),
        outcome(after=score("no_traces"), kept=True),
        outcome("gone", picture="gone", state="gone"),
        outcome("failed", error="fetch_timeout", state="waiting"),
        outcome("failed", error="fetch_timeout", state="needs_review"),
        outcome("taken"),
    )
    assert told["looks"] == 6 == sum(told[kind] for kind in ("scored", "gone", "failed", "taken"))
    assert told["unreachable"] == {"fetch_timeout": 2}
    assert (told["needs_review"], told["first_verdicts"], told["with_signals"], told["known_scores"]) == (1, 2, 1, 1)
    assert told["pictures"] == {"same": 2, "gone": 1}


def test_a_journal_of_before_is_joined_with_todays_names(tmp_path: Path) -> None:
    told = outcome(before=score("likely_real"), after=score("likely_fake"))
    (tmp_path / "outcomes.jsonl").write_text(json.dumps(told) + "\n", encoding="utf-8")
    joined = join(str(tmp_path))
    assert (joined["flips"], joined["verdicts"]) == (
        1,
        [{"before": "no_traces", "after": "likely_fake", "pictures": 1}],
    )
    assert "<td>no traces found</td>" in render(joined).replace(' class="text"', "")


def test_the_verdicts_that_moved_most_are_shown_and_no_more_than_fit() -> None:
    moved = [
        outcome(id=str(n), before=score("no_traces", 0.1), after=score("likely_fake", 0.1 + n / 2000))
        for n in range(3 * MOST_SHOWN)
    ]
    shown = sum_up(*moved)["changed"]
    assert len(shown) == MOST_SHOWN
    assert [int(row["id"]) for row in shown[:3]] == [3 * MOST_SHOWN - n for n in (1, 2, 3)]


def test_the_page_escapes_what_strangers_wrote_and_runs_nothing() -> None:
    told = sum_up(
        outcome(host="<script>alert(1)</script>", before=score("no_traces"), after=score("likely_fake", None)),
        outcome("failed", error="<b>odd</b>"),
    )
    page = render({**ABOUT, **told})
    assert "<script" not in page
    assert "<b>odd" not in page
    assert "default-src 'none'" in page
    assert "1 verdict turned" in page


def test_a_night_without_flags_has_a_page_too() -> None:
    page = render({**ABOUT, **sum_up()})
    assert "0 flags looked at again" in page
    assert "Nothing." in page

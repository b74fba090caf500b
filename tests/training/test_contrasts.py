"""A row sets the fakes that it names against the reals that it names, and one threshold serves them all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from training.bench import BenchError
from training.contrasts import POOLED, Contrast, check_contrasts, find_threshold, parse_contrasts, tabulate
from training.manifest import Sample


def row(label: str, source: str, probability: float | None, method: str = "", **more: str) -> dict[str, Any]:
    """Return a picture that no other shares a path or group with, unless told."""
    name = f"{source} {label} {method} {probability}"
    what = {"path": name, "label": label, "source": source, "method": method, "group": name, "clip": "", **more}
    return {**what, "fake_probability": probability, "verdict": "uncertain"}


# Sharp reals score high, as their twins do; soft reals score low.
ROWS = [
    *(row("real", "soft", p / 100) for p in range(1, 31)),
    *(row("real", "sharp", p / 100) for p in (41, 42, 43, 60)),
    *(row("fake", "twin", p / 100, "GAN") for p in (39, 62, 63, 64)),
    *(row("fake", "painted", p / 100, "diffusion") for p in (71, 72)),
]


def find(table: dict[str, Any], title: str) -> dict[str, Any]:
    (found,) = (line for line in table["rows"] if line["title"] == title)
    return found


def test_a_row_holds_the_fakes_and_reals_that_it_names() -> None:
    asked = parse_contrasts(["twins = twin : sharp", "whole=twin,diffusion", "both=twin/GAN:soft,sharp"])
    table = tabulate(ROWS, asked)
    twins, whole, both = table["rows"][:3]
    assert [line["title"] for line in (twins, whole, both)] == ["twins", "whole", "both"]
    assert (twins["fakes"], twins["reals"], twins["against"]) == (4, 4, "sharp")
    # One of four twins scores below all four sharp reals.
    assert twins["auc"] == pytest.approx(0.75)
    assert (whole["fakes"], whole["reals"]) == (6, 34)
    assert (both["fakes"], both["reals"]) == (4, 34)
    assert all(line["asked"] for line in (twins, whole, both))
    assert not find(table, "twin")["asked"]


def test_without_rows_every_source_stands_against_all_reals_its_own_and_each_method_alone() -> None:
    rows = [*ROWS, row("real", "clips", 0.2), *(row("fake", "clips", 0.9, method) for method in ("swap", "puppet"))]
    titles = [line["title"] for line in tabulate(rows)["rows"]]
    assert titles == [
        "clips",
        "clips against its own real",
        "clips, puppet, against its own real",
        "clips, swap, against its own real",
        "painted",
        "twin",
        POOLED,
    ]


def test_one_threshold_accuses_few_of_all_and_tells_whose_they_are() -> None:
    table = tabulate(ROWS)
    # One of 34 reals is under five in a hundred, two are not.
    assert table["threshold"] == 0.6
    assert table["accused"] == {"sharp": 0.25, "soft": 0}
    assert find(table, "twin")["tpr_pooled"] == 0.75
    # Of 64 reals three are.
    table = tabulate([*ROWS, *(row("real", "soft", p / 1000) for p in range(30))])
    assert table["threshold"] == 0.42
    assert table["accused"] == {"sharp": 0.75, "soft": 0}
    assert find_threshold(ROWS, 0) == 0.62


def test_the_mean_weighs_sources_alike_each_against_its_own_reals() -> None:
    rows = [*ROWS, row("real", "painted", 0.715)]
    # twin has no reals of its own: 35 of 4 · 35 pairs of it are lost to those that score higher.
    lost = (5 + 1 * 3) / (4 * 35)
    assert tabulate(rows)["mean"]["auc"] == pytest.approx(((1 - lost) + 0.5) / 2)


def test_frames_of_clips_and_groups_are_judged_as_one_too() -> None:
    frames = [
        row(label, "film", odds, clip=f"{label} {clip}", group=str(clip), path=f"{label} {clip} {frame}")
        for clip in range(3)
        for label, least in (("real", 0.1), ("fake", 0.3))
        for frame, odds in enumerate((least, least + 0.1, least + 0.2, least + 0.3))
    ]
    asked = [Contrast("film", ("film",), ("film",))]
    table = tabulate(frames, asked)
    assert find(table, "film")["auc"] < 1
    clips = find(table, "film, clips")
    assert (clips["level"], clips["fakes"], clips["reals"], clips["auc"]) == ("clip", 3, 3, 1)
    groups = tabulate([{**frame, "clip": ""} for frame in frames], asked)
    assert find(groups, "film, groups")["auc"] == 1
    # Photos among the fakes: no row of clips.
    mixed = tabulate([*frames, row("fake", "film", 0.9)], asked)
    assert [line["level"] for line in mixed["rows"] if line["title"].startswith("film")] == ["picture", "picture"]


def test_what_a_degradation_costs_is_told_on_the_pictures_scored_before_and_after() -> None:
    after = [{**r, "fake_probability": 0.01 if r["path"].startswith("twin") else r["fake_probability"]} for r in ROWS]
    # A fake that scores low is lost by the finder; it must not pass for a gain.
    after[-4] = {**after[-4], "fake_probability": None}
    table = tabulate(ROWS, parse_contrasts(["twins=twin:sharp"]), harmed={"JPEG 50": after, "half size": ROWS})
    twins = find(table, "twins")
    assert twins["harms"]["half size"] == {"auc": 0.75, "lost": 0, "pictures": 8}
    assert twins["harms"]["JPEG 50"] == {"auc": 0, "lost": pytest.approx(2 / 3), "pictures": 7}
    assert twins["lost"] == pytest.approx(2 / 3)
    assert find(table, "painted")["lost"] == 0


def test_one_class_alone_or_no_score_at_all_gives_no_figures() -> None:
    for rows in (ROWS[:30], ROWS[-6:], [row("real", "soft", None), row("fake", "twin", None)]):
        table = tabulate(rows)
        assert math.isnan(table["threshold"])
        assert math.isnan(table["rows"][-1].get("auc", math.nan))


@pytest.mark.parametrize("text", ["", "twins", "twins=", "=twin", "twins=:sharp", "twins=twin:", "twins=twin: ,"])
def test_half_a_row_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="--row takes TITLE=FAKES"):
        parse_contrasts([text])


def test_a_title_is_used_once() -> None:
    with pytest.raises(BenchError, match="Two rows are called 'a'"):
        parse_contrasts(["a=x", "a=y"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a=martians", "asks for martians, of which there is no fake picture here. There are: GAN, twin"),
        ("a=sharp", "asks for sharp, of which there is no fake picture"),
        ("a=twin:twin", "asks for twin, of which there is no real picture here. There are: sharp"),
    ],
)
def test_a_name_that_is_not_there_is_refused(text: str, says: str) -> None:
    samples = [Sample("a", 0, "sharp", "", "a"), Sample("b", 1, "twin", "GAN", "b")]
    check_contrasts(parse_contrasts(["a=twin:sharp", "b=GAN", "c=twin/GAN"]), samples)
    with pytest.raises(BenchError, match=says):
        check_contrasts(parse_contrasts([text]), samples)

"""A data set of collections: parts that stay when collections are added, doubtful pictures out, provenance kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training.datasets.builder import build
from training.datasets.clips import DatasetError
from training.datasets.pictures import MOST_BARS, draw_balance
from training.datasets.plan import Plan
from training.manifest import ManifestError

PLAN = Plan(format="png", side=640, margin=0.35)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def parts_of(out: Path) -> dict[str, str]:
    return {row["file"]: row["split"] for row in rows_of(out / "faces.csv")}


def test_a_face_never_leaves_its_part_when_collections_are_added(collect: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "set"
    collect(source / "m-real", "real", {f"{i}.png": i for i in range(8)})
    collect(source / "m-fake", "fake", {f"{i}.png": i for i in range(20, 28)}, tie="m-fake")
    build(source, out, PLAN)
    before = parts_of(out)
    assert set(before.values()) == {"train", "validation", "test"}
    # The newcomers' names sort before the others; one of them looks like a face of the test part.
    tested = next(path for path, part in before.items() if part == "test" and path.startswith("m-real"))
    photos = {f"{i}.png": i for i in range(40, 46)} | {"copy.png": int(Path(tested).stem)}
    collect(source / "a-real", "real", photos)
    collect(source / "z-fake", "fake", {f"{i}.png": i for i in range(60, 66)})
    build(source, out, PLAN)
    after = parts_of(out)
    assert {path: after[path] for path in before} == before
    assert after["a-real/images/copy.png"] == "test"
    newcomers = [part for path, part in after.items() if path not in before]
    assert newcomers.count("train") > len(newcomers) / 2


def test_collections_with_and_without_a_split_lie_side_by_side(collect: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    collect(source / "kept-back", "real", {f"{i}.png": i for i in range(4)}, split="test")
    collect(source / "own-real", "real", {f"{i}.png": i for i in range(10, 16)} | {"copy.png": 2})
    collect(source / "own-fake", "fake", {f"{i}.png": i for i in range(20, 26)})
    build(source, tmp_path / "set", PLAN)
    parts = parts_of(tmp_path / "set")
    assert {part for path, part in parts.items() if path.startswith("kept-back")} == {"test"}
    # What looks like a face of a stated part follows it there.
    assert parts["own-real/images/copy.png"] == "test"
    assert {part for path, part in parts.items() if path.startswith("own")} == {"train", "validation", "test"}


def test_tied_collections_that_state_two_parts_are_refused(collect: Any, tmp_path: Path) -> None:
    collect(tmp_path / "in/a", "real", {"1.png": 1}, tie="pairs", split="train")
    collect(tmp_path / "in/b", "fake", {"1.png": 2}, tie="pairs", split="test")
    with pytest.raises(ManifestError, match="pairs 1"):
        build(tmp_path / "in", tmp_path / "set", PLAN)


def test_a_newcomer_that_would_tie_two_parts_is_left_out_and_told(collect: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "set"
    collect(source / "m-real", "real", {f"{i}/a.png": i for i in range(8)}, grouped=True)
    collect(source / "m-fake", "fake", {f"{i}.png": i for i in range(20, 28)})
    build(source, out, PLAN)
    before = parts_of(out)
    numbers = [
        next(int(Path(path).parts[2]) for path, part in before.items() if part == wanted and path.startswith("m-real"))
        for wanted in ("train", "test")
    ]
    # One person of whom one photo lies in the training part and another in the test part.
    photos = {f"anna/{number}.png": number for number in numbers} | {"anna/own.png": 50, "bert/1.png": 51}
    collect(source / "a-real", "real", photos, grouped=True)
    report = build(source, out, PLAN)
    after = parts_of(out)
    assert {path: after[path] for path in before} == before
    assert [path for path in after if path.startswith("a-real")] == ["a-real/images/bert/1.png"]
    assert "3 faces were left out, since they would tie faces that already lie in two parts" in report["findings"][0]
    assert report["faces"]["torn"] == 3
    assert build(source, out, PLAN) == report


def test_a_picture_that_is_real_here_and_fake_there_is_left_out_of_both(collect: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    collect(source / "own-real", "real", {f"{i}.png": i for i in range(4)})
    collect(source / "more-real", "real", {"again.jpg": 0})
    collect(source / "own-fake", "fake", {f"{i}.png": i for i in range(20, 23)} | {"zero.jpg": 0})
    report = build(source, tmp_path / "set", PLAN)
    files = set(parts_of(tmp_path / "set"))
    assert not files & {"own-real/images/0.png", "more-real/images/again.jpg", "own-fake/images/zero.jpg"}
    assert len(files) == 6
    assert "3 faces were left out of all parts" in report["findings"][0]
    assert "own-fake and own-real" in report["findings"][0]
    reasons = {row["reason"] for row in rows_of(tmp_path / "set/dropped.csv")}
    assert reasons == {"real in one source and fake in another"}


def test_an_original_and_its_reconstruction_stay_where_their_collections_are_tied(collect: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    collect(source / "own-real", "real", {f"{i}.png": i for i in range(4)}, tie="pairs")
    collect(source / "rebuilt", "fake", {f"{i}.jpg": i for i in range(4)}, tie="pairs")
    report = build(source, tmp_path / "set", PLAN)
    assert (report["faces"]["kept"], report["groups"], report["faces"]["contradicted"]) == (8, 4, 0)


def test_what_collections_say_goes_along_with_the_faces_and_onto_the_page(collect: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "set"
    collect(source / "own-real", "real", {f"{i}.png": i for i in range(4)}, terms="<b>none</b>", note="desks")
    collect(source / "own-fake", "fake", {f"{i}.png": i for i in range(20, 24)})
    collect(source / "empty", "fake", {})
    report = build(source, out, PLAN)
    told = json.loads((out / "collections.json").read_text())
    assert set(told) == {"own-real", "own-fake", "empty"}
    assert {name: told["own-real"][name] for name in ("label", "family", "origin", "terms", "note")} == {
        "label": "real",
        "family": "webcam",
        "origin": "OWNER/own-real@0123",
        "terms": "<b>none</b>",
        "note": "desks",
    }
    assert sum(told["own-real"]["faces"].values()) == 4
    page = (out / "report.html").read_text()
    assert page.index("<h2>Collections</h2>") < page.index("<h2>What to know")
    assert page.count("Faces of own-") == 2
    assert "&lt;b&gt;none&lt;/b&gt;" in page
    assert "<b>none" not in page
    assert "no face is left" in page
    assert [entry["name"] for entry in report["collections"]] == ["empty", "own-fake", "own-real"]
    pictures = list((out / "faces").rglob("*.png"))
    assert len(pictures) == 8


def test_a_damaged_record_of_parts_is_refused_with_the_cure(collect: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "set"
    collect(source / "own-real", "real", {f"{i}.png": i for i in range(3)})
    collect(source / "own-fake", "fake", {f"{i}.png": i for i in range(20, 23)})
    build(source, out, PLAN)
    for text in ("path,part\na,train\n", "path,sha256,part\na,0,holiday\n"):
        (out / "dealt.csv").write_text(text)
        with pytest.raises(DatasetError, match=r"dealt\.csv .*delete it to deal all faces anew"):
            build(source, out, PLAN)


def test_the_plot_of_hundreds_of_sources_stays_readable() -> None:
    counts = {"real": 3, "fake": 0, "groups": 3}
    parts = dict.fromkeys(("train", "validation", "test"), counts)
    heights = [
        cv2.imdecode(
            np.frombuffer(draw_balance({"sources": sources, "parts": parts}), np.uint8), cv2.IMREAD_COLOR
        ).shape[0]
        for sources in ({f"s{i:03}": counts for i in range(number)} for number in (MOST_BARS, 300))
    ]
    assert heights[0] == heights[1]

"""Faces of one person are found whatever clip they come from, and keep to one part."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training.datasets import builder, persons
from training.datasets.builder import build
from training.datasets.clips import Clip, DatasetError
from training.datasets.extraction import SavedFace
from training.datasets.members import Member
from training.datasets.persons import PLACES, SIDE, align, find_persons, pair_same
from training.datasets.plan import Plan
from training.datasets.pool import Crashed
from training.manifest import Sample

LANDMARKS = ((60.0, 80.0), (120.0, 70.0), (92.0, 105.0), (72.0, 140.0), (122.0, 132.0))


def member(path: str, group: str, label: int = 0) -> Member:
    face = SavedFace(path, 0, 0.0, 200, (0, 0, 1, 1), LANDMARKS, 1.0, ("0", "0"), f"hash of {path}")
    return Member(Sample(path, label, "tv", "", group), face, Clip(path, label, "tv", "", (group,)))


def test_faces_that_lie_near_each_other_are_paired_across_groups_alone() -> None:
    numbers = np.array([[0, 0], [0.3, 0], [0.35, 0], [1, 1], [np.nan, 0], [1, 1.2]], np.float32)
    groups = ["a", "b", "b", "c", "d", "e"]
    assert pair_same(numbers, groups, distance=0.4) == [(0, 1), (0, 2), (3, 5)]
    assert pair_same(numbers, groups, distance=0.1) == []
    assert pair_same(np.zeros((0, 2), np.float32), []) == []


def test_many_faces_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "ROWS_AT_ONCE", 7)
    numbers = np.random.default_rng(0).random((40, 4), np.float32)
    groups = [str(i % 9) for i in range(40)]
    apart = np.linalg.norm(numbers[:, None] - numbers[None], axis=2)
    expected = [(i, j) for i in range(40) for j in range(i + 1, 40) if apart[i, j] < 0.4 and groups[i] != groups[j]]
    assert len(expected) > 10
    assert pair_same(numbers, groups) == expected


def test_a_turned_face_is_brought_upright() -> None:
    turn = cv2.getRotationMatrix2D((75, 75), 25, 1.3)
    turn[:, 2] += 40
    places = [tuple(turn @ (x, y, 1)) for x, y in PLACES]
    landmarks = [*places[:2], (0.0, 0.0), *places[2:]]
    picture = np.zeros((260, 260, 3), np.uint8)
    for x, y in places:
        cv2.circle(picture, (round(x), round(y)), 5, (255, 255, 255), -1)
    upright = align(picture, landmarks)
    assert upright.shape == (SIDE, SIDE, 3)
    assert all(upright[round(y), round(x)].min() > 200 for x, y in PLACES)
    assert (upright > 200).mean() < 0.05


def test_faces_are_looked_at_once_and_one_that_cannot_be_is_like_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def describe(jobs: Sequence[Any], workers: int) -> Any:
        for job in jobs:
            seen.append(job[0])
            yield job, Crashed() if "c" in job[0][-1] else np.full(128, len(seen) / 1000, np.float32)

    monkeypatch.setattr(persons, "require_installed", lambda: None)
    monkeypatch.setattr(persons, "_describe_all", describe)
    members = [member("a", "anna"), member("b", "bert"), member("c", "cleo")]
    assert find_persons(members, tmp_path) == [(0, 1)]
    assert find_persons([*members, member("d", "dora")], tmp_path) == [(0, 1), (0, 3), (1, 3)]
    assert seen == ["hash of a", "hash of b", "hash of c", "hash of d"]
    (tmp_path / "persons.npz").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=r"persons\.npz is damaged; delete it"):
        find_persons(members, tmp_path)


def test_two_fakes_alone_are_not_taken_for_one_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "require_installed", lambda: None)
    monkeypatch.setattr(persons, "_describe_all", lambda jobs, _: ((job, np.zeros(128, np.float32)) for job in jobs))
    members = [member("a", "anna", label=1), member("b", "bert", label=1), member("c", "cleo")]
    assert find_persons(members, tmp_path) == [(0, 2), (1, 2)]
    assert find_persons(members[:2], tmp_path) == []


def test_without_dlib_it_is_said_what_to_install_before_any_work(
    collect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persons.importlib.util, "find_spec", lambda name: None)
    collect(tmp_path / "in/own-real", "real", {"0.png": 0})
    collect(tmp_path / "in/own-fake", "fake", {"1.png": 1})
    with pytest.raises(DatasetError, match=r'pip install "unmask\[persons\]"'):
        build(tmp_path / "in", tmp_path / "set", Plan(persons=True))
    assert not (tmp_path / "set").exists()


def test_a_person_in_two_collections_lies_in_one_part_and_is_named(
    collect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(members: Sequence[Member], *_: Any) -> list[tuple[int, int]]:
        at = {m.clip.path: index for index, m in enumerate(members)}
        return [(at["own-fake/images/20.png"], at[f"own-real/images/{number}.png"]) for number in range(4)]

    monkeypatch.setattr(builder, "find_persons", find)
    monkeypatch.setattr(builder, "require_installed", lambda: None)
    collect(tmp_path / "in/own-real", "real", {f"{i}.png": i for i in range(8)})
    collect(tmp_path / "in/own-fake", "fake", {f"{i}.png": i for i in range(20, 28)})
    report = build(tmp_path / "in", tmp_path / "set", Plan(persons=True))
    with (tmp_path / "set/faces.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    person = [rows["own-fake/images/20.png"], *(rows[f"own-real/images/{number}.png"] for number in range(4))]
    assert len({(row["group"], row["split"]) for row in person}) == 1
    assert report["groups"] == 12
    assert report["persons"] == [
        {"sources": ["own-fake", "own-real"], "files": ["own-fake/images/20.png", "own-real/images/0.png"]}
    ]
    assert any("1 person lies in several sources: own-fake and own-real" in finding for finding in report["findings"])
    assert any("5 groups were tied together, as they show persons" in finding for finding in report["findings"])
    assert "Persons in several sources" in (tmp_path / "set/report.html").read_text()


def test_a_data_set_of_before_goes_on(collect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "require_installed", lambda: None)
    source, out = tmp_path / "in", tmp_path / "set"
    collect(source / "own-real", "real", {"0.png": 0, "1.png": 1})
    collect(source / "own-fake", "fake", {"20.png": 20})
    build(source, out, Plan())
    metadata = json.loads((out / "metadata.json").read_text())
    del metadata["plan"]["persons"]
    (out / "metadata.json").write_text(json.dumps(metadata))
    assert build(source, out, Plan())["faces"]["kept"] == 3
    with pytest.raises(DatasetError, match="persons was False and is True"):
        build(source, out, Plan(persons=True))


def test_dlib_tells_a_copy_from_a_stranger(shared: Path, collect: Any, tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="the extra persons is not installed")
    strangers = sorted((shared / "data/faces/lfw/real").glob("*.jpg"))[:3]
    collect(tmp_path / "in/own-real", "real", {})
    (tmp_path / "in/own-real/images").mkdir()
    for number, path in enumerate(strangers):
        (tmp_path / f"in/own-real/images/{number}.jpg").write_bytes(path.read_bytes())
    # Mirrored, the same face has other hashes.
    mirrored = cv2.flip(cv2.imread(str(strangers[0])), 1)
    collect(tmp_path / "in/own-fake", "fake", {})
    (tmp_path / "in/own-fake/images").mkdir()
    cv2.imwrite(str(tmp_path / "in/own-fake/images/mirrored.png"), mirrored)
    report = build(tmp_path / "in", tmp_path / "set", Plan(persons=True, margin=0.35))
    assert report["faces"]["kept"] == 4
    assert [person["files"] for person in report["persons"]] == [
        ["own-fake/images/mirrored.png", "own-real/images/0.jpg"]
    ]
    assert report["groups"] == 3

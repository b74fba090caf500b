"""Pairs on disk are two collections, the same whenever they are made, of one part of a split."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from chalicelib.settings import Settings
from training.commands.forgeries import forgeries
from training.forgeries import pairs
from training.forgeries.mix import Forger
from training.forgeries.pairs import PairsError, Plan, write_pairs
from training.forgeries.remakers import Remakers
from training.manifest import read_manifest
from training.splits import split_by_group

PLAN = Plan("blends", "self-blended", "blends", count=8, side=200)


def write(plan: Plan, collection: Path, out: Path) -> int:
    samples = read_manifest(collection / "faces.csv")
    return write_pairs(plan, samples, collection, out, remakers=Remakers(), settings=Settings())


def list_pictures(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


def test_a_pair_is_two_collections_of_one_tie(collection: Path, tmp_path: Path) -> None:
    assert write(PLAN, collection, tmp_path) == 8
    real, fake = (list_pictures(tmp_path / name) for name in ("blends-original", "blends"))
    assert len(real) == 8
    assert real.keys() == fake.keys()
    assert all(Path(name).parts[0] == "images" and len(Path(name).parts) == 3 for name in real)
    for name in real:
        first, second = (cv2.imdecode(np.frombuffer(half[name], np.uint8), cv2.IMREAD_COLOR) for half in (real, fake))
        assert first.shape == second.shape
        assert first.shape[0] == first.shape[1] <= 200
        assert not np.array_equal(first, second)
    described = [
        tomllib.loads((tmp_path / name / "collection.toml").read_text()) for name in ("blends-original", "blends")
    ]
    assert [d["name"] for d in described] == ["blends-original", "blends"]
    assert [d["label"] for d in described] == ["real", "fake"]
    assert [d["family"] for d in described] == ["original", "blends"]
    for each in described:
        assert each["tie"] == "blends"
        assert each["grouped"] is True
        assert each["split"] == "train"
        assert each["origin"] and each["terms"]


def test_only_real_photos_of_the_part_are_used(collection: Path, tmp_path: Path) -> None:
    parts = split_by_group(read_manifest(collection / "faces.csv"), PLAN.seed)
    real = {part: [s for s in samples if not s.label] for part, samples in parts.items()}
    for part, samples in real.items():
        plan = replace(PLAN, name=part, part=part, count=100)
        assert write(plan, collection, tmp_path) == len(samples) > 0
    groups = [{p.parent.name for p in (tmp_path / part).rglob("*.png")} for part in real]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]


def test_a_stopped_call_goes_on_and_ends_with_the_same_pictures(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(PLAN, collection, tmp_path / "whole")
    forge, calls = Forger.forge, []

    def stop(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return forge(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Forger, "forge", stop)
    with pytest.raises(KeyboardInterrupt):
        write(PLAN, collection, tmp_path / "stopped")
    assert len(list_pictures(tmp_path / "stopped")) == 6
    assert not list((tmp_path / "stopped").rglob("collection.toml"))
    assert write(PLAN, collection, tmp_path / "stopped") == 8
    assert len(calls) == 9, "what was there is not made again"
    for name in ("blends-original", "blends"):
        assert list_pictures(tmp_path / "stopped" / name) == list_pictures(tmp_path / "whole" / name)


def test_a_larger_count_adds_to_what_is_there(collection: Path, tmp_path: Path) -> None:
    write(replace(PLAN, count=3), collection, tmp_path)
    before = list_pictures(tmp_path)
    write(PLAN, collection, tmp_path)
    after = list_pictures(tmp_path)
    assert len(before) == 6
    assert len(after) == 16
    assert before.items() <= after.items()


def test_squares_keep_their_native_size_or_are_made_smaller_alike(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = {}
    for shrunk in (0.0, 1.0):
        monkeypatch.setattr(pairs, "SHRUNK", shrunk)
        monkeypatch.setattr(pairs, "LEAST_SHRUNK", 16)
        write(replace(PLAN, side=2000, name=f"shrunk-{shrunk:g}"), collection, tmp_path)
        sides[shrunk] = {
            str(p.relative_to(tmp_path / f"shrunk-{shrunk:g}")): cv2.imread(str(p)).shape[0]
            for p in (tmp_path / f"shrunk-{shrunk:g}").rglob("*.png")
        }
    for name, native in sides[0.0].items():
        assert 0.45 * native < sides[1.0][name] < 0.95 * native


def test_a_name_that_no_collection_can_have_is_refused() -> None:
    with pytest.raises(PairsError, match="small letters"):
        Plan("../elsewhere", "self-blended", "blends")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(forgeries, [str(argument) for argument in arguments])


def test_the_command_writes_reconstructions(collection: Path, tmp_path: Path) -> None:
    arguments = ("--faces", collection / "faces.csv", "--pairs", tmp_path, "--side", 96, "--count", 2)
    result = run(*arguments, "--kind", "reconstructed")
    assert result.exit_code == 0, result.output
    assert "2 of 2 files done" in result.output
    assert "taef2: 2 pairs" in result.output
    assert tomllib.loads((tmp_path / "taef2" / "collection.toml").read_text())["family"] == "taef2"
    assert len(list_pictures(tmp_path)) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pairs", "x"), "one --kind"),
        (("--count", 500), "at most 400"),
        (("--kind", "swapped", "--network", "taef2"), "goes with --kind"),
        (("--pairs", "x", "--kind", "restored", "--name", "n", "--network", "a", "--network", "b"), "one --network"),
        (("--pairs", "x", "--kind", "reconstructed", "--network", "nowhere"), "holds no auto-encoder"),
        (("--kind", "restored", "--network", "nothing"), "no network for restoration is called 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("--faces", collection / "faces.csv", *arguments)
    assert result.exit_code in (1, 2)
    assert words in result.output
    assert "Traceback" not in result.output

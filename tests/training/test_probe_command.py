"""`unmask probe` tells what can be told without a face, of pictures and of what a training draws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chalicelib.settings import Settings
from training import probes
from training.commands.probe import probe
from training.faces import FOUND, locate_faces
from training.manifest import read_manifest
from training.presets import find
from training.recipe import Recipe, override


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried here needs no forest of full size."""
    monkeypatch.setattr(probes, "TREES", 10)


def begin_run(folder: Path, collection: Path, recipe: Recipe) -> Path:
    """Make the folder of a training that has begun."""
    locate_faces(read_manifest(collection / "faces.csv"), collection, folder / FOUND, Settings())
    record = {"config": recipe.to_dict(), "data_sha256": "", "preset": "student"}
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def run(collection: Path, *arguments: object) -> Result:
    given = ("--faces", collection / "faces.csv", "--views", 60, *arguments)
    return CliRunner().invoke(probe, [str(argument) for argument in given])


def test_all_three_states_are_told_as_the_run_draws_them(collection: Path, tmp_path: Path) -> None:
    recipe = override(find("student").recipe, {"side": 48, "batch_size": 12, "self_blended": 0.5, "swapped": 0.0})
    folder, out = begin_run(tmp_path, collection, recipe), tmp_path / "out" / "probes.json"
    result = run(collection, "--run", folder, "--json", out)
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert list(figures) == ["metadata", "background"]
    assert all(list(states) == ["raw", "augmented", "trained"] for states in figures.values())
    # Of six fakes a batch three are self-blended and, at .08, none is upsampled; each brings its photo along.
    trained = figures["background"]["trained"]
    assert (trained["pictures"], trained["made"]["pictures"]) == (60, 30)
    assert "background  trained, made" in result.stdout


def test_what_cannot_be_probed_is_said(collection: Path, tmp_path: Path) -> None:
    begin_run(tmp_path, collection, find("cnn-128").recipe)
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, code, says in (
        (("--run", tmp_path), 2, "must be a training by draws"),
        (("--run", empty), 1, "cannot be read"),
        (("--located", collection / "faces.csv"), 1, "is not a list of faces found"),
    ):
        result = run(collection, *arguments)
        assert result.exit_code == code, result.output
        assert says in result.output
        assert "Traceback" not in result.output

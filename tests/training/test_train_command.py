"""`unmask train` says what it can do, does it, and answers what it cannot with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from training import trainer
from training.commands.train import train
from training.manifest import read_manifest
from training.presets import names


def call(*arguments: object) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


def test_the_list_names_every_preset_and_needs_no_data() -> None:
    result = call("--list")
    assert result.exit_code == 0
    assert all(f"{name}: " in result.output for name in names())
    assert result.output.count("published  ") == result.output.count("assumed    ") == len(names())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--preset", "mesonet"], 1, "no preset 'mesonet'"),
        (["--preset", "cnn-128", "--steps", 3], 1, "steps means nothing to cnn-128"),
        (["--preset", "cnn-128", "--side", 20], 1, "side must be at least 32"),
        (["--weight", "street"], 2, "SOURCE=N"),
        (["--weight", "street=-1"], 2, "SOURCE=N"),
        (["--leave-out", "martians"], 1, "No fake is of the family 'martians', so it cannot be left out"),
        (["--repeat", "{faces}", "--side", 64], 2, "leave out --preset"),
        (["--repeat", "{faces}"], 1, "cannot be read"),
        (["--preset", "cnn-128", "--weights", "nowhere.h5", "--epochs", 0], 1, "nowhere.h5"),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(
    collection: Path, tmp_path: Path, arguments: list[object], code: int, says: str
) -> None:
    faces = collection / "faces.csv"
    filled = [str(argument).format(faces=faces) for argument in arguments]
    result = (
        call("--faces", faces, "--out", tmp_path / "run", "--limit", 2, *filled)
        if "--repeat" not in filled
        else (call("--faces", faces, "--out", tmp_path / "run", *filled))
    )
    assert result.exit_code == code
    assert says in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


def test_a_run_is_done_and_repeated_from_its_record(collection: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    common = ("--faces", collection / "faces.csv")
    options = ("--preset", "cnn-128", "--side", 32, "--epochs", 1, "--limit", 4, "--batch-size", 4, "--seed", 1)
    result = call(*common, "--out", first, *options)
    assert result.exit_code == 0, result.output
    record = json.loads((first / "record.json").read_text())
    assert record["overrides"] == {"side": 32, "epochs": 1, "limit": 4, "batch_size": 4, "seed": 1}
    assert call(*common, "--out", first, *options).output.endswith("this run is finished.\n")
    refused = call(*common, "--out", first, *options, "--learning-rate", 1)
    assert refused.exit_code == 1
    assert "another recipe" in refused.output

    (again).mkdir()
    (again / "faces_found.csv").write_bytes((first / "faces_found.csv").read_bytes())
    result = call(*common, "--out", again, "--repeat", first / "record.json")
    assert result.exit_code == 0, result.output
    repeated = json.loads((again / "record.json").read_text())
    for key in ("preset", "overrides", "config", "data_sha256"):
        assert repeated[key] == record[key]
    assert repeated["history"][0]["loss"] == pytest.approx(record["history"][0]["loss"], abs=1e-3)

    other = tmp_path / "faces.csv"
    other.write_text((collection / "faces.csv").read_text().replace("studio", "atelier"))
    refused = call("--faces", other, "--root", collection, "--out", tmp_path / "no", "--repeat", first / "record.json")
    assert refused.exit_code == 1
    assert "not those of the record" in refused.output


def test_an_interruption_is_a_sentence_and_exit_130(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "locate_faces", interrupt)
    result = call("--faces", collection / "faces.csv", "--out", tmp_path / "run", "--weights", "none")
    assert result.exit_code == 130, result.output
    assert "goes on after the last whole epoch" in result.output


def test_several_sets_are_trained_on_as_one_in_the_run_folder(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Path] = []
    monkeypatch.setattr(trainer, "train", lambda recipe, manifest, root, run, **_: given.extend((manifest, root, run)))
    header, *rows = (collection / "faces.csv").read_text().splitlines()
    for name, half in (("a", rows[::2]), ("b", rows[1::2])):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *half]) + "\n")
    faces = ("--faces", tmp_path / "a.csv", "--faces", tmp_path / "b.csv")
    result = call(*faces, "--root", collection, "--root", collection, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    manifest, root, run = given
    assert (root, run) == (tmp_path / "run/data", tmp_path / "run")
    samples = read_manifest(manifest)
    assert len(samples) == len(rows)
    assert all((root / sample.path).is_file() for sample in samples)
    result = call(*faces, "--root", collection, "--out", tmp_path / "run")
    assert (result.exit_code, "2 --faces, 1 --root" in result.output) == (2, True)

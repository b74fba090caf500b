"""Several models on the same pictures: one search for faces, nothing scored twice, and a sentence for bad input."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner, Result

from chalicelib.detector import Detector
from training import bench as bench_module
from training.bench import BenchError, thin
from training.commands.compare import compare
from training.comparison import parse_models
from training.manifest import Sample, read_manifest

HARMS = bench_module.degradations()


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two run folders of one untrained network, from two seeds."""
    root = tmp_path_factory.mktemp("toys")
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        picture = keras.Input((32, 32, 3))
        evidence = keras.layers.Conv2D(1, 5, strides=4, name="evidence")(picture)
        network = keras.Model(picture, keras.layers.GlobalAveragePooling2D()(evidence))
        folder = root / f"seed{seed}"
        folder.mkdir()
        network.save(folder / "network.keras")
        card = {
            "name": "toy",
            "preset": "none of ours",
            "architecture": "toy",
            "published": "accuracy .5 <em>elsewhere</em>",
            "calibration": {
                medium: {"temperature": 1.0, "bias": 0.0, "no_traces_below": 0.4, "fake_above": 0.6}
                for medium in ("picture", "frame", "video")
            },
        }
        (folder / "card.json").write_text(json.dumps(card))
    return root


@pytest.fixture(autouse=True)
def no_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timing starts a process, and has a test of its own."""
    monkeypatch.setattr("training.comparison.time_apart", lambda specs: dict.fromkeys(specs, 1.5))
    monkeypatch.setattr("training.probes.TREES", 10)


def run(collection: Path, out: Path, *arguments: str | Path) -> Result:
    given = ["--faces", collection / "faces.csv", "--split", "all", "--out", out, *arguments]
    return CliRunner().invoke(compare, list(map(str, given)))


def three(toys: Path) -> tuple[str, ...]:
    return ("--model", "int8", "--model", f"toy#1={toys / 'seed1'}", "--model", f"toy#2={toys / 'seed2'}")


ALL = (
    *("--left-out", "checks", "--degradations", "--sheets", "files"),
    *("--row", "all checks=checks", "--row", "on the street=street:street", "--ablation", "int8,toy"),
)


@contextmanager
def shortened() -> Iterator[pytest.MonkeyPatch]:
    """Time nothing, grow few trees, show few faces, and know two degradations, one of which cannot be made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.comparison.time_apart", lambda specs: dict.fromkeys(specs, 1.5))
        patch.setattr("training.probes.TREES", 10)
        patch.setattr("training.reporting.sheets.MOST", 4)
        patch.setattr(bench_module, "degradations", lambda: {"half size": HARMS["half size"], "H.264 CRF 35": broken})
        patch.setattr("training.reporting.content.degradations", lambda: ["half size", "H.264 CRF 35"])
        yield patch


@pytest.fixture(scope="module")
def out(collection: Path, toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison, with sheets."""
    folder = tmp_path_factory.mktemp("comparison") / "report"
    with shortened():
        answer = run(collection, folder, *three(toys), *ALL)
    assert answer.exit_code == 0, answer.output
    return folder


def broken(pictures: object) -> list[bytes]:
    raise bench_module.DegradationError("ffmpeg is not installed")


def test_everything_lands_in_the_folder_and_nothing_unfinished(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {"report.html", "report.json", "images.csv", "cache", "sheets"}
    assert not [path for path in out.rglob("*") if "unfinished" in path.name or path.suffix == ".part"]
    assert (out / "sheets" / "toy_1.png").read_bytes().startswith(b"\x89PNG")


def test_the_json_holds_every_figure_and_no_place_on_this_machine(out: Path, toys: Path) -> None:
    text = (out / "report.json").read_text()
    assert str(toys) not in text
    content = json.loads(text)
    assert content["data"]["pictures"] == 40
    assert content["data"]["groups"] == 20
    served, first, second = content["models"]
    assert served["name"] == "int8"
    assert first["published"].startswith("accuracy .5")
    assert {"auc_interval", "eer_interval", "tpr_at_1_fpr_interval"} <= set(served["metrics"]["overall"])
    assert set(served["grid"]) == {"clean", "half size"}
    assert content["harms"]["missing"] == {"H.264 CRF 35": "ffmpeg is not installed"}
    assert served["left_out"]["checks"]["pictures"] == 40
    assert set(content["probes"]["background"]) == {"raw", "augmented"}
    assert served["covered"]["pictures"] == 40
    auc = [m["metrics"]["overall"]["auc"] for m in (first, second)]
    assert [row["title"] for row in served["table"]["rows"][:2]] == ["all checks", "on the street"]
    assert "half size" in served["table"]["rows"][0]["harms"]
    assert sum(band.get("pictures", 0) for band in served["bands"]["face_side"]) == 40
    columns, (plain, toy) = content["ablation"]["columns"], content["ablation"]["runs"]
    assert columns[:3] == ["all checks", "on the street", "all, one threshold"]
    assert columns[-1] == "checks, left out"
    assert plain["values"][0] == served["table"]["rows"][0]["auc"]
    assert toy["seeds"] == 2
    assert toy["gains"][0] == pytest.approx(toy["values"][0] - plain["values"][0], abs=2e-5)
    (family,) = content["seeds"]
    assert (family["name"], family["seeds"]) == ("toy", 2)
    assert family["figures"]["auc"]["mean"] == pytest.approx(sum(auc) / 2, abs=1e-4)
    assert family["figures"]["auc"]["spread"] == pytest.approx(abs(auc[0] - auc[1]) / 2**0.5, abs=1e-4)


def test_the_table_of_pictures_says_who_is_right(out: Path) -> None:
    with (out / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    for row in rows:
        rights = []
        for name in ("int8", "toy#1", "toy#2"):
            called = float(row[f"{name} probability"]) >= 0.5
            assert row[f"{name} right"] == str(int(called == (row["label"] == "fake")))
            rights.append(int(row[f"{name} right"]))
        assert float(row["percent_right"]) == pytest.approx(100 * sum(rights) / 3, abs=0.06)
    shares = json.loads((out / "report.json").read_text())["pictures"]["shares"]
    assert sum(shares) == 40
    assert shares[3] == sum(row["percent_right"] == "100.0" for row in rows)


def test_a_second_call_searches_and_scores_nothing_and_says_the_same(
    collection: Path, toys: Path, out: Path, tmp_path: Path
) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("asked again")

    again = tmp_path / "report"
    shutil.copytree(out, again)
    (again / "report.html").unlink()
    with shortened() as patch:
        patch.setattr("chalicelib.faces.FaceFinder.find", refuse)
        patch.setattr(Detector, "score", refuse)
        patch.setattr("training.keras_detector.KerasDetector.score", refuse)
        answer = run(collection, again, *three(toys), *ALL)
    assert answer.exit_code == 0, answer.output
    for name in ("report.html", "report.json", "images.csv"):
        assert (again / name).read_bytes() == (out / name).read_bytes(), name


def test_an_interruption_ends_with_a_sentence_and_the_next_call_goes_on(
    collection: Path, toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("training.keras_detector.KerasDetector.score", interrupt)
        answer = run(collection, tmp_path, *three(toys), "--limit", "16", "--no-probes")
    assert answer.exit_code == 130
    assert "goes on where it was" in answer.output
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}
    with monkeypatch.context() as patch:
        patch.setattr(Detector, "score", interrupt)
        assert run(collection, tmp_path, *three(toys), "--limit", "16", "--no-probes").exit_code == 0


@pytest.mark.parametrize(
    ("lines", "arguments", "says"),
    [
        (["real/00.png,real,a", "real/02.png,real,b"], [], "only real pictures"),
        (["fake/01.png,fake,a"], [], "only fake pictures"),
        (["nowhere.png,real,a", "gone.png,fake,b"], [], "No face was found in any of the 2 pictures"),
        (None, ["--model", "runs/nothing"], "There is no model 'runs/nothing'"),
        (None, ["--model", "int8"], "Two models are called 'int8'"),
        (None, ["--model", "=x"], "--model takes NAME=PATH"),
        (None, ["--row", "twins=martians"], "The row 'twins' asks for martians"),
        (None, ["--ablation", "int8,martians"], "No model is called 'martians'. There are: int8"),
        (None, ["--left-out", "martians"], "No fake here is of the family 'martians'. There are: checks, street"),
    ],
)
def test_bad_input_is_answered_by_a_sentence(
    collection: Path, tmp_path: Path, lines: list[str] | None, arguments: list[str], says: str
) -> None:
    manifest = collection / "faces.csv"
    if lines is not None:
        manifest = tmp_path / "odd.csv"
        manifest.write_text("\n".join(["path,label,group", *lines]) + "\n")
    given = ["--faces", manifest, "--root", collection, "--split", "all", "--out", tmp_path / "out", "--model", "int8"]
    answer = CliRunner().invoke(compare, [str(value) for value in [*given, *arguments]])
    assert answer.exit_code == 1
    assert says in answer.output
    assert "Traceback" not in answer.output


def test_a_damaged_model_is_named(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_bytes(b"no network")
    answer = run(collection, tmp_path / "out", "--model", f"mine={tmp_path}")
    assert answer.exit_code == 1
    assert "mine: network.keras" in answer.output


@pytest.mark.parametrize(
    ("texts", "models"),
    [
        (["int8"], {"int8": "int8"}),
        (["runs/mine/"], {"mine": "runs/mine/"}),
        (["runs/a/network.keras"], {"network": "runs/a/network.keras"}),
        (["a#1=x", "a#2=y=z"], {"a#1": "x", "a#2": "y=z"}),
    ],
)
def test_models_are_named(texts: list[str], models: dict[str, str]) -> None:
    assert parse_models(texts) == models


@pytest.mark.parametrize("text", ["", "a=", "<b>=x", "a/b=x", "a#=x"])
def test_an_odd_name_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="NAME=PATH"):
        parse_models([text])


def test_a_thinned_set_is_even_and_grows_without_losing_what_it_had(collection: Path) -> None:
    samples = read_manifest(collection / "faces.csv") + [Sample(f"x{i}", 1, "rare", "", f"x{i}") for i in range(3)]
    eight, twenty = thin(samples, 8), thin(samples, 20)
    assert len(eight) == 8
    counts = [sum((s.source, s.label) == key for s in eight) for key in {(s.source, s.label) for s in samples}]
    assert max(counts) - min(counts) <= 1
    assert {s.path for s in eight} <= {s.path for s in twenty}
    assert thin(samples, 100) == samples

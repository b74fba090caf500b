"""A small real training: it learns, it can be stopped anywhere, and it goes on as if it had not been."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pytest

from chalicelib.settings import Settings
from training import fitting, presets, trainer
from training.callbacks import Checkpoint, History, find_best, is_over, read_history
from training.crops import open_picture
from training.faces import locate_faces
from training.files import WriteFailed
from training.fitting import make_optimizer
from training.manifest import ManifestError, read_manifest
from training.memory import Memory
from training.passes import PassBatches
from training.recipe import Phase, Recipe
from training.records import RunMismatch
from training.splits import split_by_group
from training.trainer import NETWORK, UNCALIBRATED, train

# Tracing the training step takes most of a minute where the machine is busy, and each call traces anew.
pytestmark = pytest.mark.timeout(900)

DRAWS = Recipe(
    side=32,
    phases=(
        Phase(1, 3e-3, "adamw", "cosine", "head"),
        Phase(3, 3e-3, "adamw", "cosine", "all", monitor="auc"),
    ),
    weights="none",
    batch_size=8,
    steps=2,
    ema_momentum=0.8,
)
PASSES = replace(
    DRAWS,
    sampling="passes",
    augmentation="geometry",
    ema_momentum=0.0,
    self_blended=0.0,
    map_weight=0.0,
    phases=DRAWS.phases[1:],
)


def build_tiny(recipe: Recipe) -> keras.Model:
    """A network with all that makes going on hard, dropout and batch statistics, and little that must be traced."""
    inputs = keras.Input((recipe.side, recipe.side, 3))
    maps = keras.layers.Conv2D(8, 3, strides=4, activation="relu")(inputs)
    maps = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(maps))
    evidence = keras.layers.Conv2D(1, 1, name="evidence")(maps)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(evidence), name="tiny")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "start_network", build_tiny)


@pytest.fixture(scope="module")
def found(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faces of the collection, searched for once for all runs of this file."""
    cache = tmp_path_factory.mktemp("found") / "faces_found.csv"
    locate_faces(read_manifest(collection / "faces.csv"), collection, cache, Settings())
    return cache


@pytest.fixture(scope="module", params=[DRAWS, PASSES], ids=["draws", "passes"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return request.param  # type: ignore[no-any-return]


def run_in(folder: Path, found: Path) -> Path:
    folder.mkdir()
    shutil.copy(found, folder / "faces_found.csv")
    return folder


@pytest.fixture(scope="module")
def finished(collection: Path, found: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = run_in(tmp_path_factory.mktemp("runs") / "whole", found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "start_network", build_tiny)
        train(recipe, collection / "faces.csv", collection, run, preset="meso4", overrides={"side": 32})
    return run


def weights_of(run: Path) -> list[np.ndarray]:
    return keras.models.load_model(run / NETWORK, compile=False).get_weights()  # type: ignore[no-any-return]


def test_a_run_leaves_network_card_record_history_and_curves(finished: Path, recipe: Recipe) -> None:
    rows = read_history(finished / "history.csv")
    assert [row["phase"] for row in rows] == [
        n for n, phase in enumerate(recipe.phases, 1) for _ in range(phase.epochs)
    ]
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "auc", "auc_street", "seconds"} <= set(rows[0])
    assert (finished / "curves.png").read_bytes().startswith(b"\x89PNG")
    network = keras.models.load_model(finished / NETWORK, compile=False)
    assert (network.input.shape, network.output.shape) == ((None, 32, 32, 3), (None, 1))
    card = json.loads((finished / "card.json").read_text())
    assert (card["name"], card["preset"], card["architecture"], card["side"]) == ("meso4", "meso4", "student", 32)
    assert card["published"] == presets.find("meso4").published
    assert set(card["calibration"]) == {"picture", "frame", "video", "frame_correlation"}
    # What ranks fakes below reals has no thresholds that could promise anything.
    assert ("promise" in card) != ("uncalibrated" in card)
    if "promise" in card:
        assert card["promise"]["picture"]["rests_on"].startswith("4 real pictures of 1 source")
    assert set(card["calibration"]["picture"]) == {"temperature", "bias", "no_traces_below", "fake_above"}
    assert card["validation"]["pictures"] == 8
    record = json.loads((finished / "record.json").read_text())
    assert record["overrides"] == {"side": 32}
    assert len(record["history"]) == len(rows)
    assert record["pictures"]["train"] == {"real": 12, "fake": 12}
    assert record["finished"] >= record["started"]
    assert record["images_per_second"] > 0


def test_the_epoch_that_validates_best_is_the_one_that_is_saved(finished: Path) -> None:
    rows = read_history(finished / "history.csv")
    kept = max(row["auc"] for row in rows[-3:])
    assert json.loads((finished / "record.json").read_text())["best_epoch"] in {
        row["epoch"] for row in rows if row["auc"] == kept
    }
    assert json.loads((finished / "card.json").read_text())["validation"]["auc"] == pytest.approx(kept, abs=1e-4)


@pytest.mark.usefixtures("tiny")
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    collection: Path,
    found: Path,
    finished: Path,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of draws the second epoch is stopped before its row is written, of passes before its checkpoint is kept."""
    run, says = run_in(tmp_path / "stopped", found), []
    original = History.on_epoch_end

    def stop(self: History, epoch: int, logs: dict[str, float] | None = None) -> None:
        second = self._phase == len(recipe.phases) and epoch == 1
        if second and recipe is DRAWS:
            raise KeyboardInterrupt
        original(self, epoch, logs)
        if second:
            raise KeyboardInterrupt

    monkeypatch.setattr(History, "on_epoch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, collection / "faces.csv", collection, run)
    assert not (run / NETWORK).exists()
    monkeypatch.setattr(History, "on_epoch_end", original)
    train(recipe, collection / "faces.csv", collection, run, report=says.append)
    assert any(line.startswith("goes on after epoch 1 of 3") for line in says)
    rows, whole = read_history(run / "history.csv"), read_history(finished / "history.csv")
    assert [row["epoch"] for row in rows] == [row["epoch"] for row in whole]
    assert [row["loss"] for row in rows] == pytest.approx([row["loss"] for row in whole], abs=5e-3)
    for once, resumed in zip(weights_of(finished), weights_of(run), strict=True):
        assert np.allclose(once, resumed, atol=5e-3)


def test_a_finished_run_is_not_trained_again(collection: Path, finished: Path, recipe: Recipe) -> None:
    before = (finished / NETWORK).stat().st_mtime_ns
    says: list[str] = []
    train(recipe, collection / "faces.csv", collection, finished, report=says.append)
    assert (finished / NETWORK).stat().st_mtime_ns == before
    assert "finished" in says[-1]


def test_another_recipe_or_other_data_does_not_go_on_with_this_run(
    collection: Path, finished: Path, recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(RunMismatch, match="another recipe"):
        train(replace(recipe, seed=5), collection / "faces.csv", collection, finished)
    fewer = tmp_path / "faces.csv"
    fewer.write_text("".join((collection / "faces.csv").read_text().splitlines(keepends=True)[:-8]))
    with pytest.raises(RunMismatch, match="another manifest and other pictures"):
        train(recipe, fewer, collection, finished)


def test_what_is_to_be_repeated_on_other_data_is_refused(collection: Path, tmp_path: Path) -> None:
    with pytest.raises(RunMismatch, match="not those of the record"):
        train(PASSES, collection / "faces.csv", collection, tmp_path / "again", repeats="0" * 64)
    assert not (tmp_path / "again").exists()


@pytest.mark.usefixtures("tiny")
def test_a_full_disk_is_a_sentence_and_the_last_checkpoint_still_loads(
    collection: Path, found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_in(tmp_path / "full", found)
    original = keras.Model.save_weights

    def fill_up(self: keras.Model, path: Path, **options: object) -> None:
        original(self, path, **options)
        if (run / "checkpoint" / "phase_1_epoch_0001.weights.h5").exists():
            path.write_bytes(path.read_bytes()[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save_weights", fill_up)
    with pytest.raises(WriteFailed, match=r"No space left.*make room"):
        train(PASSES, collection / "faces.csv", collection, run)
    assert not list(run.rglob("unfinished*"))
    monkeypatch.setattr(keras.Model, "save_weights", original)
    assert Checkpoint.find(run / "checkpoint") == (1, 1)
    says: list[str] = []
    train(PASSES, collection / "faces.csv", collection, run, report=says.append)
    assert "goes on after epoch 1 of 3" in says


@pytest.mark.usefixtures("tiny")
def test_a_phase_ends_when_it_no_longer_improves_and_no_epochs_at_all_save_the_start(
    collection: Path, found: Path, tmp_path: Path
) -> None:
    # A rate that changes nothing improves nothing.
    still = replace(PASSES, phases=(Phase(9, 1e-30, "sgd", train_from="head", monitor="val_loss", patience=2),))
    run = run_in(tmp_path / "still", found)
    train(still, collection / "faces.csv", collection, run)
    assert len(read_history(run / "history.csv")) == 3
    assert json.loads((run / "record.json").read_text())["best_epoch"] == 1
    none = replace(PASSES, phases=(replace(PASSES.phases[0], epochs=0),))
    untrained = run_in(tmp_path / "none", found)
    train(none, collection / "faces.csv", collection, untrained)
    keras.utils.set_random_seed(none.seed)
    begun = build_tiny(none).get_weights()
    for saved, start in zip(weights_of(untrained), begun, strict=True):
        assert np.array_equal(saved, start)


@pytest.mark.usefixtures("tiny")
def test_rows_without_a_file_are_left_out_aloud_and_none_with_one_is_refused(
    collection: Path, found: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_text((collection / "faces.csv").read_text() + "gone.jpg,real,street,,nobody\n")
    says: list[str] = []
    untrained = replace(PASSES, phases=(replace(PASSES.phases[0], epochs=0),))
    train(untrained, manifest, collection, run_in(tmp_path / "run", found), report=says.append)
    assert says[0] == "1 of 41 rows have no file and are left out, such as gone.jpg."
    with pytest.raises(ManifestError, match="--root"):
        train(untrained, manifest, tmp_path, tmp_path / "other")


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (lambda row: row["label"] == "real", "no fake picture"),
        (lambda row: row["label"] == "fake", "no real picture"),
        (lambda row: False, "none|None|no picture"),
    ],
)
def test_one_class_or_none_cannot_be_trained_on(collection: Path, found: Path, tmp_path: Path, keep, says: str) -> None:  # type: ignore[no-untyped-def]
    manifest = tmp_path / "faces.csv"
    with (collection / "faces.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if keep(row)]
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "source", "method", "group"])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ValueError, match=says):
        train(PASSES, manifest, collection, run_in(tmp_path / "run", found))


@pytest.mark.usefixtures("tiny")
def test_pictures_without_faces_cannot_be_trained_on(cat: np.ndarray, tmp_path: Path) -> None:
    import cv2

    rows = ["path,label"]
    for index in range(8):
        cv2.imwrite(str(tmp_path / f"{index}.png"), cat[..., ::-1])
        rows.append(f"{index}.png,{('real', 'fake')[index % 2]}")
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(ValueError, match="no picture to train on shows a face"):
        train(PASSES, tmp_path / "faces.csv", tmp_path, tmp_path / "run")


@pytest.mark.usefixtures("tiny")
def test_a_picture_that_breaks_while_it_is_trained_on_is_named(
    collection: Path, found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second epoch, when it is worker threads that read."""
    first = PassBatches.__getitem__

    def break_later(self: PassBatches, step: int) -> tuple[np.ndarray, ...]:
        if step == self.steps:
            self.pictures = Memory(lambda index: open_picture(tmp_path, self._samples[index], Settings()), 0)
        return first(self, step)

    monkeypatch.setattr(PassBatches, "__getitem__", break_later)
    with pytest.raises(ValueError, match="had a face and cannot be read any more"):
        train(PASSES, collection / "faces.csv", collection, run_in(tmp_path / "run", found))


@pytest.mark.usefixtures("tiny")
def test_what_cannot_be_calibrated_says_so_and_doubts_widely(collection: Path, found: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    lines = (collection / "faces.csv").read_text().splitlines()
    rows = [f"{lines[0]},split"]
    for place, line in enumerate(lines[1:]):
        rows.append(f"{line},{'validation' if place < 2 else 'train'}")
    manifest.write_text("\n".join(row for row in rows if not (row.endswith("validation") and ",fake," in row)) + "\n")
    says: list[str] = []
    untrained = replace(PASSES, phases=(replace(PASSES.phases[0], epochs=0),))
    run = run_in(tmp_path / "run", found)
    train(untrained, manifest, collection, run, report=says.append)
    assert any("lacks a class" in line for line in says)
    card = json.loads((run / "card.json").read_text())
    assert card["calibration"] == asdict(UNCALIBRATED)
    assert "real and fake" in card["uncalibrated"]
    assert card["validation"]["auc"] is None


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [("auc", [0.5, 0.9, 0.9, 0.7], 1), ("val_loss", [0.5, 0.2, 0.3], 1), ("", [3, 2, 1], 2), ("auc", [np.nan] * 3, 2)],
)
def test_the_best_epoch_is_the_first_of_the_best_or_the_last_of_all(
    monitor: str, values: list[float], best: int
) -> None:
    assert find_best([{monitor: value} for value in values], monitor) == best


def test_a_phase_is_over_by_its_epochs_or_its_patience() -> None:
    phase = Phase(5, 1e-3, monitor="auc", patience=2)
    rows = [{"auc": value} for value in (0.5, 0.9, 0.8, 0.7)]
    assert [is_over(rows[:count], phase) for count in range(5)] == [False, False, False, False, True]
    assert is_over(rows, replace(phase, epochs=4, patience=0))


@pytest.mark.parametrize("name", ["adamw", "adam", "nadam", "rmsprop", "sgd"])
def test_a_cosine_warms_up_to_its_peak_and_falls(name: str) -> None:
    rate = make_optimizer(Phase(2, 0.1, name, "cosine"), DRAWS, 50)._learning_rate
    assert [float(rate(step)) for step in (0, 10, 100)] == pytest.approx([0, 0.1, 0.001], abs=1e-6)
    assert float(make_optimizer(Phase(2, 0.1, name), DRAWS, 50).learning_rate) == pytest.approx(0.1)


@pytest.mark.usefixtures("tiny")
def test_support_vectors_leave_the_same_run_folder(collection: Path, found: Path, tmp_path: Path) -> None:
    recipe = replace(presets.find("mobilenetv2-svm").recipe, side=32, weights="none")
    run = run_in(tmp_path / "svm", found)
    train(recipe, collection / "faces.csv", collection, run, preset="mobilenetv2-svm")
    with (run / "history.csv").open() as file:
        grid = list(csv.DictReader(file))
    assert {"kernel", "C", "gamma", "precision", "f1"} <= set(grid[0])
    record = json.loads((run / "record.json").read_text())
    assert len(record["history"]) == len(grid)
    assert {"kernel", "C"} <= set(record["support_vectors"]["chosen"])
    card = json.loads((run / "card.json").read_text())
    assert card["preset"] == "mobilenetv2-svm"
    assert keras.models.load_model(run / NETWORK, compile=False).output.shape == (None, 1)


STUDENT = Recipe(
    side=64,
    width=0.35,
    phases=(Phase(3, 3e-3, "adamw", "cosine"),),
    weights="none",
    batch_size=8,
    steps=12,
    ema_momentum=0.8,
)


@pytest.mark.slow
def test_a_student_learns_resumes_and_is_gone_on_from(
    collection: Path, found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = collection / "faces.csv"
    whole, stopped, later = (run_in(tmp_path / name, found) for name in ("whole", "stopped", "later"))
    train(STUDENT, manifest, collection, whole)
    rows = read_history(whole / "history.csv")
    assert rows[-1]["loss"] < rows[0]["loss"]

    original = Checkpoint.keep

    def stop(self: Checkpoint, epoch: int) -> None:
        original(self, epoch)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "keep", stop)
    with pytest.raises(KeyboardInterrupt):
        train(STUDENT, manifest, collection, stopped)
    monkeypatch.setattr(Checkpoint, "keep", original)
    train(STUDENT, manifest, collection, stopped)
    for once, resumed in zip(weights_of(whole), weights_of(stopped), strict=True):
        assert np.allclose(once, resumed, atol=5e-3)

    start = str(whole / NETWORK)
    short = replace(STUDENT, weights=start, steps=1, phases=(Phase(1, 1e-7, "adamw", "cosine"),))
    train(short, manifest, collection, later)
    first = keras.models.load_model(later / NETWORK).get_layer("evidence").kernel
    assert np.allclose(first, keras.models.load_model(start).get_layer("evidence").kernel, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in presets.names() if not name.endswith("-svm")])
def test_every_preset_trains_a_network(
    collection: Path, found: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = presets.find(name).recipe
    side = {"cnn-128": 32, "cnn-224": 32, "meso4": 32, "mesoinception4": 32}.get(name, 96)
    phases = tuple(replace(phase, epochs=1) for phase in recipe.phases)
    tiny = replace(recipe, side=side, phases=phases, weights="none", batch_size=4, steps=2, limit=4)
    run = run_in(tmp_path / name, found)
    monkeypatch.setattr(fitting, "is_over", lambda rows, phase: bool(rows))
    train(tiny, collection / "faces.csv", collection, run, preset=name)
    assert len(read_history(run / "history.csv")) == len(phases)
    assert keras.models.load_model(run / NETWORK, compile=False).output.shape == (None, 1)


def test_what_is_left_out_is_neither_trained_nor_validated_on(
    collection: Path, found: Path, tmp_path: Path, tiny: None
) -> None:
    recipe = replace(PASSES, left_out=("street",), phases=(Phase(0, 1e-3),))
    train(recipe, collection / "faces.csv", collection, run_in(tmp_path / "run", found))
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    parts = split_by_group(read_manifest(collection / "faces.csv"))
    for part, counts in record["pictures"].items():
        assert counts["fake"] == sum(sample.label and sample.source == "studio" for sample in parts[part])
        assert counts["real"] == sum(not sample.label for sample in parts[part])
    assert record["config"]["left_out"] == ["street"]
    assert json.loads((tmp_path / "run" / "card.json").read_text())["left_out"] == ["street"]

"""A small real training: it learns, it can be stopped anywhere, and it goes on as if it had not been."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from training import trainer
from training.callbacks import Checkpoint, History, read_history
from training.trainer import Recipe, RunMismatch, train

# Tracing the training step takes most of a minute where the machine is busy, and each call traces anew.
pytestmark = pytest.mark.timeout(900)

RECIPE = Recipe(
    side=64,
    width=0.35,
    weights="none",
    unfreeze_from=0,
    batch_size=8,
    steps=12,
    epochs=3,
    learning_rate=3e-3,
    ema_momentum=0.8,
)


@pytest.fixture(scope="module")
def finished(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "whole"
    train(RECIPE, collection / "faces.csv", collection, run)
    return run


def weights_of(run: Path) -> list[np.ndarray]:
    return keras.models.load_model(run / "student.keras").get_weights()


def test_a_run_leaves_network_history_curves_and_recipe(finished: Path) -> None:
    rows = read_history(finished / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {"loss", "accuracy", "auc", "auc_street", "seconds"} <= set(rows[0])
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert (finished / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((finished / "recipe.json").read_text())["recipe"]["steps"] == 12
    assert keras.models.load_model(finished / "student.keras").output.shape == (None, 1)


def test_the_saved_network_is_the_averaged_one(finished: Path) -> None:
    last = keras.models.load_model(finished / "student.keras", compile=False)
    averaged = [weight.copy() for weight in last.get_weights()]
    last.compile(optimizer=trainer._make_optimizer(RECIPE), loss="mse")
    Checkpoint(finished).restore(last, RECIPE.steps)
    assert any(not np.allclose(a, b) for a, b in zip(averaged, last.get_weights(), strict=True))


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    collection: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, says = tmp_path / "stopped", []
    original = History.on_epoch_end

    def stop_after_the_second(self: History, epoch: int, logs: dict[str, float] | None = None) -> None:
        original(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(History, "on_epoch_end", stop_after_the_second)
    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, collection / "faces.csv", collection, run)
    assert not (run / "student.keras").exists()
    monkeypatch.setattr(History, "on_epoch_end", original)
    train(RECIPE, collection / "faces.csv", collection, run, report=says.append)
    assert "goes on after epoch 2 of 3" in says
    assert [row["epoch"] for row in read_history(run / "history.csv")] == [1, 2, 3]
    for whole, resumed in zip(weights_of(finished), weights_of(run), strict=True):
        assert np.allclose(whole, resumed, atol=5e-3)


def test_a_finished_run_is_not_trained_again(collection: Path, finished: Path) -> None:
    before = (finished / "student.keras").stat().st_mtime_ns
    says: list[str] = []
    train(RECIPE, collection / "faces.csv", collection, finished, report=says.append)
    assert (finished / "student.keras").stat().st_mtime_ns == before
    assert "finished" in says[-1]


def test_a_run_can_go_on_from_another_runs_student(collection: Path, finished: Path, tmp_path: Path) -> None:
    start = str(finished / "student.keras")
    later = replace(RECIPE, weights=start, steps=1, epochs=1, learning_rate=1e-7)
    train(later, collection / "faces.csv", collection, tmp_path / "later")
    kernels = zip(weights_of(finished)[::9], weights_of(tmp_path / "later")[::9], strict=True)
    assert all(np.allclose(before, after, atol=0.2) for before, after in kernels)
    first = keras.models.load_model(tmp_path / "later" / "student.keras").get_layer("evidence").kernel
    assert np.allclose(first, keras.models.load_model(start).get_layer("evidence").kernel, atol=1e-4)


def test_another_recipe_does_not_go_on_with_this_run(collection: Path, finished: Path) -> None:
    with pytest.raises(RunMismatch, match="another recipe"):
        train(replace(RECIPE, epochs=4), collection / "faces.csv", collection, finished)

"""What a model costs is counted from its file and timed in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np
import pytest

from chalicelib.settings import MODELS
from training.costs import count_parameters, time_apart, time_face
from training.models import FLOAT_STUDENT


def test_parameters_are_those_that_keras_counts(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4), keras.layers.Dropout(0.1)])
    network.compile("adam", "mse")
    network.fit(np.zeros((2, 8)), np.zeros((2, 4)), verbose=0)
    network.save(tmp_path / "network.keras")
    # The state of the optimiser and of the dropout lies in the file too.
    assert count_parameters(tmp_path / "network.keras") == network.count_params() == 36


def test_the_served_network_has_about_the_weights_of_the_one_it_was_made_from() -> None:
    served, trained = count_parameters(MODELS / "detector.tflite"), count_parameters(FLOAT_STUDENT)
    # Normalisation is folded in before training; the converter adds a few constants of shape.
    assert served / trained == pytest.approx(1, abs=1e-3)


def test_a_model_is_timed_and_one_that_is_not_there_has_no_time() -> None:
    times = time_apart(["int8", "runs/nothing"])
    assert 0.3 < times["int8"] < 500
    assert times["runs/nothing"] is None


def test_the_time_is_that_of_a_call() -> None:
    assert 10 <= time_face(lambda crop: time.sleep(0.01), 8) < 40

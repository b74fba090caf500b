"""Noise as large as rounding, where rounding is coarse, and in training alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.learners import make_learner
from training.networks.rounding import STEPS, RoundingNoise, add_noise
from training.networks.student import build_student

VIEWS = np.random.default_rng(0).uniform(-1, 1, (4, 64, 64, 3)).astype(np.float32)


def numbers(tensor: keras.KerasTensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("steps", [1.0, 3.0])
def test_the_noise_is_so_many_steps_of_the_range_wide(steps: float) -> None:
    noise = numbers(RoundingNoise(steps, seed=1)(VIEWS, training=True)) - VIEWS
    step = float(np.ptp(VIEWS)) / STEPS
    assert 0.95 * steps * step / 2 < np.abs(noise).max() <= 1.01 * steps * step / 2
    assert abs(noise.mean()) < 0.02 * steps * step


def test_outside_of_training_there_is_none() -> None:
    assert np.array_equal(numbers(RoundingNoise(5.0)(VIEWS, training=False)), VIEWS)


def test_the_noisy_model_shares_the_networks_layers_and_answers_alike() -> None:
    network = build_student(64, 0.35, None, 0)
    noisy = add_noise(network, 2.0)
    logit, evidence = noisy.predict_on_batch(VIEWS)
    assert np.allclose(logit, network.predict_on_batch(VIEWS), atol=1e-6)
    assert evidence.shape == (4, 4, 4, 1)
    assert noisy.get_layer("block_4_expand") is network.get_layer("block_4_expand")
    rounded = {layer.name.removesuffix("_noise") for layer in noisy.layers if isinstance(layer, RoundingNoise)}
    assert {"block_4_project", "block_4_add", network.layers[0].name} <= rounded
    assert not {"block_4_expand_relu", "evidence"} & rounded
    disturbed, _ = (numbers(answer) for answer in noisy(VIEWS, training=True))
    assert not np.allclose(disturbed, logit, atol=1e-6)


def test_a_learner_under_noise_answers_cell_by_cell() -> None:
    network = build_student(64, 0.35, None, 0)
    quiet, noisy = (make_learner(network, cells=True, rounding=rounding) for rounding in (0.0, 2.0))
    assert np.allclose(quiet.predict_on_batch(VIEWS), noisy.predict_on_batch(VIEWS), atol=1e-6)
    noisy.compile(keras.optimizers.SGD(0.1), loss="mse")
    before = network.get_weights()
    noisy.train_on_batch(VIEWS, np.zeros((4, 17), np.float32))
    assert not all(map(np.array_equal, before, network.get_weights()))

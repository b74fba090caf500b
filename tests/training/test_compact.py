"""A halved file is half as large and answers as before."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from training.networks.compact import halve
from training.networks.loading import load_network
from training.networks.student import build_student

VIEWS = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


def test_a_halved_network_answers_as_before_in_float32(tmp_path: Path) -> None:
    path = tmp_path / "network.keras"
    network = build_student(64, 0.35, None, 0)
    network.save(path)
    size = path.stat().st_size
    halve(path)
    assert path.stat().st_size < 0.7 * size
    loaded = load_network(path)
    assert loaded.dtype_policy.name == "float32"
    assert {weight.dtype for weight in loaded.weights} == {"float32"}
    answers, expected = loaded.predict_on_batch(VIEWS), network.predict_on_batch(VIEWS)
    assert np.allclose(answers, expected, atol=5e-3 * max(1.0, np.abs(expected).max()))
    assert not np.array_equal(loaded.get_weights()[0], network.get_weights()[0])


def test_equal_networks_make_equal_files(tmp_path: Path) -> None:
    network = build_student(64, 0.35, None, 0)
    for name in ("one.keras", "other.keras"):
        network.save(tmp_path / name)
        halve(tmp_path / name)
    one, other = (load_network(tmp_path / name) for name in ("one.keras", "other.keras"))
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_what_float16_cannot_hold_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(1, 1, name="loud")(inputs))
    network.get_layer("loud").set_weights([np.full((1, 1, 3, 1), 1e6), np.zeros(1)])
    path = tmp_path / "network.keras"
    network.save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="too large for float16"):
        halve(path)
    assert path.read_bytes() == before


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"no \.keras file"):
        halve(tmp_path / "network.keras")

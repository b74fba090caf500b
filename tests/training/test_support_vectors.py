"""A network of support vectors answers as the machine that it was made from, and the search keeps groups whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from chalicelib.detector import normalise
from training.networks.catalogue import build
from training.networks.kernel_machine import SupportVectors
from training.networks.loading import load_network
from training.support_vectors import extract, fit_support_vectors, make_pool, to_network

SIDE = 32
SMALL_GRID = [{"kernel": ["linear"], "C": [0.01, 1.0]}, {"kernel": ["rbf"], "C": [1.0], "gamma": ["scale"]}]


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("cnn-128", side=SIDE, weights="none")


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Sixty noisy crops of twenty groups; the fakes wear stripes."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    crops = rng.normal(128, 30, (60, SIDE, SIDE, 3)) + labels[:, None, None, None] * 25 * (np.arange(SIDE) % 2)[:, None]
    return np.clip(crops, 0, 255).astype(np.uint8), labels, [f"clip {i // 3}" for i in range(60)]


@pytest.fixture(scope="module")
def fitted(
    backbone: keras.Model, data: tuple[np.ndarray, np.ndarray, list[str]]
) -> tuple[keras.Model, dict[str, Any], list[str]]:
    says: list[str] = []
    network, results = fit_support_vectors(backbone, *data, grid=SMALL_GRID, folds=3, report=says.append)
    return network, results, says


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel": "linear", "C": 0.1},
        {"kernel": "rbf", "C": 10.0, "gamma": "scale"},
        {"kernel": "rbf", "C": 1.0, "gamma": 0.003},
        {"kernel": "poly", "C": 1.0, "gamma": "auto", "degree": 2, "coef0": 1.0},
    ],
    ids=str,
)
def test_the_network_equals_the_machine(
    backbone: keras.Model,
    data: tuple[np.ndarray, np.ndarray, list[str]],
    settings: dict[str, Any],
    tmp_path: Path,
) -> None:
    crops, labels, _ = data
    pool = make_pool(backbone)
    features = extract(pool, crops)
    machine = Pipeline([("scaler", StandardScaler()), ("svc", SVC(**settings))]).fit(features, labels)
    network = to_network(pool, machine, features, "svm")
    others = np.random.default_rng(1).integers(0, 256, crops.shape).astype(np.uint8)
    for some in (crops, others):
        expected = machine.decision_function(extract(pool, some))
        answered = network.predict_on_batch(normalise(some))[:, 0]
        assert np.allclose(answered, expected, atol=1e-4)
    network.save(tmp_path / "network.keras")
    assert np.array_equal(load_network(tmp_path / "network.keras").predict_on_batch(normalise(some))[:, 0], answered)


def test_fakes_score_higher(fitted: tuple[keras.Model, dict[str, Any], list[str]], data: tuple[Any, ...]) -> None:
    logits = fitted[0].predict_on_batch(normalise(data[0]))[:, 0]
    assert logits[data[1] == 1].min() > logits[data[1] == 0].max()


def test_every_setting_has_both_figures_and_the_best_by_each_is_told(
    fitted: tuple[keras.Model, dict[str, Any], list[str]],
) -> None:
    _, results, says = fitted
    assert [(row["kernel"], row["C"]) for row in results["grid"]] == [("linear", 0.01), ("linear", 1.0), ("rbf", 1.0)]
    for figure in ("precision", "f1"):
        assert all(0 <= row[figure] <= 1 for row in results["grid"])
        assert results["best"][figure][figure] == max(row[figure] for row in results["grid"])
    assert results["chosen"]["C"] == results["best"]["f1"]["C"]
    assert (results["searched"], results["fitted"]) == (60, 60)
    assert "fits 9/9" in says
    assert "features of 60/60" in says


def test_nothing_of_it_is_trained_by_gradients(fitted: tuple[keras.Model, dict[str, Any], list[str]]) -> None:
    assert not fitted[0].trainable_weights


def test_a_subset_is_searched_and_everything_fitted(
    backbone: keras.Model, data: tuple[np.ndarray, np.ndarray, list[str]]
) -> None:
    grid = [{"kernel": ["linear"], "C": [0.1]}]
    _, results = fit_support_vectors(backbone, *data, grid=grid, folds=2, subset=31, refit="precision")
    # Whole groups of three.
    assert results["searched"] == 30
    assert results["fitted"] == 60


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"refit": "recall"}, "refit must be one of precision, f1"),
        ({"labels": np.zeros(60, int)}, "groups of fake pictures"),
        ({"groups": ["one"] * 60}, "groups of real pictures"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    backbone: keras.Model,
    data: tuple[np.ndarray, np.ndarray, list[str]],
    changes: dict[str, Any],
    says: str,
) -> None:
    given = {"crops": data[0], "labels": data[1], "groups": data[2], **changes}
    with pytest.raises(ValueError, match=says):
        fit_support_vectors(backbone, **given)


def test_a_pool_is_the_mean_over_places_of_what_the_head_sees() -> None:
    network = build("student-0.35", side=SIDE, weights="none")
    pool = make_pool(network)
    views = np.random.default_rng(0).uniform(-1, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
    features = keras.ops.convert_to_numpy(pool(views, training=False))
    kernel, bias = network.get_layer("evidence").get_weights()
    assert features.shape == (2, 192)
    assert np.allclose(features @ kernel[0, 0] + bias, network(views, training=False), atol=1e-4)


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="linear, poly, rbf"):
        SupportVectors(3, "sigmoid")

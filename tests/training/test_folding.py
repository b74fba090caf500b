"""Folding changes no answer, leaves no normalisation and refuses what it cannot fold."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from training.networks.folding import fold_normalisation, scale_kernels


def disturb(network: keras.Model) -> keras.Model:
    """Give every weight a value of its own, as training does."""
    rng = np.random.default_rng(0)
    network.set_weights(
        [rng.uniform(0.5, 1.5, weight.shape) * np.where(weight == 0, 0.1, weight) for weight in network.get_weights()]
    )
    return network


def test_a_folded_network_answers_as_before() -> None:
    network = disturb(
        keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    )
    folded = fold_normalisation(network)
    views = np.random.default_rng(1).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    expected = network.predict_on_batch(views)
    assert expected.std() > 0.01
    assert np.allclose(folded.predict_on_batch(views), expected, rtol=1e-3, atol=1e-4)
    assert not [layer for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert {"Conv1", "block_4_expand", "block_4_depthwise"} <= {layer.name for layer in folded.layers}


def test_a_bias_and_a_head_are_kept() -> None:
    inputs = keras.Input((8, 8, 3))
    hidden = layers.BatchNormalization(center=False, scale=False)(layers.Conv2D(4, 3, use_bias=True)(inputs))
    network = disturb(keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(hidden))))
    views = np.random.default_rng(1).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    assert np.allclose(fold_normalisation(network).predict_on_batch(views), network.predict_on_batch(views), atol=1e-5)


def test_a_normalisation_after_anything_else_is_refused() -> None:
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, layers.BatchNormalization(name="alone")(layers.ReLU()(inputs)), name="odd")
    with pytest.raises(ValueError, match="alone follows re_lu"):
        fold_normalisation(network)


def test_a_convolution_that_others_read_too_is_refused() -> None:
    inputs = keras.Input((8, 8, 3))
    made = layers.Conv2D(3, 1, name="read_twice")(inputs)
    network = keras.Model(inputs, layers.Add()([made, layers.BatchNormalization()(made)]))
    with pytest.raises(ValueError, match="read_twice"):
        fold_normalisation(network)


def test_a_signal_passes_random_kernels_that_were_scaled() -> None:
    network = fold_normalisation(
        keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, include_top=False, weights=None)
    )
    views = np.random.default_rng(1).uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)
    assert network.predict_on_batch(views).std() < 1e-3
    scale_kernels(network)
    assert 0.1 < network.predict_on_batch(views).std() < 10

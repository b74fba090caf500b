"""A student that has learnt nothing and answers all the same."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from training.networks.folding import fold_normalisation

MakeStudent = Callable[[np.ndarray], keras.Model]


@pytest.fixture(scope="session")
def make_student() -> MakeStudent:
    """Returns what makes a small student whose folded normalisations have seen views float32 [N, 64, 64, 3].

    Without them its logits would hardly differ: every layer of an untrained network shrinks what it is given.
    """

    def make(views: np.ndarray) -> keras.Model:
        keras.utils.set_random_seed(0)
        backbone = keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, include_top=False, weights=None)
        for layer in backbone.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.5
        for _ in range(10):
            backbone(views, training=True)
        backbone = fold_normalisation(backbone)
        evidence = keras.layers.Conv2D(1, 1, name="evidence")(keras.layers.Dropout(0.2)(backbone.output))
        return keras.Model(backbone.input, keras.layers.GlobalAveragePooling2D(name="logit")(evidence), name="student")

    return make

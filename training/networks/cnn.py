"""The small networks of two source projects, trained from nothing.

The projects state blocks and sides; the widths are ours: as wide as a processor without a GPU trains in an evening.
"""

from __future__ import annotations

import keras
from keras import layers


def build_cnn_128(side: int, weights: str | None) -> keras.Model:
    """Two blocks of convolution and pooling, then a dense layer: source project (d), 128 px."""
    return _build("cnn-128", (32, 64), 128, side, weights)


def build_cnn_224(side: int, weights: str | None) -> keras.Model:
    """Three blocks of convolution and pooling, then a dense layer: source project (e), 224 px."""
    return _build("cnn-224", (16, 32, 64), 128, side, weights)


def _build(name: str, filters: tuple[int, ...], units: int, side: int, weights: str | None) -> keras.Model:
    """Build from a side, px, and weights, None or a file; [N, side, side, 3] in [-1, 1] to a logit [N, 1]."""
    inputs = keras.Input((side, side, 3))
    # Both projects divide pixels by 255.
    maps = layers.Rescaling(0.5, 0.5, name="preprocessing")(inputs)
    for block, count in enumerate(filters, start=1):
        maps = layers.Conv2D(count, 3, activation="relu", name=f"conv_{block}")(maps)
        maps = layers.MaxPooling2D(2, name=f"pool_{block}")(maps)
    features = layers.Flatten(name="flatten")(maps)
    hidden = layers.Dense(units, activation="relu", name="head_dense")(features)
    kept = layers.Dropout(0.5, name="head_dropout")(hidden)
    network = keras.Model(inputs, layers.Dense(1, name="head_logit")(kept), name=name)
    if weights is not None:
        network.load_weights(weights)
    return network

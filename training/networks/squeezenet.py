"""SqueezeNet 1.1 (Iandola et al. 2016): a backbone of 0.7 million weights."""

from __future__ import annotations

import keras
from keras import layers

from training.networks.head import add_head
from training.networks.legacy_weights import read_layers
from training.networks.preprocessing import Preprocessing

# Filters that squeeze and that expand in fire modules 2 to 9; a pooling comes before modules 4 and 6.
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}
POOLED_BEFORE = (4, 6)


def build_squeezenet(side: int, weights: str | None) -> keras.Model:
    """SqueezeNet 1.1 without its classifier, with the head of `head.add_head`.

    Args:
        side: of the input, px.
        weights: None, a file of the usual Keras port (Caffe's preprocessing) without top, or a .weights.h5 of ours.

    Returns:
        float32 [N, side, side, 3] in [-1, 1] to a logit [N, 1].

    Raises:
        ValueError, OSError: the file does not fit or cannot be read.
    """
    inputs = keras.Input((side, side, 3))
    maps = Preprocessing("caffe", name="preprocessing")(inputs)
    maps = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(maps)
    maps = layers.MaxPooling2D(3, 2, name="pool1")(maps)
    for module, (squeeze, expand) in FIRES.items():
        if module in POOLED_BEFORE:
            maps = layers.MaxPooling2D(3, 2, name=f"pool{module - 1}")(maps)
        squeezed = layers.Conv2D(squeeze, 1, activation="relu", name=f"fire{module}_squeeze1x1")(maps)
        near = layers.Conv2D(expand, 1, activation="relu", name=f"fire{module}_expand1x1")(squeezed)
        far = layers.Conv2D(expand, 3, padding="same", activation="relu", name=f"fire{module}_expand3x3")(squeezed)
        maps = layers.Concatenate(name=f"fire{module}_concat")([near, far])
    network = add_head(inputs, maps, "squeezenet")
    if weights is not None:
        for name, values in read_layers(weights).items():
            # Keras 3 allows no slash in a name.
            network.get_layer(name.replace("/", "_")).set_weights(values)
    return network

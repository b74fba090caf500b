"""The head that every backbone gets: a map whose mean is the logit."""

from __future__ import annotations

import keras

DROPOUT = 0.2


def add_head(inputs: keras.KerasTensor, features: keras.KerasTensor, name: str) -> keras.Model:
    """End a backbone in a 1×1 convolution to one channel and its mean.

    A mean over places and a linear layer may change places, so this is the usual head (global average pooling,
    dropout, a dense layer), with an exact class-activation map (Zhou et al. 2016) on the way. Dropping whole
    channels before the mean is the same as dropping features after it.

    Args:
        inputs: what the network takes.
        features: [N, h, w, channels], what the backbone makes of it.
        name: of the network.

    Returns:
        The network; its layer "evidence" holds the map [N, h, w, 1].
    """
    kept = keras.layers.SpatialDropout2D(DROPOUT, name="head_dropout")(features)
    evidence = keras.layers.Conv2D(1, 1, name="evidence")(kept)
    logit = keras.layers.GlobalAveragePooling2D(name="logit")(evidence)
    return keras.Model(inputs, logit, name=name)

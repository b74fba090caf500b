"""TAEF2: a tiny auto-encoder distilled from the one of FLUX.2.

Weights and architecture: Ollin Boer Bohan, "Tiny AutoEncoder", MIT licence; see `training/weights/taef2/LICENSE`.
Layers are named after their place in the published networks, so that a tensor `3.conv.2.weight` belongs to the
layer `3_conv_2`.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from training.networks.autoencoders import AutoEncoder
from training.networks.torch_files import read_state_dict

NAME = "taef2"
WEIGHTS = Path(__file__).parents[1] / "weights" / "taef2"
# Filters of a convolution, of the latents, and of the pool within a block.
WIDTH = 64
LATENTS = 32
POOL = 256
POOL_GROUPS = 4
# Sides of a picture are divided by this on the way to the latents.
FACTOR = 8
# The decoder squeezes latents softly into ± this.
LATENT_RANGE = 3.0


def load_taef2(folder: Path = WEIGHTS) -> AutoEncoder:
    """Return the auto-encoder with its weights.

    Args:
        folder: where `taef2_encoder.pth` and `taef2_decoder.pth` lie.

    Raises:
        ValueError: a file holds other weights.
        OSError: a file is missing.
    """
    encoder, decoder = build_encoder(), build_decoder()
    _load(encoder, folder / "taef2_encoder.pth")
    _load(decoder, folder / "taef2_decoder.pth")
    return AutoEncoder(NAME, encoder, decoder, FACTOR)


def build_encoder() -> keras.Model:
    """Return an encoder without weights: float32 [N, H, W, 3] in [0, 1] to latents [N, H / 8, W / 8, 32]."""
    inputs = keras.Input((None, None, 3))
    maps = _add_block(_convolve(inputs, WIDTH, "0"), 1)
    for first in (2, 6, 10):
        # PyTorch pads on all sides alike; "same" with a stride of 2 would not.
        maps = layers.ZeroPadding2D(1)(maps)
        maps = layers.Conv2D(WIDTH, 3, strides=2, use_bias=False, name=str(first))(maps)
        for place in range(first + 1, first + 4):
            maps = _add_block(maps, place, pooled=first == 10)
    return keras.Model(inputs, _convolve(maps, LATENTS, "14"), name="taef2_encoder")


def build_decoder() -> keras.Model:
    """Return a decoder without weights: latents [N, h, w, 32] to float32 [N, 8 × h, 8 × w, 3] in [0, 1]."""
    inputs = keras.Input((None, None, LATENTS))
    maps = ops.tanh(inputs / LATENT_RANGE) * LATENT_RANGE
    maps = layers.ReLU()(_convolve(maps, WIDTH, "1"))
    for place in (3, 4, 5):
        maps = _add_block(maps, place, pooled=True)
    for first, blocks in ((7, 3), (12, 3), (17, 1)):
        maps = layers.UpSampling2D(2, interpolation="nearest")(maps)
        maps = _convolve(maps, WIDTH, str(first), bias=False)
        for place in range(first + 1, first + 1 + blocks):
            maps = _add_block(maps, place)
    return keras.Model(inputs, ops.clip(_convolve(maps, 3, "19"), 0, 1), name="taef2_decoder")


def _convolve(maps: keras.KerasTensor, filters: int, name: str, bias: bool = True) -> keras.KerasTensor:
    return layers.Conv2D(filters, 3, padding="same", use_bias=bias, name=name)(maps)


def _add_block(maps: keras.KerasTensor, place: int, pooled: bool = False) -> keras.KerasTensor:
    """Add three convolutions round which the input goes on; a pooled block widens and narrows its input first."""
    if pooled:
        wide = layers.Conv2D(POOL, 1, use_bias=False, name=f"{place}_pool_0")(maps)
        wide = layers.GroupNormalization(POOL_GROUPS, epsilon=1e-5, name=f"{place}_pool_1")(wide)
        narrow = layers.Conv2D(WIDTH, 1, use_bias=False, name=f"{place}_pool_3")(layers.ReLU()(wide))
        maps = layers.Add()([maps, narrow])
    inner = layers.ReLU()(_convolve(maps, WIDTH, f"{place}_conv_0"))
    inner = layers.ReLU()(_convolve(inner, WIDTH, f"{place}_conv_2"))
    inner = _convolve(inner, WIDTH, f"{place}_conv_4")
    return layers.ReLU()(layers.Add()([maps, inner]))


def _load(network: keras.Model, path: Path) -> None:
    """Give a network the tensors of a file of PyTorch.

    Raises:
        ValueError: the tensors are others than the network's.
    """
    tensors = read_state_dict(path)
    for layer in network.layers:
        if not layer.weights:
            continue
        name = layer.name.replace("_", ".")
        values = [tensors.pop(f"{name}.{part}", None) for part in ("weight", "bias")]
        # PyTorch's convolutions are [out, in, height, width].
        given = [np.transpose(v, (2, 3, 1, 0)) if v.ndim == 4 else v for v in values if v is not None]
        if [v.shape for v in given] != [tuple(w.shape) for w in layer.weights]:
            raise ValueError(f"{path} holds no weights of the layer {name} of {network.name}")
        layer.set_weights(given)
    if tensors:
        raise ValueError(f"{path} holds more than {network.name} has: {', '.join(sorted(tensors))}")

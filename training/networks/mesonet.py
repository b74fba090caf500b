"""MesoNet: small networks for faces in compressed video (Afchar et al., "MesoNet", 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from training.networks.legacy_weights import order_by_birth, read_layers


def build_meso4(side: int, weights: str | None) -> keras.Model:
    """Meso-4: four blocks of convolution, batch normalisation and pooling, then 16 units.

    Args:
        side: of the input, px; the authors' 256 where their weights are loaded.
        weights: None, a file that the authors published, or a .weights.h5 of this network.

    Returns:
        float32 [N, side, side, 3] in [-1, 1] to a logit [N, 1], fake positive.

    Raises:
        ValueError, OSError: the file does not fit or cannot be read.
    """
    inputs = keras.Input((side, side, 3))
    maps = _to_unit(inputs)
    for block, (filters, size, pool) in enumerate(((8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4)), start=1):
        maps = layers.Conv2D(filters, size, padding="same", activation="relu", name=f"conv_{block}")(maps)
        maps = _normalise_and_pool(maps, pool, block)
    return _finish(inputs, maps, "meso4", weights)


def build_meso_inception4(side: int, weights: str | None) -> keras.Model:
    """MesoInception-4: the first two convolutions give way to four dilated branches each.

    Args, returns and raises are those of `build_meso4`.
    """
    inputs = keras.Input((side, side, 3))
    maps = _to_unit(inputs)
    for block, filters in enumerate(((1, 4, 4, 2), (2, 4, 4, 2)), start=1):
        maps = _branch(maps, filters, block)
        maps = _normalise_and_pool(maps, 2, block)
    for block, pool in ((3, 2), (4, 4)):
        maps = layers.Conv2D(16, 5, padding="same", activation="relu", name=f"conv_{block}")(maps)
        maps = _normalise_and_pool(maps, pool, block)
    return _finish(inputs, maps, "meso-inception4", weights)


def _to_unit(inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Return [0, 1] for [-1, 1]."""
    return layers.Rescaling(0.5, 0.5, name="preprocessing")(inputs)


def _branch(maps: keras.KerasTensor, filters: Sequence[int], block: int) -> keras.KerasTensor:
    """A 1×1 convolution beside three that go on with 3×3 at dilations 1, 2 and 3."""
    branches = []
    for branch, (count, dilation) in enumerate(zip(filters, (None, 1, 2, 3), strict=True)):
        name = f"conv_{block}_{branch}"
        made = layers.Conv2D(count, 1, padding="same", activation="relu", name=f"{name}a")(maps)
        if dilation:
            made = layers.Conv2D(count, 3, dilation_rate=dilation, padding="same", activation="relu", name=f"{name}b")(
                made
            )
        branches.append(made)
    return layers.Concatenate(name=f"concat_{block}")(branches)


def _normalise_and_pool(maps: keras.KerasTensor, pool: int, block: int) -> keras.KerasTensor:
    normalised = layers.BatchNormalization(name=f"norm_{block}")(maps)
    return layers.MaxPooling2D(pool, padding="same", name=f"pool_{block}")(normalised)


def _finish(inputs: keras.KerasTensor, maps: keras.KerasTensor, name: str, weights: str | None) -> keras.Model:
    features = layers.Dropout(0.5, name="dropout")(layers.Flatten(name="flatten")(maps))
    hidden = layers.LeakyReLU(0.1, name="head_leaky")(layers.Dense(16, name="head_dense")(features))
    kept = layers.Dropout(0.5, name="head_dropout")(hidden)
    network = keras.Model(inputs, layers.Dense(1, name="head_logit")(kept), name=name)
    if weights is not None and weights.endswith(".weights.h5"):
        network.load_weights(weights)
    elif weights is not None:
        load_published(network, weights)
    return network


def load_published(network: keras.Model, path: str) -> None:
    """Load a file of the authors, turned round: their networks answer with the probability of *real*.

    Raises:
        ValueError: the file holds another network.
        OSError: it cannot be read.
    """
    kinds = order_by_birth(read_layers(path))
    for kind, arrays in kinds.items():
        own = [layer for layer in network.layers if _kind(layer) == kind]
        # Layers of ours are named in the order in which the authors made theirs.
        own.sort(key=lambda layer: layer.name)
        if len(own) != len(arrays):
            raise ValueError(f"{path} has {len(arrays)} layers of kind {kind}, {network.name} has {len(own)}")
        for layer, values in zip(own, arrays, strict=True):
            layer.set_weights(values)
    last = network.get_layer("head_logit")
    last.set_weights([-values for values in last.get_weights()])


def _kind(layer: keras.layers.Layer) -> str:
    """Return what Keras 2 called a layer of this class."""
    kinds = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "Dense": "dense"}
    return kinds.get(type(layer).__name__, "")

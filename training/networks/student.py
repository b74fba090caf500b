"""The student network: the first part of MobileNetV2, which ends in a map whose mean is the logit."""

from __future__ import annotations

from pathlib import Path

import keras

from training.networks.folding import fold_normalisation, scale_kernels

# Where MobileNetV2 is cut: what follows tells cats from dogs, holds three quarters of the weights, and sees each place
# in a picture at half the resolution. A place here already looks at more than a whole face.
LAST = "block_13_expand_relu"
# How much coarser than the view its map is, and that of the whole MobileNetV2.
STRIDE, WHOLE_STRIDE = 16, 32
# The first convolution, which halves the resolution unless it is told not to.
STEM = "Conv1"


def build_student(
    side: int = 160,
    width: float = 1.0,
    weights: str | Path | None = "imagenet",
    unfreeze_from: int = 4,
    *,
    whole: bool = False,
    fine: bool = False,
) -> keras.Model:
    """MobileNetV2 up to `LAST`, its normalisations folded, under a convolutional head: 1×1 to one channel, the mean.

    The channel before the mean is an exact class-activation map (Zhou et al. 2016): its values add up to
    the logit, positive where a place speaks for *fake*.

    Args:
        side: input side, px, a multiple of the stride.
        width: MobileNetV2's alpha.
        weights: "imagenet" to download, None for random, or a `.weights.h5` file without the top.
        unfreeze_from: inverted-residual block from which layers are trained (0 to 13); what lies below
            keeps its weights.
        whole: take MobileNetV2 to its end, as a member of the ensemble, which need not be fast, does.
        fine: let the first convolution keep the resolution (Gragnaniello et al. 2021), since what generators leave is
            finer than what survives being halved at once; all that follows takes four times as long.

    Returns:
        float32 [N, side, side, 3] in [-1, 1] to a logit [N, 1]; the layer "evidence" holds the map
        [N, side / stride, side / stride, 1]; the stride is `STRIDE`, or `WHOLE_STRIDE`, and half of it where fine.

    Raises:
        ValueError: the side is not a multiple of the stride, or the weights do not fit.
    """
    stride = (WHOLE_STRIDE if whole else STRIDE) // (2 if fine else 1)
    if side % stride:
        raise ValueError(f"side must be a multiple of {stride}. Received: {side}")
    backbone = keras.applications.MobileNetV2(
        input_shape=(side, side, 3),
        alpha=width,
        include_top=False,
        weights="imagenet" if weights == "imagenet" else None,
    )
    if weights not in ("imagenet", None):
        backbone.load_weights(weights)
    if not whole:
        backbone = keras.Model(backbone.input, backbone.get_layer(LAST).output, name=backbone.name)
    if fine:
        backbone = _keep_resolution(backbone)
    backbone = fold_normalisation(backbone)
    if weights is None:
        scale_kernels(backbone)
    freeze_below(backbone, f"block_{unfreeze_from}_expand")
    evidence = keras.layers.Conv2D(1, 1, name="evidence")(keras.layers.Dropout(0.2)(backbone.output))
    logit = keras.layers.GlobalAveragePooling2D(name="logit")(evidence)
    return keras.Model(backbone.input, logit, name="student")


def _keep_resolution(backbone: keras.Model) -> keras.Model:
    """Return a MobileNetV2 of the same weights whose first convolution halves nothing."""
    config = backbone.get_config()
    for layer in config["layers"]:
        if layer["config"]["name"] == STEM:
            layer["config"]["strides"] = (1, 1)
    finer = keras.Model.from_config(config)
    finer.set_weights(backbone.get_weights())
    return finer


def freeze_below(backbone: keras.Model, first_trained: str) -> None:
    """Freeze all layers before the one called `first_trained`; an unknown name trains them all."""
    names = [layer.name for layer in backbone.layers]
    for layer in backbone.layers[: names.index(first_trained) if first_trained in names else 0]:
        layer.trainable = False


def add_evidence(network: keras.Model) -> keras.Model:
    """Return the network with both outputs: the logit [N, 1] and the map [N, h, w, 1]."""
    return keras.Model(
        network.input,
        [network.output, network.get_layer("evidence").output],
        name=f"{network.name}_with_evidence",
    )

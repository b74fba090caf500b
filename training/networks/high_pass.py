"""A network that sees noise residuals alone, so that it errs elsewhere than those that see colours."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from training.networks.folding import fold_normalisation, scale_kernels
from training.networks.head import add_head
from training.networks.student import LAST

# Three high-pass filters of the spatial rich model (Fridrich & Kodovský 2012), those that Zhou et al. (2018) found
# enough: second differences over a square of 3, over a square of 5, and along a line; each sums to nought.
SRM_KERNELS = (
    np.pad(np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4, 1),
    np.array(
        [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]],
    )
    / 12,
    np.pad(np.array([[1, -2, 1]]) / 2, ((2, 2), (1, 1))),
)
# Residuals beyond so many grey levels are edges, not noise.
TRUNCATION = 3.0


@keras.saving.register_keras_serializable(package="unmask")
class NoiseResidual(keras.layers.Layer):
    """Filters each colour by the SRM kernels and truncates: [N, S, S, 3] to [N, S, S, 9], both in [-1, 1]."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Lay the kernels out, [5, 5, 3, 9], each colour by itself.

        TensorFlow takes half the time for one dense convolution, noughts included, that it takes for a depthwise one.
        """
        kernels = np.stack(SRM_KERNELS, axis=-1)
        self._kernels = np.zeros((*kernels.shape[:2], 3, 9), np.float32)
        for colour in range(3):
            self._kernels[:, :, colour, 3 * colour : 3 * colour + 3] = kernels

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Return truncated residuals, a whole of 1 being `TRUNCATION` grey levels."""
        kernels = keras.ops.convert_to_tensor(self._kernels, dtype=inputs.dtype)
        # Mirrored edges make no residual of their own, as a frame of noughts would.
        padded = keras.ops.pad(inputs, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
        residuals = keras.ops.conv(padded, kernels, data_format="channels_last") * 127.5
        return keras.ops.clip(residuals, -TRUNCATION, TRUNCATION) / TRUNCATION

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return [N, S, S, 9]."""
        return (*input_shape[:3], 9)


@keras.saving.register_keras_serializable(package="unmask")
def mix_by_colour(shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
    """Return the kernel [1, 1, 9, 3] that makes of each colour's residuals their mean.

    So the layers behind it, which come from a network that saw colours, begin with colours that have lost all but
    their noise.
    """
    kernel = np.repeat(np.eye(3), 3, axis=0).reshape(shape) / 3
    return keras.ops.convert_to_tensor(kernel.astype(np.float32), dtype=dtype)


def build_high_pass(side: int, weights: str | None) -> keras.Model:
    """Fixed residual filters, a learned mix of the nine residuals to three channels, MobileNetV2 cut short, a map.

    Noise is local, so it is cut where the student is.

    Args:
        side: of the input, px, a multiple of `training.networks.student.STRIDE`.
        weights: of MobileNetV2 1.0 without top: "imagenet", None, or a file.

    Returns:
        float32 [N, side, side, 3] in [-1, 1] to a logit [N, 1].

    Raises:
        Exception: the weights cannot be downloaded (Keras has no narrower one for it).
        ValueError, OSError: the file does not fit or cannot be read.
    """
    inputs = keras.Input((side, side, 3))
    residuals = NoiseResidual(name="residuals")(inputs)
    mixed = layers.Conv2D(3, 1, use_bias=False, kernel_initializer=mix_by_colour, name="mix")(residuals)
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_tensor=mixed, input_shape=(side, side, 3)
    )
    if weights is not None:
        # A file counts layers by kind, so it must be read without the mix before them.
        plain = keras.applications.MobileNetV2(
            include_top=False,
            weights="imagenet" if weights == "imagenet" else None,
            input_shape=(side, side, 3),
        )
        if weights != "imagenet":
            plain.load_weights(weights)
        for layer in plain.layers:
            if layer.weights:
                backbone.get_layer(layer.name).set_weights(layer.get_weights())
    network = fold_normalisation(add_head(inputs, backbone.get_layer(LAST).output, "high-pass"))
    if weights is None:
        scale_kernels(network)
    return network

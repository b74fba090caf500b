"""From the range that all our networks take, [-1, 1], to what a published backbone was trained on."""

from __future__ import annotations

from typing import Any

import keras
from keras.applications import imagenet_utils

# "tf": [-1, 1]. "caffe": BGR, 0–255, mean subtracted. "torch": 0–1, mean subtracted, divided by the deviation.
# "pixels": 0–255.
CONVENTIONS = ("tf", "caffe", "torch", "pixels")


@keras.saving.register_keras_serializable(package="unmask")
class Preprocessing(keras.layers.Layer):
    """Turns RGB in [-1, 1] into the convention of a backbone, inside the network."""

    def __init__(self, convention: str, **options: Any) -> None:
        """Take one of `CONVENTIONS`.

        Raises:
            ValueError: it is none of them.
        """
        super().__init__(**options)
        if convention not in CONVENTIONS:
            raise ValueError(f"convention must be one of {', '.join(CONVENTIONS)}. Received: {convention!r}")
        self.convention = convention

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Return float32 [N, S, S, 3] for float32 [N, S, S, 3] in [-1, 1]."""
        if self.convention == "tf":
            return inputs
        pixels = (inputs + 1.0) * 127.5
        if self.convention == "pixels":
            return pixels
        return imagenet_utils.preprocess_input(pixels, data_format="channels_last", mode=self.convention)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what builds this layer again."""
        return {**super().get_config(), "convention": self.convention}

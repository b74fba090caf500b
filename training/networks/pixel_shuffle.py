"""Sub-pixel convolution: channels that become pixels (Shi et al., "Real-Time Single Image Super-Resolution", 2016)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="unmask")
class PixelShuffle(keras.layers.Layer):
    """[N, h, w, C × factor²] to [N, h × factor, w × factor, C]."""

    def __init__(self, factor: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, maps: Any) -> Any:
        """Lay the channels of a place out as a square of pixels."""
        shape = ops.shape(maps)
        height, width, channels = shape[1], shape[2], maps.shape[-1] // self.factor**2
        parts = ops.reshape(maps, (-1, height, width, self.factor, self.factor, channels))
        parts = ops.transpose(parts, (0, 1, 3, 2, 4, 5))
        return ops.reshape(parts, (-1, height * self.factor, width * self.factor, channels))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the answer for that of the input."""
        count, height, width, channels = shape
        large = [None if side is None else side * self.factor for side in (height, width)]
        return (count, *large, channels // self.factor**2 if channels else None)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same layer again."""
        return {**super().get_config(), "factor": self.factor}

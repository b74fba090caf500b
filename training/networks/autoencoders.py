"""Auto-encoders: networks that turn a picture into fewer numbers and back, as latent diffusion models do."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True, slots=True)
class AutoEncoder:
    """A pair of networks.

    Attributes:
        name: what it is called in options, captions and collections.
        encoder: float32 [N, H, W, 3] in [0, 1] to latents [N, H / factor, W / factor, C].
        decoder: latents to float32 [N, H, W, 3] in [0, 1].
        factor: both sides of a picture must be multiples of it.
    """

    name: str
    encoder: keras.Model
    decoder: keras.Model
    factor: int

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Return the latents float32 [ceil(H / factor), ceil(W / factor), C] of a picture uint8 RGB [H, W, 3].

        A picture whose sides are no multiples of the factor is continued by its mirror image.
        """
        height, width = pixels.shape[:2]
        rim = ((0, -height % self.factor), (0, -width % self.factor), (0, 0))
        padded = np.pad(pixels, rim, "symmetric").astype(np.float32) / 255
        return keras.ops.convert_to_numpy(self.encoder(padded[None], training=False))[0]

    def decode(self, latents: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the picture float32 RGB [H, W, 3], 0 to 255, of latents [h, w, C], cut to a shape (H, W, …)."""
        decoded = keras.ops.convert_to_numpy(self.decoder(latents[None], training=False))[0]
        return decoded[: shape[0], : shape[1]] * np.float32(255)

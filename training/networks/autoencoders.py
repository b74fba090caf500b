"""Auto-encoders: networks that turn a picture into fewer numbers and back, as latent diffusion models do.

Beside published ones, a family of small ones of our own, which differ in how the decoder enlarges and how many times:
the traces of a decoder come from its way up, so each leaves others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from training.files import replacing
from training.networks.pixel_shuffle import PixelShuffle

# How a decoder enlarges: each pixel doubled and convolved, a transposed convolution, or channels laid out as pixels.
WAYS = ("nearest", "transposed", "shuffle")
# How many times a side is divided, and into how many channels, so that a picture becomes a quarter to an eighth of
# its numbers.
LATENTS = {2: 3, 4: 8, 8: 24}
CARD = "autoencoder.json"
_FILES = ("encoder.keras", "decoder.keras")


@dataclass(frozen=True, slots=True)
class AutoEncoder:
    """A pair of networks.

    Attributes:
        name: what it is called in options, captions and collections.
        encoder: float32 [N, H, W, 3] in [0, 1] to latents [N, H / factor, W / factor, C].
        decoder: latents to float32 [N, H, W, 3], about 0 to 1.
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
        return np.clip(decoded[: shape[0], : shape[1]], 0, 1) * np.float32(255)


def build_autoencoder(way: str, factor: int, width: int = 32) -> AutoEncoder:
    """Build a small auto-encoder without weights, called `WAY-xFACTOR`.

    Args:
        way: one of `WAYS`.
        factor: one of `LATENTS`.
        width: filters of its convolutions.

    Raises:
        ValueError: there is no such way or factor.
    """
    if way not in WAYS or factor not in LATENTS:
        raise ValueError(
            f"an auto-encoder enlarges by {', '.join(WAYS)}, {', '.join(map(str, LATENTS))} times. "
            f"Received: {way!r}, {factor!r}"
        )
    steps, name = factor.bit_length() - 1, f"{way}-x{factor}"
    pixels = keras.Input((None, None, 3))
    maps = layers.Conv2D(width, 3, padding="same", activation="relu")(pixels)
    for _ in range(steps):
        maps = layers.Conv2D(width, 4, strides=2, padding="same", activation="relu")(maps)
        maps = layers.Conv2D(width, 3, padding="same", activation="relu")(maps)
    encoder = keras.Model(pixels, layers.Conv2D(LATENTS[factor], 3, padding="same")(maps), name="encoder")
    latents = keras.Input((None, None, LATENTS[factor]))
    maps = layers.Conv2D(width, 3, padding="same", activation="relu")(latents)
    for _ in range(steps):
        maps = layers.Conv2D(width, 3, padding="same", activation="relu")(_enlarge(maps, way, width))
    decoder = keras.Model(latents, layers.Conv2D(3, 3, padding="same")(maps), name="decoder")
    return AutoEncoder(name, encoder, decoder, factor)


def _enlarge(maps: keras.KerasTensor, way: str, width: int) -> keras.KerasTensor:
    """Double both sides of maps in one of the `WAYS`."""
    if way == "transposed":
        return layers.Conv2DTranspose(width, 4, strides=2, padding="same", activation="relu")(maps)
    if way == "shuffle":
        return PixelShuffle(2)(layers.Conv2D(4 * width, 3, padding="same", activation="relu")(maps))
    return layers.UpSampling2D(2, interpolation="nearest")(maps)


def save_autoencoder(codec: AutoEncoder, folder: Path, about: dict[str, object]) -> None:
    """Write an auto-encoder into a folder; its card comes last, so a folder with a card is whole.

    Args:
        codec: the auto-encoder.
        folder: is made when missing.
        about: what else the card says.

    Raises:
        WriteFailed: it cannot be written.
    """
    for network, file in zip((codec.encoder, codec.decoder), _FILES, strict=True):
        with replacing(folder / file) as unfinished:
            network.save(unfinished)
    with replacing(folder / CARD) as unfinished:
        card = {"name": codec.name, "factor": codec.factor, **about}
        unfinished.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def load_autoencoder(folder: Path) -> AutoEncoder:
    """Read what `save_autoencoder` wrote.

    Raises:
        ValueError: the folder holds no auto-encoder, or a damaged one.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        encoder, decoder = (keras.models.load_model(folder / file, compile=False) for file in _FILES)
        return AutoEncoder(str(card["name"]), encoder, decoder, int(card["factor"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{folder} holds no auto-encoder that can be read. ({error})") from error

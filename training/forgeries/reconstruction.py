"""Reconstructions: a photo sent through an auto-encoder, so that only the traces of the decoder tell it from itself.

What a latent diffusion model draws has passed through a decoder; a photo that has passed through the same one shows
what the decoder leaves, with the content of a photo. A detector taught by such pairs cannot learn content, and
recognises decoders that it never saw.

Sources: Chen et al., "DRCT", 2024; Guillaro et al., "A Bias-Free Training Paradigm for More General AI-generated Image
Detection", 2025; Rajan et al., "Aligned Datasets Improve Detection of Latent Diffusion-Generated Images", 2025.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.forgeries.masks import BAND_NAMES, draw_band, draw_soft_mask, lay, require_face
from training.forgeries.self_blending import Pair
from training.networks.autoencoders import AutoEncoder

# How often the whole picture is remade, not a part of the face.
WHOLE = 0.5
# How often a picture is made half as large first and enlarged again after. The real half is resampled alike, so that
# the pair does not differ in sharpness, and the traces lie twice as wide.
HALVED = 0.3
# How often the latents are disturbed, and by how much, as a share of their standard deviation. A generator's latents
# are not those of any photo.
NOISY = 0.5
NOISE = (0.02, 0.15)

_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def reconstruct(pixels: np.ndarray, landmarks: np.ndarray, codec: AutoEncoder, rng: np.random.Generator) -> Pair:
    """Send a picture, or a part of the face in it, through an auto-encoder.

    Args:
        pixels: uint8 RGB [H, W, 3], a crop round a face.
        landmarks: float [5, 2], px: eyes, nose, corners of the mouth.
        codec: the auto-encoder.
        rng: the only source of chance.

    Returns:
        The pair. Its real half is `pixels`, or `pixels` made half as large and enlarged again.

    Raises:
        ValueError: the points span no face; see `masks.can_blend`.
    """
    require_face(landmarks)
    noise = float(rng.uniform(*NOISE)) if rng.random() < NOISY else 0.0
    seed = int(rng.integers(2**63))

    def remake(part: np.ndarray) -> np.ndarray:
        latents = codec.encode(part)
        if noise:
            drawn = np.random.default_rng(seed).standard_normal(latents.shape, np.float32)
            latents = latents + np.float32(noise) * latents.std() * drawn
        return codec.decode(latents, part.shape)

    about = f"{codec.name}, noise {noise:.2f}" if noise else codec.name
    return remake_part(pixels, landmarks, remake, rng, about, HALVED)


def remake_part(
    pixels: np.ndarray,
    landmarks: np.ndarray,
    remake: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    about: str,
    halved: float = 0.0,
) -> Pair:
    """Lay a remade copy over a picture: over all of it or inside a soft mask, at its own size or at half of it.

    Args:
        pixels: uint8 RGB [H, W, 3].
        landmarks: float [5, 2], px, that span a face.
        remake: takes uint8 RGB [h, w, 3] and returns the same picture remade, float32 or uint8, 0 to 255.
        rng: the only source of chance.
        about: the remaking in words, for a caption.
        halved: how often it is remade at half of its size.
    """
    half = rng.random() < halved and min(pixels.shape[:2]) >= 2
    up = int(rng.choice(_UP))
    if rng.random() < WHOLE:
        place, mask, extent = (slice(None), slice(None)), np.ones(pixels.shape[:2], np.float32), "whole picture"
    else:
        band = draw_band(rng)
        mask, place = draw_soft_mask(pixels.shape, landmarks, band, rng)
        extent = BAND_NAMES[band]
    if not half:
        fake, whole = lay(remake(pixels[place]), pixels, mask, place)
        return Pair(pixels, fake, whole, f"{extent}, {about}")
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    real, remade = (
        np.clip(cv2.resize(picture, (width, height), interpolation=up), 0, 255) for picture in (small, remake(small))
    )
    fake, whole = lay(remade[place], real, mask, place)
    return Pair(real, fake, whole, f"{extent}, {about}, at half size")

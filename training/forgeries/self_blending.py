"""Self-blended images: a photo blended with a slightly changed copy of itself, as a swap leaves it.

A network that learns to tell these from their own source learns the traces of blending, not those of one
generator. Idea: Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images", 2022; here the mask comes
from MTCNN's five points instead of 68 or 81.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from chalicelib.faces import crop_square, resize_square
from training.faces import LocatedFace
from training.forgeries.masks import (
    BAND_NAMES,
    can_blend,
    draw_band,
    draw_mask,
    face_width,
    require_face,
    soften,
    warp_elastically,
)

# What a batch maker needs of this file; `can_blend` stands beside `blend_self`, whose faces it chooses.
__all__ = ["REGION", "REGION_MARGIN", "Pair", "blend_self", "can_blend", "change_look", "cut_region"]

# How much of the source is laid over the target.
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
# A region that is blended: what is cut round the box, in box sides on each side, and its largest side, px. The
# mask's kernels are meant for faces of some 100 to 200 px.
REGION_MARGIN = 0.45
REGION = 320


@dataclass(frozen=True, slots=True)
class Pair:
    """A real picture and the fake made of it; outside the mask they are equal.

    Attributes:
        real: uint8 RGB [H, W, 3], the target of the blend.
        fake: uint8 RGB [H, W, 3].
        mask: float32 [H, W] in [0, 1], the share of the source at each place.
        about: what was drawn, in words, for a caption.
    """

    real: np.ndarray
    fake: np.ndarray
    mask: np.ndarray
    about: str = ""


def cut_region(
    pixels: np.ndarray, face: LocatedFace, margin: float = REGION_MARGIN, largest: int = REGION
) -> tuple[np.ndarray, LocatedFace]:
    """Cut a face with room for every crop of it, and carry its points along.

    Args:
        pixels: uint8 RGB [H, W, 3].
        face: where the face is in it.
        margin: what is cut round the box, in box sides on each side.
        largest: largest side of the region, px; a larger one is made smaller by area.

    Returns:
        uint8 RGB [s, s, 3], and where the face is in that.
    """
    left, top, side = crop_square(face.box, pixels.shape, margin)
    scale = min(1.0, largest / side)
    region = resize_square(pixels[top : top + side, left : left + side], round(side * scale))
    x, y, width, height = face.box
    box = ((x - left) * scale, (y - top) * scale, width * scale, height * scale)
    return region, LocatedFace(box, tuple(((x - left) * scale, (y - top) * scale) for x, y in face.landmarks))


def blend_self(pixels: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> Pair:
    """Blend a face with a changed copy of itself.

    Args:
        pixels: uint8 RGB [H, W, 3], a crop round the face of some 100 to 300 px.
        landmarks: float [5, 2], x and y in px: eyes, nose, corners of the mouth.
        rng: the only source of chance.

    Raises:
        ValueError: the points span no face; see `can_blend`.
    """
    require_face(landmarks)
    band = draw_band(rng)
    mask = draw_mask(pixels.shape, landmarks, band, rng)
    changed = change_look(pixels, rng)
    inside = rng.random() < 0.5
    source, target = (changed, pixels) if inside else (pixels, changed)
    source, mask = _shift(source, mask, rng)
    mask = soften(warp_elastically(mask, face_width(landmarks), rng), rng)
    ratio = rng.choice(RATIOS)
    mask *= np.float32(ratio)
    blended = mask[..., None] * source + (1 - mask[..., None]) * target
    about = f"{BAND_NAMES[band]}, {'altered' if inside else 'original'} copy at {ratio:g}"
    return Pair(target, np.round(blended).astype(np.uint8), mask, about)


def change_look(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change colour and sharpness a little, as another camera or a generator would; uint8 RGB [H, W, 3]."""
    changed = np.clip(pixels + rng.integers(-20, 21, 3), 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(changed, cv2.COLOR_RGB2HSV).astype(np.int16)
    hsv += rng.integers((-4, -15, -15), (5, 16, 16)).astype(np.int16)
    hsv[..., 0] %= 180
    changed = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    contrast, brightness = rng.uniform(-0.1, 0.1, 2)
    changed = cv2.convertScaleAbs(changed, alpha=1 + contrast, beta=255 * brightness)
    return _resample(changed, rng) if rng.random() < 0.5 else _sharpen(changed, rng)


def _resample(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape[:2]
    factor = int(rng.choice((2, 4)))
    small = cv2.resize(pixels, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _sharpen(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    amount = rng.uniform(0.2, 0.8)
    return cv2.addWeighted(pixels, 1 + amount, cv2.GaussianBlur(pixels, (0, 0), 1.5), -amount, 0)


def _shift(source: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Move and scale source and mask together: x by up to 3 %, y by up to 1.5 %, size by up to 5 %."""
    height, width = mask.shape
    scale = rng.uniform(0.95, 1.05)
    dx, dy = rng.uniform(-0.03, 0.03) * width, rng.uniform(-0.015, 0.015) * height
    matrix = np.array([[scale, 0, dx + (1 - scale) * width / 2], [0, scale, dy + (1 - scale) * height / 2]])
    moved = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return moved, cv2.warpAffine(mask, matrix, (width, height))

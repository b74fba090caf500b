"""What a picture may have gone through on its way to us, drawn alike for real and fake.

No function here knows a label: a network can only learn from a degradation that tells the classes apart,
and none does. Collections differ in sharpness and compression before they differ in anything else, so every
crop is brought to a resolution from one range and is recompressed by one rule, whatever its source.
"""

from __future__ import annotations

import cv2
import numpy as np

from chalicelib.faces import crop_square, resize_square

# The margin that serving uses is 0.3. The range is wide because many collections are framed more tightly than
# that: how much surroundings a crop shows must not tell which collection it is from.
MARGINS = (0.05, 0.35)
# Shift of the crop's centre, as a fraction of the box's larger side.
SHIFT = 0.05
# Resolution that a crop is brought to before the network's own, px, drawn log-uniformly.
RESOLUTIONS = (64.0, 256.0)
# JPEG and WebP quality.
QUALITIES = (30, 96)
# What the source projects draw: turn, degrees; zoom and shift, as fractions of the side; brightness, as a factor's
# distance from 1.
TURN = 15.0
ZOOM = 0.15
MOVE = 0.1
BRIGHTNESS = 0.2
# How much each of red, green and blue counts in the grey of a pixel (ITU-R BT.601).
GREY = (0.299, 0.587, 0.114)

_DOWN = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def augment(
    pixels: np.ndarray, box: tuple[float, float, float, float], side: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw one training view of a face.

    Args:
        pixels: uint8 RGB [H, W, 3], the upright picture.
        box: x, y, width, height of the face, px.
        side: the network's side, px.
        rng: the only source of chance; the same state gives the same view.

    Returns:
        uint8 RGB [side, side, 3].
    """
    crop = crop_jittered(pixels, box, rng)
    return resize_square(degrade(crop, rng), side)


def crop_jittered(pixels: np.ndarray, box: tuple[float, float, float, float], rng: np.random.Generator) -> np.ndarray:
    """Cut the face at its own resolution with a random margin, shift and flip; uint8 RGB [s, s, 3]."""
    x, y, width, height = box
    dx, dy = rng.uniform(-SHIFT, SHIFT, 2) * max(width, height)
    left, top, side = crop_square((x + dx, y + dy, width, height), pixels.shape, rng.uniform(*MARGINS))
    crop = pixels[top : top + side, left : left + side]
    return flip(crop, rng)


def degrade(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Resize, recolour, blur, add noise and recompress; uint8 RGB [s, s, 3] to [r, r, 3]."""
    resolution = round(float(np.exp(rng.uniform(*np.log(RESOLUTIONS)))))
    filters = _DOWN if resolution < crop.shape[0] else _UP
    crop = cv2.resize(crop, (resolution, resolution), interpolation=int(rng.choice(filters)))
    crop = recolour(crop, rng)
    if rng.random() < 0.15:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.15:
        noise = np.float32(rng.uniform(1, 6)) * rng.standard_normal(crop.shape, np.float32)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        crop = recompress(crop, rng)
        if rng.random() < 0.2:
            crop = recompress(crop, rng)
    return crop


def recolour(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw brightness, contrast and saturation, and now and then grey."""
    if rng.random() < 0.04:
        return cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.3:
        return crop
    contrast, saturation = rng.uniform(0.8, 1.2, 2)
    brightness = rng.uniform(-25, 25)
    # All of it is linear in a pixel once the mean grey is known: a matrix for the colours, and an offset.
    mean = float(np.dot(GREY, cv2.mean(crop)[:3]))
    colours = contrast * (saturation * np.eye(3) + (1 - saturation) * np.tile(GREY, (3, 1)))
    offset = (1 - contrast) * mean + brightness
    return cv2.transform(crop, np.column_stack([colours, np.full(3, offset)]))


def recompress(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Encode as JPEG (three times in four) or WebP at a drawn quality, and decode."""
    quality = int(rng.integers(*QUALITIES))
    suffix, flag = (".jpg", cv2.IMWRITE_JPEG_QUALITY) if rng.random() < 3 / 4 else (".webp", cv2.IMWRITE_WEBP_QUALITY)
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [flag, quality])
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def flip(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror a crop every other time; uint8 RGB [s, s, 3]."""
    return cv2.flip(crop, 1) if rng.random() < 0.5 else crop


def change_geometry(crop: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Mirror, turn, enlarge or shrink, shift and brighten a crop, as the source projects do.

    Args:
        crop: uint8 RGB [s, s, 3].
        side: the network's side, px.
        rng: the only source of chance.

    Returns:
        uint8 RGB [side, side, 3]; what lies outside of the crop is mirrored in.
    """
    angle = np.deg2rad(rng.uniform(-TURN, TURN))
    zoom = rng.uniform(1 - ZOOM, 1 + ZOOM) * crop.shape[0] / side
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    # From a place of the view to its place in the crop, both seen from their middles.
    turned = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * (mirror, 1)
    middle = (crop.shape[0] - 1) / 2 + rng.uniform(-MOVE, MOVE, 2) * crop.shape[0]
    offset = middle - turned @ np.full(2, (side - 1) / 2)
    view = cv2.warpAffine(
        crop,
        np.column_stack([turned, offset]),
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return cv2.convertScaleAbs(view, alpha=rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS))

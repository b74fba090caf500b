"""Pictures to measure on: a public-domain portrait, as often as wanted, in a picture of any size."""

from __future__ import annotations

import warnings

import cv2
import numpy as np

# Where faces go in a picture of 1280 × 720 px: left, top and side of the portrait, for up to eight.
PLACES = tuple((40 + 300 * (n % 4), 60 + 320 * (n // 4), 260) for n in range(8))
ONE = ((700, 104, 512),)


def make_pixels(width: int = 1280, height: int = 720, faces: int = 1) -> np.ndarray:
    """Return uint8 RGB [height, width, 3]: portraits before a cup of coffee.

    Args:
        width: px.
        height: px.
        faces: 0 to 8.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        portrait, scene = np.asarray(data.astronaut()), np.asarray(data.coffee())
    canvas = cv2.resize(scene, (1280, 720), interpolation=cv2.INTER_LINEAR)
    for x, y, side in ONE if faces == 1 else PLACES[:faces]:
        canvas[y : y + side, x : x + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    if (width, height) == (1280, 720):
        return canvas
    shrinks = width < 1280
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def make_photo(width: int = 1280, height: int = 720, faces: int = 1, seed: int = 0) -> bytes:
    """Return the same as a JPEG; each seed gives other bytes."""
    pixels = make_pixels(width, height, faces)
    pixels[0, :8] = np.random.default_rng(seed).integers(0, 255, (8, 3))
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return encoded.tobytes()

"""Whether a face shows enough to be judged: its size, sharpness and light. Pure arithmetic on pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np

from chalicelib.schema import Reason

Box = tuple[float, float, float, float]

# Longer side that a face is brought to before it is measured, px. It is a little less than what networks see
# of a face, so that a face which was enlarged counts as what it was.
SIDE = 64
# What is cut off each side of the box: hair, background and collar say nothing of the face.
RIM = 0.2
# Measured on twelve thousand faces, of which 16 lie below it. Brought to 16 px and enlarged again all do, to 20 px 94
# of 100, to 32 px 9; blurred with a sigma of a fortieth of their longer side all do, of an eightieth 11 of 100.
LEAST_SHARPNESS = 0.31
# Variance of the Laplacian of nothing but rounding to whole levels, 1/12 times its squared weights; in a dark or foggy
# picture that would pass for detail.
ROUNDING = (4**2 + 4) / 12
# Of 255. None of those faces lies below it; with a fifth of their brightness 92 of 100 do, with a half 2 of 1,000.
LEAST_BRIGHTNESS = 45.0


def find_flaws(pixels: np.ndarray, box: Box, min_face: float) -> tuple[Reason, ...]:
    """Return why a face cannot be judged, most basic first; nothing where it can.

    Args:
        pixels: uint8 RGB [height, width, 3] of the whole picture, at its own resolution.
        box: x, y, width, height of the face, px.
        min_face: least larger side of the box, px.
    """
    face = _cut_grey(pixels, box)
    flaws: list[Reason] = []
    if max(box[2:]) < min_face:
        flaws.append("face_too_small")
    if measure_sharpness(face) < LEAST_SHARPNESS:
        flaws.append("face_too_blurred")
    if measure_brightness(face) < LEAST_BRIGHTNESS:
        flaws.append("face_too_dark")
    return tuple(flaws)


def measure_sharpness(face: np.ndarray) -> float:
    """Return the standard deviation of the Laplacian relative to that of the brightness.

    The ratio changes neither with light nor with contrast. A face without more contrast than rounding makes has a
    sharpness of 0.

    Args:
        face: float32 [height, width], grey, 0–255, its longer side `SIDE`.
    """
    contrast = float(_inner(face).std())
    detail = float(_inner(cv2.Laplacian(face, cv2.CV_32F)).var()) - ROUNDING
    return math.sqrt(detail) / contrast if detail > 0 else 0.0


def measure_brightness(face: np.ndarray) -> float:
    """Return the brightness that one pixel in twenty exceeds, 0–255.

    It is to tell light from skin: dark skin in good light has highlights and eyes brighter than the bound, whereas the
    mean would call dark skin dark.

    Args:
        face: as in `measure_sharpness`.
    """
    return float(np.percentile(_inner(face), 95))


def _cut_grey(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Return the part of a box that lies in the picture, at least one pixel, as the measures take it."""
    height, width = pixels.shape[:2]
    left, top = min(max(0, round(box[0])), width - 1), min(max(0, round(box[1])), height - 1)
    right, bottom = max(left + 1, round(box[0] + box[2])), max(top + 1, round(box[1] + box[3]))
    face = cv2.cvtColor(pixels[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    scale = SIDE / max(face.shape)
    rows, columns = (max(1, round(side * scale)) for side in face.shape)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(face, (columns, rows), interpolation=method).astype(np.float32)


def _inner(face: np.ndarray) -> np.ndarray:
    rows, columns = (round(side * RIM) for side in face.shape)
    return face[rows : face.shape[0] - rows, columns : face.shape[1] - columns]

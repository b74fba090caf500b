"""Pictures of a verdict: boxes round the faces, and the areas that raised or lowered their scores."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chalicelib.schema import Face, Point
from chalicelib.verdicts import format_verdict, spell_probability

# Log-odds at full colour, the same for every picture: a scale of its own would make every real face glow. The page
# paints with the same scale, strength and colours: page/evidence.js.
FULL_COLOUR = 4.0
STRENGTH = 0.6
# Longer side of what is drawn, px.
LONGEST_SIDE = 1600
# RGB; orange and blue stay apart for the colour-blind.
RAISES = (230, 97, 1)
LOWERS = (33, 102, 172)
# Grey, since that nothing was found is no praise.
COLOURS = {"likely_fake": RAISES, "no_traces": (95, 99, 104), "uncertain": (255, 215, 0)}


def draw(pixels: npt.NDArray[np.uint8], faces: Sequence[Face | Point]) -> npt.NDArray[np.uint8]:
    """Return the picture with every face's box, probability and evidence.

    Orange raised the score, blue lowered it; no colour stands for no evidence, on one fixed scale.

    Args:
        pixels: uint8 RGB [height, width, 3], upright; not changed.
        faces: of that picture or frame.

    Returns:
        uint8 RGB, at most 1600 px on the longer side.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.array(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels)
    for face in faces:
        _tint(canvas, face, scale)
    for face in faces:
        _frame(canvas, face, scale)
    return canvas


def _tint(canvas: npt.NDArray[np.uint8], face: Face | Point, scale: float) -> None:
    x, y, side = (round(value * scale) for value in face["evidence"]["box"][:3])
    if side < 1:
        return
    grid = np.asarray(face["evidence"]["grid"], np.float32)
    strength = cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR) / FULL_COLOUR
    area = canvas[y : y + side, x : x + side]
    # A scaled square can stick out by the pixel that rounding adds.
    strength = strength[: area.shape[0], : area.shape[1], np.newaxis]
    colour = np.where(strength > 0, np.array(RAISES, np.float32), np.array(LOWERS, np.float32))
    alpha = np.clip(np.abs(strength), 0, 1) * STRENGTH
    area[:] = np.round(area * (1 - alpha) + colour * alpha).astype(np.uint8)


def _frame(canvas: npt.NDArray[np.uint8], face: Face | Point, scale: float) -> None:
    x, y, width, height = (round(value * scale) for value in face["box"])
    thick = max(1, round(max(canvas.shape[:2]) / 400))
    colour = COLOURS[face["verdict"]]
    cv2.rectangle(canvas, (x, y), (x + width, y + height), colour, thick)
    size = max(canvas.shape[:2]) / 1200
    percent = spell_probability(face["fake_probability"])
    # A bare "4% fake" would read as a promise that the face is genuine.
    text = f"{format_verdict(face['verdict'])}, {percent}" if face["verdict"] == "no_traces" else f"{percent} fake"
    (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    # Above the box, or inside it where the picture ends.
    base = y - below if y - below - text_height >= 0 else y + text_height + below
    left = min(x, max(0, canvas.shape[1] - text_width))
    cv2.rectangle(canvas, (left, base - text_height - 2), (left + text_width, base + below), colour, cv2.FILLED)
    ink = (0, 0, 0) if face["verdict"] == "uncertain" else (255, 255, 255)
    cv2.putText(canvas, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, size, ink, thick, cv2.LINE_AA)

"""How light the skin of a face looks in a picture: a stand-in for skin tone, which no label tells.

What is measured is the picture, not the person: light, exposure, white balance, make-up and a generator's taste move it
as much as the skin does. It serves to see whether a detector's figures differ along it, and to judge nobody.
"""

from __future__ import annotations

import cv2
import numpy as np

# A cheek is looked at in a square about the point midway between eye and corner of the mouth, moved outwards and of
# this half side, both as shares of the distance between the eyes.
OUTWARDS = 0.1
HALF_SIDE = 0.12
# Skin is yellowish; below this b* the picture is grey or its colours are off, and the angle would tell nothing.
LEAST_YELLOW = 2.0


def measure_skin(pixels: np.ndarray, landmarks: np.ndarray) -> float | None:
    """Return the individual typology angle (ITA) of the cheeks, degrees; the larger the lighter they look.

    ITA = arctan((L* − 50) / b*), from the medians of both cheeks (Chardon et al. 1991).

    Args:
        pixels: uint8 RGB [H, W, 3].
        landmarks: float [5, 2], x and y in px: left eye, right eye, nose, left and right corner of the mouth.

    Returns:
        Between −90 and 90, to a tenth; None where no cheek lies in the picture or its colour tells no skin.
    """
    left, right, _, left_corner, right_corner = np.asarray(landmarks, float)
    across = right - left
    apart = float(np.hypot(*across))
    patches = []
    for eye, corner, side in ((left, left_corner, -1), (right, right_corner, 1)):
        x, y = (eye + corner) / 2 + side * OUTWARDS * across
        half = max(1.0, HALF_SIDE * apart)
        top, bottom, start, stop = (max(0, round(value)) for value in (y - half, y + half, x - half, x + half))
        patches.append(pixels[top:bottom, start:stop].reshape(-1, 3))
    skin = np.concatenate(patches)
    if not len(skin):
        return None
    lab = cv2.cvtColor(skin[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    lightness, _, yellow = np.median(lab, axis=0)
    if yellow < LEAST_YELLOW:
        return None
    return round(float(np.degrees(np.arctan2(lightness - 50, yellow))), 1)

"""A contact sheet of evidence maps of faces that were forged in a known place, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from chalicelib.faces import resize_square
from training.contact_sheet import TILE, draw_contact_sheet
from training.localisation import FULL_COLOUR, Example, enlarge, inside

TITLES = ("photo", "its map", "fake", "its map, and the mask")
# How the page and the command line paint; see backend/overlays.py.
STRENGTH = 0.6
RAISES, LOWERS = (230, 97, 1), (33, 102, 172)


def draw_examples(examples: Sequence[Example], title: str) -> Image.Image:
    """Draw examples in rows of photo and map, fake and map with the mask's outline.

    Args:
        examples: at least one.
        title: a line above all.

    Raises:
        ValueError: there is none.
    """
    if not examples:
        raise ValueError("a sheet needs at least one example")
    return draw_contact_sheet([(tiles(example), caption(example)) for example in examples], TITLES, title)


def tiles(example: Example) -> list[np.ndarray]:
    """Return what `TITLES` names, uint8 RGB [TILE, TILE, 3] each."""
    case = example.case
    photo, fake = (resize_square(half, TILE) for half in (case.photo, case.fake))
    return [photo, tint(photo, example.maps[0]), fake, outline(tint(fake, example.maps[-1]), case.mask)]


def tint(picture: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Lay a map [h, w], calibrated log-odds, over a picture uint8 RGB [S, S, 3], on the scale that is fixed for all."""
    strength = enlarge(grid, picture.shape[0])[..., None] / FULL_COLOUR
    colour = np.where(strength > 0, np.array(RAISES, np.float32), np.array(LOWERS, np.float32))
    alpha = np.clip(np.abs(strength), 0, 1) * STRENGTH
    return np.round(picture * (1 - alpha) + colour * alpha).astype(np.uint8)


def outline(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Draw the edge of a mask [s, s] on a copy of a picture uint8 RGB [S, S, 3]: white, with a dark rim."""
    covered = inside(enlarge(mask, picture.shape[0])).astype(np.uint8)
    contours, _ = cv2.findContours(covered, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = cv2.drawContours(picture.copy(), contours, -1, (0, 0, 0), 3)
    return cv2.drawContours(drawn, contours, -1, (255, 255, 255), 1)


def caption(example: Example) -> tuple[str, str]:
    """Return two lines: how it was forged and what the model said, and the photo."""
    case, (photo, twin, fake) = example.case, example.probabilities
    said = f"photo {photo:.2f}, twin {twin:.2f}, fake {fake:.2f}"
    return f"{case.band}, strength {case.strength:g}: {said}", case.sample.path

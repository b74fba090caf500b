"""Where one scene of a clip ends and another begins. Pure arithmetic on pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# What a frame is brought to before it is measured, px.
SIZE = (160, 120)
# Cells of a frame, across and down.
CELLS = (16, 12)
# Steps of lightness and of both colours of CIELAB. Hue would be no measure: in the dark it is noise. An odd number has
# grey in the middle of a step.
LEVELS = (8, 15, 15)
# Of both differences, the second halved. Measured on frames half a second apart: within a scene .12 at most, and .22
# five times as far apart; across two clips of alike people before alike walls 1.10 at least.
CUT = 0.5
# Layouts differ by .21 within a scene at most, by .71 across clips at least. Light that goes on or off changes colours
# only, and is no cut.
REARRANGED = 0.4


@dataclass(frozen=True, slots=True)
class Look:
    """What a frame looks like from afar.

    Attributes:
        colours: share of the pixels by colour, float32 [1800], their sum 1.
        layout: brightness by cell, float32 [192], 0 on the mean, of length 1; all 0 where the frame is of one grey.
    """

    colours: np.ndarray
    layout: np.ndarray


def describe(pixels: np.ndarray) -> Look:
    """Return what a frame looks like.

    Args:
        pixels: uint8 RGB [height, width, 3].
    """
    small = cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA)
    tones = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    counts = cv2.calcHist([tones], [0, 1, 2], None, list(LEVELS), [0, 256] * 3).ravel()
    grey = cv2.cvtColor(cv2.resize(small, CELLS, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    layout = grey.ravel().astype(np.float32)
    layout -= layout.mean()
    return Look(counts / counts.sum(), layout / max(float(np.linalg.norm(layout)), 1.0))


def compare(one: Look, other: Look) -> tuple[float, float]:
    """Return how unlike two frames are: the part of their colours that they do not share, 0 to 1, and what their
    layouts lack to be the same, 0 to 2."""
    return 1 - float(np.minimum(one.colours, other.colours).sum()), 1 - float(one.layout @ other.layout)


def is_cut(one: Look, other: Look) -> bool:
    """Say whether there is a cut between two frames."""
    colours, layout = compare(one, other)
    return colours + layout / 2 > CUT and layout > REARRANGED

"""Edits: the mouth, the eyes or the inner face of a photo taken over from another, as editors and good swappers do it.

Unlike `swaps`, the mask follows the parts of the face by dense points where they can be had, the other photo may show
the same person, and what is laid over is matched in colour and in grain.

Sources: Reinhard et al., "Color Transfer between Images", 2001; Immerkær, "Fast Noise Variance Estimation", 1996.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.forgeries.face_mesh import BROWS, LEFT_EYE, LIPS, RIGHT_EYE
from training.forgeries.masks import axes, can_blend, face_width, lay, warp_elastically
from training.forgeries.self_blending import Pair
from training.forgeries.swaps import MOST_SCALE, fit_similarity, match_colour, misfit, move

# What is taken over, and how often.
PARTS = ("mouth", "eyes", "inner face")
PART_CHANCES = (0.4, 0.25, 0.35)
# How far a mask reaches beyond the part itself, in face widths; of the inner face, which is large, less.
ROOM = {"mouth": (0.04, 0.09), "eyes": (0.06, 0.11), "inner face": (0.01, 0.04)}
# Where five points are all that is known: ellipses, x, y and semi-axes, seen from the middle of the eyes as
# `masks.HALF_OUTLINE` is.
ELLIPSES = {
    "mouth": ((0.0, 1.0, 0.5, 0.27),),
    "eyes": ((-0.5, 0.0, 0.24, 0.14), (0.5, 0.0, 0.24, 0.14)),
    "inner face": ((0.0, 0.42, 0.8, 0.78),),
}
# Width of a mask's soft rim, in face widths.
RIM = (0.02, 0.05)
# What may separate the points after the fit, root mean square in eye distances: a mouth that moves is no misfit.
MOST_MISFIT = 0.08
# Least part of a mask that the other picture must hold.
LEAST_COVER = 0.98
# Blur that is tried, px, where what is laid over is grainier than the photo.
BLURS = (0.4, 0.6, 0.8, 1.0, 1.3)
# An edit that changes less than this, mean of grey levels inside the mask, is none that anybody could see.
LEAST_CHANGE = 1.5


@dataclass(frozen=True, slots=True)
class Points:
    """What is known of a face's place.

    Attributes:
        five: float [5, 2], px: eyes, nose, corners of the mouth.
        dense: float [468, 2], px, of `face_mesh`; None where only five are known.
    """

    five: np.ndarray
    dense: np.ndarray | None = None


def edit(
    pixels: np.ndarray, points: Points, source: np.ndarray, source_points: Points, rng: np.random.Generator
) -> Pair | None:
    """Take a part of a face over from another photo.

    Args:
        pixels: uint8 RGB [H, W, 3], a crop round a face; the pair's real half.
        points: of the face in it.
        source: uint8 RGB [h, w, 3], a crop round the other face.
        source_points: of the face in that.
        rng: the only source of chance.

    Returns:
        The pair, or None where no edit looks right: points that span no face, sizes or poses too different, a
        picture that ends inside the mask, or a change that nobody could see.
    """
    if not can_blend(points.five) or not can_blend(source_points.five):
        return None
    matrix = fit_similarity(source_points.five, points.five)
    scale = float(np.hypot(*matrix[:, 0]))
    if not 1 / MOST_SCALE <= scale <= MOST_SCALE or misfit(matrix, source_points.five, points.five) > MOST_MISFIT:
        return None
    dense = points.dense is not None and source_points.dense is not None
    if dense:
        matrix = fit_similarity(source_points.dense, points.dense)  # type: ignore[arg-type]
    part = str(rng.choice(PARTS, p=PART_CHANCES))
    moved, valid = move(source, matrix, pixels.shape)
    mask = draw_part(pixels.shape, points, part, rng)
    if not mask.any() or (mask * valid).sum() < LEAST_COVER * mask.sum():
        return None
    mask = mask * valid
    moved = match_colour(moved, pixels, mask)
    if rng.random() < 0.5:
        moved = match_brightness(moved, pixels, mask)
    moved = match_grain(moved, pixels, mask, rng)
    fake, mask = lay(moved, pixels, mask, (slice(None), slice(None)))
    if (np.abs(fake.astype(np.float32) - pixels).mean(axis=2) * mask).sum() < LEAST_CHANGE * mask.sum():
        return None
    return Pair(pixels, fake, mask, f"{part}, {'468' if points.dense is not None else '5'} points, size x{scale:.2f}")


def draw_part(shape: tuple[int, ...], points: Points, part: str, rng: np.random.Generator) -> np.ndarray:
    """Draw the soft mask of a part of a face, float32 [H, W] in [0, 1].

    Args:
        shape: height, width, … of the picture, px.
        points: of the face in it.
        part: one of `PARTS`.
        rng: the only source of chance.
    """
    width = face_width(points.five)
    outside = np.ones(shape[:2], np.uint8)
    for hull in outline_part(points, part):
        cv2.fillConvexPoly(outside, cv2.convexHull(np.round(hull).astype(np.int32)), 0)
    if outside.all():
        return np.zeros(shape[:2], np.float32)
    near = cv2.distanceTransform(outside, cv2.DIST_L2, 3) <= rng.uniform(*ROOM[part]) * width
    rim = max(1.0, rng.uniform(*RIM) * width)
    bent = warp_elastically(near.astype(np.float32), width, rng)
    # What is left at least a rim inside stays whole, and falls off to nothing over the rim.
    depth = cv2.distanceTransform((bent > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.clip(depth / rim, 0, 1), np.float32)


def outline_part(points: Points, part: str) -> list[np.ndarray]:
    """Return the points [n, 2], px, round each piece of a part of a face: both eyes are two pieces."""
    if points.dense is not None:
        pieces = {"mouth": (LIPS,), "eyes": (LEFT_EYE, RIGHT_EYE), "inner face": ((*BROWS, *LIPS),)}[part]
        return [points.dense[list(piece)] for piece in pieces]
    across, down = axes(points.five)
    middle = (points.five[0] + points.five[1]) / 2
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
    return [
        middle + (x + wide * np.cos(angles)) * across + (y + high * np.sin(angles)) * down
        for x, y, wide, high in ELLIPSES[part]
    ]


def match_brightness(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give a picture's brightness the distribution of another's inside a mask: light and shade, not the mean alone.

    Args:
        source: uint8 RGB [H, W, 3].
        target: uint8 RGB [H, W, 3].
        mask: float32 [H, W], not empty.

    Returns:
        uint8 RGB [H, W, 3].
    """
    inside = mask > 0.5 * mask.max()
    planes = cv2.cvtColor(source, cv2.COLOR_RGB2YCrCb)
    counts = [
        np.bincount(p[..., 0][inside], minlength=256) for p in (planes, cv2.cvtColor(target, cv2.COLOR_RGB2YCrCb))
    ]
    # The rank of a level is that of the middle of its pixels; levels that do not occur have none.
    ranks = [np.cumsum(count) - count / 2 for count in counts]
    known = np.flatnonzero(counts[1])
    table = np.round(np.interp(ranks[0], ranks[1][known], known)).astype(np.uint8)
    planes[..., 0] = table[planes[..., 0]]
    return cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB)


def match_grain(source: np.ndarray, target: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur a picture, or add noise to it, until it is as grainy inside a mask as another; uint8 RGB [H, W, 3].

    Args:
        source: uint8 RGB [H, W, 3].
        target: uint8 RGB [H, W, 3].
        mask: float32 [H, W], not empty.
        rng: the only source of chance.
    """
    wanted = measure_grain(target, mask)
    matched, grain = source, measure_grain(source, mask)
    for sigma in BLURS:
        if grain <= wanted:
            break
        matched = cv2.GaussianBlur(source, (0, 0), sigma)
        grain = measure_grain(matched, mask)
    if grain < wanted:
        noise = np.float32(np.sqrt(wanted**2 - grain**2)) * rng.standard_normal(matched.shape[:2], np.float32)
        matched = np.clip(np.round(matched + noise[..., None]), 0, 255).astype(np.uint8)
    return matched


def measure_grain(pixels: np.ndarray, mask: np.ndarray) -> float:
    """Return the standard deviation of a picture's noise inside a mask, in grey levels, texture included."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))
    return float(np.sqrt(np.pi / 2) / 6 * (response * mask).sum() / mask.sum())

"""Training views at native size: squares cut out of a face as it was published, drawn alike for real and fake.

Nothing is shrunk but what is larger than serving looks at, and what people shrink when they post: the traces that
generators leave are as fine as their pixels. See `chalicelib.face_views`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from chalicelib.face_views import LARGEST_REGION, LEAST
from chalicelib.faces import crop_square
from training.augmentation import DOWN_FILTERS, encode, recolour, sharpen

# How much the region round a face may take in, as `augmentation.MARGINS`, and its shift.
MARGINS = (0.15, 0.35)
SHIFT = 0.08
# How often a picture was shrunk, and by how much.
SHRUNK = 0.5
SHRINK = (0.5, 1.0)
# How often it was a JPEG before that, as photos are, and of which quality; and how often it is saved once more.
SAVED_BEFORE, QUALITIES_BEFORE = 0.35, (75, 99)
SAVED, QUALITIES = 0.9, (55, 99)
# How often it is softened or sharpened, and how often noise is added.
SOFTENED, SHARPENED, NOISY = 0.05, 0.06, 0.08


@dataclass(frozen=True, slots=True)
class NativeFraming:
    """Which square of a picture a view shows.

    Attributes:
        region: left, top and side of what is cut out round the face, px.
        size: side that the region is brought to, px; never more than its own.
        corner: left and top of the view in that, px.
        side: of the view, px.
        method: filter of OpenCV that shrinks.
        mirrored: whether left and right change places.
    """

    region: tuple[int, int, int]
    size: int
    corner: tuple[int, int]
    side: int
    method: int
    mirrored: bool

    def cut_region(self, pixels: np.ndarray) -> np.ndarray:
        """Return the region of a picture or of a mask of its size; a view of [H, W, …]."""
        left, top, length = self.region
        return pixels[top : top + length, left : left + length]

    def finish(self, region: np.ndarray) -> np.ndarray:
        """Shrink a region, cut the view out of it, mirror it; [s, s, …] to [side, side, …]."""
        if region.shape[0] != self.size:
            region = cv2.resize(region, (self.size, self.size), interpolation=self.method)
        x, y = self.corner
        view = region[y : y + self.side, x : x + self.side]
        return cv2.flip(view, 1) if self.mirrored else view

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Cut this square out of a picture or of a mask of its size; [H, W, …] to [side, side, …]."""
        return self.finish(self.cut_region(pixels))


def draw_native_framing(
    box: tuple[float, float, float, float], shape: tuple[int, ...], side: int, rng: np.random.Generator
) -> NativeFraming | None:
    """Draw a square at native size from the region of a face.

    Args:
        box: x, y, width, height of the face, px.
        shape: height, width, … of the picture, px.
        side: of the view, px.
        rng: the only source of chance.

    Returns:
        The framing, or None where the face is so small that serving would look at the whole of it alone.
    """
    x, y, width, height = box
    dx, dy = rng.uniform(-SHIFT, SHIFT, 2) * max(width, height)
    region = crop_square((x + dx, y + dy, width, height), shape, rng.uniform(*MARGINS))
    largest = min(region[2], LARGEST_REGION)
    size = round(largest * rng.uniform(*SHRINK)) if rng.random() < SHRUNK else largest
    size = min(largest, max(size, side))
    corner = rng.integers(0, max(1, size - side + 1), 2)
    method = int(rng.choice(DOWN_FILTERS))
    mirrored = bool(rng.random() < 0.5)
    if largest < LEAST * side:
        return None
    return NativeFraming(region, size, (int(corner[0]), int(corner[1])), side, method, mirrored)


def render_native(pixels: np.ndarray, framing: NativeFraming, rng: np.random.Generator) -> np.ndarray:
    """Let a square of a picture go through what pictures go through; uint8 RGB [side, side, 3].

    Args:
        pixels: uint8 RGB [H, W, 3].
        framing: the square.
        rng: the only source of chance; both halves of a pair get the same state.
    """
    region = framing.cut_region(pixels)
    if rng.random() < SAVED_BEFORE:
        region = encode(region, int(rng.integers(*QUALITIES_BEFORE)), ".jpg")
    view = recolour(framing.finish(region), rng)
    chance = rng.random()
    if chance < SOFTENED:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 0.8))
    elif chance < SOFTENED + SHARPENED:
        view = sharpen(view, rng)
    if rng.random() < NOISY:
        noise = np.float32(rng.uniform(1, 4)) * rng.standard_normal(view.shape, np.float32)
        view = np.clip(view + noise, 0, 255).astype(np.uint8)
    if rng.random() < SAVED:
        view = encode(view, int(rng.integers(*QUALITIES)), ".jpg" if rng.random() < 0.8 else ".webp")
    return np.ascontiguousarray(view)

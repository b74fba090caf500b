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

# A face outline seen from the middle of the eyes: x in units of the eye distance, y in units of the distance
# from eyes to mouth, averaged over faces with dense landmarks. The right half; the left one mirrors it.
HALF_OUTLINE = (
    (0.00, -0.80),
    (0.31, -0.80),
    (0.56, -0.76),
    (0.80, -0.68),
    (0.94, -0.56),
    (1.03, -0.40),
    (1.08, 0.00),
    (1.04, 0.41),
    (0.93, 0.87),
    (0.72, 1.22),
    (0.46, 1.42),
    (0.00, 1.57),
)
# Part of the outline that a mask covers, from y to y, and how often: the whole face, brow to chin, eyes and
# nose, mouth and chin.
BANDS = ((-0.80, 1.57), (-0.35, 1.57), (-0.45, 0.72), (0.62, 1.57))
BAND_CHANCES = (0.40, 0.30, 0.15, 0.15)
# Jitter of the outline's points, in eye distances.
VERTEX_JITTER = 0.05
# Elastic warp of the mask: size and smoothness, in face widths.
ELASTIC_SIZE = (0.02, 0.03)
ELASTIC_SMOOTHNESS = 0.06
# How much of the source is laid over the target.
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
# A region that is blended: what is cut round the box, in box sides on each side, and its largest side, px. The
# mask's kernels are meant for faces of some 100 to 200 px.
REGION_MARGIN = 0.45
REGION = 320
# Eyes nearer than this, px, are those of a profile or a thumbnail: no mask fits.
LEAST_EYE_DISTANCE = 12.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A real picture and the fake made of it; outside the mask they are equal.

    Attributes:
        real: uint8 RGB [H, W, 3], the target of the blend.
        fake: uint8 RGB [H, W, 3].
        mask: float32 [H, W] in [0, 1], the share of the source at each place.
    """

    real: np.ndarray
    fake: np.ndarray
    mask: np.ndarray


def cut_region(pixels: np.ndarray, face: LocatedFace) -> tuple[np.ndarray, LocatedFace]:
    """Cut a face with room for every crop of it, at most `REGION` px a side, and carry its points along.

    Args:
        pixels: uint8 RGB [H, W, 3].
        face: where the face is in it.

    Returns:
        uint8 RGB [s, s, 3], and where the face is in that.
    """
    left, top, side = crop_square(face.box, pixels.shape, REGION_MARGIN)
    scale = min(1.0, REGION / side)
    region = resize_square(pixels[top : top + side, left : left + side], round(side * scale))
    x, y, width, height = face.box
    box = ((x - left) * scale, (y - top) * scale, width * scale, height * scale)
    return region, LocatedFace(box, tuple(((x - left) * scale, (y - top) * scale) for x, y in face.landmarks))


def can_blend(landmarks: np.ndarray) -> bool:
    """Tell whether five points [5, 2] span a face that a mask fits on."""
    eyes, mouth = _axes(landmarks)
    return bool(np.hypot(*eyes) >= LEAST_EYE_DISTANCE and np.hypot(*mouth) >= LEAST_EYE_DISTANCE / 2)


def blend_self(pixels: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> Pair:
    """Blend a face with a changed copy of itself.

    Args:
        pixels: uint8 RGB [H, W, 3], a crop round the face of some 100 to 300 px.
        landmarks: float [5, 2], x and y in px: eyes, nose, corners of the mouth.
        rng: the only source of chance.

    Raises:
        ValueError: the points span no face; see `can_blend`.
    """
    if not can_blend(landmarks):
        raise ValueError(f"the eyes must be at least {LEAST_EYE_DISTANCE} px apart. Received: {landmarks.tolist()}")
    mask = draw_mask(pixels.shape[:2], landmarks, rng)
    changed = change_look(pixels, rng)
    source, target = (changed, pixels) if rng.random() < 0.5 else (pixels, changed)
    source, mask = _shift(source, mask, rng)
    mask = _soften(_warp_elastically(mask, _face_width(landmarks), rng), rng)
    blended = mask[..., None] * source + (1 - mask[..., None]) * target
    return Pair(target, np.round(blended).astype(np.uint8), mask)


def outline(landmarks: np.ndarray, band: tuple[float, float] = BANDS[0]) -> np.ndarray:
    """Return the points [22, 2], px, of a face's outline, cut to a band of heights."""
    eyes, mouth = _axes(landmarks)
    middle = (landmarks[0] + landmarks[1]) / 2
    right = np.array(HALF_OUTLINE)
    left = right[-2:0:-1] * (-1, 1)
    points = np.concatenate([right, left])
    heights = np.clip(points[:, 1], *band)
    return middle + points[:, :1] * eyes + heights[:, None] * mouth


def draw_mask(shape: tuple[int, ...], landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a filled, jittered outline, float32 [H, W] of 0 and 1."""
    band = BANDS[rng.choice(len(BANDS), p=BAND_CHANCES)]
    points = outline(landmarks, band)
    distance = np.hypot(*_axes(landmarks)[0])
    points = points + rng.normal(0, VERTEX_JITTER * distance, points.shape)
    mask = np.zeros(shape[:2], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1.0)
    return mask


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


def _warp_elastically(mask: np.ndarray, face_width: float, rng: np.random.Generator) -> np.ndarray:
    """Bend the mask's edge by a smooth random field."""
    height, width = mask.shape
    field = rng.standard_normal((2, height, width), np.float32)
    smooth = np.stack([cv2.GaussianBlur(part, (0, 0), ELASTIC_SMOOTHNESS * face_width) for part in field])
    smooth *= rng.uniform(*ELASTIC_SIZE) * face_width / max(float(np.sqrt((smooth**2).mean())), 1e-6)
    rows, columns = np.indices((height, width), np.float32)
    return cv2.remap(mask, columns + smooth[0], rows + smooth[1], cv2.INTER_LINEAR)


def _soften(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur the edge inwards, so that the seam stays inside the outline, and draw the mask's strength."""
    first, second = (int(n) for n in rng.integers(2, 13, 2) * 2 + 1)
    inner = (cv2.GaussianBlur(mask, (first, first), 0) > 0.999).astype(np.float32)
    soft = cv2.GaussianBlur(inner, (second, second), float(rng.uniform(5, 45)))
    # A face smaller than the kernels would be blurred away altogether.
    soft = soft if soft.max() > 0 else mask
    return soft / max(float(soft.max()), 1e-6) * np.float32(rng.choice(RATIOS))


def _axes(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors [2] from left to right eye, and from the middle of the eyes to that of the mouth."""
    left_eye, right_eye, _, left_mouth, right_mouth = np.asarray(landmarks, float)
    return right_eye - left_eye, (left_mouth + right_mouth) / 2 - (left_eye + right_eye) / 2


def _face_width(landmarks: np.ndarray) -> float:
    return 2 * max(x for x, _ in HALF_OUTLINE) * float(np.hypot(*_axes(landmarks)[0]))

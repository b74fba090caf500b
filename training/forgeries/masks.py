"""Where a forged face lies: outlines and soft masks drawn from MTCNN's five points.

Every kind of forgery takes its mask from here, so that the shape of the seam says nothing about the kind.
"""

from __future__ import annotations

import cv2
import numpy as np

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
# Part of the outline that a mask covers, from y to y, and how often.
BANDS = ((-0.80, 1.57), (-0.35, 1.57), (-0.45, 0.72), (0.62, 1.57))
BAND_NAMES = ("whole face", "brow to chin", "eyes and nose", "mouth and chin")
BAND_CHANCES = (0.40, 0.30, 0.15, 0.15)
# Jitter of the outline's points, in eye distances.
VERTEX_JITTER = 0.05
# Elastic warp of the mask: size and smoothness, in face widths.
ELASTIC_SIZE = (0.02, 0.03)
ELASTIC_SMOOTHNESS = 0.06
# Room round an outline: three times what the warp moves its points by, in face widths, and the reach, px, of the
# widest kernel that softens it.
WINDOW_MARGIN = 0.09
SOFTENING_REACH = 12
# Eyes nearer than this, px, are those of a profile or a thumbnail: no mask fits.
LEAST_EYE_DISTANCE = 12.0
# Sine of the angle between eye line and nose line, below which the points are out of order: mirrored, or on a line.
LEAST_SINE = 0.5


def can_blend(landmarks: np.ndarray) -> bool:
    """Tell whether five points [5, 2], px, span a face that a mask fits on."""
    if not np.isfinite(landmarks).all():
        return False
    eyes, mouth = axes(landmarks)
    across, down = np.hypot(*eyes), np.hypot(*mouth)
    if across < LEAST_EYE_DISTANCE or down < LEAST_EYE_DISTANCE / 2:
        return False
    return bool((eyes[0] * mouth[1] - eyes[1] * mouth[0]) / (across * down) >= LEAST_SINE)


def require_face(landmarks: np.ndarray) -> None:
    """Refuse points that no mask fits on.

    Raises:
        ValueError: `can_blend` says no.
    """
    if not can_blend(landmarks):
        raise ValueError(
            f"the points must be those of an unmirrored face whose eyes are at least {LEAST_EYE_DISTANCE} px apart. "
            f"Received: {np.asarray(landmarks).tolist()}"
        )


def outline(landmarks: np.ndarray, band: tuple[float, float] = BANDS[0]) -> np.ndarray:
    """Return the points [22, 2], px, of a face's outline, cut to a band of heights."""
    eyes, mouth = axes(landmarks)
    middle = (landmarks[0] + landmarks[1]) / 2
    right = np.array(HALF_OUTLINE)
    left = right[-2:0:-1] * (-1, 1)
    points = np.concatenate([right, left])
    heights = np.clip(points[:, 1], *band)
    return middle + points[:, :1] * eyes + heights[:, None] * mouth


def draw_band(rng: np.random.Generator) -> int:
    """Draw which of `BANDS` a mask covers."""
    return int(rng.choice(len(BANDS), p=BAND_CHANCES))


def draw_hull(landmarks: np.ndarray, band: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a jittered outline: the convex hull, int32 [n, 1, 2] px, of a band of the face."""
    points = outline(landmarks, BANDS[band])
    points = points + rng.normal(0, VERTEX_JITTER * np.hypot(*axes(landmarks)[0]), points.shape)
    return cv2.convexHull(np.round(points).astype(np.int32))


def draw_mask(shape: tuple[int, ...], landmarks: np.ndarray, band: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a filled, jittered outline, float32 [H, W] of 0 and 1."""
    return fill(shape, draw_hull(landmarks, band, rng))


def fill(shape: tuple[int, ...], hull: np.ndarray) -> np.ndarray:
    """Fill a convex hull, int32 [n, 1, 2] px, in a picture of this shape: float32 [H, W] of 0 and 1."""
    mask = np.zeros(shape[:2], np.float32)
    cv2.fillConvexPoly(mask, hull, 1.0)
    return mask


def window(shape: tuple[int, ...], hull: np.ndarray, landmarks: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that a mask of this hull can reach, at least one of each.

    Beyond them a forgery changes nothing, so nothing needs to be computed there.
    """
    margin = round(WINDOW_MARGIN * face_width(landmarks)) + SOFTENING_REACH
    most = np.array([shape[1], shape[0]])
    low = np.clip(hull[:, 0].min(axis=0) - margin, 0, most - 1)
    high = np.clip(hull[:, 0].max(axis=0) + margin + 1, low + 1, most)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def warp_elastically(mask: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray:
    """Bend a mask's edge by a smooth random field.

    Args:
        mask: float32 [H, W].
        width: of the face, px; size and smoothness of the field follow it.
        rng: the only source of chance.
    """
    rows, columns = mask.shape
    field = rng.standard_normal((2, rows, columns), np.float32)
    smooth = np.stack([cv2.GaussianBlur(part, (0, 0), ELASTIC_SMOOTHNESS * width) for part in field])
    smooth *= rng.uniform(*ELASTIC_SIZE) * width / max(float(np.sqrt((smooth**2).mean())), 1e-6)
    y, x = np.indices((rows, columns), np.float32)
    return cv2.remap(mask, x + smooth[0], y + smooth[1], cv2.INTER_LINEAR)


def soften(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur the edge inwards, so that the seam stays inside the outline; float32 [H, W] in [0, 1], largest value 1."""
    first, second = (int(n) for n in rng.integers(2, 13, 2) * 2 + 1)
    inner = (cv2.GaussianBlur(mask, (first, first), 0) > 0.999).astype(np.float32)
    soft = cv2.GaussianBlur(inner, (second, second), float(rng.uniform(5, 45)))
    # A face smaller than the kernels would be blurred away altogether.
    soft = soft if soft.max() > 0 else mask
    return soft / max(float(soft.max()), 1e-6)


def draw_soft_mask(
    shape: tuple[int, ...], landmarks: np.ndarray, band: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Draw the soft mask of a band of a face, and where it lies.

    Args:
        shape: height, width, … of the picture, px.
        landmarks: float [5, 2], px, that span a face.
        band: an index of `BANDS`.
        rng: the only source of chance.

    Returns:
        float32 [h, w] in [0, 1], and the rows and columns of the picture that it covers.
    """
    hull = draw_hull(landmarks, band, rng)
    rows, columns = window(shape, hull, landmarks)
    size = rows.stop - rows.start, columns.stop - columns.start
    mask = fill(size, hull - np.array([columns.start, rows.start], np.int32))
    return soften(warp_elastically(mask, face_width(landmarks), rng), rng), (rows, columns)


def lay(
    over: np.ndarray, pixels: np.ndarray, mask: np.ndarray, place: tuple[slice, slice]
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a part over a picture by its mask; where the mask is 0 no bit changes.

    Args:
        over: uint8 or float RGB [h, w, 3], about 0 to 255.
        pixels: uint8 RGB [H, W, 3].
        mask: float32 [h, w] in [0, 1], the share of `over`.
        place: rows and columns of `pixels` where it lies.

    Returns:
        uint8 RGB [H, W, 3], an array of its own, and the mask of the whole picture, float32 [H, W].
    """
    laid, whole = pixels.copy(), np.zeros(pixels.shape[:2], np.float32)
    under = pixels[place]
    blended = under + mask[..., None] * (over.astype(np.float32) - under)
    laid[place] = np.clip(np.round(blended), 0, 255).astype(np.uint8)
    whole[place] = mask
    return laid, whole


def axes(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors [2] from left to right eye, and from the middle of the eyes to that of the mouth."""
    left_eye, right_eye, _, left_mouth, right_mouth = np.asarray(landmarks, float)
    return right_eye - left_eye, (left_mouth + right_mouth) / 2 - (left_eye + right_eye) / 2


def face_width(landmarks: np.ndarray) -> float:
    """Return the width of the outline, px."""
    return 2 * max(x for x, _ in HALF_OUTLINE) * float(np.hypot(*axes(landmarks)[0]))

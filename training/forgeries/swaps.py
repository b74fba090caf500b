"""Other-identity swaps: a face of one photo laid over the face of another, as a simple swapping tool does it.

The face is moved by the similarity transform that fits its five points best to those of the target, matched in
colour, and blended inside the target's outline; half of the swaps are cloned seamlessly before.

Sources: Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns", 1991;
Reinhard et al., "Color Transfer between Images", 2001; Pérez et al., "Poisson Image Editing", 2003.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.forgeries.masks import (
    BAND_NAMES,
    axes,
    can_blend,
    draw_band,
    draw_hull,
    face_width,
    fill,
    lay,
    soften,
    warp_elastically,
    window,
)
from training.forgeries.self_blending import Pair

# A face enlarged or shrunk by more than this has another sharpness than any swap that is shown to people.
MOST_SCALE = 3.0
# Root mean square of what separates the moved points from the target's, in eye distances: beyond it the two look
# another way. A twentieth is 2 px of a face whose eyes are 40 px apart.
MOST_MISFIT = 0.05
# Least part of the mask that both pictures must hold.
LEAST_COVER = 0.9
# How far the nose may lie from the middle between the eyes, in eye distances: beyond it one cheek is out of sight, and
# the outline lies on the background.
MOST_TURN = 0.26
# Share of the swaps that are to be cloned seamlessly. Some of these stain, so that about half are.
CLONED = 0.65
# Where the edge of a clone runs over hair, collar or sunglasses, their colour floods the face. A clone that moves the
# colours by more than this, root mean square in grey levels, is left, and the face blended as it is.
MOST_STAIN = 28.0
# How far a channel may be stretched or flattened to match: beyond it noise becomes colour, and skin plaster.
MOST_STRETCH = 1.6
# A clone's rim must not touch the rim of the picture, px.
CLONE_RIM = 2


def swap(
    pixels: np.ndarray,
    landmarks: np.ndarray,
    source: np.ndarray,
    source_landmarks: np.ndarray,
    rng: np.random.Generator,
) -> Pair | None:
    """Lay the face of `source` over the face of `pixels`.

    Args:
        pixels: uint8 RGB [H, W, 3], a crop round the target's face of some 100 to 300 px; the pair's real half.
        landmarks: float [5, 2], px of `pixels`: eyes, nose, corners of the mouth.
        source: uint8 RGB [h, w, 3], a crop round another person's face.
        source_landmarks: float [5, 2], px of `source`.
        rng: the only source of chance.

    Returns:
        The pair, or None where no swap looks right: points that span no face, sizes or poses too different, or a
        picture that ends inside the mask.
    """
    if not can_swap(landmarks) or not can_swap(source_landmarks):
        return None
    matrix = fit_similarity(source_landmarks, landmarks)
    scale = float(np.hypot(*matrix[:, 0]))
    if not 1 / MOST_SCALE <= scale <= MOST_SCALE or misfit(matrix, source_landmarks, landmarks) > MOST_MISFIT:
        return None
    band = draw_band(rng)
    hull = draw_hull(landmarks, band, rng)
    rows, columns = window(pixels.shape, hull, landmarks)
    corner = np.array([columns.start, rows.start])
    target = pixels[rows, columns]
    matrix[:, 2] -= corner
    moved, valid = move(source, matrix, target.shape)
    mask = fill(target.shape, hull - corner.astype(np.int32)) * valid
    if mask.sum() < LEAST_COVER * cv2.contourArea(hull):
        return None
    mask = soften(warp_elastically(mask, face_width(landmarks), rng), rng) * valid
    moved = match_colour(moved, target, mask)
    answer = clone(moved, target, mask) if rng.random() < CLONED else None
    cloned = answer is not None
    mask, moved = answer or (mask, moved)
    fake, whole = lay(moved, pixels, mask, (rows, columns))
    return Pair(pixels, fake, whole, f"{BAND_NAMES[band]}, {'cloned' if cloned else 'blended'}, size x{scale:.2f}")


def can_swap(landmarks: np.ndarray) -> bool:
    """Tell whether five points [5, 2], px, span a face that a mask fits on, and that looks towards the camera."""
    if not can_blend(landmarks):
        return False
    eyes, _ = axes(landmarks)
    nose = landmarks[2] - (landmarks[0] + landmarks[1]) / 2
    return bool(abs(nose @ eyes) <= MOST_TURN * (eyes @ eyes))


def fit_similarity(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Return the matrix [2, 3] that turns, scales and moves points to lie nearest to others.

    In the plane Umeyama's least squares have a closed form: with points as complex numbers round their means, the
    factor of rotation and scale is <points, onto> / |points|². It never mirrors.

    Args:
        points: float [n, 2].
        onto: float [n, 2], where each of them should come to lie.
    """
    first, second = as_complex(points), as_complex(onto)
    middle, centre = first.mean(), second.mean()
    factor = np.vdot(first - middle, second - centre) / np.vdot(first - middle, first - middle).real
    shift = centre - factor * middle
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def as_complex(points: np.ndarray) -> np.ndarray:
    """Return points [..., n, 2] as complex numbers [..., n]."""
    points = np.asarray(points, float)
    return points[..., 0] + 1j * points[..., 1]


def misfit(matrix: np.ndarray, points: np.ndarray, onto: np.ndarray) -> float:
    """Return how far moved points [n, 2] lie from others, root mean square, in eye distances of the latter."""
    moved = np.asarray(points, float) @ matrix[:, :2].T + matrix[:, 2]
    distance = float(np.sqrt(((moved - onto) ** 2).sum(axis=1).mean()))
    return distance / max(float(np.hypot(*axes(onto)[0])), 1e-6)


def move(source: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Warp a picture into another's frame.

    Args:
        source: uint8 RGB [h, w, 3].
        matrix: float [2, 3], from px of `source` to px of the answer.
        shape: height and width of the answer, px.

    Returns:
        uint8 RGB [H, W, 3], and float32 [H, W]: 1 where the source has pixels of its own, else 0.
    """
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 2 / 3:
        # One bilinear step would skip pixels; what is left to do after this turns and moves only.
        height, width = source.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        shrunk = np.array(size) / (width, height)
        source = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
        # Pixel centres, not corners, are what the matrix counts from.
        offset = matrix[:, :2] @ ((1 / shrunk - 1) / 2) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] / shrunk, offset])
    size = shape[1], shape[0]
    moved = cv2.warpAffine(source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    own = np.zeros(source.shape[:2], np.float32)
    own[1:-1, 1:-1] = 1
    return moved, (cv2.warpAffine(own, matrix, size, flags=cv2.INTER_LINEAR) > 0.999).astype(np.float32)


def match_colour(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give a picture the mean and the spread of another's colours, channel by channel in CIE LAB.

    Args:
        source: uint8 RGB [H, W, 3].
        target: uint8 RGB [H, W, 3].
        mask: float32 [H, W], how much each place counts.

    Returns:
        uint8 RGB [H, W, 3]; the source itself where the mask is empty.
    """
    if mask.max() <= 0:
        return source
    labs = [cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for picture in (source, target)]
    inside = mask > 0.5 * mask.max()
    (mean, spread), (wanted, wanted_spread) = ((lab[inside].mean(axis=0), lab[inside].std(axis=0)) for lab in labs)
    stretch = np.clip(wanted_spread / np.maximum(spread, 1e-3), 1 / MOST_STRETCH, MOST_STRETCH)
    matched = cv2.cvtColor((labs[0] - mean) * stretch + wanted, cv2.COLOR_LAB2RGB)
    return np.round(np.clip(matched, 0, 1) * 255).astype(np.uint8)


def clone(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Clone a face seamlessly: keep its gradients, take the target's colours along the edge.

    The edge is where the mask falls below half, so that it runs over skin rather than hair. OpenCV's solver moves
    pixels beside it by a grey level here and there, so its answer is still to be blended by the new mask.

    Args:
        source: uint8 RGB [H, W, 3], in the target's frame.
        target: uint8 RGB [H, W, 3].
        mask: float32 [H, W] in [0, 1].

    Returns:
        The mask, rising from 0 at that edge, and the cloned picture, uint8 RGB [H, W, 3]; None where the clone
        would be a stain, or the mask is too small for one.
    """
    inner = np.zeros_like(mask)
    within = (slice(CLONE_RIM, -CLONE_RIM),) * 2
    inner[within] = np.clip(2 * mask[within] - 1, 0, 1)
    place = (inner > 0).astype(np.uint8) * 255
    x, y, width, height = cv2.boundingRect(place)
    if width < 3 or height < 3:
        return None
    cloned = cv2.seamlessClone(source, target, place, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    change = ((cloned.astype(np.float32) - source) ** 2).mean(axis=2)
    if np.sqrt((change * inner).sum() / inner.sum()) > MOST_STAIN:
        return None
    return inner, cloned

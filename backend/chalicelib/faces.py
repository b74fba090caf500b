"""Faces in a picture: the three-stage MTCNN cascade on LiteRT, and square crops of what it finds.

P-Net looks at every 12 × 12 window of a pyramid of ever smaller copies and proposes boxes, R-Net rejects most of
them, O-Net settles the rest and marks eyes, nose and mouth. Thresholds and conventions are those of the `mtcnn` package
(1.0), whose weights these are; where this module departs from it, a comment says why.

Boxes inside this module are float32 [n, 4] of x1, y1, x2, y2 in px.

Source: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from chalicelib.runtime import load_interpreter

# Side of the window that P-Net judges, px, and the step between two windows.
WINDOW = 12
STRIDE = 2
# Each level of the pyramid is this much smaller than the one before.
PYRAMID_FACTOR = 0.709
# A window finds faces down to this part of its side as surely as larger ones; measured, down to .8.
WINDOW_REACH = 0.85
# A single level finds 95 of 100 faces from .8 to 1.7 of its window, so the second search skips every other level.
SECOND_PYRAMID_FACTOR = 0.5

# Least probability of a face that each network must give, and as the package has it but for P-Net's .6: a true face
# has a surer window than .8 too, and what lies below is for the most part wheels and gravel, and work.
PNET_CONFIDENCE = 0.8
RNET_CONFIDENCE = 0.7
ONET_CONFIDENCE = 0.8
# What O-Net must give to a face of the second search, where textures pass for faces more often.
SMALL_FACE_CONFIDENCE = 0.95
# Overlap from which two boxes are one face: within a level of the pyramid, and after.
LEVEL_OVERLAP = 0.5
OVERLAP = 0.7

# Best proposals kept of one level and of all: bounds the work on a picture that is nothing but texture.
MOST_PROPOSALS = 512

# R-Net and O-Net run in batches of these sizes only, so that no tensor is ever re-allocated.
BATCHES = (16, 4, 1)


@dataclass(frozen=True, slots=True)
class Face:
    """A face found in a picture.

    Attributes:
        box: x, y, width, height in px of the picture given, clipped to it.
        confidence: O-Net's probability that this is a face, [0, 1].
        landmarks: float32 [5, 2], x and y in px of left eye, right eye, nose, left and right corner of the mouth, left
            and right as seen in the picture. They are not clipped.
    """

    box: tuple[float, float, float, float]
    confidence: float
    landmarks: np.ndarray


class FaceFinder:
    """Finds faces. Safe to share between threads, which then take turns.

    Args:
        models: folder with pnet.tflite, rnet.tflite and onet.tflite.
        search_side: a picture whose longer side exceeds this, px, is searched at this size.
        least_face: longer side of the smallest faces that the first search is sure to find, px of the picture as
            searched. It finds many that are somewhat smaller.
        smallest_face: when the first search finds nothing, a second goes down to this longer side, so that a small face
            is not called none; `least_face` or more turns that off. It finds most that are a quarter smaller.
        threads: intra-op threads of each interpreter.

    Raises:
        ModelUnavailable: a model file is missing or damaged.
    """

    def __init__(
        self,
        models: Path,
        *,
        search_side: int = 1280,
        least_face: int = 48,
        smallest_face: int = 28,
        threads: int = 1,
    ) -> None:
        self._search_side = search_side
        self._least_face = least_face
        self._smallest_face = smallest_face
        self._pnet = _WindowNetwork(models / "pnet.tflite", threads)
        self._rnet = _CropNetwork(models / "rnet.tflite", 24, threads)
        self._onet = _CropNetwork(models / "onet.tflite", 48, threads)
        self._lock = Lock()

    def find(self, pixels: np.ndarray) -> list[Face]:
        """Return the faces of a picture, largest first; an empty list when there is none.

        Args:
            pixels: uint8 RGB [height, width, 3].

        Raises:
            ValueError: the array is of another kind.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise ValueError(f"pixels must be uint8 [height, width, 3]. Received: {pixels.dtype} {pixels.shape}")
        height, width = pixels.shape[:2]
        searched = _limit(pixels, self._search_side)
        shorter = min(searched.shape[:2])
        first = pyramid(shorter, self._least_face)
        second = pyramid(shorter, self._smallest_face, SECOND_PYRAMID_FACTOR)
        # Levels that the first search has been through, or is about to, bring nothing new.
        second = [s for s in second if s > 1.01 * WINDOW * WINDOW_REACH / self._least_face]
        with self._lock:
            boxes, confidences, landmarks = self._search(searched, first, ONET_CONFIDENCE)
            if not len(boxes) and second:
                boxes, confidences, landmarks = self._search(searched, second, SMALL_FACE_CONFIDENCE)
        grow = np.array([width / searched.shape[1], height / searched.shape[0]], np.float32)
        boxes = np.clip(boxes.reshape(-1, 2, 2) * grow, 0, (width, height)).reshape(-1, 4)
        largest_first = np.argsort(-areas(boxes), kind="stable")
        return [_face(boxes[i], confidences[i], landmarks[i] * grow) for i in largest_first]

    def _search(
        self, pixels: np.ndarray, scales: list[float], least_confidence: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes = self._propose(pixels, scales)
        boxes = self._refine(pixels, boxes)
        return self._settle(pixels, boxes, least_confidence)

    def _propose(self, pixels: np.ndarray, scales: list[float]) -> np.ndarray:
        all_boxes, all_confidences = [], []
        for scale, level in zip(scales, shrink(pixels, scales), strict=True):
            offsets, confidences = self._pnet.run(scale, level)
            boxes, best = propose(offsets, confidences, PNET_CONFIDENCE, MOST_PROPOSALS)
            kept = suppress(boxes, best, LEVEL_OVERLAP)
            all_boxes.append(boxes[kept] / np.float32(scale))
            all_confidences.append(best[kept])
        if not all_boxes:
            return np.empty((0, 4), np.float32)
        boxes, confidences = np.concatenate(all_boxes), np.concatenate(all_confidences)
        best = np.argsort(-confidences, kind="stable")[:MOST_PROPOSALS]
        boxes, confidences = boxes[best], confidences[best]
        return make_square(boxes[suppress(boxes, confidences, OVERLAP)])

    def _refine(self, pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        offsets, probabilities = self._rnet.run(pixels, boxes, 4, 2)
        sure = probabilities[:, 1] > RNET_CONFIDENCE
        boxes = regress(boxes[sure], offsets[sure])
        return make_square(boxes[suppress(boxes, probabilities[sure, 1], OVERLAP)])

    def _settle(
        self, pixels: np.ndarray, boxes: np.ndarray, least_confidence: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        offsets, landmarks, probabilities = self._onet.run(pixels, boxes, 4, 10, 2)
        sure = probabilities[:, 1] > least_confidence
        points = place_landmarks(boxes[sure], landmarks[sure])
        boxes = regress(boxes[sure], offsets[sure])
        confidences = probabilities[sure, 1]
        kept = suppress(boxes, confidences, OVERLAP, of_smaller=True)
        return boxes[kept], confidences[kept], points[kept]


def crop_square(
    box: tuple[float, float, float, float], shape: tuple[int, ...], margin: float = 0.3
) -> tuple[int, int, int]:
    """Return x, y and side, px of the picture, of the square that `crop_face` cuts.

    Its side is (1 + 2 × margin) × the box's larger side, but never more than the picture's shorter side; it lies
    round the box's centre, but never outside the picture. So a crop holds nothing that the picture does not:
    a padded or mirrored rim would tell a network how tightly the photo was framed, which differs between
    collections far more than between real and fake.

    Args:
        box: x, y, width, height in px.
        shape: height and width of the picture, px; what follows them is not looked at.
        margin: what is added on each side, in units of the box's larger side.
    """
    x, y, width, height = box
    side = max(1, min(round((1 + 2 * margin) * max(width, height)), *shape[:2]))
    left = min(max(0, round(x + width / 2 - side / 2)), shape[1] - side)
    top = min(max(0, round(y + height / 2 - side / 2)), shape[0] - side)
    return left, top, side


def crop_face(pixels: np.ndarray, box: tuple[float, float, float, float], side: int, margin: float = 0.3) -> np.ndarray:
    """Cut the square of `crop_square` round a face: the one crop that training and serving share.

    It is resized by area when it shrinks and bilinearly when it grows.

    Args:
        pixels: uint8 RGB [height, width, 3].
        box: x, y, width, height in px.
        side: side of the answer, px.
        margin: what is added on each side, in units of the box's larger side.

    Returns:
        uint8 RGB [side, side, 3], an array of its own.
    """
    x, y, length = crop_square(box, pixels.shape, margin)
    return resize_square(pixels[y : y + length, x : x + length], side)


def resize_square(square: np.ndarray, side: int) -> np.ndarray:
    """Bring uint8 [s, s, 3] to [side, side, 3]: by area when it shrinks, bilinearly when it grows; always a copy."""
    if square.shape[0] == side:
        return square.copy()
    shrinks = square.shape[0] > side
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def shrink(pixels: np.ndarray, scales: list[float]) -> Iterator[np.ndarray]:
    """Yield a picture at each of some falling scales ≤ 1.

    Each copy is taken bilinearly from the picture halved as often as leaves it no smaller. An average over areas
    differs by a few grey levels, which P-Net does not mind, and takes ten times as long.
    """
    height, width = pixels.shape[:2]
    for scale in scales:
        size = int(width * scale), int(height * scale)
        while min(pixels.shape[1] // size[0], pixels.shape[0] // size[1]) >= 2:
            half = pixels.shape[1] // 2, pixels.shape[0] // 2
            pixels = cv2.resize(pixels, half, interpolation=cv2.INTER_LINEAR)
        yield pixels if size == pixels.shape[1::-1] else cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)


def pyramid(shorter_side: int, least_face: float, factor: float = PYRAMID_FACTOR) -> list[float]:
    """Return the scales ≤ 1, each `factor` of the one before, that show P-Net faces from `least_face` px upwards.

    Empty when the picture is too small to hold a window at any of them.
    """
    scales = []
    scale = min(1.0, WINDOW * WINDOW_REACH / least_face)
    while int(shorter_side * scale) >= WINDOW:
        scales.append(scale)
        scale *= factor
    return scales


def propose(
    offsets: np.ndarray, confidences: np.ndarray, least_confidence: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turn P-Net's maps into boxes in px of the level.

    Args:
        offsets: float32 [rows, columns, 4], what each window's x1, y1, x2, y2 should move by, in windows.
        confidences: float32 [rows, columns], probability of a face.
        least_confidence: windows below it are dropped.
        most: number of windows kept, the surest ones.

    Returns:
        Boxes [n, 4] and confidences [n].
    """
    rows, columns = np.nonzero(confidences > least_confidence)
    best = confidences[rows, columns]
    if len(best) > most:
        kept = np.argpartition(-best, most)[:most]
        rows, columns, best = rows[kept], columns[kept], best[kept]
    corner = np.stack([columns, rows], axis=1).astype(np.float32) * STRIDE + 1
    # P-Net was trained with windows of 11 px from first to last pixel.
    side = np.float32(WINDOW - 1)
    windows = np.concatenate([corner, corner + side], axis=1)
    return windows + offsets[rows, columns] * side, best


def regress(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Move boxes [n, 4] by offsets [n, 4] in units of their sides, which R-Net and O-Net count with both end pixels."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.tile(sides, 2)


def place_landmarks(boxes: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Turn O-Net's landmarks [n, 10], five x then five y in units of the crop, into px [n, 5, 2]."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    points = landmarks.reshape(-1, 2, 5).transpose(0, 2, 1)
    return points * sides[:, None] + boxes[:, None, :2] - 1


def make_square(boxes: np.ndarray) -> np.ndarray:
    """Grow the shorter side of boxes [n, 4] to the longer one, about the same centre."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas [n] of boxes [n, 4], px²; a box turned inside out has none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides[:, 0] * sides[:, 1]


def overlaps(one: np.ndarray, other: np.ndarray, *, of_smaller: bool = False) -> np.ndarray:
    """Return how much boxes [n, 4] and [m, 4] overlap: [n, m] in [0, 1].

    Args:
        one: boxes.
        other: boxes.
        of_smaller: intersection over the smaller area instead of intersection over union (IoU).
    """
    near = np.maximum(one[:, None, :2], other[None, :, :2])
    far = np.minimum(one[:, None, 2:], other[None, :, 2:])
    sides = np.maximum(far - near, 0)
    shared = sides[..., 0] * sides[..., 1]
    first, second = areas(one)[:, None], areas(other)[None, :]
    whole = np.minimum(first, second) if of_smaller else first + second - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def suppress(
    boxes: np.ndarray, confidences: np.ndarray, most_overlap: float, *, of_smaller: bool = False
) -> np.ndarray:
    """Non-maximum suppression: keep the surest box, drop all that overlap it by more than allowed, and so on.

    Args:
        boxes: [n, 4].
        confidences: [n].
        most_overlap: overlap, [0, 1], up to which both boxes stay.
        of_smaller: measure as `overlaps` does with it.

    Returns:
        Indices of the boxes kept, the surest first; ties keep their order.
    """
    order = np.argsort(-confidences, kind="stable")
    ranked = boxes[order]
    clash = overlaps(ranked, ranked, of_smaller=of_smaller) > most_overlap
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~clash[i, i + 1 :]
    return order[alive]


def sample_squares(pixels: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """Sample boxes bilinearly at side × side points, corner pixels on corner points; grey outside the picture.

    It does not average when it shrinks: R-Net and O-Net expect that.

    Args:
        pixels: uint8 RGB [height, width, 3].
        boxes: [n, 4].
        side: px.

    Returns:
        uint8 RGB [n, side, side, 3].
    """
    height, width = pixels.shape[:2]
    matrices = np.zeros((len(boxes), 2, 3))
    # A box as wide as the picture ends on its last pixel's centre, not one beyond.
    ends = boxes.reshape(-1, 2, 2) * np.array([(width - 1) / width, (height - 1) / height])
    matrices[:, (0, 1), (0, 1)] = (ends[:, 1] - ends[:, 0]) / (side - 1)
    matrices[:, :, 2] = ends[:, 0]
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    for crop, matrix in zip(crops, matrices, strict=True):
        cv2.warpAffine(
            pixels,
            matrix,
            (side, side),
            dst=crop,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(127.5, 127.5, 127.5),
        )
    return crops


class _WindowNetwork:
    """P-Net, with one interpreter for each scale of the pyramid.

    Each is resized when the picture is of another size than the last. That costs a quarter more than an interpreter
    kept for every shape, and memory stays that of the largest picture.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._threads = threads
        self._interpreters: dict[float, _Interpreter] = {}
        # A missing file must be told at once, not with the first picture.
        load_interpreter(path, threads, (1, WINDOW, WINDOW, 3))

    def run(self, scale: float, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return offsets [rows, columns, 4] and confidences [rows, columns] for the windows of a level."""
        shape = (1, *level.shape)
        if scale not in self._interpreters:
            self._interpreters[scale] = _Interpreter(self._path, self._threads, shape)
        interpreter = self._interpreters[scale]
        interpreter.resize(shape)
        offsets, probabilities = interpreter.run(level, 4, 2)
        return offsets[0], probabilities[0, ..., 1]


class _CropNetwork:
    """R-Net or O-Net on square crops of one side, px, with one interpreter for each size of a batch that was met."""

    def __init__(self, path: Path, side: int, threads: int) -> None:
        self._path = path
        self._side = side
        self._threads = threads
        self._interpreters: dict[int, _Interpreter] = {}
        # A missing file must be told at once, not with the first picture; the least batch is met in nearly all.
        self._ready(BATCHES[-1])

    def run(self, pixels: np.ndarray, boxes: np.ndarray, *widths: int) -> list[np.ndarray]:
        """Return the outputs of the given widths, each [n, width], for boxes [n, 4] of a picture."""
        crops = sample_squares(pixels, boxes, self._side)
        runs = [self._ready(n).run(crops[i : i + n], *widths) for i, n in batches(len(boxes))]
        if not runs:
            return [np.empty((0, width), np.float32) for width in widths]
        return [np.concatenate(parts) for parts in zip(*runs, strict=True)]

    def _ready(self, count: int) -> _Interpreter:
        """Return the interpreter for so many crops, made at the first call: a process that checks one picture, as a
        command does, needs few of them."""
        if count not in self._interpreters:
            self._interpreters[count] = _Interpreter(self._path, self._threads, (count, self._side, self._side, 3))
        return self._interpreters[count]


class _Interpreter:
    """A network whose input is filled in place and whose outputs are known by their last dimension.

    No two outputs of a network are equally wide, and a converter may order them as it likes.
    """

    def __init__(self, path: Path, threads: int, shape: tuple[int, ...]) -> None:
        self._interpreter = load_interpreter(path, threads, shape)
        self._shape = shape
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {int(d["shape"][-1]): d["index"] for d in self._interpreter.get_output_details()}

    def resize(self, shape: tuple[int, ...]) -> None:
        if shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, shape, strict=True)
            self._interpreter.allocate_tensors()
            self._shape = shape

    def run(self, pixels: np.ndarray, *widths: int) -> list[np.ndarray]:
        # No name may keep this view of the runtime's memory: it refuses to run while one lives.
        _normalise(pixels, self._interpreter.tensor(self._input)())
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(self._outputs[width]) for width in widths]


def batches(count: int) -> Iterator[tuple[int, int]]:
    """Split `count` crops into runs of (first, size), every size one of `BATCHES`."""
    first = 0
    for size in BATCHES:
        while count - first >= size:
            yield first, size
            first += size


def _limit(pixels: np.ndarray, most: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = most / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _normalise(pixels: np.ndarray, out: np.ndarray) -> None:
    np.subtract(pixels, np.float32(127.5), out=out)
    out *= np.float32(1 / 128)


def _face(box: np.ndarray, confidence: float, landmarks: np.ndarray) -> Face:
    x1, y1, x2, y2 = (float(v) for v in box)
    return Face((x1, y1, x2 - x1, y2 - y1), float(confidence), landmarks.astype(np.float32))

"""The `mtcnn` package as a peer of `chalicelib.faces`: pictures to compare on, and how alike the two answers are."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from chalicelib.faces import Face, overlaps

CANVAS = (1280, 720)
# A shared photo is a square of this many times the larger side of its face.
PHOTO_TO_FACE = 1.7
# What makes a photo of that kind out of the portrait that scikit-image brings along: x, y, side in px.
PORTRAIT_SQUARE = (112, 18, 220)
# Pictures of scikit-image that hold no face, and that its wheel brings along.
FACELESS = ("coffee", "chelsea", "rocket", "coins", "moon", "page", "text", "brick", "grass", "gravel",
            "hubble_deep_field", "immunohistochemistry", "retina", "stereo_motorcycle")  # fmt: skip
MOST_FACES = 8
FACE_SIDES = (48, 300)
MOST_TILT = 30.0


class Peer:
    """The package with its defaults: least face 20 px, factor .709, thresholds .6, .7, .8."""

    def __init__(self, threads: int = 1) -> None:
        """Take the threads of TensorFlow, which a process sets once."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        # TensorFlow takes these before its first operation only; a process that began otherwise keeps what it has.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(threads)
            except RuntimeError:
                pass
        from mtcnn import MTCNN

        self._detector = MTCNN()

    def find(self, pixels: np.ndarray) -> list[Face]:
        """Return the package's faces in our terms, unrounded; boxes are clipped to the picture there too."""
        rows = self._detector.detect_faces(pixels, output_type="numpy")
        return [_to_face(row) for row in rows]


def _to_face(row: np.ndarray) -> Face:
    x, y, width, height = (float(v) for v in row[1:5])
    landmarks = row[6:16].reshape(2, 5).T.astype(np.float32)
    return Face((x, y, width, height), float(row[5]), landmarks)


def photos(shared: Path, count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield `count` shared photos as they are, the same number from each source and label, uint8 RGB."""
    for path in _paths(shared, count, seed):
        yield _read(path)


def portrait_crop(portrait: np.ndarray) -> np.ndarray:
    """Cut the face out of scikit-image's astronaut as the shared photos are cut."""
    x, y, side = PORTRAIT_SQUARE
    return portrait[y : y + side, x : x + side]


def canvases(crops: list[np.ndarray], count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield `count` pictures of 1280 × 720 px with 0 to 8 of the given faces, in turn, on varied backgrounds.

    Args:
        crops: uint8 RGB squares of `PHOTO_TO_FACE` times a face's larger side.
        count: how many.
        seed: of everything drawn: faces, sizes (log-uniform in `FACE_SIDES`), places, tilts, backgrounds.
    """
    backgrounds = list(_backgrounds())
    for number in range(count):
        random = np.random.default_rng((seed, number))
        yield compose(crops, number % (MOST_FACES + 1), backgrounds, random)


def compose(
    crops: list[np.ndarray], faces: int, backgrounds: list[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """Return one canvas with at most `faces` faces: as many as find room without touching."""
    canvas = _fill(backgrounds, random)
    taken: list[tuple[float, float, float]] = []
    low, high = FACE_SIDES
    for _ in range(faces):
        for _ in range(60):
            side = float(np.exp(random.uniform(np.log(low), np.log(high))))
            # With many faces the largest would leave no room for the rest.
            side = min(side, high if faces <= 3 else 160)
            radius = side * PHOTO_TO_FACE / 2
            x, y = random.uniform(radius, CANVAS[0] - radius), random.uniform(radius, CANVAS[1] - radius)
            if all(max(abs(x - u), abs(y - v)) > radius + r for u, v, r in taken):
                break
        else:
            continue
        taken.append((x, y, radius))
        crop = crops[random.integers(len(crops))]
        tilt = float(random.uniform(-MOST_TILT, MOST_TILT)) if random.random() < 0.5 else 0.0
        _paste(canvas, crop, (x, y), 2 * radius, tilt)
    return canvas


def _paste(canvas: np.ndarray, crop: np.ndarray, centre: tuple[float, float], side: float, tilt: float) -> None:
    if side < crop.shape[0]:
        crop = cv2.resize(crop, (round(side), round(side)), interpolation=cv2.INTER_AREA)
    middle = crop.shape[0] / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), tilt, side / crop.shape[0])
    matrix[:, 2] += np.array(centre) - middle
    moved = cv2.warpAffine(crop, matrix, CANVAS, flags=cv2.INTER_LINEAR)
    mask = np.zeros(crop.shape[:2], np.float32)
    cv2.circle(mask, (int(middle), int(middle)), int(middle * 0.97), 1.0, -1)
    mask = cv2.warpAffine(cv2.GaussianBlur(mask, (0, 0), middle * 0.02 + 0.1), matrix, CANVAS)[..., None]
    canvas[:] = (moved * mask + canvas * (1 - mask)).round().astype(np.uint8)


def _fill(backgrounds: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
    width, height = CANVAS
    if random.random() < 0.3:
        coarse = random.uniform(0, 255, (random.integers(2, 20), random.integers(2, 30), 3)).astype(np.float32)
        smooth = cv2.resize(coarse, CANVAS, interpolation=cv2.INTER_CUBIC)
        noise = random.normal(0, random.uniform(0, 12), (height, width, 3))
        return np.clip(smooth + noise, 0, 255).astype(np.uint8)
    picture = backgrounds[random.integers(len(backgrounds))]
    scale = max(width / picture.shape[1], height / picture.shape[0]) * random.uniform(1, 1.6)
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    x = random.integers(picture.shape[1] - width + 1)
    y = random.integers(picture.shape[0] - height + 1)
    cut = picture[y : y + height, x : x + width]
    return np.ascontiguousarray(cut[:, ::-1] if random.random() < 0.5 else cut)


def _backgrounds() -> Iterator[np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        for name in FACELESS:
            picture = getattr(data, name)()
            picture = np.asarray(picture[0] if isinstance(picture, tuple) else picture)
            yield picture[..., :3] if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


def _paths(shared: Path, count: int, seed: int) -> list[Path]:
    folders = sorted((shared / "data" / "faces").glob("*/*"))
    random = np.random.default_rng(seed)
    lists = [random.permutation(sorted(folder.glob("*.jpg"))) for folder in folders]
    return [Path(lists[i % len(lists)][i // len(lists)]) for i in range(count)]


def _read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@dataclass
class Agreement:
    """How alike two finders are, gathered over pictures; the peer's answers count as the truth.

    Attributes:
        least_side: longer side of a box, px, from which it counts.
        pictures: compared so far.
        expected: the peer's faces of `least_side` px and more, and of these found: those that we have too.
        given: our faces of that size, and of these right: those that the peer has too, whatever their size there.
        ious: IoU of each matched pair.
        landmark_errors: distance of each landmark of a matched pair, in widths of the peer's box.
    """

    least_side: float
    pictures: int = 0
    expected: int = 0
    found: int = 0
    given: int = 0
    right: int = 0
    ious: list[float] = field(default_factory=list)
    landmark_errors: list[float] = field(default_factory=list)

    def add(self, ours: list[Face], theirs: list[Face]) -> None:
        """Match one picture's faces, best overlap first, each at most once, from IoU .5."""
        self.pictures += 1
        pairs = match(ours, theirs)
        matched_ours = {i for i, _, _ in pairs}
        matched_theirs = {j for _, j, _ in pairs}
        for j, face in enumerate(theirs):
            if longer_side(face) >= self.least_side:
                self.expected += 1
                self.found += j in matched_theirs
        for i, face in enumerate(ours):
            if longer_side(face) >= self.least_side:
                self.given += 1
                self.right += i in matched_ours
        for i, j, iou in pairs:
            if longer_side(theirs[j]) >= self.least_side:
                self.ious.append(iou)
                apart = np.linalg.norm(ours[i].landmarks - theirs[j].landmarks, axis=1) / theirs[j].box[2]
                self.landmark_errors.extend(apart.tolist())

    def summary(self) -> dict[str, float]:
        """Return the figures by name."""
        errors = np.array(self.landmark_errors or [np.nan])
        return {
            "pictures": self.pictures,
            "faces": self.expected,
            "recall": self.found / self.expected if self.expected else np.nan,
            "precision": self.right / self.given if self.given else np.nan,
            "iou_median": float(np.median(self.ious or [np.nan])),
            "landmarks_mean": float(errors.mean()),
            "landmarks_median": float(np.median(errors)),
            "landmarks_p95": float(np.percentile(errors, 95)),
        }


def match(ours: list[Face], theirs: list[Face]) -> list[tuple[int, int, float]]:
    """Return (index of ours, index of theirs, IoU) of one-to-one pairs with IoU from .5, the best first."""
    if not ours or not theirs:
        return []
    iou = overlaps(_corners(ours), _corners(theirs))
    pairs = []
    for flat in np.argsort(-iou, axis=None):
        i, j = divmod(int(flat), iou.shape[1])
        if iou[i, j] < 0.5:
            break
        if all(i != a and j != b for a, b, _ in pairs):
            pairs.append((i, j, float(iou[i, j])))
    return pairs


def longer_side(face: Face) -> float:
    """Return the longer side of a face's box, px."""
    return max(face.box[2:])


def _corners(faces: list[Face]) -> np.ndarray:
    return np.array([(x, y, x + w, y + h) for x, y, w, h in (f.box for f in faces)], np.float32)

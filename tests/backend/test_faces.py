"""Faces are found where they are and nowhere else, as the `mtcnn` package finds them; crops hold what they say."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib import faces
from chalicelib.errors import ModelUnavailable
from chalicelib.faces import (
    BATCHES,
    FaceFinder,
    batches,
    crop_face,
    crop_square,
    make_square,
    overlaps,
    place_landmarks,
    propose,
    pyramid,
    regress,
    resize_square,
    sample_squares,
    shrink,
    suppress,
)
from chalicelib.settings import MODELS
from tests.benchmarks.mtcnn_peer import Agreement, Peer, canvases, match, photos, portrait_crop

# The astronaut's face: x, y, width, height in px, drawn by hand.
PORTRAIT_BOX = (178, 64, 92, 110)
UNIT = (0, 0, 10, 10)


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(MODELS)


@pytest.fixture(scope="module")
def peer() -> Peer:
    pytest.importorskip("mtcnn", reason="the peer comes with the training extra")
    return Peer()


def iou(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """IoU of two boxes given as x, y, width, height."""
    (x, y, w, h), (u, v, s, t) = box, other
    return float(overlaps(np.array([[x, y, x + w, y + h]]), np.array([[u, v, u + s, v + t]]))[0, 0])


def place(portrait: np.ndarray, face_height: float, canvas: tuple[int, int] = (1280, 720)) -> np.ndarray:
    """Set the portrait on a dull canvas so that its face is so many px high."""
    scale = face_height / PORTRAIT_BOX[3]
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((canvas[1], canvas[0], 3), 96, np.uint8)
    room = picture[40:, 60:]
    small = small[: room.shape[0], : room.shape[1]]
    room[: small.shape[0], : small.shape[1]] = small
    return picture


def test_the_portrait_has_one_face_with_eyes_nose_and_mouth_in_place(finder: FaceFinder, portrait: np.ndarray) -> None:
    (face,) = finder.find(portrait)
    assert iou(face.box, PORTRAIT_BOX) > 0.75
    assert 0.99 < face.confidence <= 1
    assert face.landmarks.shape == (5, 2)
    assert face.landmarks.dtype == np.float32
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "moon", "page", "text", "grass", "retina"])
@pytest.mark.parametrize("side", [None, 1280])
def test_a_picture_without_a_face_has_none(finder: FaceFinder, name: str, side: int | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        picture = np.asarray(getattr(data, name)())
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    if side is not None:
        scale = side / max(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert finder.find(np.ascontiguousarray(picture[..., :3])) == []


@pytest.mark.parametrize("height", [28, 34, 40, 48, 64, 100, 200, 400])
def test_a_face_of_any_size_is_found(finder: FaceFinder, portrait: np.ndarray, height: int) -> None:
    scale = height / PORTRAIT_BOX[3]
    picture = place(portrait, height, (1280, 720) if height < 150 else (1900, 1800))
    (face,) = finder.find(picture)
    x, y, w, h = (v * scale for v in PORTRAIT_BOX)
    assert iou(face.box, (x + 60, y + 40, w, h)) > 0.6


def test_a_small_face_is_found_only_by_the_second_search(portrait: np.ndarray) -> None:
    picture = place(portrait, 30)
    assert len(FaceFinder(MODELS).find(picture)) == 1
    assert FaceFinder(MODELS, smallest_face=48).find(picture) == []


def test_faces_come_largest_first(finder: FaceFinder, portrait: np.ndarray) -> None:
    picture = place(portrait, 70)
    picture[200:712, 700:1212] = portrait
    found = finder.find(picture)
    areas = [face.box[2] * face.box[3] for face in found]
    assert len(found) == 2
    assert areas == sorted(areas, reverse=True)


def test_boxes_of_a_large_picture_are_in_its_own_pixels(finder: FaceFinder, portrait: np.ndarray) -> None:
    (face,) = finder.find(cv2.resize(portrait, (3072, 2048), interpolation=cv2.INTER_CUBIC))
    stretched = tuple(v * f for v, f in zip(PORTRAIT_BOX, (6, 4, 6, 4), strict=True))
    assert iou(face.box, stretched) > 0.7
    assert np.all(face.landmarks > np.array(face.box[:2]))
    assert np.all(face.landmarks < np.array(face.box[:2]) + np.array(face.box[2:]))


def test_a_smaller_search_side_overlooks_small_faces(portrait: np.ndarray) -> None:
    picture = place(portrait, 60)
    assert FaceFinder(MODELS, search_side=1280).find(picture)
    assert not FaceFinder(MODELS, search_side=320).find(picture)


def test_a_box_is_clipped_to_the_picture(finder: FaceFinder, portrait: np.ndarray) -> None:
    cut = np.ascontiguousarray(portrait[85:, 185:])
    (face,) = finder.find(cut)
    x, y, width, height = face.box
    assert min(x, y) == 0
    assert x + width <= cut.shape[1]
    assert y + height <= cut.shape[0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (11, 11), (12, 12), (40, 40), (33, 640)])
def test_a_picture_of_any_shape_is_searched(finder: FaceFinder, shape: tuple[int, int]) -> None:
    assert finder.find(np.full((*shape, 3), 128, np.uint8)) == []


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((50, 50, 3), np.float32), ((50, 50), np.uint8), ((50, 50, 4), np.uint8), ((0, 9, 3), np.uint8)],
    ids=["float", "grey", "alpha", "empty"],
)
def test_an_array_of_another_kind_is_refused(finder: FaceFinder, shape: tuple[int, ...], dtype: type) -> None:
    pixels = np.zeros(shape, dtype)
    with pytest.raises(ValueError, match=r"uint8.*Received"):
        finder.find(pixels)


@pytest.mark.parametrize("missing", ["pnet", "rnet", "onet"])
def test_a_missing_model_is_told_at_once(missing: str, tmp_path: Path) -> None:
    for name in {"pnet", "rnet", "onet"} - {missing}:
        (tmp_path / f"{name}.tflite").write_bytes((MODELS / f"{name}.tflite").read_bytes())
    with pytest.raises(ModelUnavailable, match=missing):
        FaceFinder(tmp_path)


def test_threads_may_share_a_finder(finder: FaceFinder, portrait: np.ndarray, cat: np.ndarray) -> None:
    pictures = [portrait, cat, portrait[20:400, 50:450].copy(), place(portrait, 80)] * 4
    alone = [finder.find(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(finder.find, pictures))
    assert [[f.box for f in found] for found in together] == [[f.box for f in found] for found in alone]


def test_a_size_seen_before_does_not_change_the_answer(finder: FaceFinder, portrait: np.ndarray) -> None:
    before = finder.find(portrait)
    finder.find(place(portrait, 300, (1400, 1400)))
    assert [f.box for f in finder.find(portrait)] == [f.box for f in before]


WALK = """
import re
from pathlib import Path
import numpy as np, cv2
from chalicelib.faces import FaceFinder
from chalicelib.settings import MODELS
finder, random = FaceFinder(MODELS), np.random.default_rng(0)
for _ in range({count}):
    width, height = (int(v) for v in random.integers(64, 1600, 2))
    coarse = random.integers(0, 256, (height // 12 + 1, width // 12 + 1, 3), np.uint8)
    finder.find(cv2.resize(coarse, (width, height)))
# Not getrusage: a child begins with the peak of the process that started it.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_over_pictures_of_many_sizes(count: int) -> None:
    walk = subprocess.run([sys.executable, "-c", WALK.format(count=count)], check=True, capture_output=True, text=True)
    assert int(walk.stdout) <= 400  # MiB


@pytest.mark.parametrize(
    ("one", "other", "union", "smaller"),
    [
        (UNIT, (0, 0, 10, 10), 1, 1),
        (UNIT, (5, 0, 15, 10), 1 / 3, 1 / 2),
        (UNIT, (5, 5, 15, 15), 1 / 7, 1 / 4),
        (UNIT, (2, 2, 4, 4), 4 / 100, 1),
        (UNIT, (10, 0, 20, 10), 0, 0),
        (UNIT, (30, 30, 40, 40), 0, 0),
        (UNIT, (3, 3, 3, 8), 0, 0),
        (UNIT, (8, 8, 2, 2), 0, 0),
    ],
    ids=["same", "half", "corner", "inside", "touching", "apart", "flat", "inside out"],
)
def test_overlap_is_what_the_formula_says(
    one: tuple[int, ...], other: tuple[int, ...], union: float, smaller: float
) -> None:
    a, b = np.array([one], np.float32), np.array([other], np.float32)
    for first, second in ((a, b), (b, a)):
        assert overlaps(first, second)[0, 0] == pytest.approx(union)
        assert overlaps(first, second, of_smaller=True)[0, 0] == pytest.approx(smaller)


def suppress_by_force(boxes: np.ndarray, confidences: np.ndarray, most: float, of_smaller: bool) -> list[int]:
    """Non-maximum suppression, one pair of Python floats after another."""

    def share(a: np.ndarray, b: np.ndarray) -> float:
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        shared = max(width, 0) * max(height, 0)
        one, two = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
        return float(shared / (min(one, two) if of_smaller else one + two - shared))

    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -confidences[i]):
        if all(share(boxes[i], boxes[j]) <= most for j in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("of_smaller", [False, True])
@pytest.mark.parametrize("most", [0.0, 0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("count", [0, 1, 2, 40, 200])
def test_suppression_keeps_what_brute_force_keeps(count: int, most: float, of_smaller: bool) -> None:
    random = np.random.default_rng(count)
    corners = random.uniform(0, 100, (count, 2))
    boxes = np.concatenate([corners, corners + random.uniform(5, 60, (count, 2))], axis=1)
    confidences = random.uniform(0, 1, count).round(2)  # with ties
    kept = suppress(boxes, confidences, most, of_smaller=of_smaller)
    assert kept.tolist() == suppress_by_force(boxes, confidences, most, of_smaller)


def test_suppression_spares_what_only_a_suppressed_box_overlaps() -> None:
    chain = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    assert suppress(chain, np.array([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10)),
        ((0, 0, 10, 20), (-5, 0, 15, 20)),
        ((10, 10, 40, 20), (10, 0, 40, 30)),
        ((-4, 2, -2, 8), (-6, 2, 0, 8)),
    ],
)
def test_a_box_becomes_square_about_its_centre(box: tuple[int, ...], square: tuple[int, ...]) -> None:
    assert make_square(np.array([box], np.float32)).tolist() == [list(square)]


@pytest.mark.parametrize(
    ("offsets", "moved"),
    [
        ((0, 0, 0, 0), (10, 20, 29, 59)),
        ((0.5, 0, 0, 0), (20, 20, 29, 59)),
        ((0, -0.25, 0, 0), (10, 10, 29, 59)),
        ((0, 0, 0.1, 0.1), (10, 20, 31, 63)),
    ],
)
def test_offsets_are_in_sides_that_count_both_ends(offsets: tuple[float, ...], moved: tuple[float, ...]) -> None:
    box = np.array([[10, 20, 29, 59]], np.float32)  # 20 × 40 px
    assert regress(box, np.array([offsets], np.float32)) == pytest.approx(np.array([moved]))


def test_landmarks_come_as_five_x_then_five_y() -> None:
    box = np.array([[10, 20, 29, 59]], np.float32)  # 20 × 40 px
    outputs = np.array([[0, 0.25, 0.5, 0.75, 1, 0, 0.25, 0.5, 0.75, 1]], np.float32)
    points = place_landmarks(box, outputs)
    assert points.tolist() == [[[9, 19], [14, 29], [19, 39], [24, 49], [29, 59]]]


def test_windows_become_boxes_of_the_level() -> None:
    confidences = np.zeros((4, 5), np.float32)
    confidences[2, 3], confidences[0, 1] = 0.9, 0.71
    offsets = np.zeros((4, 5, 4), np.float32)
    offsets[0, 1] = (1, 0, 0, -1)
    boxes, sure = propose(offsets, confidences, 0.7, 10)
    assert boxes.tolist() == [[14, 1, 14, 1], [7, 5, 18, 16]]
    assert sure == pytest.approx([0.71, 0.9])
    assert propose(offsets, confidences, 0.95, 10)[0].shape == (0, 4)


def test_of_too_many_windows_the_surest_stay() -> None:
    confidences = np.random.default_rng(0).uniform(0, 1, (60, 60)).astype(np.float32)
    boxes, sure = propose(np.zeros((60, 60, 4), np.float32), confidences, 0.5, 100)
    assert len(boxes) == 100
    assert sorted(sure) == sorted(confidences.ravel())[-100:]


@pytest.mark.parametrize(
    ("shorter_side", "least_face", "count"),
    [(720, 48, 8), (256, 48, 5), (720, 20, 10), (56, 48, 0), (57, 48, 1), (11, 5, 0), (12, 5, 1)],
)
def test_a_pyramid_ends_where_a_window_no_longer_fits(shorter_side: int, least_face: int, count: int) -> None:
    scales = pyramid(shorter_side, least_face)
    assert len(scales) == count
    assert all(scale <= 1 and int(shorter_side * scale) >= 12 for scale in scales)
    assert all(b == pytest.approx(a * 0.709) for a, b in pairwise(scales))


@pytest.mark.parametrize("shape", [(720, 1280), (719, 1279), (512, 513), (64, 64), (31, 400)])
def test_shrunk_pictures_are_near_the_average_over_areas(shape: tuple[int, int]) -> None:
    # A slope shows any shift: 1 px of 1280 would be seen.
    rows, columns = np.linspace(0, 255, shape[0])[:, None], np.linspace(0, 255, shape[1])[None]
    slope = np.stack(np.broadcast_arrays(rows, columns, (rows + columns) / 2), axis=2).round().astype(np.uint8)
    scales = pyramid(min(shape), 24)
    for scale, level in zip(scales, shrink(slope, scales), strict=True):
        exact = cv2.resize(slope, (int(shape[1] * scale), int(shape[0] * scale)), interpolation=cv2.INTER_AREA)
        assert level.shape == exact.shape
        assert np.abs(level.astype(int) - exact).max() <= 2


@pytest.mark.parametrize("count", [0, 1, 3, 4, 15, 16, 17, 37, 100])
def test_batches_cover_every_crop_once(count: int) -> None:
    runs = list(batches(count))
    assert [i for first, size in runs for i in range(first, first + size)] == list(range(count))
    assert {size for _, size in runs} <= set(BATCHES)


def sample_by_force(pixels: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """Bilinear samples, one after another, as `tf.image.crop_and_resize` defines them; grey outside."""
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = box / np.array([width, height, width, height])
    crop = np.full((side, side, 3), 127.5)
    for i in range(side):
        for j in range(side):
            y = (y1 + (y2 - y1) * i / (side - 1)) * (height - 1)
            x = (x1 + (x2 - x1) * j / (side - 1)) * (width - 1)
            if 0 <= y <= height - 1 and 0 <= x <= width - 1:
                top, left = int(y), int(x)
                bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                v, u = y - top, x - left
                upper = pixels[top, left] * (1 - u) + pixels[top, right] * u
                lower = pixels[bottom, left] * (1 - u) + pixels[bottom, right] * u
                crop[i, j] = upper * (1 - v) + lower * v
    return crop


@pytest.mark.parametrize(
    "box",
    [(10, 20, 90, 100), (0, 0, 200, 150), (30.4, 40.7, 53.1, 63.2), (100, 20, 140, 140)],
    ids=["inside", "all of it", "fractions", "oblong"],
)
def test_samples_are_bilinear_at_the_corners_of_the_box(portrait: np.ndarray, box: tuple[float, ...]) -> None:
    picture = cv2.GaussianBlur(portrait[:150, 100:300], (0, 0), 2)
    boxes = np.array([box], np.float32)
    (crop,) = sample_squares(picture, boxes, 24)
    # OpenCV places samples to 1/32 px.
    assert np.abs(crop - sample_by_force(picture, boxes[0], 24)).max() < 3


def test_samples_outside_the_picture_are_grey(portrait: np.ndarray) -> None:
    (crop,) = sample_squares(portrait, np.array([[-300, -300, 100, 100]], np.float32), 24)
    assert np.all(np.abs(crop[:12].astype(int) - 127.5) < 1)
    assert crop[23, 23].tolist() == pytest.approx(portrait[99, 99].tolist(), abs=12)


@pytest.mark.parametrize(
    ("box", "margin", "square"),
    [
        ((100, 100, 40, 60), 0.0, (90, 100, 60)),
        ((100, 100, 40, 60), 0.5, (60, 70, 120)),
        ((0, 0, 40, 60), 0.5, (0, 0, 120)),
        ((360, 250, 40, 50), 0.5, (300, 200, 100)),
        ((10, 10, 380, 280), 0.3, (50, 0, 300)),
        ((7, 9, 0.2, 0.2), 0.3, (7, 9, 1)),
    ],
    ids=["no margin", "margin", "corner", "far corner", "larger than the picture", "a point"],
)
def test_the_square_lies_round_the_box_and_inside_the_picture(
    box: tuple[float, ...], margin: float, square: tuple[int, ...]
) -> None:
    assert crop_square(box, (300, 400, 3), margin) == square  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [16, 96, 112, 300])
def test_a_crop_is_its_square_resized(portrait: np.ndarray, side: int) -> None:
    box = (200.0, 100.0, 70.0, 60.0)
    x, y, length = crop_square(box, portrait.shape)
    crop = crop_face(portrait, box, side)
    assert length == 112
    assert crop.shape == (side, side, 3)
    assert np.array_equal(crop, resize_square(portrait[y : y + length, x : x + length], side))
    assert not np.shares_memory(crop, portrait)


@pytest.mark.parametrize(
    ("side", "interpolation"),
    [(8, cv2.INTER_AREA), (31, cv2.INTER_AREA), (33, cv2.INTER_LINEAR), (90, cv2.INTER_LINEAR)],
)
def test_a_square_shrinks_by_area_and_grows_bilinearly(portrait: np.ndarray, side: int, interpolation: int) -> None:
    square = portrait[100:132, 200:232]
    assert np.array_equal(resize_square(square, side), cv2.resize(square, (side, side), interpolation=interpolation))


def test_cropping_does_not_touch_the_rest_of_a_picture(portrait: np.ndarray) -> None:
    class Watched(np.ndarray):
        """Refuses to hand out more than the square."""

        def __getitem__(self, key: object) -> np.ndarray:
            part = np.asarray(super().__getitem__(key))  # type: ignore[index]
            assert part.size <= 112 * 112 * 3
            return part

    crop = crop_face(portrait.view(Watched), (200.0, 100.0, 70.0, 60.0), 64)
    assert crop.shape == (64, 64, 3)


def assert_alike(agreement: Agreement) -> None:
    found = agreement.summary()
    assert found["recall"] >= 0.99, found
    assert found["precision"] >= 0.99, found
    assert found["iou_median"] >= 0.9, found
    assert found["landmarks_p95"] <= 0.04, found


def test_small_sets_of_pictures_agree_with_the_package(
    finder: FaceFinder, peer: Peer, portrait: np.ndarray, cat: np.ndarray, shared: Path
) -> None:
    agreement = Agreement(48)
    for pixels in [portrait, cat, *photos(shared, 9), *canvases(list(photos(shared, 40, seed=1)), 9)]:
        agreement.add(finder.find(pixels), peer.find(pixels))
    assert agreement.expected >= 40
    assert_alike(agreement)


def test_the_portrait_on_canvases_agrees_with_the_package(finder: FaceFinder, peer: Peer, portrait: np.ndarray) -> None:
    agreement = Agreement(48)
    for pixels in canvases([portrait_crop(portrait)], 7, seed=4):
        agreement.add(finder.find(pixels), peer.find(pixels))
    assert agreement.expected >= 18
    assert_alike(agreement)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["photos", "canvases"])
def test_five_hundred_photos_agree_with_the_package(finder: FaceFinder, peer: Peer, shared: Path, kind: str) -> None:
    from tests.benchmarks.faces import compare, pictures

    agreement = compare(finder, peer, pictures(shared, 500, 180)[kind])
    assert agreement.expected >= 500
    assert_alike(agreement)


@pytest.mark.parametrize(
    ("name", "value", "keeps"),
    [
        ("PNET_CONFIDENCE", 1.0, 0),
        ("RNET_CONFIDENCE", 1.0, 0),
        ("ONET_CONFIDENCE", 1.0, 0),
        ("ONET_CONFIDENCE", 0.5, 1),
    ],
)
def test_every_network_has_a_say(
    portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch, name: str, value: float, keeps: int
) -> None:
    monkeypatch.setattr(faces, name, value)
    assert len(FaceFinder(MODELS, smallest_face=48).find(portrait)) == keeps


def test_agreement_tells_a_miss_a_find_too_many_and_a_shift(make_face: Callable[..., faces.Face]) -> None:
    agreement = Agreement(48)
    agreement.add([make_face(0, 0, 100), make_face(500, 0, 60)], [make_face(10, 0, 100), make_face(0, 300, 50)])
    agreement.add([], [make_face(0, 0, 40)])  # too small to count
    assert (agreement.expected, agreement.found, agreement.given, agreement.right) == (2, 1, 2, 1)
    assert agreement.summary()["iou_median"] == pytest.approx(90 / 110)
    assert agreement.summary()["landmarks_mean"] == pytest.approx(0.1)


def test_matching_is_one_to_one_and_best_first(make_face: Callable[..., faces.Face]) -> None:
    pairs = match([make_face(0, 0, 100), make_face(20, 0, 100)], [make_face(18, 0, 100)])
    assert [(i, j) for i, j, _ in pairs] == [(1, 0)]


@pytest.fixture
def make_face() -> Callable[..., faces.Face]:
    """Build a square face whose landmarks lie at its corner."""

    def make(x: float, y: float, side: float) -> faces.Face:
        return faces.Face((x, y, side, side), 0.9, np.full((5, 2), (x, y), np.float32))

    return make

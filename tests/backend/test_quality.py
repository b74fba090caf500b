"""A face that shows too little to be judged is told apart, by its size, its sharpness and its light."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.faces import FaceFinder
from chalicelib.images import decode
from chalicelib.quality import find_flaws, measure_brightness, measure_sharpness
from chalicelib.settings import Settings

# The face of the portrait, px.
BOX = (177.0, 73.0, 92.0, 120.0)
LARGER = 120


def flaws(pixels: np.ndarray, box: tuple[float, float, float, float] = BOX, min_face: float = 48) -> tuple[str, ...]:
    return find_flaws(np.ascontiguousarray(pixels), box, min_face)


def shrink_and_enlarge(pixels: np.ndarray, side: int) -> np.ndarray:
    scale = side / LARGER
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def darken(pixels: np.ndarray, share: float) -> np.ndarray:
    return (pixels * share).astype(np.uint8)


def test_a_face_in_focus_and_in_light_has_no_flaw(portrait: np.ndarray) -> None:
    assert flaws(portrait) == ()


@pytest.mark.parametrize(("side", "least", "found"), [(47.9, 48, ("face_too_small",)), (48.0, 48, ())])
def test_a_face_below_the_least_size_is_too_small(
    portrait: np.ndarray, side: float, least: float, found: tuple[str, ...]
) -> None:
    scale = side / LARGER
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y, width, _ = (value * scale for value in BOX)
    assert flaws(small, (x, y, width, side), least) == found


@pytest.mark.parametrize(("sigma", "blurred"), [(0.005, False), (0.03, True), (0.1, True)])
def test_a_blurred_face_is_told_whatever_its_size(portrait: np.ndarray, sigma: float, blurred: bool) -> None:
    for scale in (1, 3):
        large = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        soft = cv2.GaussianBlur(large, (0, 0), sigma * LARGER * scale)
        box = tuple(scale * value for value in BOX)
        assert flaws(soft, box) == (("face_too_blurred",) if blurred else ()), scale  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "blurred"), [(14, True), (60, False)])
def test_a_face_that_was_enlarged_counts_as_what_it_was(portrait: np.ndarray, side: int, blurred: bool) -> None:
    assert ("face_too_blurred" in flaws(shrink_and_enlarge(portrait, side))) is blurred


@pytest.mark.parametrize(("share", "dark"), [(1.0, False), (0.4, False), (0.12, True), (0.03, True)])
def test_an_underexposed_face_is_told(portrait: np.ndarray, share: float, dark: bool) -> None:
    assert ("face_too_dark" in flaws(darken(portrait, share))) is dark


def test_dark_skin_in_good_light_is_not_darkness(portrait: np.ndarray) -> None:
    # Skin that reflects a fifth of the light, whose eyes and highlights are as bright as they are.
    x, y, width, height = (round(value) for value in BOX)
    dark = portrait.copy()
    face = dark[y : y + height, x : x + width].astype(float) / 255
    dark[y : y + height, x : x + width] = 255 * (face**2.2 / 5) ** (1 / 2.2)
    grey = cv2.cvtColor(dark[y : y + height, x : x + width], cv2.COLOR_RGB2GRAY)
    assert grey.mean() < 80
    assert flaws(dark) == ()


def test_several_flaws_stand_together(portrait: np.ndarray) -> None:
    ruined = darken(cv2.GaussianBlur(portrait, (0, 0), 6), 0.1)
    assert flaws(ruined, min_face=200) == ("face_too_small", "face_too_blurred", "face_too_dark")


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((-30.0, -30.0, 100.0, 100.0), id="over the corner"),
        pytest.param((480.0, 480.0, 90.0, 90.0), id="over the other corner"),
        pytest.param((511.9, 511.9, 0.1, 0.1), id="a speck"),
        pytest.param((600.0, -300.0, 60.0, 60.0), id="outside"),
        pytest.param((0.0, 250.0, 512.0, 0.4), id="a line"),
    ],
)
def test_any_box_is_measured(portrait: np.ndarray, box: tuple[float, float, float, float]) -> None:
    assert set(flaws(portrait, box)) <= {"face_too_small", "face_too_blurred", "face_too_dark"}


def test_nothing_at_all_is_neither_sharp_nor_bright() -> None:
    empty = np.zeros((64, 48), np.float32)
    assert (measure_sharpness(empty), measure_brightness(empty)) == (0, 0)


def test_sharpness_changes_neither_with_light_nor_with_contrast(portrait: np.ndarray) -> None:
    grey = cv2.cvtColor(portrait[73:193, 177:269], cv2.COLOR_RGB2GRAY)
    face = cv2.resize(grey, (49, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    faint = np.round(60 + face * 0.5)
    assert measure_sharpness(faint) == pytest.approx(measure_sharpness(face), rel=0.05)


def test_few_labelled_photos_have_a_flaw(shared: Path) -> None:
    root = shared / "data"
    with (root / "faces.csv").open(newline="", encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file)][::120]
    settings = Settings()
    finder = FaceFinder(settings.models)
    flawed = []
    for path in paths:
        pixels = decode((root / path).read_bytes(), settings).pixels
        flawed += [path for face in finder.find(pixels)[:1] if find_flaws(pixels, face.box, settings.min_face)]
    assert len(flawed) <= 0.02 * len(paths), flawed

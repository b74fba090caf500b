"""An edit takes over one part of a face, matched to the photo it is laid over, and touches nothing else."""

from __future__ import annotations

from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from training.forgeries import edits
from training.forgeries.edits import (
    PARTS,
    Points,
    draw_part,
    edit,
    match_brightness,
    match_grain,
    measure_grain,
    outline_part,
)
from training.forgeries.face_mesh import LIPS, POINTS, find_face_mesh

FIVE = np.array([[70, 90], [130, 90], [100, 125], [78, 156], [122, 156]], float)
# MTCNN's points of the portrait in the picture below.
PORTRAIT = np.array([[83, 80], [126, 83], [104, 107], [82, 119], [124, 120]], float)


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[20:240, 120:320])


@pytest.fixture(scope="module")
def other(picture: np.ndarray) -> np.ndarray:
    """The same face darker, blurred and mirrored in colour, so that every part of it differs."""
    return cv2.GaussianBlur((picture[..., ::-1] * 0.7).astype(np.uint8), (0, 0), 1.0)


def make_dense() -> np.ndarray:
    """468 points: lips, eyes and brows where they lie in the picture, the others in the middle."""
    dense = np.tile(FIVE.mean(axis=0), (POINTS, 1))
    for part, places in (("mouth", [LIPS]), ("eyes", [edits.LEFT_EYE, edits.RIGHT_EYE])):
        for hull, place in zip(outline_part(Points(FIVE), part), places, strict=True):
            dense[list(place)] = hull[np.arange(len(place)) % len(hull)]
    return dense


@pytest.mark.parametrize("dense", [False, True])
def test_real_and_fake_differ_inside_the_mask_alone(picture: np.ndarray, other: np.ndarray, dense: bool) -> None:
    points = Points(FIVE, make_dense() if dense else None)
    parts = set()
    for seed in range(30):
        pair = edit(picture, points, other, points, np.random.default_rng(seed))
        assert pair is not None
        assert pair.real is picture
        assert np.array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])
        assert 0 <= pair.mask.min() <= pair.mask.max() <= 1
        assert (pair.real != pair.fake).any()
        assert ("468 points" in pair.about) == dense
        parts.add(pair.about.split(",")[0])
    assert parts == set(PARTS)


def test_the_same_state_makes_the_same_pair(picture: np.ndarray, other: np.ndarray) -> None:
    once, again, third = (
        edit(picture, Points(FIVE), other, Points(FIVE), np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert once and again and third
    assert np.array_equal(once.fake, again.fake)
    assert not np.array_equal(once.fake, third.fake)


@pytest.mark.parametrize(
    ("part", "inside", "outside"), [("mouth", (100, 156), (70, 90)), ("eyes", (70, 90), (100, 156))]
)
def test_a_mask_covers_its_part_and_no_other(
    picture: np.ndarray, part: str, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    for seed in range(10):
        mask = draw_part(picture.shape, Points(FIVE), part, np.random.default_rng(seed))
        assert mask[inside[1], inside[0]] == 1
        assert mask[outside[1], outside[0]] == 0


@pytest.mark.parametrize(
    "points",
    [FIVE * 0.1, np.array([[70, 90], [130, 90], [60, 125], [40, 156], [84, 156]], float)],
    ids=["too small", "turned away"],
)
def test_what_does_not_fit_is_no_edit(picture: np.ndarray, other: np.ndarray, points: np.ndarray) -> None:
    assert edit(picture, Points(FIVE), other, Points(points), np.random.default_rng(0)) is None


def test_a_part_taken_over_from_the_very_picture_is_no_edit(picture: np.ndarray) -> None:
    assert edit(picture, Points(FIVE), picture, Points(FIVE), np.random.default_rng(0)) is None


def test_grain_is_matched_both_ways(picture: np.ndarray) -> None:
    mask = np.ones(picture.shape[:2], np.float32)
    noisy = np.clip(picture + 8 * np.random.default_rng(0).standard_normal(picture.shape), 0, 255).astype(np.uint8)
    for source, target in ((picture, noisy), (noisy, cv2.GaussianBlur(picture, (0, 0), 1.0))):
        matched = match_grain(source, target, mask, np.random.default_rng(1))
        wanted = measure_grain(target, mask)
        assert abs(measure_grain(matched, mask) - wanted) < 0.3 * abs(measure_grain(source, mask) - wanted)


def test_noise_is_measured_in_grey_levels() -> None:
    noise = 5 * np.random.default_rng(0).standard_normal((200, 200, 1))
    flat = np.clip(np.round(np.repeat(120 + noise, 3, axis=2)), 0, 255).astype(np.uint8)
    assert measure_grain(flat, np.ones((200, 200), np.float32)) == pytest.approx(5, rel=0.05)


def test_brightness_takes_the_others_distribution_inside_the_mask(picture: np.ndarray, other: np.ndarray) -> None:
    mask = np.zeros(picture.shape[:2], np.float32)
    mask[60:160, 60:140] = 1
    matched = match_brightness(other, picture, mask)
    inside = mask > 0
    quantiles = [
        np.quantile(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[inside], (0.1, 0.5, 0.9)) for p in (matched, picture, other)
    ]
    assert np.abs(quantiles[0] - quantiles[1]).max() < 6 < np.abs(quantiles[2] - quantiles[1]).max()


@pytest.mark.skipif(find_spec("mediapipe") is None, reason="needs mediapipe's face mesh")
def test_the_mesh_finds_eyes_and_mouth_where_the_five_points_are(picture: np.ndarray) -> None:
    mesh = find_face_mesh()
    assert mesh is not None
    dense = mesh.find(picture, PORTRAIT)
    assert dense is not None
    assert dense.shape == (POINTS, 2)
    for part, expected in (("mouth", [PORTRAIT[3:].mean(axis=0)]), ("eyes", PORTRAIT[:2])):
        for hull, middle in zip(outline_part(Points(PORTRAIT, dense), part), expected, strict=True):
            assert np.hypot(*(hull.mean(axis=0) - middle)) < 8

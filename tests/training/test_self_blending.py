"""A self-blended fake is its own source everywhere but under the mask."""

from __future__ import annotations

import re

import numpy as np
import pytest

from training.faces import LocatedFace
from training.forgeries.masks import BANDS, draw_band, draw_mask, outline, soften, window
from training.forgeries.self_blending import REGION, blend_self, can_blend, change_look, cut_region

# An upright face: eyes 60 px apart, mouth 66 px below them.
POINTS = np.array([[70, 90], [130, 90], [100, 125], [78, 156], [122, 156]], float)


def turn(points: np.ndarray, degrees: float, about: tuple[float, float] = (100, 120)) -> np.ndarray:
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points - about) @ matrix.T + about


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[20:240, 120:320])


def test_the_outline_encloses_the_face_and_mirrors_itself() -> None:
    points = outline(POINTS)
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    assert left < POINTS[:, 0].min() - 20
    assert right > POINTS[:, 0].max() + 20
    assert top == pytest.approx(90 - 0.80 * 66)
    assert bottom == pytest.approx(90 + 1.57 * 66)
    mirrored = (200, 0) + points * (-1, 1)
    assert sorted(map(tuple, mirrored.round(6))) == sorted(map(tuple, points.round(6)))


@pytest.mark.parametrize("degrees", [-30, 10, 90])
def test_the_outline_turns_with_the_face(degrees: float) -> None:
    assert np.allclose(outline(turn(POINTS, degrees)), turn(outline(POINTS), degrees))


@pytest.mark.parametrize("band", BANDS)
def test_a_band_cuts_the_outline_at_its_heights(band: tuple[float, float]) -> None:
    heights = (outline(POINTS, band)[:, 1] - 90) / 66
    assert heights.min() == pytest.approx(band[0])
    assert heights.max() == pytest.approx(band[1])


@pytest.mark.parametrize(("place", "point"), [(0, (100, 37.2)), (6, (164.8, 90)), (11, (100, 193.62))])
def test_forehead_temple_and_chin_lie_where_the_outline_says(place: int, point: tuple[float, float]) -> None:
    assert outline(POINTS)[place] == pytest.approx(point)


def test_a_band_is_drawn_as_often_as_it_should_be() -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount([draw_band(rng) for _ in range(4000)], minlength=4) / 4000
    assert counts == pytest.approx([0.40, 0.30, 0.15, 0.15], abs=0.03)


def test_a_softened_mask_reaches_one_and_fits_the_window() -> None:
    hull = np.round(outline(POINTS)).astype(np.int32)[:, None]
    rows, columns = window((220, 200), hull, POINTS)
    # .09 of a face 130 px wide, and the 12 px of the widest kernel.
    assert (rows.start, rows.stop, columns.start, columns.stop) == (37 - 24, 194 + 25, 35 - 24, 165 + 25)
    mask = soften(draw_mask((220, 200), POINTS, 0, np.random.default_rng(1)), np.random.default_rng(2))
    assert mask.max() == pytest.approx(1)
    outside = mask.copy()
    outside[rows, columns] = 0
    assert outside.sum() == 0


def test_a_pair_says_what_was_drawn(picture: np.ndarray) -> None:
    about = blend_self(picture, POINTS, np.random.default_rng(0)).about
    assert re.fullmatch(r"(whole face|[a-z]+ (to|and) [a-z]+), (altered|original) copy at (1|0\.\d+)", about)


def test_real_and_fake_differ_inside_the_mask_alone(picture: np.ndarray) -> None:
    changed = 0
    for seed in range(40):
        pair = blend_self(picture, POINTS, np.random.default_rng(seed))
        assert pair.real.shape == pair.fake.shape == picture.shape
        assert pair.mask.shape == picture.shape[:2]
        assert 0 <= pair.mask.min() <= pair.mask.max() <= 1 + 1e-6
        assert np.array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])
        changed += bool((pair.real != pair.fake).any())
    assert changed == 40


def test_the_same_state_blends_the_same_pair(picture: np.ndarray) -> None:
    once, again, other = (blend_self(picture, POINTS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(once.fake, again.fake)
    assert not np.array_equal(once.fake, other.fake)


def test_the_blend_is_the_mean_of_source_and_target_weighed_by_the_mask(picture: np.ndarray) -> None:
    pair = blend_self(np.full_like(picture, 90), POINTS, np.random.default_rng(0))
    inside = pair.mask > 0.99 * pair.mask.max()
    real, fake = pair.real[inside].mean(axis=0), pair.fake[inside].mean(axis=0)
    untouched = np.where(np.abs(real - 90) < 0.5, fake, real)
    assert np.all(np.abs(untouched - 90) < 60)


def test_masks_cover_the_face_and_leave_the_corners(picture: np.ndarray) -> None:
    rngs = [np.random.default_rng(seed) for seed in range(60)]
    masks = np.stack([draw_mask(picture.shape, POINTS, draw_band(rng), rng) for rng in rngs])
    assert set(np.unique(masks)) == {0, 1}
    assert masks[:, :10, :10].sum() == 0
    assert masks.mean(axis=0)[140, 100] > 0.3


def test_a_changed_look_is_close_to_the_picture(picture: np.ndarray) -> None:
    for seed in range(20):
        changed = change_look(picture, np.random.default_rng(seed))
        assert changed.dtype == np.uint8
        assert np.abs(changed.astype(int) - picture).mean() < 60


@pytest.mark.parametrize(
    ("points", "fits"),
    [
        (POINTS, True),
        (POINTS * 0.1, False),
        (POINTS * (0.05, 1), False),
        (turn(POINTS, 45), True),
        (turn(POINTS, 180), True),
        (POINTS * (-1, 1) + (200, 0), False),
        (np.stack([POINTS[:, 0], POINTS[:, 0] * 0.5], axis=1), False),
        (np.full((5, 2), np.nan), False),
    ],
)
def test_a_mask_needs_two_eyes_apart_and_points_in_order(picture: np.ndarray, points: np.ndarray, fits: bool) -> None:
    assert can_blend(points) is fits
    if not fits:
        with pytest.raises(ValueError, match="px apart"):
            blend_self(picture, points, np.random.default_rng(0))


@pytest.mark.parametrize("scale", [1, 4])
def test_a_region_carries_the_points_along(scale: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (300 * scale, 300 * scale, 3), np.uint8)
    box = tuple(float(v * scale) for v in (100, 90, 90, 110))
    face = LocatedFace(box, tuple((x * scale + 40 * scale, y * scale) for x, y in POINTS))  # type: ignore[arg-type]
    region, moved = cut_region(pixels, face)
    assert region.shape[0] == region.shape[1] <= REGION
    shrunk = region.shape[0] / min(300 * scale, round(1.9 * 110 * scale))
    assert moved.box[2:] == pytest.approx((90 * scale * shrunk, 110 * scale * shrunk), rel=0.01)
    for (x, y), (moved_x, moved_y) in zip(face.landmarks, moved.landmarks, strict=True):
        assert moved_x - moved.box[0] == pytest.approx((x - box[0]) * shrunk, abs=0.5)
        assert moved_y - moved.box[1] == pytest.approx((y - box[1]) * shrunk, abs=0.5)

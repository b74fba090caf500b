"""A self-blended fake is its own source everywhere but under the mask."""

from __future__ import annotations

import numpy as np
import pytest

from training.faces import LocatedFace
from training.self_blending import BANDS, REGION, blend_self, can_blend, change_look, cut_region, draw_mask, outline

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
    masks = np.stack([draw_mask(picture.shape, POINTS, np.random.default_rng(seed)) for seed in range(60)])
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
    ],
)
def test_a_mask_needs_two_eyes_apart(picture: np.ndarray, points: np.ndarray, fits: bool) -> None:
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

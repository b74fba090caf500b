"""Degradations are drawn from the generator alone and never leave the range of a picture."""

from __future__ import annotations

import inspect

import cv2
import numpy as np
import pytest

from training import augmentation
from training.augmentation import MOVE, TURN, ZOOM, augment, change_geometry, flip, recolour, recompress

BOX = (180.0, 60.0, 90.0, 130.0)


def test_the_same_state_draws_the_same_view(portrait: np.ndarray) -> None:
    views = [augment(portrait, BOX, 160, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


@pytest.mark.parametrize("side", [64, 160])
def test_a_view_has_the_networks_size_and_still_shows_the_face(portrait: np.ndarray, side: int) -> None:
    plain = portrait[40:220, 140:320].mean()
    for seed in range(30):
        view = augment(portrait, BOX, side, np.random.default_rng(seed))
        assert view.shape == (side, side, 3)
        assert view.dtype == np.uint8
        assert abs(view.mean() - plain) < 60
        assert view.std() > 10


def test_fine_views_keep_the_traces_that_degraded_ones_lose(portrait: np.ndarray) -> None:
    def measure_detail(fine: float) -> float:
        views = [augment(portrait, BOX, 224, np.random.default_rng(seed), fine) for seed in range(16)]
        return float(np.median([cv2.Laplacian(view, cv2.CV_32F).std() for view in views]))

    assert measure_detail(1.0) > 1.2 * measure_detail(0.0)


def test_a_box_that_sticks_out_of_the_picture_is_cropped_inside_it(portrait: np.ndarray) -> None:
    view = augment(portrait, (450.0, -20.0, 100.0, 100.0), 160, np.random.default_rng(0))
    assert view.shape == (160, 160, 3)


def test_no_degradation_can_see_a_label() -> None:
    for _, function in inspect.getmembers(augmentation, inspect.isfunction):
        assert not {"label", "source", "sample"} & set(inspect.signature(function).parameters)


@pytest.mark.parametrize("change", [recolour, recompress])
def test_a_change_keeps_shape_and_type(portrait: np.ndarray, change) -> None:  # type: ignore[no-untyped-def]
    for seed in range(20):
        changed = change(portrait[:64, :64], np.random.default_rng(seed))
        assert changed.shape == (64, 64, 3)
        assert changed.dtype == np.uint8


def test_a_flip_mirrors_every_other_time(portrait: np.ndarray) -> None:
    crop = portrait[:64, :64]
    rng = np.random.default_rng(0)
    mirrored = [np.array_equal(flip(crop, rng), crop[:, ::-1]) for _ in range(200)]
    assert 70 < sum(mirrored) < 130


@pytest.mark.parametrize("held", [64, 80, 120])
def test_a_change_of_geometry_stays_within_its_bounds_whatever_the_crops_size(held: int) -> None:
    """Two spots, above and below the middle: where they land tells turn, zoom, shift and mirroring."""
    side, reach = 64, held // 4
    crop = np.zeros((held, held, 3), np.uint8)
    cv2.circle(crop, (held // 2, held // 2 - reach), held // 16, (250, 0, 0), -1)
    cv2.circle(crop, (held // 2, held // 2 + reach), held // 16, (0, 250, 0), -1)
    plain = 2 * reach * side / held
    turns = []
    for seed in range(60):
        view = change_geometry(crop, side, np.random.default_rng(seed)).astype(float)
        assert view.shape == (side, side, 3)
        upper, lower = (
            np.array([(view[..., c] * axis).sum() / view[..., c].sum() for axis in np.indices((side, side))])
            for c in (0, 1)
        )
        down, right = lower - upper
        turns.append(np.rad2deg(np.arctan2(right, down)))
        assert plain / (1 + ZOOM) - 2 <= np.hypot(down, right) <= plain / (1 - ZOOM) + 2
        assert np.abs((upper + lower) / 2 - (side - 1) / 2).max() <= MOVE * side / (1 - ZOOM) * 1.5 + 1
    assert -TURN - 3 <= min(turns) < -TURN / 2
    assert TURN / 2 < max(turns) <= TURN + 3


def test_a_change_of_geometry_brightens_and_darkens_and_brings_in_no_black_rim(portrait: np.ndarray) -> None:
    crop = np.full((80, 80, 3), 120, np.uint8)
    levels = [change_geometry(crop, 64, np.random.default_rng(seed)) for seed in range(60)]
    assert all(np.ptp(level) == 0 for level in levels)
    means = [float(level.mean()) for level in levels]
    assert 95 <= min(means) < 105
    assert 135 < max(means) <= 145

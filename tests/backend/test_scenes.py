"""A cut is seen, and what moves within a scene is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from chalicelib.scenes import compare, describe, is_cut


def shift(pixels: np.ndarray, across: int) -> np.ndarray:
    return np.roll(pixels, across, axis=1)


def test_the_same_frame_does_not_differ(portrait: np.ndarray) -> None:
    assert compare(describe(portrait), describe(portrait)) == pytest.approx((0, 0), abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda p: shift(p, 20), id="moved"),
        pytest.param(lambda p: cv2.GaussianBlur(p, (0, 0), 4), id="out of focus"),
        pytest.param(lambda p: np.clip(p * 1.1, 0, 255).astype(np.uint8), id="brighter"),
        pytest.param(lambda p: p // 8, id="the light goes off"),
        pytest.param(lambda p: p[40:-40, 40:-40], id="nearer"),
        pytest.param(lambda p: cv2.resize(p, (100, 100)), id="of another size"),
    ],
)
def test_what_happens_within_a_scene_is_no_cut(portrait: np.ndarray, change: object) -> None:
    assert not is_cut(describe(portrait), describe(change(portrait)))  # type: ignore[operator]


def test_another_scene_is_a_cut(portrait: np.ndarray, cat: np.ndarray) -> None:
    assert is_cut(describe(portrait), describe(cat))
    assert is_cut(describe(cat), describe(np.zeros((40, 40, 3), np.uint8)))


def test_noise_in_the_dark_is_no_cut() -> None:
    dark = (np.random.default_rng(seed).integers(0, 4, (120, 160, 3), np.uint8) for seed in range(2))
    assert compare(*map(describe, dark))[0] < 0.1


def test_frames_of_one_grey_can_be_told_apart() -> None:
    black, white = (describe(np.full((50, 50, 3), level, np.uint8)) for level in (0, 255))
    assert not is_cut(black, black)
    assert is_cut(black, white)

"""Training views at native size."""

from __future__ import annotations

import numpy as np
import pytest

from training.native_views import draw_native_framing, render_native

BOX = (60.0, 50.0, 120.0, 140.0)


def picture(side: int = 300) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)


def test_views_repeat_by_the_state_of_chance_alone() -> None:
    pixels, views = picture(), []
    for seed in (1, 1, 2):
        rng = np.random.default_rng(seed)
        framing = draw_native_framing(BOX, pixels.shape, 64, rng)
        assert framing is not None
        views.append(render_native(pixels, framing, rng))
    assert views[0].shape == (64, 64, 3)
    assert views[0].dtype == np.uint8
    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


def test_a_view_shows_the_pictures_own_pixels_or_fewer() -> None:
    pixels = picture()
    framings = [draw_native_framing(BOX, pixels.shape, 64, np.random.default_rng(seed)) for seed in range(200)]
    untouched = 0
    for framing in framings:
        assert framing is not None
        assert 64 <= framing.size <= framing.region[2]
        left, top, length = framing.region
        x, y = framing.corner
        assert 0 <= x <= framing.size - 64
        assert 0 <= y <= framing.size - 64
        view = framing.apply(pixels)
        if framing.size == length:
            untouched += 1
            own = pixels[top + y : top + y + 64, left + x : left + x + 64]
            assert np.array_equal(view[:, ::-1] if framing.mirrored else view, own)
    assert 70 <= untouched <= 130


def test_a_face_that_is_seen_whole_has_no_square() -> None:
    rng = np.random.default_rng(0)
    assert all(draw_native_framing((10.0, 10.0, 30.0, 30.0), (100, 100), 64, rng) is None for _ in range(50))


def test_both_halves_of_a_pair_go_through_the_same() -> None:
    pixels = picture()
    framing = draw_native_framing(BOX, pixels.shape, 64, np.random.default_rng(5))
    assert framing is not None
    halves = [render_native(pixels, framing, np.random.default_rng(9)) for _ in range(2)]
    assert np.array_equal(*halves)
    mask = framing.apply(np.ones(pixels.shape[:2], np.float32))
    assert mask.shape == (64, 64)
    assert mask.min() == pytest.approx(1)

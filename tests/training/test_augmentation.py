"""Degradations are drawn from the generator alone and never leave the range of a picture."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from training import augmentation
from training.augmentation import augment, recolour, recompress

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

"""A posted picture is made smaller and saved anew, both halves of a pair in the same way."""

from __future__ import annotations

import inspect
from collections import Counter

import cv2
import numpy as np
import pytest

from training import posting
from training.augmentation import augment
from training.posting import LEAST_SIDE, SERVICES, draw_chain, post, save, scale

BOX = (180.0, 60.0, 90.0, 130.0)


@pytest.fixture(scope="module")
def crop(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[20:240, 120:340])


def test_chains_have_one_to_three_services_and_each_comes_up() -> None:
    rng = np.random.default_rng(0)
    chains = [draw_chain(rng) for _ in range(2000)]
    lengths = Counter(map(len, chains))
    for length, chance in enumerate(posting.CHAIN_CHANCES, start=1):
        assert lengths[length] / 2000 == pytest.approx(chance, abs=0.04)
    assert {name for chain in chains for name in chain} == set(SERVICES)


def test_a_posted_picture_still_shows_the_same(crop: np.ndarray) -> None:
    sides = set()
    for seed in range(60):
        posted, again = (post(crop, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(posted, again)
        assert posted.dtype == np.uint8
        assert posted.shape[0] == posted.shape[1] >= LEAST_SIDE
        assert not np.array_equal(posted, crop)
        shown = cv2.resize(posted, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        assert np.abs(shown.mean(axis=(0, 1)) - crop.mean(axis=(0, 1))).max() < 3
        sides.add(posted.shape[0])
    assert len(sides) > 10
    assert min(sides) < 110


def test_what_is_drawn_does_not_depend_on_the_content(crop: np.ndarray) -> None:
    """Both halves of a pair go the same way: as much is drawn for the one as for the other, and to the same effect."""
    for seed in range(30):
        states, posted = [], []
        for half in (crop, 255 - crop):
            rng = np.random.default_rng(seed)
            posted.append(post(half, rng))
            states.append(rng.bit_generator.state)
        assert states[0] == states[1]
        assert posted[0].shape == posted[1].shape
        assert np.abs(255 - posted[1].astype(int) - posted[0]).mean() < 6


def test_nothing_here_can_see_a_label() -> None:
    for _, function in inspect.getmembers(posting, inspect.isfunction):
        assert not {"label", "source", "sample"} & set(inspect.signature(function).parameters)


def test_a_small_crop_is_made_no_smaller(crop: np.ndarray) -> None:
    assert scale(crop[:50, :50], 0.5, cv2.INTER_AREA).shape == (50, 50, 3)
    assert scale(crop[:100, :100], 0.5, cv2.INTER_AREA).shape == (64, 64, 3)
    assert scale(crop, 0.5, cv2.INTER_AREA).shape == (110, 110, 3)


def test_a_lower_quality_costs_more_and_colours_lose_their_resolution() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 200, 200
    assert np.abs(save(stripes, ".jpg", 95).astype(int) - stripes).mean() > 30
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8).repeat(3, axis=2)
    for suffix in (".jpg", ".webp"):
        errors = [np.abs(save(noise, suffix, quality).astype(int) - noise).mean() for quality in (40, 90)]
        assert errors[0] > errors[1]


def test_views_are_posted_as_often_as_is_said(portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("training.augmentation.post", lambda crop, rng: calls.append(1) or crop)
    for seed in range(200):
        augment(portrait, BOX, 64, np.random.default_rng(seed), posted=0.3)
    assert 40 < len(calls) < 80


def test_where_nothing_is_posted_a_view_is_what_it_was(portrait: np.ndarray) -> None:
    """The same draws as before there was any posting, so that older runs can be done again."""
    for seed in range(5):
        plain, posted = (augment(portrait, BOX, 96, np.random.default_rng(seed), 0.4, p) for p in (0.0, 1e-12))
        assert plain.shape == posted.shape
        assert np.array_equal(plain, augment(portrait, BOX, 96, np.random.default_rng(seed), 0.4))

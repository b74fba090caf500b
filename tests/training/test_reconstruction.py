"""A reconstruction differs from its photo by what the auto-encoder leaves, and only where the mask is."""

from __future__ import annotations

import numpy as np
import pytest

from training.forgeries import reconstruction
from training.forgeries.reconstruction import reconstruct
from training.networks.autoencoders import AutoEncoder
from training.networks.taef2 import load_taef2

POINTS = np.array([[30, 38], [62, 38], [46, 56], [34, 72], [58, 72]], float)


@pytest.fixture(scope="module")
def codec() -> AutoEncoder:
    return load_taef2()


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[60:172, 150:246])


def test_real_and_fake_differ_inside_the_mask_alone(picture: np.ndarray, codec: AutoEncoder) -> None:
    extents, sizes, noises = set(), set(), set()
    for seed in range(24):
        pair = reconstruct(picture, POINTS, codec, np.random.default_rng(seed))
        assert pair.real.shape == pair.fake.shape == picture.shape
        assert np.array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])
        changed = np.abs(pair.real.astype(int) - pair.fake)[pair.mask > 0.5]
        assert 0.2 < changed.mean() < 15, "a good copy, and no exact one"
        halved = pair.about.endswith("at half size")
        assert np.array_equal(pair.real, picture) != halved
        extents.add(pair.mask.min() == 1)
        sizes.add(halved)
        noises.add("noise" in pair.about)
    assert extents == sizes == noises == {False, True}


def test_the_same_state_makes_the_same_pair(picture: np.ndarray, codec: AutoEncoder) -> None:
    once, again, other = (reconstruct(picture, POINTS, codec, np.random.default_rng(seed)) for seed in (3, 3, 5))
    assert np.array_equal(once.real, again.real)
    assert np.array_equal(once.fake, again.fake)
    assert not np.array_equal(once.fake, other.fake)


def test_noise_on_the_latents_moves_the_picture_further(
    picture: np.ndarray, codec: AutoEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "HALVED", 0.0)
    monkeypatch.setattr(reconstruction, "WHOLE", 1.0)
    monkeypatch.setattr(reconstruction, "NOISY", 1.0)

    def change(noise: float) -> float:
        monkeypatch.setattr(reconstruction, "NOISE", (noise, noise))
        pair = reconstruct(picture, POINTS, codec, np.random.default_rng(0))
        return float(np.abs(pair.real.astype(float) - pair.fake).mean())

    assert change(0.02) < change(0.15) < change(0.6)


def test_both_halves_are_resampled_alike(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an auto-encoder that changes nothing nothing may tell the halves of a pair apart."""
    for whole in (0.0, 1.0):
        monkeypatch.setattr(reconstruction, "WHOLE", whole)
        rng = np.random.default_rng(1)
        pair = reconstruction.remake_part(picture, POINTS, lambda part: part, rng, "copied", halved=1.0)
        assert np.abs(pair.real.astype(int) - pair.fake).max() <= 1
        assert not np.array_equal(pair.real, picture)


def test_points_that_span_no_face_are_refused(picture: np.ndarray, codec: AutoEncoder) -> None:
    with pytest.raises(ValueError, match="px apart"):
        reconstruct(picture, POINTS * 0.1, codec, np.random.default_rng(0))

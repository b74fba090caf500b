"""A remade part of a face keeps its colours and shows the period of the way up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.forgeries import upsampling
from training.forgeries.upsampling import convolve_transposed, encode, learn_basis, remake, upsample

POINTS = np.array([[70, 90], [130, 90], [100, 125], [78, 156], [122, 156]], float)


@pytest.fixture(scope="module")
def picture(portrait: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(portrait[20:240, 120:320])


def test_real_and_fake_differ_inside_the_mask_alone(picture: np.ndarray) -> None:
    ways = set()
    for seed in range(60):
        pair = upsample(picture, POINTS, np.random.default_rng(seed))
        assert pair.real is picture
        assert pair.fake.shape == picture.shape
        assert 0 <= pair.mask.min() <= pair.mask.max() <= 1 + 1e-6
        assert np.array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])
        assert (pair.real != pair.fake).any()
        ways.add(pair.about.split(", ")[1].split()[0])
    assert ways == set(upsampling.WAYS)


def test_the_same_state_makes_the_same_pair(picture: np.ndarray) -> None:
    once, again, other = (upsample(picture, POINTS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(once.fake, again.fake)
    assert not np.array_equal(once.fake, other.fake)


def test_points_that_span_no_face_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="px apart"):
        upsample(picture, POINTS * 0.1, np.random.default_rng(0))


def test_a_face_beside_its_picture_changes_nothing(picture: np.ndarray) -> None:
    pair = upsample(picture, POINTS - (400, 0), np.random.default_rng(0))
    assert np.array_equal(pair.fake, picture)
    assert not pair.mask.any()


@pytest.mark.parametrize("size", [(97, 101), (64, 64), (33, 50)])
def test_a_remade_picture_has_the_size_and_the_colours_of_the_picture(
    picture: np.ndarray, size: tuple[int, int]
) -> None:
    part = picture[80 : 80 + size[0], 60 : 60 + size[1]]
    for seed in range(20):
        remade, how = remake(part, np.random.default_rng(seed))
        assert remade.shape == part.shape
        assert remade.dtype == np.float32
        assert np.abs(remade.mean(axis=(0, 1)) - part.mean(axis=(0, 1))).max() < 2, how


@pytest.mark.parametrize("factor", upsampling.FACTORS)
def test_an_even_kernel_enlarges_in_place(factor: int) -> None:
    """A ramp stays the same ramp: no pixel moves out of its block."""
    small = np.repeat(np.arange(12, dtype=np.float32)[None, :, None], 12, axis=0).repeat(3, axis=2)
    large = convolve_transposed(small, factor, 0.0, np.random.default_rng(0))
    centres = (np.arange(12 * factor) - (factor - 1) / 2) / factor
    assert large.shape == (12 * factor, 12 * factor, 3)
    inner = slice(factor, -factor)
    assert np.allclose(large[5, inner, 0], centres[inner], atol=1e-4)


@pytest.mark.parametrize("factor", upsampling.FACTORS)
def test_an_uneven_kernel_leaves_the_period_of_its_stride(factor: int) -> None:
    flat = np.full((24, 24, 3), 120, np.float32)
    large = convolve_transposed(flat, factor, 0.1, np.random.default_rng(0))[..., 0]
    assert large.mean() == pytest.approx(120, rel=1e-3)
    spectrum = np.abs(np.fft.fft2(large - large.mean()))
    peaks = np.argwhere(spectrum > 0.05 * spectrum.max())
    # A pattern of period `factor` has peaks at multiples of its frequency and nowhere else.
    assert len(peaks) > 0
    assert (peaks % (large.shape[0] // factor) == 0).all()
    assert 0.1 < large.std() < 12


def test_fewer_numbers_keep_less(picture: np.ndarray) -> None:
    errors = [np.abs(encode(picture, kept, kept) - picture).mean() for kept in (0, 4, 16, 63)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 4
    # With all directions nothing is lost but rounding.
    assert errors[-1] < 0.1


def test_no_other_directions_keep_more(picture: np.ndarray) -> None:
    patches = picture[:208, :200, 1].reshape(26, 8, 25, 8).transpose(0, 2, 1, 3).reshape(-1, 64) / 255
    patches = patches - patches.mean(axis=1, keepdims=True)
    basis = learn_basis(patches)[:, :6]
    assert np.allclose(basis.T @ basis, np.eye(6), atol=1e-6)
    other = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 6)))[0]
    left, left_by_other = (np.linalg.norm(patches - patches @ b @ b.T) for b in (basis, other))
    assert left < 0.7 * left_by_other


def test_a_soft_photo_is_remade_until_it_shows(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn once each, many remakes of a soft face change less than anybody could see."""
    soft = cv2.GaussianBlur(picture, (0, 0), 2.0)

    def change(tries: int) -> np.ndarray:
        monkeypatch.setattr(upsampling, "TRIES", tries)
        pairs = [upsample(soft, POINTS, np.random.default_rng(seed)) for seed in range(40)]
        return np.array([np.abs(pair.fake.astype(int) - pair.real).max() for pair in pairs])

    assert change(3).mean() > change(1).mean()

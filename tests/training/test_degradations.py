"""Each degradation does what its name says, to every picture alike, and says so where it cannot."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from chalicelib.images import decode
from chalicelib.settings import Settings
from training import degradations as module
from training.degradations import DegradationError, degradations, to_h264

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def closeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio, dB."""
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def apply(harm: str, pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [decode(data, Settings()).pixels for data in degradations()[harm](pictures)]


@pytest.fixture
def faces(portrait: np.ndarray) -> list[np.ndarray]:
    """Pictures of several sizes, odd ones among them."""
    return [portrait[:201, 100:301], portrait[20:220, 90:341], portrait[:200, 100:300]]


@pytest.mark.parametrize(("harm", "factor"), [("half size", 2), ("quarter size", 4)])
def test_smaller_is_smaller_and_otherwise_whole(harm: str, factor: int, faces: list[np.ndarray]) -> None:
    for small, face in zip(apply(harm, faces), faces, strict=True):
        assert small.shape == (face.shape[0] // factor, face.shape[1] // factor, 3)
        assert small.mean() == pytest.approx(face.mean(), abs=1.5)


@pytest.mark.parametrize(
    "ladder",
    [
        ["JPEG 90", "JPEG 70", "JPEG 50", "JPEG 30"],
        pytest.param(["H.264 CRF 23", "H.264 CRF 35"], marks=needs_ffmpeg),
    ],
)
def test_each_step_of_a_ladder_harms_more(ladder: list[str], faces: list[np.ndarray]) -> None:
    closest = [np.mean([closeness(a, b) for a, b in zip(apply(h, faces), faces, strict=True)]) for h in ladder]
    assert closest == sorted(closest, reverse=True)
    assert 25 < closest[-1] < closest[0] < 45


def test_a_post_shrinks_large_pictures_alone(portrait: np.ndarray) -> None:
    large = np.tile(portrait, (5, 5, 1))[:1500, :2160]
    small, same = apply("1,080 px, JPEG 75", [large, portrait])
    assert small.shape == (750, 1080, 3)
    assert same.shape == portrait.shape
    assert 28 < closeness(same, portrait) < 42


def test_webp_and_a_second_jpeg_change_the_picture_but_not_what_it_shows(faces: list[np.ndarray]) -> None:
    for webp, twice, face in zip(apply("WebP 50", faces), apply("double JPEG", faces), faces, strict=True):
        assert 28 < closeness(webp, face) < 40
        shift = module.BLOCK_SHIFT
        assert 28 < closeness(twice, face[shift:, shift:]) < 38


@needs_ffmpeg
def test_pictures_of_all_sizes_come_back_from_a_clip_in_their_order(faces: list[np.ndarray]) -> None:
    back = [decode(data, Settings()).pixels for data in to_h264([*faces, faces[0][:, ::-1]], 23)]
    for after, before in zip(back, [*faces, faces[0][:, ::-1]], strict=True):
        assert after.shape == before.shape
        assert closeness(after, before) > 30


def test_a_machine_without_ffmpeg_says_so(monkeypatch: pytest.MonkeyPatch, faces: list[np.ndarray]) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DegradationError, match="ffmpeg is not installed"):
        to_h264(faces, 23)


@needs_ffmpeg
def test_a_failing_ffmpeg_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch, faces: list[np.ndarray]) -> None:
    monkeypatch.setattr(module, "FFMPEG", (*module.FFMPEG, "-no_such_option"))
    with pytest.raises(DegradationError, match="no_such_option"):
        to_h264(faces, 23)


def test_the_same_picture_is_harmed_in_the_same_way(faces: list[np.ndarray]) -> None:
    for name, harm in degradations().items():
        if not name.startswith("H.264"):
            assert harm(faces) == [harm([face])[0] for face in faces], name

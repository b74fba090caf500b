"""The pictures to try: made as their README says, and fair examples of what the shipped model answers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from chalicelib.checks import Checker
from chalicelib.settings import Settings
from tests.extension.samples import FOLDER, draw_samples, encode

NAMES = ("portrait.jpg", "blended.jpg", "small.jpg", "cat.jpg")


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    return draw_samples()


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_what_the_recipe_draws(drawn: dict[str, np.ndarray], name: str) -> None:
    stored = np.asarray(Image.open(FOLDER / name)).astype(int)
    # Encoders of other releases round a little differently.
    fresh = np.asarray(Image.open(io.BytesIO(encode(drawn[name])))).astype(int)
    assert stored.shape == fresh.shape
    assert np.abs(stored - fresh).mean() < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_small_and_carries_no_metadata(name: str) -> None:
    assert (FOLDER / name).stat().st_size <= 60_000
    with Image.open(FOLDER / name) as picture:
        assert picture.format == "JPEG"
        assert not picture.getexif()


@pytest.mark.parametrize(
    ("name", "verdict", "reasons"),
    [
        ("portrait.jpg", "no_traces", []),
        ("blended.jpg", "likely_fake", []),
        ("small.jpg", "uncertain", ["face_too_small"]),
        ("cat.jpg", "no_face", []),
    ],
)
def test_the_shipped_model_answers_as_the_sample_is_described(name: str, verdict: str, reasons: list[str]) -> None:
    checker = Checker.from_settings(Settings(), remember=False)
    answer = checker.check_image((FOLDER / name).read_bytes())
    assert (answer["verdict"], answer["reasons"]) == (verdict, reasons)


def test_outside_the_face_the_blended_sample_is_the_portrait(drawn: dict[str, np.ndarray]) -> None:
    changed = np.argwhere((drawn["portrait.jpg"] != drawn["blended.jpg"]).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert 0 < (bottom - top) * (right - left) < 0.15 * drawn["portrait.jpg"][..., 0].size

"""Pictures of a verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backend.overlays import FULL_COLOUR, LONGEST_SIDE, LOWERS, RAISES, STRENGTH, draw


def faces_of(*faces: dict[str, Any]) -> Any:
    return list(faces)


def face(value: float, *, box: list[float], square: list[int], verdict: str = "likely_fake") -> dict[str, Any]:
    return {
        "box": box,
        "fake_probability": 0.93,
        "verdict": verdict,
        "evidence": {"grid": [[value] * 4] * 4, "box": square},
    }


GREY = np.full((400, 600, 3), 128, np.uint8)


def centre(value: float) -> np.ndarray:
    drawn = draw(GREY, faces_of(face(value, box=[250, 150, 100, 120], square=[200, 110, 200, 200])))
    return drawn[230, 300].astype(int)


@pytest.mark.parametrize(
    ("value", "colour", "share"),
    [
        (FULL_COLOUR, RAISES, 1.0),
        (-FULL_COLOUR, LOWERS, 1.0),
        (FULL_COLOUR / 2, RAISES, 0.5),
        (0.0, RAISES, 0.0),
        (3 * FULL_COLOUR, RAISES, 1.0),
    ],
)
def test_colour_follows_one_scale_for_all_pictures(value: float, colour: tuple[int, ...], share: float) -> None:
    alpha = share * STRENGTH
    np.testing.assert_allclose(centre(value), 128 * (1 - alpha) + np.array(colour) * alpha, atol=1)


def test_outside_the_faces_the_picture_is_as_it_was() -> None:
    drawn = draw(GREY, faces_of(face(4, box=[250, 150, 100, 120], square=[200, 110, 200, 200])))
    assert (drawn[:90] == 128).all() and (drawn[320:] == 128).all()
    assert (draw(GREY, faces_of()) == GREY).all()


def test_the_picture_itself_is_not_changed() -> None:
    pixels = GREY.copy()
    pixels.setflags(write=False)
    draw(pixels, faces_of(face(4, box=[250, 150, 100, 120], square=[200, 110, 200, 200])))
    assert (pixels == 128).all()


def test_a_large_picture_is_drawn_smaller_with_the_face_in_its_place() -> None:
    pixels = np.zeros((2000, 4 * LONGEST_SIDE // 2, 3), np.uint8)
    drawn = draw(pixels, faces_of(face(4, box=[1000, 1000, 400, 400], square=[900, 900, 600, 600])))
    assert drawn.shape == (1000, 1600, 3)
    assert drawn[600, 600].any()
    assert not drawn[300, 300].any()


@pytest.mark.parametrize("verdict", ["likely_fake", "no_traces", "uncertain"])
@pytest.mark.parametrize(
    ("box", "square"),
    [
        ([0.0, 0.0, 600.0, 400.0], [100, 0, 400, 400]),
        ([590.0, 390.0, 10.0, 10.0], [584, 384, 16, 16]),
        ([0.0, 0.0, 10.0, 10.0], [0, 0, 16, 16]),
    ],
)
def test_faces_at_the_rim_are_drawn(box: list[float], square: list[int], verdict: str) -> None:
    drawn = draw(GREY, faces_of(face(1, box=box, square=square, verdict=verdict)))
    assert drawn.shape == GREY.shape
    assert (drawn != GREY).any()

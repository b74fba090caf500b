"""The cheeks tell how light a skin looks; grey and tinted pictures tell nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.bands import UNTOLD, measure_bands
from training.skin import measure_skin

LANDMARKS = np.array([[70, 80], [130, 80], [100, 110], [75, 140], [125, 140]], float)


def paint(lightness: float, yellow: float) -> np.ndarray:
    """Return a face of one colour, with a bright background and a dark nose and mouth."""
    picture = np.full((200, 200, 3), 255, np.uint8)
    skin = cv2.cvtColor(np.array([[[lightness, 12, yellow]]], np.float32), cv2.COLOR_LAB2RGB)
    picture[50:170, 50:150] = (255 * skin[0, 0]).round()
    picture[100:120, 92:108] = 0
    picture[135:145, 80:120] = 0
    return picture


@pytest.mark.parametrize(("lightness", "yellow", "angle"), [(70, 20, 45.0), (50, 15, 0.0), (35, 15, -45.0)])
def test_the_angle_is_that_of_the_cheeks(lightness: float, yellow: float, angle: float) -> None:
    assert measure_skin(paint(lightness, yellow), LANDMARKS) == pytest.approx(angle, abs=2)


def test_darker_light_on_the_same_skin_is_not_told_from_darker_skin() -> None:
    bright = paint(65, 18)
    assert measure_skin(bright // 2, LANDMARKS) < measure_skin(bright, LANDMARKS) - 20  # type: ignore[operator]


def test_a_grey_picture_a_blue_one_and_a_face_outside_tell_nothing() -> None:
    assert measure_skin(paint(60, 0)[..., :1].repeat(3, axis=2), LANDMARKS) is None
    assert measure_skin(paint(60, -20), LANDMARKS) is None
    assert measure_skin(paint(60, 18), LANDMARKS + 500) is None
    assert measure_skin(paint(60, 18), np.full((5, 2), 100.0)) is not None


def test_every_scored_picture_is_in_one_band_of_each_kind() -> None:
    told = [(40, -60.0), (64, -30.0), (95.9, 9.9), (130, 10.0), (192, 60.0), (400, None)]
    rows = [
        {
            "path": str(place),
            "label": ("real", "fake")[place % 2],
            "group": str(place),
            "fake_probability": (0.2, 0.8)[place % 2],
            "verdict": ("no_traces", "likely_fake")[place % 2],
            "face_side": side,
            "skin_angle": angle,
        }
        for place, (side, angle) in enumerate(told)
    ]
    faceless = {"path": "x", "label": "real", "group": "x", "fake_probability": None, "verdict": "no_face"}
    bands = measure_bands([*rows, faceless])
    assert [band.get("pictures", 0) for band in bands["face_side"]] == [1, 2, 0, 1, 2]
    assert [band.get("pictures", 0) for band in bands["apparent_skin_tone"]] == [1, 2, 1, 0, 0, 1, 1]
    middle = bands["face_side"][1]
    assert (middle["reals"], middle["fakes"], middle["auc"], middle["recall"]) == (1, 1, 1, 1)
    assert middle["real_called_fake"] == 0
    assert bands["apparent_skin_tone"][-1]["title"] == UNTOLD

"""What a release is calibrated on: each face as it is served, and once as after a posting."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from chalicelib.face_views import ViewRule
from chalicelib.settings import Settings
from convert.views import Views
from training.faces import LocatedFace
from training.manifest import Sample

SIDE = 64
RULE = ViewRule(((0.5, 0.4),), 0.4)


def test_a_posted_face_is_cut_where_it_lies_in_the_posted_picture(tmp_path: Path) -> None:
    """The face is a white square in the dark, so that a box that did not follow the picture's size would show."""
    samples, faces = [], {}
    for number in range(8):
        pixels = np.zeros((700, 700, 3), np.uint8)
        pixels[250:450, 200:400] = 255
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
        samples.append(Sample(f"{number}.png", 0, "street", "", str(number)))
        faces[f"{number}.png"] = LocatedFace((200.0, 250.0, 200.0, 200.0), ((260, 320),) * 5)
    views = Views(faces, tmp_path, tmp_path / "faces.csv", SIDE, Settings(), 0, RULE)
    shown = views.show(samples)
    assert len(shown) == 2 * len(samples)
    whole = [face.pixels[0].astype(float) for face in shown]
    for posted in whole[len(samples) :]:
        assert np.abs(posted - whole[0]).mean() < 12
    assert len({face.pixels.tobytes() for face in shown[len(samples) :]}) > 4
    assert np.array_equal(views.show(samples)[-1].pixels, shown[-1].pixels)

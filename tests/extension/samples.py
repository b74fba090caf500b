"""The pictures that the extension offers to try, drawn anew: `python -m tests.extension.samples`.

All come from two photographs in the public domain that scikit-image brings along; see extension/samples/README.md.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from chalicelib.faces import Face, FaceFinder, crop_square
from chalicelib.settings import Settings
from training.forgeries.self_blending import REGION_MARGIN, blend_self

FOLDER = Path(__file__).parents[2] / "extension" / "samples"
# Head and shoulders: rows and columns of the portrait.
HEAD = (slice(0, 384), slice(40, 424))
# One that looks like an edit and that the model finds; most of its neighbours, it does not.
SEED = 1112
# The side, px, at which the same face is too small to be judged.
SMALL = 160
QUALITY = 92


def draw_samples() -> dict[str, np.ndarray]:
    """Return each picture, uint8 RGB, by the name of its file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        portrait, cat = np.asarray(data.astronaut()), np.asarray(data.chelsea())
    settings = Settings()
    face = FaceFinder(settings.models, search_side=settings.search_side).find(portrait)[0]
    head = portrait[HEAD]
    return {
        "portrait.jpg": head,
        "blended.jpg": blend_face(portrait, face)[HEAD],
        "small.jpg": cv2.resize(head, (SMALL, SMALL), interpolation=cv2.INTER_AREA),
        "cat.jpg": cat,
    }


def blend_face(pixels: np.ndarray, face: Face) -> np.ndarray:
    """Lay a changed copy of a face over itself; beside the mask nothing changes."""
    x, y, width, height = (float(value) for value in face.box)
    left, top, side = crop_square((x, y, width, height), pixels.shape, REGION_MARGIN)
    region = pixels[top : top + side, left : left + side]
    pair = blend_self(region, face.landmarks - (left, top), np.random.default_rng(SEED))
    if not np.array_equal(pair.real, region):
        raise ValueError(f"this seed changes the photo around the face as well. Received: {SEED}")
    blended = pixels.copy()
    blended[top : top + side, left : left + side] = pair.fake
    return blended


def encode(pixels: np.ndarray) -> bytes:
    """Return a JPEG without metadata."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    for name, pixels in draw_samples().items():
        (FOLDER / name).write_bytes(encode(pixels))

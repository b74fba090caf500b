"""Pictures and face crops from disk, as serving makes them, and what a network says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from chalicelib.detector import normalise
from chalicelib.errors import UnmaskError
from chalicelib.face_views import FaceViews, ViewRule, cut_views, join_logits
from chalicelib.faces import crop_face
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.faces import LocatedFace
from training.manifest import Sample


def open_picture(root: Path, sample: Sample, settings: Settings) -> np.ndarray:
    """Decode a picture, uint8 RGB [H, W, 3].

    Raises:
        ValueError: it cannot be read; the sentence names it.
    """
    try:
        return decode((root / sample.path).read_bytes(), settings).pixels
    except (OSError, UnmaskError) as error:
        raise ValueError(f"{sample.path} had a face and cannot be read any more: {error}") from error


def load_crops(
    samples: Sequence[Sample], faces: Mapping[str, LocatedFace], root: Path, side: int, settings: Settings
) -> tuple[np.ndarray, list[Sample]]:
    """Crop pictures exactly as serving does, without augmentation.

    Returns:
        uint8 RGB [N, side, side, 3] and the N samples that have a face.
    """
    kept = [sample for sample in samples if sample.path in faces]
    crops = np.empty((len(kept), side, side, 3), np.uint8)
    for crop, sample in zip(crops, kept, strict=True):
        crop[...] = crop_face(open_picture(root, sample, settings), faces[sample.path].box, side)
    return crops, kept


def predict_logits(network: keras.Model, crops: Sequence[np.ndarray] | np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Return the logits float [N] of N ≥ 1 crops uint8 RGB [side, side, 3]; no more than a batch of them is copied."""
    starts = range(0, len(crops), batch_size)
    batches = (np.asarray(crops[start : start + batch_size]) for start in starts)
    return np.concatenate([network.predict_on_batch(normalise(batch)) for batch in batches])[:, 0]


def load_views(
    samples: Sequence[Sample],
    faces: Mapping[str, LocatedFace],
    root: Path,
    side: int,
    settings: Settings,
    rule: ViewRule,
) -> tuple[list[FaceViews], list[Sample]]:
    """Cut out what serving shows a network of the face of each picture, without augmentation.

    Returns:
        N sets of views, and the N samples that have a face.
    """
    kept = [sample for sample in samples if sample.path in faces]
    pictures = (open_picture(root, sample, settings) for sample in kept)
    views = [cut_views(pixels, faces[s.path].box, side, rule) for s, pixels in zip(kept, pictures, strict=True)]
    return views, kept


def predict_views(network: keras.Model, faces: Sequence[FaceViews], batch_size: int = 64) -> list[np.ndarray]:
    """Return the logits of the views of each face: float [1 + n], the whole face first."""
    logits = predict_logits(network, [view for face in faces for view in face.pixels], batch_size)
    return np.split(logits, np.cumsum([len(face.pixels) for face in faces])[:-1])


def join_views(logits: Sequence[np.ndarray], rule: ViewRule) -> np.ndarray:
    """Return the logit of each face, float [N], from those of its views as `predict_views` returns them."""
    return np.array([join_logits(own[0], own[1:].tolist(), rule) if len(own) > 1 else own[0] for own in logits], float)

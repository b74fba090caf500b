"""Who is swapped with whom: somebody of another group who looks the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.faces import LocatedFace
from training.forgeries.swaps import MOST_MISFIT, MOST_SCALE, as_complex, can_swap
from training.manifest import Sample

# A partner is drawn among this many of the nearest in pose, so that a face meets many others.
NEAREST = 64


class Partners:
    """Finds faces to swap with, by the shapes that their five points make.

    The shape of a face is its points round their mean, scaled to unit length; the distance of two shapes is what
    the best similarity transform leaves between them (the full Procrustes distance), so neither place, size nor
    tilt of a face matters.
    """

    def __init__(self, samples: Sequence[Sample], faces: Mapping[str, LocatedFace]) -> None:
        """Take the real samples whose face can be swapped.

        Args:
            samples: of one part of a split only: a partner must not come from another.
            faces: the face of each path.
        """
        self._samples = [
            sample
            for sample in samples
            if not sample.label and sample.path in faces and can_swap(np.array(faces[sample.path].landmarks))
        ]
        points = np.array([faces[sample.path].landmarks for sample in self._samples], float).reshape(-1, 5, 2)
        self._shapes, self._sizes = _shape(points)
        self._groups = np.array([sample.group for sample in self._samples], object)

    def find(self, group: str, landmarks: np.ndarray, rng: np.random.Generator, most: int = 3) -> list[Sample]:
        """Draw faces to swap with, each as likely as another among the nearest in pose.

        Args:
            group: the group that the face to be covered is of; no partner is.
            landmarks: float [5, 2], px, of the face to be covered.
            rng: the only source of chance.
            most: how many to draw.

        Returns:
            At most that many samples; none when nobody fits.
        """
        shape, size = _shape(np.asarray(landmarks, float))
        eyes = np.hypot(*(landmarks[1] - landmarks[0]))
        left = np.sqrt(np.clip(1 - np.abs(self._shapes @ shape.conj()) ** 2, 0, 1))
        # What separates the points after the fit, as `swaps.misfit` has it: root mean square, in eye distances.
        misfits = left * size / np.sqrt(len(shape)) / eyes
        ratios = size / self._sizes
        fits = (self._groups != group) & (misfits <= MOST_MISFIT) & (ratios <= MOST_SCALE) & (ratios >= 1 / MOST_SCALE)
        near = np.flatnonzero(fits)
        near = near[np.argsort(misfits[near], kind="stable")[:NEAREST]]
        return [self._samples[i] for i in rng.permutation(near)[:most]]


def _shape(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shapes, complex [..., 5] of unit length, of points [..., 5, 2], and the lengths [...], px."""
    numbers = as_complex(points)
    numbers = numbers - numbers.mean(axis=-1, keepdims=True)
    lengths = np.sqrt((np.abs(numbers) ** 2).sum(axis=-1))
    return numbers / np.maximum(lengths[..., None], 1e-9), lengths

"""Passes over all pictures, as student projects train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from chalicelib.detector import normalise
from chalicelib.faces import crop_face
from chalicelib.settings import Settings
from training.augmentation import change_geometry, flip
from training.crops import open_picture
from training.faces import LocatedFace
from training.manifest import Sample
from training.memory import BUDGET, Memory

# How much finer than the network's input a crop is held that will be turned and enlarged.
FINER = 1.25


class PassBatches(keras.utils.PyDataset):
    """Every picture once an epoch, in an order and in views that depend on seed and epoch alone.

    In the loss both classes weigh the same; within a class a picture weighs what the manifest says. The views are the
    very crops that serving makes, changed by an augmentation or not at all.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        faces: Mapping[str, LocatedFace],
        root: Path,
        *,
        side: int,
        batch_size: int,
        augmentation: str,
        settings: Settings,
        seed: int,
        first_epoch: int = 0,
        workers: int = 1,
        budget: int = BUDGET,
    ) -> None:
        """Take the samples that have a face.

        Args:
            samples: training samples of both classes.
            faces: the face of each path.
            root: the folder that the paths start from.
            side: side of a view, px.
            batch_size: at most so many views a batch; batches differ by one view at most.
            augmentation: "none", "flip" or "geometry".
            settings: limits of decoding.
            seed: fixes every draw.
            first_epoch: the epoch to begin with, when a training goes on.
            workers: threads that prepare batches.
            budget: bytes of crops that are held; the rest is read anew each time.

        Raises:
            ValueError: a class is empty.
        """
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        self._samples = [sample for sample in samples if sample.path in faces]
        self.labels = np.array([sample.label for sample in self._samples], np.float32)
        for label, name in enumerate(("real", "fake")):
            if label not in self.labels:
                raise ValueError(f"no {name} picture with a face to train on")
        self._own = np.array([sample.weight for sample in self._samples], np.float32)
        factors = self.weigh_classes()
        self._weights = self._own * np.where(self.labels == 1, factors[1], factors[0]).astype(np.float32)
        self._side, self._seed, self._augmentation = side, seed, augmentation
        self._first_epoch = first_epoch
        self.steps = -(-len(self._samples) // batch_size)
        # A view that is turned and enlarged is taken from a finer crop, so that it is no blurrier than others.
        held = round(FINER * side) if augmentation == "geometry" else side

        def crop(index: int) -> np.ndarray:
            sample = self._samples[index]
            return crop_face(open_picture(root, sample, settings), faces[sample.path].box, held)

        self.pictures = Memory(crop, budget)

    @property
    def num_batches(self) -> None:
        """None: epochs follow one another without end, so that a later one can be the first of a training."""
        return None

    def weigh_classes(self) -> dict[int, float]:
        """Return the factor of each class in the loss that lets both weigh the same, 1 on average."""
        masses = [float(self._own[self.labels == label].sum()) for label in (0, 1)]
        return {label: len(self.labels) / (2 * mass) for label, mass in enumerate(masses)}

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return views float32 [batch, side, side, 3] in [-1, 1], labels float32 [batch, 1] and weights [batch]."""
        epoch, place = divmod(step, self.steps)
        epoch += self._first_epoch
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._samples))
        # Parts of nearly the same size: a last batch of one picture would upset batch normalisation.
        start, end = (len(order) * at // self.steps for at in (place, place + 1))
        rng = np.random.default_rng((self._seed, epoch, place))
        chosen = order[start:end]
        views = np.stack([self._view(index, rng) for index in chosen])
        return normalise(views), self.labels[chosen, None], self._weights[chosen]

    def _view(self, index: int, rng: np.random.Generator) -> np.ndarray:
        crop = self.pictures[index]
        if self._augmentation == "geometry":
            return change_geometry(crop, self._side, rng)
        return flip(crop, rng) if self._augmentation == "flip" else crop

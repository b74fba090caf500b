"""Batches of training views, every draw fixed by seed and step: an endless balanced draw, or passes over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from chalicelib.detector import normalise
from chalicelib.errors import UnmaskError
from chalicelib.faces import crop_face
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.augmentation import augment, change_geometry, flip
from training.faces import LocatedFace
from training.manifest import Sample, count_by_source
from training.memory import BUDGET, Memory
from training.self_blending import blend_self, can_blend, cut_region

# How much finer than the network's input a crop is held that will be turned and enlarged.
FINER = 1.25


class FaceBatches(keras.utils.PyDataset):
    """An endless draw of training batches.

    Within a class a source is drawn in proportion to the square root of its size, times its weight, so
    that no large collection drowns a small one; within a source every picture is as likely as another.
    Batch i is the same whenever and by whichever worker it is made, so a resumed training sees what an
    uninterrupted one would have seen.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        faces: Mapping[str, LocatedFace],
        root: Path,
        *,
        side: int,
        batch_size: int,
        weights: Mapping[str, float],
        self_blended: float,
        settings: Settings,
        seed: int,
        first_step: int = 0,
        workers: int = 1,
        budget: int = BUDGET,
    ) -> None:
        """Take the samples that have a face.

        Args:
            samples: training samples of both classes.
            faces: the face of each path.
            root: the folder that the paths start from.
            side: side of a view, px.
            batch_size: even; half of it is fake.
            weights: factor of a source, by "source" or "source/fake"; 1 where not named.
            self_blended: share of the fakes that are self-blended, 0 to 1; each comes with its own source
                as a real one, so that nothing but the blend tells the two apart.
            settings: limits of decoding.
            seed: fixes every draw.
            first_step: the batch to begin with, when a training goes on.
            workers: threads that prepare batches.
            budget: bytes of decoded pictures that are held; the rest is read anew each time.

        Raises:
            ValueError: a class is empty, a weight names no source, or the batch size is odd.
        """
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        if batch_size % 2:
            raise ValueError(f"batch_size must be even. Received: {batch_size}")
        self._samples = [sample for sample in samples if sample.path in faces]
        self._faces, self._side, self._half = faces, side, batch_size // 2
        self.pictures = Memory(lambda index: open_picture(root, self._samples[index], settings), budget)
        self._seed, self._first_step = seed, first_step
        self._pairs = round(self_blended * self._half)
        self._classes = [self._weigh(label, weights) for label in (0, 1)]
        self._blendable = self._keep_blendable()

    def _weigh(self, label: int, weights: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of a class and the probability of each."""
        counts = count_by_source(self._samples)
        names = {source for source, _ in counts} | {f"{s}/{('real', 'fake')[y]}" for s, y in counts}
        if unknown := set(weights) - names:
            raise ValueError(f"no source is called {sorted(unknown)[0]!r}. Known: {', '.join(sorted(names))}")
        indices = np.array([i for i, s in enumerate(self._samples) if s.label == label], int)
        if not len(indices):
            raise ValueError(f"no {('real', 'fake')[label]} picture with a face to train on")

        def weight(sample: Sample) -> float:
            factor = weights.get(f"{sample.source}/{('real', 'fake')[label]}", weights.get(sample.source, 1.0))
            return factor / np.sqrt(counts[sample.source, label])

        odds = np.array([weight(self._samples[i]) for i in indices])
        return indices, odds / odds.sum()

    def _keep_blendable(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the real samples whose face can be blended with itself, and the probability of each."""
        indices, odds = self._classes[0]
        fits = [can_blend(np.array(self._faces[self._samples[i].path].landmarks)) for i in indices]
        if self._pairs and not any(fits):
            raise ValueError("no real face is large enough to be blended with itself")
        return indices[fits], odds[fits] / max(odds[fits].sum(), 1e-12)

    @property
    def num_batches(self) -> None:
        """The draw has no end; a training says itself how many steps make an epoch."""
        return None

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return views float32 [batch, side, side, 3] in [-1, 1] and labels float32 [batch, 1]."""
        rng = np.random.default_rng((self._seed, self._first_step + step))
        views: list[np.ndarray] = []
        for indices, odds in self._classes:
            for index in rng.choice(indices, self._half - self._pairs, p=odds):
                pixels, face = self._open(index)
                views.append(augment(pixels, face.box, self._side, rng))
        indices, odds = self._blendable
        for index in rng.choice(indices, self._pairs, p=odds) if self._pairs else ():
            views.extend(self._blend(index, rng))
        labels = np.repeat((0, 1), self._half - self._pairs).tolist() + [0, 1] * self._pairs
        return normalise(np.stack(views)), np.array(labels, np.float32)[:, None]

    def _open(self, index: int) -> tuple[np.ndarray, LocatedFace]:
        return self.pictures[index], self._faces[self._samples[index].path]

    def _blend(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return a real view and the fake made of it, both gone through one and the same degradation."""
        region, face = cut_region(*self._open(index))
        pair = blend_self(region, np.array(face.landmarks), rng)
        seed = int(rng.integers(2**63))
        real, fake = (
            augment(half, face.box, self._side, np.random.default_rng(seed)) for half in (pair.real, pair.fake)
        )
        return real, fake


class PassBatches(keras.utils.PyDataset):
    """Every picture once an epoch, in an order and in views that depend on seed and epoch alone.

    The views are the very crops that serving makes, changed by an augmentation or not at all.
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
        counts = [int((self.labels == label).sum()) for label in (0, 1)]
        return {label: len(self.labels) / (2 * count) for label, count in enumerate(counts)}

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return views float32 [batch, side, side, 3] in [-1, 1] and labels float32 [batch, 1]."""
        epoch, place = divmod(step, self.steps)
        epoch += self._first_epoch
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._samples))
        # Parts of nearly the same size: a last batch of one picture would upset batch normalisation.
        start, end = (len(order) * at // self.steps for at in (place, place + 1))
        rng = np.random.default_rng((self._seed, epoch, place))
        views = np.stack([self._view(index, rng) for index in order[start:end]])
        return normalise(views), self.labels[order[start:end], None]

    def _view(self, index: int, rng: np.random.Generator) -> np.ndarray:
        crop = self.pictures[index]
        if self._augmentation == "geometry":
            return change_geometry(crop, self._side, rng)
        return flip(crop, rng) if self._augmentation == "flip" else crop


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


def predict_logits(network: keras.Model, crops: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Return the logits float [N] of crops uint8 RGB [N, side, side, 3], N ≥ 1."""
    starts = range(0, len(crops), batch_size)
    batches = (crops[start : start + batch_size] for start in starts)
    return np.concatenate([network.predict_on_batch(normalise(batch)) for batch in batches])[:, 0]

"""Batches of training views: half real, half fake, every draw fixed by seed and step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from chalicelib.detector import normalise
from chalicelib.settings import Settings
from training.augmentation import augment
from training.crops import open_picture
from training.faces import LocatedFace
from training.manifest import Sample, count_by_source
from training.memory import BUDGET, Memory
from training.self_blending import blend_self, can_blend, cut_region


class FaceBatches(keras.utils.PyDataset):
    """An endless draw of training batches.

    Within a class a source is drawn in proportion to the square root of its size, times its weight, so
    that no large collection drowns a small one; within a source a picture is as likely as its own weight says,
    which is 1 unless the manifest states another.
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
            return sample.weight * factor / np.sqrt(counts[sample.source, label])

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

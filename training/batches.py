"""Batches of training views: half real, half fake, every draw fixed by seed and step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from chalicelib.detector import normalise
from chalicelib.settings import Settings
from training.augmentation import FINE, Framing, draw_framing, render
from training.crops import open_picture
from training.faces import LocatedFace
from training.forgeries.mix import Forger, Mix
from training.manifest import Sample, count_by_source
from training.memory import BUDGET, Memory
from training.native_views import NativeFraming, draw_native_framing, render_native

# What a picture goes through before it is augmented: pixels and the box of its face to pixels of the same size.
Alter = Callable[[np.ndarray, tuple[float, float, float, float]], np.ndarray]
# A place counts as forged from this share of its mask's highest value on.
FORGED = 0.1
# Stands for the cells of a fake of which nobody knows where it was forged.
UNKNOWN = -1.0


@dataclass(frozen=True, slots=True)
class DrawnView:
    """One view of a batch.

    Attributes:
        view: uint8 RGB [side, side, 3].
        label: 1 fake, 0 real.
        sample: the picture that it shows; of a forged pair, the photo that both halves are made of.
        mask: of half of a forged pair, where the two differ, float32 [s, s] in [0, 1], cut as the view is.
        native: whether it is a square at native size, not a whole face.
    """

    view: np.ndarray
    label: int
    sample: Sample
    mask: np.ndarray | None = None
    native: bool = False

    @property
    def made(self) -> bool:
        """Whether it is half of a forged pair."""
        return self.mask is not None


class FaceBatches(keras.utils.PyDataset):
    """An endless draw of training batches.

    Within a class a source, and of fakes each method of a source, is drawn in proportion to the square root of its
    size, times its weight, so that no large collection drowns a small one; within it a picture is as likely as its own
    weight says, which is 1 unless the manifest states another.
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
        mix: Mix,
        settings: Settings,
        seed: int,
        first_step: int = 0,
        cells: int = 0,
        fine: float = FINE,
        native: float = 0.0,
        taught: Collection[str] | None = None,
        posted: float = 0.0,
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
            mix: shares of the fakes that are made on the fly; each comes with its own source as a real one, so
                that nothing but the forgery tells the two apart.
            settings: limits of decoding.
            seed: fixes every draw.
            first_step: the batch to begin with, when a training goes on.
            cells: side of the evidence map, where its cells are taught too; else 0.
            fine: how often a view of a whole face is hardly touched, 0 to 1.
            native: how often a view of a large face is a square at native size, 0 to 1.
            taught: sources about whose whole faces a teacher is asked, where it is not asked about all views.
            posted: how often a view of a whole face comes through social networks and messengers, 0 to 1.
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
        self._seed, self._first_step, self._cells = seed, first_step, cells
        self._fine, self._posted, self._native, self._taught = fine, posted, native, taught
        self._pairs = round(mix.total * self._half)
        self._classes = [self._weigh(label, weights) for label in (0, 1)]
        self._originals = find_originals(self._samples)
        place = {sample.path: index for index, sample in enumerate(self._samples)}
        self._forger = Forger(self._samples, faces, lambda sample: self.pictures[place[sample.path]], mix)
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

        sizes = Counter((self._samples[i].source, self._samples[i].method) for i in indices)

        def weight(sample: Sample) -> float:
            factor = weights.get(f"{sample.source}/{('real', 'fake')[label]}", weights.get(sample.source, 1.0))
            return sample.weight * factor / np.sqrt(sizes[sample.source, sample.method])

        odds = np.array([weight(self._samples[i]) for i in indices])
        return indices, odds / odds.sum()

    def _keep_blendable(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the real samples whose face can be blended with itself, and the probability of each."""
        indices, odds = self._classes[0]
        fits = [self._forger.can_forge(self._samples[i]) for i in indices]
        if self._pairs and not any(fits):
            raise ValueError("no real face is large enough to be blended with itself")
        return indices[fits], odds[fits] / max(odds[fits].sum(), 1e-12)

    @property
    def num_batches(self) -> None:
        """The draw has no end; a training says itself how many steps make an epoch."""
        return None

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return views float32 [batch, side, side, 3] in [-1, 1] and targets float32 [batch, 1 or more].

        The first column of the targets is the label; cells² more say of each cell of an evidence map what it should
        show, and the last one whether a teacher is asked about the view, see `training.losses`.
        """
        drawn = list(self.draw(step))
        views = normalise(np.stack([each.view for each in drawn]))
        labels = np.array([[each.label] for each in drawn], np.float32)
        columns = [labels]
        if self._cells:
            columns.append(np.stack([self._cover(each) for each in drawn]))
        if self._taught is not None:
            asked = [not each.native and each.sample.source in self._taught for each in drawn]
            columns.append(np.array(asked, np.float32)[:, None])
        return views, np.hstack(columns)

    def draw(self, step: int, alter: Alter = lambda pixels, box: pixels) -> Iterator[DrawnView]:
        """Yield the views of a batch in its order.

        Args:
            step: which batch, ≥ 0.
            alter: changes a picture, or a half of a pair, before it is augmented. It keeps the size, so that all draws
                stay those of the picture as it is.
        """
        rng = np.random.default_rng((self._seed, self._first_step + step))
        collected = self._half - self._pairs
        reals, fakes = (rng.choice(indices, collected, p=odds) for indices, odds in self._classes)
        for real, fake in zip(reals, fakes, strict=True):
            yield from self._draw_two(int(real), int(fake), rng, alter)
        indices, odds = self._blendable
        for index in rng.choice(indices, self._pairs, p=odds) if self._pairs else ():
            forgery = self._forger.draw(self._samples[index], rng)
            pair, box = forgery.pair, forgery.face.box
            framing = self._frame(box, pair.mask.shape, rng)
            seed = int(rng.integers(2**63))
            for label, half in enumerate((pair.real, pair.fake)):
                # Both halves go through one and the same degradation.
                view = self._render(alter(half, box), framing, np.random.default_rng(seed))
                native = isinstance(framing, NativeFraming)
                yield DrawnView(view, label, forgery.sample, framing.apply(pair.mask), native)

    def _draw_two(self, real: int, fake: int, rng: np.random.Generator, alter: Alter) -> Iterator[DrawnView]:
        """Yield a view of a real picture and one of a collected fake.

        Where the photo that a fake was made of is known, it takes the other's place and goes through the very same, as
        the halves of a forged pair do: then nothing but what made the fake tells the two apart.
        """
        original = self._originals.get(fake)
        if original is not None:
            same = self.pictures[original].shape == self.pictures[fake].shape
            drawn, seed = int(rng.integers(2**63)), int(rng.integers(2**63))
            shown = []
            for index in (original, fake):
                # Pictures of one size lie on one another; of two sizes, each was cut round its own face.
                box = self._faces[self._samples[original if same else index].path].box
                framing = self._frame(box, self.pictures[index].shape, np.random.default_rng(drawn))
                shown.append((index, box, framing, np.random.default_rng(seed)))
        else:
            boxes = [self._faces[self._samples[index].path].box for index in (real, fake)]
            framings = [
                self._frame(box, self.pictures[index].shape, rng)
                for index, box in zip((real, fake), boxes, strict=True)
            ]
            shown = [(index, box, own, rng) for index, box, own in zip((real, fake), boxes, framings, strict=True)]
        for label, (index, box, framing, chance) in enumerate(shown):
            view = self._render(alter(self.pictures[index], box), framing, chance)
            yield DrawnView(view, label, self._samples[index], native=isinstance(framing, NativeFraming))

    def _frame(
        self, box: tuple[float, float, float, float], shape: tuple[int, ...], rng: np.random.Generator
    ) -> Framing | NativeFraming:
        """Draw which part of a picture a view shows: a square at native size, or the whole face."""
        if self._native and rng.random() < self._native:
            native = draw_native_framing(box, shape, self._side, rng)
            if native is not None:
                return native
        return draw_framing(box, shape, rng)

    def _render(self, pixels: np.ndarray, framing: Framing | NativeFraming, rng: np.random.Generator) -> np.ndarray:
        """Return the view that a framing shows, uint8 RGB [side, side, 3]."""
        if isinstance(framing, NativeFraming):
            return render_native(pixels, framing, rng)
        return render(pixels, framing, self._side, rng, self._fine, self._posted)

    def _cover(self, drawn: DrawnView) -> np.ndarray:
        """Return of each cell the share of it that was forged, float32 [cells²]; `UNKNOWN` of a collected fake."""
        if not drawn.label:
            return np.zeros(self._cells**2, np.float32)
        if drawn.mask is None:
            return np.full(self._cells**2, UNKNOWN, np.float32)
        forged = (drawn.mask > FORGED * drawn.mask.max()).astype(np.float32)
        return cv2.resize(forged, (self._cells, self._cells), interpolation=cv2.INTER_AREA).ravel()


def find_originals(samples: Sequence[Sample]) -> dict[int, int]:
    """Return of each collected fake, by index, the index of the photo that it was made of, where that is known.

    It is known where the manifest states it, and where a group, such as an original and what was made of it, holds a
    single real picture.
    """
    places = {sample.path: index for index, sample in enumerate(samples)}
    reals: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        if not sample.label:
            reals.setdefault(sample.group, []).append(index)
    sole = {group: indices[0] for group, indices in reals.items() if len(indices) == 1}
    # An original without a face is not among the samples that a training takes.
    stated = {i: places[each.original] for i, each in enumerate(samples) if each.original in places}
    return {i: sole[sample.group] for i, sample in enumerate(samples) if sample.label and sample.group in sole} | stated

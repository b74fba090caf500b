"""The faces that a network is quantised, calibrated and tried on: as served, once degraded, and as a training draws."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chalicelib.face_views import FaceViews, ViewRule, cut_views
from chalicelib.images import decode
from chalicelib.settings import Settings
from training.batches import FaceBatches
from training.crops import load_views
from training.faces import LocatedFace
from training.forgeries.mix import Mix
from training.levels import name_clips
from training.manifest import Sample
from training.posting import post
from training.recipe import Recipe

# Crops of each class over which the ranges of activations are taken, each as it is and once degraded.
CROPS_PER_CLASS = 100
# Views of a step of fine-tuning.
BATCH = 16


@dataclass(frozen=True, slots=True)
class Held:
    """Faces of held-out pictures, each as it is served and once as after a posting.

    Attributes:
        views: of N faces.
        labels: int [N], 1 fake.
        sources: of each face.
        methods: of each face, how the fake was made; "" where that is not known.
        groups: of each face.
        clips: of each face, "" where it is a photo.
    """

    views: list[FaceViews]
    labels: np.ndarray
    sources: list[str]
    methods: list[str]
    groups: list[str]
    clips: list[str]


@dataclass(frozen=True, slots=True)
class Views:
    """Faces of labelled pictures as a network of a given side sees them.

    Attributes:
        faces: the face of each path.
        root: the folder that the paths start from.
        manifest: the CSV that they come from.
        side: of the network's input, px.
        settings: limits of decoding.
        seed: fixes every draw.
        rule: which squares are cut.
        native: how often a training view is a square at native size.
    """

    faces: Mapping[str, LocatedFace]
    root: Path
    manifest: Path
    side: int
    settings: Settings
    seed: int
    rule: ViewRule = field(default_factory=ViewRule)
    native: float = 0.0

    def show(self, samples: Sequence[Sample]) -> list[FaceViews]:
        """Return the views of 2 N faces, of N samples that have one: as they are served, then as after a posting."""
        served, _ = load_views(samples, self.faces, self.root, self.side, self.settings, self.rule)
        posted = []
        for index, sample in enumerate(samples):
            pixels = decode((self.root / sample.path).read_bytes(), self.settings).pixels
            rng = np.random.default_rng((self.seed, index))
            picture = post(pixels, rng)
            x, y, width, height = self.faces[sample.path].box
            across, down = picture.shape[1] / pixels.shape[1], picture.shape[0] / pixels.shape[0]
            box = (x * across, y * down, width * across, height * down)
            posted.append(cut_views(picture, box, self.side, self.rule))
        return [*served, *posted]

    def sample(self, samples: Sequence[Sample], per_class: int = CROPS_PER_CLASS) -> np.ndarray:
        """Return the views of as many faces of each class, real and fake in turn; uint8 RGB [M, S, S, 3]."""
        rng = np.random.default_rng(self.seed)
        classes = [[s for s in samples if s.label == label and s.path in self.faces] for label in (0, 1)]
        picked = [[c[i] for i in rng.permutation(len(c))[:per_class]] for c in classes]
        shown = self.show([sample for row in zip(*picked, strict=False) for sample in row])
        return np.concatenate([face.pixels for face in shown])

    def hold(self, samples: Sequence[Sample]) -> Held:
        """Return all that is to be known of held-out samples."""
        kept = [sample for sample in samples if sample.path in self.faces]
        clips, _ = name_clips(kept, self.manifest)
        served = [clips.get(sample.path, "") for sample in kept]
        return Held(
            views=self.show(kept),
            labels=np.tile([sample.label for sample in kept], 2),
            sources=[sample.source for sample in kept] * 2,
            methods=[sample.method for sample in kept] * 2,
            groups=[sample.group for sample in kept] * 2,
            # Degraded frames are a clip of their own, or each would be counted twice in its mean.
            clips=served + [f"{clip} degraded" if clip else "" for clip in served],
        )

    def draw(self, samples: Sequence[Sample]) -> Iterator[np.ndarray]:
        """Draw batches float32 [B, S, S, 3] in [-1, 1] without end, as a training of the default recipe does."""
        recipe = Recipe()
        batches = FaceBatches(
            samples,
            self.faces,
            self.root,
            side=self.side,
            batch_size=BATCH,
            weights={},
            mix=Mix.of(recipe),
            posted=recipe.posted,
            settings=self.settings,
            seed=self.seed,
            native=self.native,
        )
        return (batches[step][0] for step in itertools.count())

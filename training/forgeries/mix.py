"""What the fakes of a batch are made by, and the making of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.faces import LocatedFace
from training.forgeries.edits import Points, edit
from training.forgeries.face_mesh import find_face_mesh
from training.forgeries.masks import can_blend
from training.forgeries.partners import Partners
from training.forgeries.reconstruction import reconstruct
from training.forgeries.remakers import Remakers
from training.forgeries.restoration import restore
from training.forgeries.self_blending import Pair, blend_self, cut_region
from training.forgeries.swaps import can_swap, swap
from training.forgeries.upsampling import upsample
from training.manifest import Sample
from training.recipe import FORGERIES, Recipe

KINDS = ("self-blended", "swapped", "upsampled", "reconstructed", "restored", "edited")
# How often an edit takes over from another picture of the same group, where there is one.
SAME_GROUP = 0.5
# Partners that a swap or an edit is tried with before the face is blended with itself instead.
TRIES = 3

# What cuts a face out of a photo, uint8 RGB [H, W, 3]: the part, and where the face is in it.
Cut = Callable[[np.ndarray, LocatedFace], tuple[np.ndarray, LocatedFace]]


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the fakes of a batch, 0 to 1 each and at most 1 together; 0 switches a kind off.

    What is left of 1 are fakes that were collected, not made.

    Attributes:
        self_blended: a face blended with a changed copy of itself; see `training.forgeries.self_blending`.
        swapped: another person's face over it; see `training.forgeries.swaps`.
        upsampled: a part of it remade from fewer numbers; see `training.forgeries.upsampling`.
        reconstructed: sent through an auto-encoder; see `training.forgeries.reconstruction`. Slow: .1 to .8 s each.
        restored: made small and enlarged by a network; see `training.forgeries.restoration`.
        edited: mouth, eyes or inner face taken over from another photo; see `training.forgeries.edits`.
        codecs: which auto-encoders; see `training.forgeries.remakers.Remakers`.
    """

    self_blended: float = 0.5
    swapped: float = 0.0
    upsampled: float = 0.0
    reconstructed: float = 0.0
    restored: float = 0.0
    edited: float = 0.0
    codecs: tuple[str, ...] = ("taef2",)

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in self.shares) or self.total > 1 + 1e-9:
            raise ValueError(f"shares must be 0 to 1, and at most 1 together. Received: {self}")

    @classmethod
    def of(cls, recipe: Recipe) -> Mix:
        """Return the mix that a recipe states."""
        return cls(**{name: getattr(recipe, name) for name in FORGERIES}, codecs=recipe.codecs)

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares in the order of `KINDS`."""
        return self.self_blended, self.swapped, self.upsampled, self.reconstructed, self.restored, self.edited

    @property
    def total(self) -> float:
        """The share of the fakes that are made from real photos."""
        return sum(self.shares)

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one of `KINDS`, each as often as its share is of the total.

        Raises:
            ValueError: every kind is switched off.
        """
        if not self.total:
            raise ValueError(f"no kind of forgery is switched on. Received: {self}")
        return str(rng.choice(KINDS, p=np.array(self.shares) / self.total))


@dataclass(frozen=True, slots=True)
class Forgery:
    """A pair and how it came about.

    Attributes:
        kind: one of `KINDS`.
        pair: the real and the fake half, and the mask.
        face: where the face is in both halves, px.
        sample: the photo that was forged.
        partner: the photo that a face was taken over from, of a swap or an edit only.
    """

    kind: str
    pair: Pair
    face: LocatedFace
    sample: Sample
    partner: Sample | None = None


class Forger:
    """Makes fakes from the real photos of one part of a split; holds no picture."""

    def __init__(
        self,
        samples: Sequence[Sample],
        faces: Mapping[str, LocatedFace],
        open_picture: Callable[[Sample], np.ndarray],
        mix: Mix,
        *,
        remakers: Remakers | None = None,
        cut: Cut = cut_region,
    ) -> None:
        """Take the photos.

        Args:
            samples: of one part of a split only, so that no face is swapped across parts.
            faces: the face of each path.
            open_picture: returns a sample's upright picture, uint8 RGB [H, W, 3].
            mix: which kinds to draw, and how often.
            remakers: the networks that reconstruct and restore; the mix's where not given.
            cut: cuts the face, with some room, out of a photo.

        Raises:
            ValueError, OSError: a network that the mix needs cannot be loaded.
        """
        self._faces, self._open, self._mix, self._cut = faces, open_picture, mix, cut
        self._remakers = remakers or Remakers(mix.codecs)
        # What cannot be loaded must not stop a training that has begun.
        self._remakers.load(codecs=mix.reconstructed > 0, restorers=mix.restored > 0)
        self._partners = Partners(samples, faces)
        self._groups: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            if self.can_forge(sample):
                self._groups[sample.group].append(sample)
        self._mesh = find_face_mesh()

    def can_forge(self, sample: Sample) -> bool:
        """Tell whether a sample is a real photo whose face spans a mask."""
        face = self._faces.get(sample.path)
        return not sample.label and face is not None and can_blend(np.array(face.landmarks))

    def draw(self, sample: Sample, rng: np.random.Generator) -> Forgery:
        """Make a fake of a kind that the mix draws.

        A face that nobody can be swapped with is blended with itself, so that a batch is always full.

        Raises:
            ValueError: `can_forge` says no, or every kind is switched off.
        """
        kind = self._mix.draw(rng)
        forgery = self.forge(kind, sample, rng) or self.forge("self-blended", sample, rng)
        assert forgery is not None  # noqa: S101 - blending with itself makes a pair or raises
        return forgery

    def forge(self, kind: str, sample: Sample, rng: np.random.Generator) -> Forgery | None:
        """Make a fake of one kind.

        Args:
            kind: one of `KINDS`.
            sample: a real photo.
            rng: the only source of chance.

        Returns:
            The forgery, or None where no swap or edit fits.

        Raises:
            ValueError: the kind is unknown, the face spans no mask, or a network is not installed.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}. Received: {kind!r}")
        region, face = self._cut_face(sample)
        landmarks = np.array(face.landmarks)
        if kind == "swapped":
            return self._swap(sample, region, face, rng)
        if kind == "edited":
            return self._edit(sample, region, face, rng)
        if kind == "reconstructed":
            pair = reconstruct(region, landmarks, self._remakers.draw_codec(rng), rng)
        elif kind == "restored":
            pair = restore(region, landmarks, self._remakers.draw_restorer(rng), rng)
        else:
            pair = (blend_self if kind == "self-blended" else upsample)(region, landmarks, rng)
        return Forgery(kind, pair, face, sample)

    def _cut_face(self, sample: Sample) -> tuple[np.ndarray, LocatedFace]:
        return self._cut(self._open(sample), self._faces[sample.path])

    def _swap(self, sample: Sample, region: np.ndarray, face: LocatedFace, rng: np.random.Generator) -> Forgery | None:
        landmarks = np.array(face.landmarks)
        if not can_swap(landmarks):
            return None
        for partner in self._partners.find(sample.group, landmarks, rng, TRIES):
            source, source_face = self._cut_face(partner)
            if pair := swap(region, landmarks, source, np.array(source_face.landmarks), rng):
                return Forgery("swapped", pair, face, sample, partner)
        return None

    def _edit(self, sample: Sample, region: np.ndarray, face: LocatedFace, rng: np.random.Generator) -> Forgery | None:
        points = self._find_points(region, face)
        others = [other for other in self._groups[sample.group] if other.path != sample.path]
        partners: list[Sample] = []
        if others and rng.random() < SAME_GROUP:
            partners = [others[i] for i in rng.permutation(len(others))[:TRIES]]
        partners += self._partners.find(sample.group, points.five, rng, TRIES)
        for partner in partners:
            source, source_face = self._cut_face(partner)
            if pair := edit(region, points, source, self._find_points(source, source_face), rng):
                return Forgery("edited", pair, face, sample, partner)
        return None

    def _find_points(self, region: np.ndarray, face: LocatedFace) -> Points:
        five = np.array(face.landmarks)
        return Points(five, self._mesh.find(region, five) if self._mesh and can_blend(five) else None)

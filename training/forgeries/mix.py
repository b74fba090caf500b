"""What the fakes of a batch are made by, and the making of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.faces import LocatedFace
from training.forgeries.masks import can_blend
from training.forgeries.partners import Partners
from training.forgeries.self_blending import Pair, blend_self, cut_region
from training.forgeries.swaps import can_swap, swap
from training.forgeries.upsampling import upsample
from training.manifest import Sample

KINDS = ("self-blended", "swapped", "upsampled")
# Partners that a swap is tried with before the face is blended with itself instead.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the fakes of a batch, 0 to 1 each and at most 1 together; 0 switches a kind off.

    What is left of 1 are fakes that were collected, not made.

    Attributes:
        self_blended: a face blended with a changed copy of itself; see `training.forgeries.self_blending`.
        swapped: another person's face over it; see `training.forgeries.swaps`.
        upsampled: a part of it remade from fewer numbers; see `training.forgeries.upsampling`.
    """

    self_blended: float = 0.5
    swapped: float = 0.0
    upsampled: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in self.shares) or self.total > 1 + 1e-9:
            raise ValueError(f"shares must be 0 to 1, and at most 1 together. Received: {self}")

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares in the order of `KINDS`."""
        return self.self_blended, self.swapped, self.upsampled

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
        partner: the photo whose face was laid over it, of a swap only.
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
    ) -> None:
        """Take the photos.

        Args:
            samples: of one part of a split only, so that no face is swapped across parts.
            faces: the face of each path.
            open_picture: returns a sample's upright picture, uint8 RGB [H, W, 3].
            mix: which kinds to draw, and how often.
        """
        self._faces, self._open, self._mix = faces, open_picture, mix
        self._partners = Partners(samples, faces)

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
            The forgery, or None where no swap fits.

        Raises:
            ValueError: the kind is unknown, or the face spans no mask.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}. Received: {kind!r}")
        region, face = cut_region(self._open(sample), self._faces[sample.path])
        landmarks = np.array(face.landmarks)
        if kind == "swapped":
            return self._swap(sample, region, face, rng)
        make = blend_self if kind == "self-blended" else upsample
        return Forgery(kind, make(region, landmarks, rng), face, sample)

    def _swap(self, sample: Sample, region: np.ndarray, face: LocatedFace, rng: np.random.Generator) -> Forgery | None:
        landmarks = np.array(face.landmarks)
        if not can_swap(landmarks):
            return None
        for partner in self._partners.find(sample.group, landmarks, rng, TRIES):
            source, source_face = cut_region(self._open(partner), self._faces[partner.path])
            if pair := swap(region, landmarks, source, np.array(source_face.landmarks), rng):
                return Forgery("swapped", pair, face, sample, partner)
        return None

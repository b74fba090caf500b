"""What fixes a data set: everything that, changed, would give another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from training.datasets.clips import DatasetError
from training.datasets.folders import GROUP_BY
from training.datasets.frames import FrameRule

SCALES = ("none", "deepfake-detect")
FACES = ("largest", "all")
FORMATS = ("jpeg", "png")
BALANCES = ("none", "undersample", "weights")
# With more of the 64 bits allowed to differ, any two portraits pass for one.
MOST_NEAR = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """How a data set is made.

    Raises:
        DatasetError: a value is out of its range.
    """

    # Name of a layout, or "auto".
    layout: str = "auto"
    # every:N, second or even:N.
    frames: str = "even:10"
    # How frames are resized before faces are looked for.
    scale: str = "none"
    # Which faces of a frame are taken.
    faces: str = "largest"
    # Least confidence of a face among several; a face on its own is taken as it comes.
    least_confidence: float = 0.95
    # What is added to the box on each side, in units of its larger side.
    margin: float = 0.3
    # Largest side of a saved face, px; 0 for no limit. Faces are never enlarged.
    side: int = 0
    format: str = "jpeg"
    # Bits of 64 of the perceptual hash in which near-duplicates may differ; -1 keeps all.
    near: int = 4
    # Whether faces of one person are looked for, whose groups are then one.
    persons: bool = False
    # For folders of one's own: what forms a group.
    group_by: str = "clip"
    balance: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        try:
            FrameRule.parse(self.frames)
        except ValueError as error:
            raise DatasetError(str(error)) from error
        for name, known in (
            ("scale", SCALES),
            ("faces", FACES),
            ("format", FORMATS),
            ("balance", BALANCES),
            ("group_by", GROUP_BY),
        ):
            if getattr(self, name) not in known:
                raise DatasetError(f"{name} must be one of {', '.join(known)}. Received: {getattr(self, name)!r}")
        for name, low, high in (
            ("least_confidence", 0, 1),
            ("margin", 0, 2),
            ("side", 0, 4096),
            ("near", -1, MOST_NEAR),
        ):
            if not low <= getattr(self, name) <= high:
                raise DatasetError(f"{name} must lie from {low} to {high}. Received: {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """Return what `differences` compares."""
        return asdict(self)

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Return a phrase for every value that is not as recorded; what was not recorded was the default."""
        return [
            f"{field.name} was {recorded.get(field.name, field.default)!r} and is {getattr(self, field.name)!r}"
            for field in fields(self)
            if recorded.get(field.name, field.default) != getattr(self, field.name)
        ]

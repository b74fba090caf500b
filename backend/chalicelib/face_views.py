"""What a network is shown of one face, and how its answers become one: the whole face, and squares at native size.

The traces that a generator leaves are as fine as its pixels. A large face that is shrunk to the network's side has lost
them, so squares of that side are cut out of it as it was published; a small face is seen whole at about that size
anyway, and costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from chalicelib.errors import ModelUnavailable
from chalicelib.faces import crop_square, resize_square

# A face has squares of its own from this many times the network's side on, and all of them from this many.
LEAST, MANY = 1.15, 1.5
# Largest side of the region that squares are cut from, px; a larger one is shrunk to it first. What lies beyond is the
# resolution of few generators, and a square of it would show little but skin.
LARGEST_REGION = 640

Square = tuple[float, float, float]


class ViewScorer(Protocol):
    """Scores views one by one; see `chalicelib.detector.Detector`."""

    def score(self, crops: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]: ...


@dataclass(frozen=True, slots=True)
class ViewRule:
    """Which squares are cut at native size, and what they count.

    Attributes:
        places: centre of each square, x and y as fractions of the region; none for the face alone.
        weight: how much the mean of the squares counts against the whole face, 0 to 1.
        bias: added to the joint logit, so that faces with squares and faces without are read by one calibration.
        scale: > 0; multiplies the joint logit before that.
    """

    places: tuple[tuple[float, float], ...] = ()
    weight: float = 0.0
    scale: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.weight <= 1 and self.scale > 0 and np.isfinite((self.scale, self.bias)).all()):
            raise ValueError(f"weight must lie in [0, 1], scale above 0, bias be a number. Received: {self}")
        if not all(0 <= value <= 1 for place in self.places for value in place):
            raise ValueError(f"places must lie in [0, 1]. Received: {self.places}")

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> ViewRule:
        """Read the `views` part of a model card; a card without one scores the whole face alone.

        Raises:
            ModelUnavailable: it makes no sense.
        """
        stated = card.get("views")
        if stated is None:
            return cls()
        try:
            numbers = {name: float(stated[name]) for name in ("weight", "scale", "bias")}
            return cls(places=tuple((float(x), float(y)) for x, y in stated["places"]), **numbers)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnavailable("The model card has no usable rule of views.") from error


@dataclass(frozen=True, slots=True)
class FaceViews:
    """What is seen of one face.

    Attributes:
        pixels: uint8 RGB [1 + n, S, S, 3]: the whole face, then n squares at native size.
        squares: x, y and side of each of the n squares, as fractions of the square that shows the whole face.
    """

    pixels: npt.NDArray[np.uint8]
    squares: tuple[Square, ...] = field(default=())


def cut_views(
    pixels: npt.NDArray[np.uint8], box: tuple[float, float, float, float], side: int, rule: ViewRule
) -> FaceViews:
    """Cut out what a network of some side is shown of a face.

    Args:
        pixels: uint8 RGB [H, W, 3], the upright picture.
        box: x, y, width, height of the face, px.
        side: the network's side S, px.
        rule: which squares are wanted.
    """
    left, top, length = crop_square(box, pixels.shape)
    region = pixels[top : top + length, left : left + length]
    whole = resize_square(region, side)
    size = min(length, LARGEST_REGION)
    if not rule.places or size < LEAST * side:
        return FaceViews(whole[np.newaxis])
    # No copy where nothing is shrunk.
    region = region if size == length else resize_square(region, size)
    cuts, squares = [whole], []
    for across, down in rule.places if size >= MANY * side else rule.places[:1]:
        x, y = (min(max(0, round(part * size - side / 2)), size - side) for part in (across, down))
        cuts.append(region[y : y + side, x : x + side])
        squares.append((x / size, y / size, side / size))
    return FaceViews(np.stack(cuts), tuple(squares))


def score_views(
    model: ViewScorer, faces: Sequence[FaceViews], rule: ViewRule
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Score faces, each by all of its views.

    Args:
        model: scores single views.
        faces: at least one.
        rule: how views become one answer.

    Returns:
        Logits, float32 [N], positive for fake; and maps, float32 [N, h, w], log-odds by area of the square that shows
        the whole face.

    Raises:
        ModelUnavailable: the network answers with something that is no number.
    """
    logits, maps = model.score(np.concatenate([face.pixels for face in faces]))
    joint = [
        _join(face, logits[first : first + len(face.pixels)], maps[first : first + len(face.pixels)], rule)
        for face, first in zip(faces, np.cumsum([0, *(len(face.pixels) for face in faces)]), strict=False)
    ]
    return np.array([logit for logit, _ in joint], np.float32), np.stack([grid for _, grid in joint])


def _join(
    face: FaceViews, logits: npt.NDArray[np.float32], maps: npt.NDArray[np.float32], rule: ViewRule
) -> tuple[float, npt.NDArray[np.float32]]:
    """Return the joint logit and map of one face."""
    if not face.squares:
        return float(logits[0]), maps[0]
    logit = join_logits(float(logits[0]), logits[1:].tolist(), rule)
    seen, covered = lay_maps(maps[1:], face.squares, maps.shape[1:])
    share = rule.weight * covered
    # The whole face is all that is known of what no square shows.
    grid = (1 - share) * maps[0] + share * seen
    return logit, (rule.scale * grid + rule.bias).astype(np.float32)


def join_logits(whole: float, squares: Sequence[float], rule: ViewRule) -> float:
    """Return the logit of a face of which squares were seen, from that of the whole and those of the squares."""
    return rule.scale * ((1 - rule.weight) * whole + rule.weight * float(np.mean(squares))) + rule.bias


def lay_maps(
    maps: npt.NDArray[np.float32], squares: Sequence[Square], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Lay the maps of squares where these lie in the whole face.

    Args:
        maps: float32 [n, h, w].
        squares: of each, x, y and side as fractions of the whole.
        shape: rows and columns of the answer.

    Returns:
        float32 [rows, columns], the mean of the squares that cover a cell, nought where none does; and how much of each
        cell is covered by some, float32 [rows, columns] in [0, 1].
    """
    rows, columns = shape[:2]
    total, weight = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    for values, (x, y, side) in zip(maps, squares, strict=True):
        # From a cell of a square to its place in the whole, both seen from their middles.
        zoom_x, zoom_y = side * columns / values.shape[1], side * rows / values.shape[0]
        matrix = np.array(
            [[zoom_x, 0, x * columns + 0.5 * (zoom_x - 1)], [0, zoom_y, y * rows + 0.5 * (zoom_y - 1)]], np.float64
        )
        inside = cv2.warpAffine(np.ones_like(values), matrix, (columns, rows), flags=cv2.INTER_LINEAR)
        total += cv2.warpAffine(values, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
        weight += inside
    seen = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return seen, np.minimum(weight, 1)

"""Which faces of a clip are judged, and which of them are one and the same from frame to frame. Pure geometry.

The plain rule: of each frame the faces that are not much smaller than its largest; those that overlap from one frame to
the next are one. A cut to another face at the same place goes unnoticed, and a face that leaps is two.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from chalicelib.faces import overlaps

Box = tuple[float, float, float, float]

# A face smaller than this part of its frame's largest one, by area, stands in the background.
LEAST_SHARE = 0.5
# Intersection over union from which two boxes are one face.
LEAST_OVERLAP = 0.3
# Frames on end that a face may be missed in.
MOST_MISSED = 2


class Sighting(NamedTuple):
    """A face seen in one frame.

    Attributes:
        frame: index of the frame.
        box: x, y, width, height in units of the frame's own width and height, so that frames may differ in size.
    """

    frame: int
    box: Box


def pick_faces(boxes: Sequence[Box]) -> list[int]:
    """Return the indices of the boxes of one frame that are at least half as large as its largest, in their order.

    Args:
        boxes: x, y, width, height.
    """
    areas = [width * height for _, _, width, height in boxes]
    return [index for index, area in enumerate(areas) if area >= LEAST_SHARE * max(areas)]


def follow_faces(sightings: Sequence[Sighting]) -> list[list[int]]:
    """Return the tracks of a clip as indices of sightings; each sighting is on exactly one.

    A face goes on the track whose last box it overlaps most, best pairs first. A track ends when its face is missed
    in more than `MOST_MISSED` frames on end.

    Args:
        sightings: by frame.
    """
    tracks: list[list[int]] = []
    for frame, group in groupby(range(len(sightings)), key=lambda index: sightings[index].frame):
        seen = list(group)
        alive = [track for track in tracks if frame - sightings[track[-1]].frame <= MOST_MISSED + 1]
        followed = _match([sightings[track[-1]].box for track in alive], [sightings[index].box for index in seen])
        for face, index in enumerate(seen):
            if face in followed:
                alive[followed[face]].append(index)
            else:
                tracks.append([index])
    return tracks


def _match(last: Sequence[Box], boxes: Sequence[Box]) -> dict[int, int]:
    """Return the track of each box that continues one, both as indices; of equal overlaps the earlier track's wins."""
    shared = overlaps(_corners(last), _corners(boxes))
    followed: dict[int, int] = {}
    for pair in np.argsort(-shared, axis=None, kind="stable"):
        track, face = divmod(int(pair), len(boxes))
        if shared[track, face] < LEAST_OVERLAP:
            break
        if face not in followed and track not in followed.values():
            followed[face] = track
    return followed


def _corners(boxes: Sequence[Box]) -> np.ndarray:
    values = np.array(boxes, np.float64).reshape(-1, 4)
    values[:, 2:] += values[:, :2]
    return values

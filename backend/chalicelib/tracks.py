"""Which faces of a clip are judged, and which of them are one and the same from frame to frame. Pure geometry.

Of each frame the faces that are not much smaller than its largest are judged. From one frame to the next a face goes on
where its box overlaps most and its eyes, nose and mouth lie nearest; a face that leaps is two, and a cut between scenes
ends them all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from chalicelib.faces import overlaps

Box = tuple[float, float, float, float]

# A face smaller than this part of its frame's largest one, by area, stands in the background.
LEAST_SHARE = 0.5
# Intersection over union from which two boxes are one face.
LEAST_OVERLAP = 0.3
# Without that overlap: how far eyes, nose and mouth may have moved, in sides of the face, while it stayed about as
# large. A head that turns or nods quickly moves so far between two frames.
FURTHEST = 0.8
LEAST_LIKENESS = 0.6
# Frames on end that a face may be missed in.
MOST_MISSED = 2


class Sighting(NamedTuple):
    """A face seen in one frame.

    Attributes:
        frame: index of the frame.
        box: x, y, width, height in units of the frame's own width and height, so that frames may differ in size.
        landmarks: five points x, y in the same units; none where they are not known.
    """

    frame: int
    box: Box
    landmarks: tuple[tuple[float, float], ...] = ()


def pick_faces(boxes: Sequence[Box]) -> list[int]:
    """Return the indices of the boxes of one frame that are at least half as large as its largest, in their order.

    Args:
        boxes: x, y, width, height.
    """
    areas = [width * height for _, _, width, height in boxes]
    return [index for index, area in enumerate(areas) if area >= LEAST_SHARE * max(areas)]


def follow_faces(sightings: Sequence[Sighting], cuts: Collection[int] = ()) -> list[list[int]]:
    """Return the tracks of a clip as indices of sightings; each sighting is on exactly one.

    A face goes on the track whose last sighting it is nearest to, best pairs first. A track ends when its face is
    missed in more than `MOST_MISSED` frames on end, and at a cut.

    Args:
        sightings: by frame.
        cuts: indices of the frames that begin another scene.
    """
    tracks: list[list[int]] = []
    for frame, group in groupby(range(len(sightings)), key=lambda index: sightings[index].frame):
        seen = list(group)
        scene = max((cut for cut in cuts if cut <= frame), default=0)
        alive = [track for track in tracks if sightings[track[-1]].frame >= max(scene, frame - MOST_MISSED - 1)]
        followed = _match([sightings[track[-1]] for track in alive], [sightings[index] for index in seen])
        for face, index in enumerate(seen):
            if face in followed:
                alive[followed[face]].append(index)
            else:
                tracks.append([index])
    return tracks


def _match(last: Sequence[Sighting], faces: Sequence[Sighting]) -> dict[int, int]:
    """Return the track of each face that continues one, both as indices; of equal pairs the earlier track's wins."""
    shared = overlaps(_corners([face.box for face in last]), _corners([face.box for face in faces]))
    nearness = np.array([[_measure_nearness(one, other) for other in faces] for one in last]).reshape(shared.shape)
    fitting = (shared >= LEAST_OVERLAP) | (nearness > 0)
    followed: dict[int, int] = {}
    for pair in np.argsort(-(shared + nearness), axis=None, kind="stable"):
        track, face = divmod(int(pair), len(faces))
        if fitting[track, face] and face not in followed and track not in followed.values():
            followed[face] = track
    return followed


def _measure_nearness(one: Sighting, other: Sighting) -> float:
    """Return how near the landmarks of two faces lie: 1 at the same place, 0 from `FURTHEST` on or where the faces
    differ in size."""
    sides = [max(face.box[2:]) for face in (one, other)]
    if not one.landmarks or not other.landmarks or min(sides) < LEAST_LIKENESS * max(sides):
        return 0.0
    apart = np.linalg.norm(np.subtract(one.landmarks, other.landmarks), axis=1).mean() / np.mean(sides)
    return max(0.0, 1 - float(apart) / FURTHEST)


def _corners(boxes: Sequence[Box]) -> np.ndarray:
    values = np.array(boxes, np.float64).reshape(-1, 4)
    values[:, 2:] += values[:, :2]
    return values

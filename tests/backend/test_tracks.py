"""Which faces of a clip are judged, and which of them are the same one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.tracks import MOST_MISSED, Sighting, follow_faces, pick_faces


@pytest.mark.parametrize(
    ("areas", "picked"),
    [
        pytest.param([], [], id="nobody"),
        pytest.param([100], [0], id="one"),
        pytest.param([100, 50], [0, 1], id="just half"),
        pytest.param([100, 49], [0], id="less than half"),
        pytest.param([40, 100, 60], [1, 2], id="in any order"),
        pytest.param([100, 60, 31], [0, 1], id="half of the largest, not of the next"),
    ],
)
def test_faces_in_the_background_are_left_out(areas: list[int], picked: list[int]) -> None:
    assert pick_faces([(5.0, 5.0, area / 4, 4.0) for area in areas]) == picked


def see(frames: list[list[float]]) -> list[Sighting]:
    """Faces .2 wide and high, by their left edges."""
    return [Sighting(frame, (left, 0.3, 0.2, 0.2)) for frame, lefts in enumerate(frames) for left in lefts]


@pytest.mark.parametrize(
    ("frames", "tracks"),
    [
        pytest.param([], [], id="no frame"),
        pytest.param([[], []], [], id="nobody"),
        pytest.param([[0.1], [0.1], [0.1]], [[0, 1, 2]], id="sits still"),
        pytest.param([[0.1], [0.15], [0.2], [0.25]], [[0, 1, 2, 3]], id="walks"),
        pytest.param([[0.1], [0.2]], [[0, 1]], id="a third of both shared"),
        pytest.param([[0.1], [0.21]], [[0], [1]], id="less than that shared"),
        pytest.param([[0.1], [0.6]], [[0], [1]], id="leaps"),
        pytest.param([[0.1], [], [], [0.1]], [[0, 1]], id="missed twice"),
        pytest.param([[0.1], [], [], [], [0.1]], [[0], [1]], id="missed three times"),
        pytest.param([[0.1, 0.6], [0.1, 0.6]], [[0, 2], [1, 3]], id="two people"),
        pytest.param([[0.1, 0.6], [0.6, 0.1]], [[0, 3], [1, 2]], id="two people, found in another order"),
        pytest.param([[0.1, 0.6], [0.6], [0.1, 0.6]], [[0, 3], [1, 2, 4]], id="one of two missed once"),
        pytest.param([[0.1], [0.1, 0.6]], [[0, 1], [2]], id="somebody comes in"),
        pytest.param([[0.1], [0.16, 0.11]], [[0, 2], [1]], id="the better overlap goes first"),
        pytest.param([[0.1, 0.18], [0.18, 0.26]], [[0], [1, 2], [3]], id="who stands still keeps his place"),
        pytest.param([[0.1, 0.18], [0.14]], [[0, 2], [1]], id="of equal overlaps the earlier face's"),
    ],
)
def test_a_face_is_followed_by_overlap(frames: list[list[float]], tracks: list[list[int]]) -> None:
    assert follow_faces(see(frames)) == tracks


def test_a_face_that_comes_nearer_stays_the_same() -> None:
    sides = [0.2, 0.3, 0.45]
    sightings = [Sighting(n, (0.5 - side / 2, 0.5 - side / 2, side, side)) for n, side in enumerate(sides)]
    assert follow_faces(sightings) == [[0, 1, 2]]


def show(frame: int, left: float, side: float = 0.2, turned: float = 0.0) -> Sighting:
    """A face with its landmarks; `turned` moves these within the box."""
    points = tuple((left + side * (x + turned), 0.3 + side * y) for x, y in ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6)))
    return Sighting(frame, (left, 0.3, side, side), points)


@pytest.mark.parametrize(
    ("sightings", "tracks"),
    [
        pytest.param([show(0, 0.1), show(1, 0.24)], [[0, 1]], id="moved too far to overlap, but not far"),
        pytest.param([show(0, 0.1), show(1, 0.27)], [[0], [1]], id="moved further"),
        pytest.param([show(0, 0.1), show(1, 0.22, 0.1)], [[0], [1]], id="moved, and half the size"),
        pytest.param(
            [show(0, 0.1), show(0, 0.4), show(1, 0.22), show(1, 0.52)], [[0, 2], [1, 3]], id="two that move together"
        ),
        pytest.param(
            # Both boxes overlap the old one alike; the landmarks tell which face looks the same way.
            [show(0, 0.2, turned=0.15), show(1, 0.15, turned=-0.15), show(1, 0.25, turned=0.15)],
            [[0, 2], [1]],
            id="of equal overlaps the landmarks decide",
        ),
    ],
)
def test_a_face_is_followed_by_its_landmarks_too(sightings: list[Sighting], tracks: list[list[int]]) -> None:
    assert follow_faces(sightings) == tracks


@pytest.mark.parametrize(
    ("cuts", "tracks"),
    [
        pytest.param([], [[0, 1, 2, 3, 4, 5]], id="no cut"),
        pytest.param([3], [[0, 1, 2], [3, 4, 5]], id="one"),
        pytest.param([1, 2], [[0], [1], [2, 3, 4, 5]], id="two on end"),
    ],
)
def test_a_cut_ends_every_track(cuts: list[int], tracks: list[list[int]]) -> None:
    assert follow_faces(see([[0.1]] * 6), cuts) == tracks


def test_a_cut_in_a_frame_without_a_face_ends_the_track_all_the_same() -> None:
    assert follow_faces(see([[0.1], [], [0.1]]), [1]) == [[0], [1]]


boxes = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5))


@given(st.lists(st.lists(boxes, max_size=4), max_size=8))
def test_every_face_is_on_one_track_and_no_track_is_in_two_places_at_once(
    frames: list[list[tuple[float, float, float, float]]],
) -> None:
    sightings = [Sighting(frame, box) for frame, seen in enumerate(frames) for box in seen]
    tracks = follow_faces(sightings)
    assert sorted(index for track in tracks for index in track) == list(range(len(sightings)))
    for track in tracks:
        steps = [sightings[b].frame - sightings[a].frame for a, b in pairwise(track)]
        assert all(1 <= step <= MOST_MISSED + 1 for step in steps)

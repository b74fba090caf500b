"""Copies are found whatever they are called; people who merely resemble each other are not tied."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.datasets.duplicates import Hashed, find_near, find_repeats, find_twins
from training.datasets.extraction import hash_picture


@given(st.integers(0, 8), st.integers(0, 10**6), st.integers(2, 60))
@settings(max_examples=60, deadline=None)
def test_near_pairs_are_those_that_a_comparison_of_all_with_all_finds(near: int, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (4, 8), np.uint8)
    flips = np.packbits(rng.random((count, 64)) < 0.05, axis=1)
    hashes = centres[rng.integers(0, 4, count)] ^ flips
    found = [pair for chunk in find_near(hashes, near) for pair in zip(*(a.tolist() for a in chunk), strict=True)]
    bits = np.unpackbits(hashes, axis=1)
    expected = [
        (i, j, int((bits[i] != bits[j]).sum()))
        for i in range(count)
        for j in range(i + 1, count)
        if (bits[i] != bits[j]).sum() <= near
    ]
    assert sorted(found) == expected


def face(number: int, group: str, label: int = 0, fine: int | None = None, source: str = "tv") -> Hashed:
    """A face whose hashes are these numbers."""
    return Hashed((f"{number:016x}", f"{number if fine is None else fine:064x}"), group, (label, source, ""))


def test_a_copy_is_a_twin_and_a_stranger_who_looks_alike_is_not() -> None:
    faces = [
        face(0, "anna"),
        face(1, "bert", fine=1),
        face(3, "cleo", fine=2**100 - 1),
        face(2**64 - 1, "dora"),
        face(2**64 - 1, "emil"),
    ]
    assert [(twin.first, twin.second, twin.distance) for twin in find_twins(faces, near=4)] == [(0, 1, 1), (3, 4, 0)]


def test_a_group_is_no_twin_of_itself() -> None:
    assert find_twins([face(0, "anna"), face(0, "anna", label=1), face(1, "anna")], near=4) == []


def test_repeats_are_dropped_within_group_and_kind_and_the_first_stays() -> None:
    faces = [face(0, "anna"), face(0b1111, "anna"), face(0b11111111, "anna"), face(0, "anna", 1), face(0, "bert")]
    groups = [each.group for each in faces]
    # The third is near the second alone, and that does not stay.
    assert find_repeats(faces, groups, near=4) == {1: 0}
    assert find_repeats(faces, groups, near=0) == {}
    assert find_repeats(faces, ["anna"] * 5, near=8) == {1: 0, 2: 0, 4: 0}


@pytest.mark.parametrize("quality", [30, 90])
@pytest.mark.parametrize("scale", [0.4, 1.0])
def test_a_copy_that_was_resized_and_encoded_again_is_a_twin(
    light: Callable[[int], np.ndarray], quality: int, scale: float
) -> None:
    picture = light(1)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    copy = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    faces = [
        Hashed(hash_picture(each), str(i), (0, "", "")) for i, each in enumerate((picture, copy, light(2), light(3)))
    ]
    assert [(twin.first, twin.second) for twin in find_twins(faces, near=4)] == [(0, 1)]


def test_the_search_does_not_grow_with_the_square_of_the_faces() -> None:
    def search(count: int) -> float:
        """Return the seconds of processor time that it takes."""
        rng = np.random.default_rng(0)
        hashes = [(rng.bytes(8).hex(), rng.bytes(32).hex()) for _ in range(count - 1)]
        faces = [Hashed(own, str(i // 10), (0, "", "")) for i, own in enumerate([*hashes, hashes[0]])]
        began = time.process_time()
        twins = find_twins(faces, near=4)
        assert [(twin.first, twin.second) for twin in twins] == [(0, count - 1)]
        groups = [face.group for face in faces[:-1]] + [faces[0].group]
        assert find_repeats(faces, groups, near=4) == {count - 1: 0}
        return time.process_time() - began

    # Comparing all with all would take 100 times as long for ten times as many.
    assert search(100_000) < 40 * search(10_000)

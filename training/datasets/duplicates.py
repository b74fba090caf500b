"""Pictures that look the same: which to drop, and which groups they tie together.

Two hashes, because portraits resemble each other. Of 11,789 faces, 339 pairs from different groups lie within 4 of
64 bits, and nearly all of them are strangers; within 24 of 256 bits lies one. Copies that were re-encoded or halved
differ in at most 8 of the 256. So the coarse hash thins what is known to belong together, and only what the fine one
confirms ties groups.

Source: perceptual hash by discrete cosine transform, as in the library `imagehash`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.datasets.extraction import COARSE, FINE

# Bits of 256 that may differ for each one of 64.
FINE_PER_COARSE = 6
# Ones of every byte; numpy 1.26 cannot count them.
ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Hashed:
    """What is compared of a face.

    Attributes:
        hashes: 64 and 256 bits, hexadecimal.
        group: what it must not be split from.
        kind: faces of one group are thinned within a kind only: label, source and method.
    """

    hashes: tuple[str, str]
    group: str
    kind: tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Twins:
    """Two faces that look the same, by their index, and how many of 64 bits differ."""

    first: int
    second: int
    distance: int


def find_twins(faces: Sequence[Hashed], near: int) -> list[Twins]:
    """Return pairs of faces of different groups that look the same by both hashes.

    Of faces with equal hashes each is paired with the first one only: enough to tie the groups.

    Args:
        faces: the faces.
        near: bits of 64 that may differ, ≥ 0.
    """
    coarse, fine = _unpack(faces, 0, COARSE), _unpack(faces, 1, FINE)
    _, firsts, inverse = np.unique(
        np.concatenate([coarse, fine], axis=1), axis=0, return_index=True, return_inverse=True
    )
    first_of = firsts[inverse.reshape(-1)]
    twins = [Twins(int(first), i, 0) for i, first in enumerate(first_of) if faces[first].group != faces[i].group]
    distinct = np.sort(firsts)
    for one, other, distance in find_near(coarse[distinct], near):
        i, j = distinct[one], distinct[other]
        alike = _differing(fine[i], fine[j]) <= FINE_PER_COARSE * near
        twins += [
            Twins(int(a), int(b), int(d))
            for a, b, d in zip(i[alike], j[alike], distance[alike], strict=True)
            if faces[a].group != faces[b].group
        ]
    return sorted(twins, key=lambda twin: (twin.first, twin.second))


def find_repeats(faces: Sequence[Hashed], groups: Sequence[str], near: int) -> dict[int, int]:
    """Return the faces to drop: each looks like an earlier one of its group and kind that stays.

    Args:
        faces: the faces, in the order in which the first is to stay.
        groups: their groups, after merging.
        near: bits of 64 that may differ, ≥ 0.

    Returns:
        Index of the face to drop → index of the one that stays for it.
    """
    distinct, looks = np.unique(_unpack(faces, 0, COARSE), axis=0, return_inverse=True)
    neighbours = _list_neighbours(distinct, near)
    # What stays of a group and kind: look → face.
    kept: dict[tuple[str, tuple[int, str, str]], dict[int, int]] = defaultdict(dict)
    repeats: dict[int, int] = {}
    for index, look in enumerate(looks.reshape(-1).tolist()):
        mine = kept[groups[index], faces[index].kind]
        alike = [mine[other] for other in (look, *neighbours.get(look, ())) if other in mine]
        if alike:
            repeats[index] = min(alike)
        else:
            mine[look] = index
    return repeats


def _list_neighbours(hashes: np.ndarray, near: int) -> dict[int, list[int]]:
    neighbours: dict[int, list[int]] = defaultdict(list)
    for one, other, _ in find_near(hashes, near):
        for i, j in zip(one.tolist(), other.tolist(), strict=True):
            neighbours[i].append(j)
            neighbours[j].append(i)
    return neighbours


def find_near(hashes: np.ndarray, near: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return all pairs of hashes that differ in few bits, without comparing all with all.

    Cut into near + 1 pieces, two such hashes agree in at least one of them (pigeonhole), so only those that share
    a piece are compared.

    Args:
        hashes: uint8 [n, 8], distinct rows are the faster.
        near: bits that may differ, 0 to 63.

    Returns:
        Chunks of (i, j, bits), i < j, int64 [m]; every pair once.
    """
    numbers = np.ascontiguousarray(hashes).view(">u8").reshape(-1).astype(np.uint64)
    cuts = np.linspace(0, 64, near + 2).astype(int)
    masks = [np.uint64(sum(1 << bit for bit in range(low, high))) for low, high in pairwise(cuts)]
    chunks = []
    for piece, mask in enumerate(masks):
        keys = numbers & mask
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        # Rows of one key lie together: compare each with the next, the one after next, and so on.
        at = np.arange(len(keys) - 1)
        step = 1
        while len(at := at[at + step < len(keys)]) and len(at := at[keys[at] == keys[at + step]]):
            one, other = order[at], order[at + step]
            bits = _differing(hashes[one], hashes[other])
            # A pair that agrees in an earlier piece was found there.
            fresh = bits <= near
            for earlier in masks[:piece]:
                fresh &= (numbers[one] & earlier) != (numbers[other] & earlier)
            if fresh.any():
                one, other = one[fresh], other[fresh]
                chunks.append((np.minimum(one, other), np.maximum(one, other), bits[fresh]))
            step += 1
    return chunks


def _differing(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return in how many bits rows of bytes differ, int64 [n]."""
    return ONES[one ^ other].sum(axis=-1, dtype=np.int64)


def _unpack(faces: Sequence[Hashed], which: int, side: int) -> np.ndarray:
    """Return one hash of every face, uint8 [n, side² / 8]."""
    data = b"".join(bytes.fromhex(face.hashes[which]) for face in faces)
    return np.frombuffer(data, np.uint8).reshape(len(faces), side * side // 8)

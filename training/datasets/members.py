"""The faces of a data set, with all that is known of each: grouped, thinned, split, balanced."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from training.datasets.clips import Clip
from training.datasets.duplicates import Hashed, Twins, find_repeats, find_twins
from training.datasets.extraction import Extraction, SavedFace
from training.datasets.groups import Joined, group_clips
from training.manifest import Sample
from training.splits import PARTS, deal_groups

# Why a face is left out.
NEAR_DUPLICATE = "near-duplicate"
UNDERSAMPLED = "undersampled"
BOTH_LABELS = "real in one source and fake in another"
TIES_PARTS = "it ties faces that already lie in two parts"

# Two faces, by index.
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Member:
    """A face of the data set.

    Attributes:
        sample: its row as training reads it.
        face: the picture.
        clip: where it was cut from.
        weight: how often it should be drawn, 1 on average in its part.
    """

    sample: Sample
    face: SavedFace
    clip: Clip
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """A face that was cut out and is not in the data set, and why."""

    path: str
    reason: str
    twin: str = ""


class Reason(NamedTuple):
    """Why a face is dropped, and the face that stays for it or contradicts it; its own where there is none."""

    reason: str
    twin: int


def gather(clips: Sequence[Clip], extractions: Mapping[str, Extraction]) -> list[Member]:
    """Return every face that was saved, in the order of the clips, grouped by who is in it."""
    groups = group_clips(clips)
    return [
        Member(Sample(face.path, clip.label, clip.source, clip.method, groups[clip.path], clip.split), face, clip)
        for clip in clips
        for face in extractions[clip.path].faces
    ]


def place(members: Sequence[Member], dealt: Mapping[str, str]) -> dict[str, str]:
    """Return path → part of the faces that have one already: as the user stated it, else as an earlier run dealt it."""
    parts = {m.sample.path: m.sample.split or dealt.get(m.sample.path, "") for m in members}
    return {path: part for path, part in parts.items() if part}


def thin(
    members: Sequence[Member], near: int, dealt: Mapping[str, str] = MappingProxyType({}), same: Sequence[Pair] = ()
) -> tuple[list[Member], list[Dropped], list[tuple[Member, Member, int]]]:
    """Tie groups that share a near-duplicate, drop repeats within a group, and what cannot be trusted.

    Groups whose split the user stated are not tied to each other: that is kept to, and the pairs are told. What would
    tie faces that already lie in two parts is dropped, and so is a picture that one source calls real and another fake.

    Args:
        members: all faces.
        near: bits of 64 in which near-duplicates may differ; below 0 no pictures are compared.
        dealt: path → part of faces that an earlier run dealt.
        same: pairs of faces, by index, whose groups belong together for another reason.

    Returns:
        The faces that stay, those dropped, and the pairs that look the same in two groups with the bits in which
        they differ.
    """
    hashed = [
        Hashed(m.face.hashes, m.sample.group, (m.sample.label, m.sample.source, m.sample.method)) for m in members
    ]
    placed = place(members, dealt)
    twins = find_twins(hashed, near) if near >= 0 else []
    groups, torn = _tie(members, [*((t.first, t.second) for t in twins), *same], placed)
    # Whoever is placed stays for those that come later.
    order = sorted(range(len(members)), key=lambda index: members[index].sample.path not in placed)
    repeats = (
        find_repeats([hashed[index] for index in order], [groups[index] for index in order], near) if near >= 0 else {}
    )
    reasons = {order[index]: Reason(NEAR_DUPLICATE, order[twin]) for index, twin in repeats.items()}
    reasons |= {index: Reason(TIES_PARTS, index) for index in torn}
    if near >= 0:
        contradicted = _find_contradicted(members, twins, {order[i]: order[twin] for i, twin in repeats.items()})
        reasons |= {index: Reason(BOTH_LABELS, twin) for index, twin in contradicted.items()}
    kept = [
        replace(member, sample=replace(member.sample, group=group))
        for index, (member, group) in enumerate(zip(members, groups, strict=True))
        if index not in reasons
    ]
    dropped = [
        Dropped(members[index].sample.path, reason, members[twin].sample.path if twin != index else "")
        for index, (reason, twin) in sorted(reasons.items())
    ]
    return kept, dropped, [(members[t.first], members[t.second], t.distance) for t in twins]


def _tie(members: Sequence[Member], pairs: Sequence[Pair], placed: Mapping[str, str]) -> tuple[list[str], set[int]]:
    """Return the group of each face once the pairs' groups are one, and the faces that would tie two parts."""
    joined = Joined()
    for one, other in pairs:
        if not (members[one].sample.split and members[other].sample.split):
            joined.join((members[one].sample.group, members[other].sample.group))
    groups = [joined.find(member.sample.group) for member in members]
    parts: dict[str, set[str]] = defaultdict(set)
    for member, group in zip(members, groups, strict=True):
        if member.sample.path in placed:
            parts[group].add(placed[member.sample.path])
    torn = [index for index, group in enumerate(groups) if len(parts[group]) > 1]
    if not torn:
        return groups, set()
    # Without those that came later, each of the others is in the group that it was in.
    stay = {index for index in torn if members[index].sample.path in placed}
    again = Joined()
    own = group_clips([members[index].clip for index in sorted(stay)])
    for one, other in pairs:
        stated = members[one].sample.split and members[other].sample.split
        if {one, other} <= stay and not stated:
            a, b = members[one], members[other]
            if placed[a.sample.path] == placed[b.sample.path]:
                again.join((own[a.clip.path], own[b.clip.path]))
    for index in stay:
        groups[index] = again.find(own[members[index].clip.path])
    return groups, set(torn) - stay


def _find_contradicted(members: Sequence[Member], twins: Sequence[Twins], repeats: Mapping[int, int]) -> dict[int, int]:
    """Return the faces that one source calls real and another fake, each with one that contradicts it.

    Within a source an original and its forgery may well look the same, and so may those of one group.

    Args:
        members: all faces.
        twins: pairs of two groups that look the same.
        repeats: index of a face → index of one of its group that looks the same.
    """
    looks = Joined()
    for twin in twins:
        looks.join((str(twin.first), str(twin.second)))
    for index, other in repeats.items():
        looks.join((str(index), str(other)))
    for equal in _group_by(range(len(members)), lambda index: members[index].face.sha256):
        looks.join(map(str, equal))
    contradicted: dict[int, int] = {}
    for alike in _group_by(range(len(members)), lambda index: looks.find(str(index))):
        # The first of each label and source stands for the others.
        firsts = {(members[i].sample.label, members[i].sample.source): i for i in reversed(alike)}
        for index in alike:
            mine = members[index].sample
            others = [i for (label, source), i in firsts.items() if label != mine.label and source != mine.source]
            if others:
                contradicted[index] = min(others)
    return contradicted


def _group_by(indices: Iterable[int], key: Callable[[int], str]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        groups[key(index)].append(index)
    return list(groups.values())


def split(members: Sequence[Member], seed: int, dealt: Mapping[str, str] = MappingProxyType({})) -> list[Member]:
    """Give every group a part: the one that is stated or was dealt before, else train, validation or test, 70/15/15.

    Groups of fakes only, of real faces only, and of both are dealt apart, so that few groups still bring both
    classes to every part.

    Args:
        members: all faces that stay.
        seed: another seed deals otherwise.
        dealt: path → part of faces that an earlier run dealt.

    Raises:
        ManifestError: parts that were stated or dealt put a group in two.
    """
    labels: dict[str, set[int]] = defaultdict(set)
    for member in members:
        labels[member.sample.group].add(member.sample.label)
    placed = place(members, dealt)
    sources = (f"{m.sample.source} {sorted(labels[m.sample.group])}" for m in members)
    part_of = deal_groups(
        [
            replace(member.sample, source=source, split=placed.get(member.sample.path, ""))
            for member, source in zip(members, sources, strict=True)
        ],
        seed,
    )
    return [replace(m, sample=replace(m.sample, split=part_of[m.sample.group])) for m in members]


def balance(members: Sequence[Member], how: str, seed: int) -> tuple[list[Member], list[Dropped]]:
    """Make both classes count the same, in each part alone.

    Args:
        members: faces that are split.
        how: "none"; "undersample", which thins the larger class down to the smaller, first where a group has
            many faces; or "weights", by which both classes weigh the same, and within a class every source does.
            A part that lacks a class is left as it is.
        seed: another seed thins otherwise.

    Returns:
        The faces that stay, in their order, and those dropped.
    """
    if how == "undersample":
        return _undersample(members, seed)
    return (_weigh(members) if how == "weights" else list(members)), []


def _undersample(members: Sequence[Member], seed: int) -> tuple[list[Member], list[Dropped]]:
    classes: dict[tuple[str, int], list[str]] = defaultdict(list)
    group_of = {member.sample.path: member.sample.group for member in members}
    for member in members:
        classes[member.sample.split, member.sample.label].append(member.sample.path)
    stay: set[str] = set()
    for part in PARTS:
        sizes = [len(classes[part, label]) for label in (0, 1)]
        least = min(sizes) or max(sizes)
        for label in (0, 1):
            shuffled = sorted(classes[part, label], key=lambda path: hashlib.sha256(f"{seed}:{path}".encode()).digest())
            # One of each group, then a second of each, and so on: small groups stay whole.
            seen: Counter[str] = Counter()
            turns: dict[str, int] = {}
            for path in shuffled:
                turns[path] = seen[group_of[path]]
                seen[group_of[path]] += 1
            stay.update(sorted(shuffled, key=turns.__getitem__)[:least])
    kept = [member for member in members if member.sample.path in stay]
    return kept, [Dropped(m.sample.path, UNDERSAMPLED) for m in members if m.sample.path not in stay]


def _weigh(members: Sequence[Member]) -> list[Member]:
    counts = Counter((m.sample.split, m.sample.label, m.sample.source) for m in members)
    sizes = Counter(m.sample.split for m in members)
    sources = Counter((part, label) for part, label, _ in counts)
    labels = Counter(part for part, _ in sources)

    def weigh(sample: Sample) -> float:
        shares = labels[sample.split] * sources[sample.split, sample.label]
        return sizes[sample.split] / (shares * counts[sample.split, sample.label, sample.source])

    return [replace(member, weight=round(weigh(member.sample), 6)) for member in members]

"""The faces of a data set, with all that is known of each: grouped, thinned, split, balanced."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from training.datasets.clips import Clip
from training.datasets.duplicates import Hashed, find_repeats, find_twins, merge_groups
from training.datasets.extraction import Extraction, SavedFace
from training.datasets.groups import group_clips
from training.manifest import Sample
from training.splits import PARTS, split_by_group


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


def gather(clips: Sequence[Clip], extractions: Mapping[str, Extraction]) -> list[Member]:
    """Return every face that was saved, in the order of the clips, grouped by who is in it."""
    groups = group_clips(clips)
    return [
        Member(Sample(face.path, clip.label, clip.source, clip.method, groups[clip.path], clip.split), face, clip)
        for clip in clips
        for face in extractions[clip.path].faces
    ]


def thin(members: Sequence[Member], near: int) -> tuple[list[Member], list[Dropped], list[tuple[Member, Member, int]]]:
    """Tie groups that share a near-duplicate, and drop repeats within a group.

    Groups are not tied where the user stated the split: that is kept to, and the pairs are told.

    Args:
        members: all faces.
        near: bits of 64 in which near-duplicates may differ; below 0 nothing is done.

    Returns:
        The faces that stay, those dropped, and the pairs that look the same in two groups with the bits in which
        they differ.
    """
    if near < 0:
        return list(members), [], []
    hashed = [
        Hashed(m.face.hashes, m.sample.group, (m.sample.label, m.sample.source, m.sample.method)) for m in members
    ]
    twins = find_twins(hashed, near)
    stated = any(member.sample.split for member in members)
    groups = [face.group for face in hashed] if stated else merge_groups(hashed, twins)
    repeats = find_repeats(hashed, groups, near)
    kept = [
        replace(member, sample=replace(member.sample, group=group))
        for index, (member, group) in enumerate(zip(members, groups, strict=True))
        if index not in repeats
    ]
    dropped = [
        Dropped(members[index].sample.path, "near-duplicate", members[twin].sample.path)
        for index, twin in repeats.items()
    ]
    return kept, dropped, [(members[t.first], members[t.second], t.distance) for t in twins]


def split(members: Sequence[Member], seed: int) -> list[Member]:
    """Deal every group to train, validation or test, 70/15/15, or as the user stated.

    Groups of fakes only, of real faces only, and of both are dealt apart, so that few groups still bring both
    classes to every part.

    Raises:
        ManifestError: the stated split puts a group in two parts.
    """
    labels: dict[str, set[int]] = defaultdict(set)
    for member in members:
        labels[member.sample.group].add(member.sample.label)
    dealt = [replace(m.sample, source=f"{m.sample.source} {sorted(labels[m.sample.group])}") for m in members]
    parts = split_by_group(dealt, seed)
    part_of = {sample.path: part for part in PARTS for sample in parts[part]}
    return [replace(m, sample=replace(m.sample, split=part_of[m.sample.path])) for m in members]


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
    return kept, [Dropped(m.sample.path, "undersampled") for m in members if m.sample.path not in stay]


def _weigh(members: Sequence[Member]) -> list[Member]:
    counts = Counter((m.sample.split, m.sample.label, m.sample.source) for m in members)
    sizes = Counter(m.sample.split for m in members)
    sources = Counter((part, label) for part, label, _ in counts)
    labels = Counter(part for part, _ in sources)

    def weigh(sample: Sample) -> float:
        shares = labels[sample.split] * sources[sample.split, sample.label]
        return sizes[sample.split] / (shares * counts[sample.split, sample.label, sample.source])

    return [replace(member, weight=round(weigh(member.sample), 6)) for member in members]

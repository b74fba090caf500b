"""Train, validation and test parts that share no group."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from training.manifest import Sample

PARTS = ("train", "validation", "test")
FRACTIONS = (0.70, 0.15, 0.15)


def split_by_group(samples: Sequence[Sample], seed: int = 0) -> dict[str, list[Sample]]:
    """Split 70/15/15 so that no group lies in two parts and every source lies in all three.

    Within each source the groups are taken in an order that depends on nothing but their names and the
    seed, so the split is the same on every machine, and stays nearly the same when rows are added.

    Args:
        samples: the whole manifest.
        seed: another seed gives another split.

    Returns:
        The samples of each of `PARTS`, in the manifest's order.
    """
    members: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        members[sample.group].append(sample)
    groups_of: dict[str, list[str]] = defaultdict(list)
    for group, rows in members.items():
        # A group that spans sources is placed with the source that holds most of it.
        groups_of[Counter(row.source for row in rows).most_common(1)[0][0]].append(group)

    part_of: dict[str, str] = {}
    for groups in groups_of.values():
        groups.sort(key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest())
        part_of.update(_deal(groups, members))
    return {part: [s for s in samples if part_of[s.group] == part] for part in PARTS}


def _deal(groups: list[str], members: dict[str, list[Sample]]) -> dict[str, str]:
    """Deal each group to the part that is furthest below its share."""
    sizes = dict.fromkeys(PARTS, 0)
    dealt: dict[str, str] = {}
    for group in groups:
        part = min(PARTS, key=lambda name: sizes[name] / FRACTIONS[PARTS.index(name)])
        dealt[group] = part
        sizes[part] += len(members[group])
    return dealt

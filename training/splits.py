"""Train, validation and test parts that share no group."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from training.manifest import ManifestError, Sample

PARTS = ("train", "validation", "test")
FRACTIONS = (0.70, 0.15, 0.15)


def split_by_group(samples: Sequence[Sample], seed: int = 0) -> dict[str, list[Sample]]:
    """Split 70/15/15 so that no group lies in two parts and every source lies in all three.

    A manifest that states a split is taken at its word, as far as it keeps groups together.

    Within each source the groups are taken in an order that depends on nothing but their names and the
    seed, so the split is the same on every machine, and stays nearly the same when rows are added.

    Args:
        samples: the whole manifest.
        seed: another seed gives another split.

    Returns:
        The samples of each of `PARTS`, in the manifest's order.

    Raises:
        ManifestError: the manifest puts a group in two parts, or states a split for some rows only.
    """
    if any(sample.split for sample in samples):
        return _take_stated(samples)
    part_of = deal_groups(samples, seed)
    return {part: [s for s in samples if part_of[s.group] == part] for part in PARTS}


def deal_groups(samples: Sequence[Sample], seed: int = 0) -> dict[str, str]:
    """Return the part of each group: the one that some of its samples state, else one that is dealt, 70/15/15.

    Args:
        samples: the whole manifest, some of it stating a split, or none.
        seed: another seed gives another split.

    Raises:
        ManifestError: a group states two parts.
    """
    members: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        members[sample.group].append(sample)
    part_of = _read_stated(samples)
    groups_of: dict[str, list[str]] = defaultdict(list)
    for group, rows in members.items():
        # A group that spans sources is placed with the source that holds most of it.
        groups_of[Counter(row.source for row in rows).most_common(1)[0][0]].append(group)
    for groups in groups_of.values():
        groups.sort(key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest())
        _deal(groups, members, part_of)
    return part_of


def list_families(samples: Sequence[Sample]) -> set[str]:
    """Return the sources and methods of which there are fakes."""
    return {name for sample in samples if sample.label for name in (sample.source, sample.method) if name}


def leave_out(parts: Mapping[str, Sequence[Sample]], families: Sequence[str]) -> dict[str, list[Sample]]:
    """Move all fakes of some families to the test part, so that nothing is learnt from them, no threshold either.

    Their groups' real pictures stay where they are. So a group may then have its real pictures in the training part
    and a fake in the test part, which is no leak of that family; but in its row no real picture of another part than
    test may stand against it.

    Args:
        parts: as `split_by_group` returns them.
        families: sources or methods; none moves nothing.

    Returns:
        The samples of each of `PARTS`.

    Raises:
        ManifestError: there is no fake of a family.
    """
    everyone = [sample for part in PARTS for sample in parts[part]]
    known = list_families(everyone)
    for family in families:
        if family not in known:
            raise ManifestError(
                f"No fake is of the family {family!r}, so it cannot be left out. There are: "
                f"{', '.join(sorted(known)) or 'none'}."
            )
    moved = [s for s in everyone if s.label and {s.source, s.method} & set(families)]
    paths = {sample.path for sample in moved}
    kept = {part: [sample for sample in parts[part] if sample.path not in paths] for part in PARTS}
    return {**kept, "test": [*kept["test"], *moved]}


def _take_stated(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return the parts that the manifest states."""
    unstated = [sample for sample in samples if not sample.split]
    if unstated:
        raise ManifestError(
            f"{len(unstated)} of {len(samples)} rows state no split, such as {unstated[0].path}; state all or none."
        )
    _read_stated(samples)
    return {part: [sample for sample in samples if sample.split == part] for part in PARTS}


def _read_stated(samples: Sequence[Sample]) -> dict[str, str]:
    """Return the part of every group of which some sample states one."""
    part_of: dict[str, str] = {}
    for sample in samples:
        if sample.split:
            stated = part_of.setdefault(sample.group, sample.split)
            if stated != sample.split:
                raise ManifestError(
                    f"The group {sample.group!r} lies in two splits, {stated} and {sample.split}: "
                    "what is learnt from the one would be tested on the other."
                )
    return part_of


def _deal(groups: Sequence[str], members: Mapping[str, list[Sample]], part_of: dict[str, str]) -> None:
    """Deal each group that has no part yet to the part that is furthest below its share."""
    sizes = dict.fromkeys(PARTS, 0)
    for group in groups:
        if group in part_of:
            sizes[part_of[group]] += len(members[group])
    for group in groups:
        if group not in part_of:
            part = min(PARTS, key=lambda name: sizes[name] / FRACTIONS[PARTS.index(name)])
            part_of[group] = part
            sizes[part] += len(members[group])


def limit_by_class(samples: Sequence[Sample], limit: int, seed: int) -> list[Sample]:
    """Keep at most so many samples a class, every source giving alike as long as it has any; 0 keeps all."""
    if not limit:
        return list(samples)
    turns: list[tuple[int, str, Sample]] = []
    given: dict[tuple[str, int], int] = {}
    for sample in sorted(samples, key=lambda s: hashlib.sha256(f"{seed}:{s.path}".encode()).digest()):
        turn = given[sample.source, sample.label] = given.get((sample.source, sample.label), 0) + 1
        turns.append((turn, sample.source, sample))
    turns.sort(key=lambda entry: entry[:2])
    kept: set[str] = set()
    for label in (0, 1):
        kept.update([sample.path for _, _, sample in turns if sample.label == label][:limit])
    return [sample for sample in samples if sample.path in kept]

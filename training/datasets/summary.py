"""What can be said of a data set: its figures, and what to know before one trains on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.datasets.clips import Listing
from training.datasets.collection import Collection
from training.datasets.extraction import Extraction
from training.datasets.groups import Joined
from training.datasets.members import BOTH_LABELS, NEAR_DUPLICATE, TIES_PARTS, UNDERSAMPLED, Dropped, Member
from training.splits import PARTS

LABELS = ("real", "fake")
# A group with a larger part of all faces leaves no fair split.
LARGE_GROUP = 0.3
# Pairs that are listed one by one.
MOST_LISTED = 200

# What a collection says that goes along with its faces.
STATED = ("label", "family", "origin", "terms", "note")
# Where every face that was left out is listed with the reason.
TABLE = "dropped.csv"

Twin = tuple[Member, Member, int]


def summarise(
    listing: Listing,
    extractions: Mapping[str, Extraction],
    members: Sequence[Member],
    dropped: Sequence[Dropped],
    twins: Sequence[Twin],
    persons: Sequence[tuple[Member, Member]] = (),
) -> dict[str, Any]:
    """Return the figures of `report.json`.

    Args:
        listing: what went in.
        extractions: what came out of each clip.
        members: the faces that stay.
        dropped: those that do not.
        twins: pairs that look the same in two groups.
        persons: pairs of two groups that show one person.
    """
    statuses = Counter(extraction.status for extraction in extractions.values())
    reasons = Counter(entry.reason for entry in dropped)
    shared = _list_shared_persons(persons)
    sources = {face.path: clip.source for clip in listing.clips for face in extractions[clip.path].faces}
    return {
        "layout": listing.layout,
        "files": {
            "used": statuses["used"],
            "no_face": statuses["no_face"],
            "unreadable": statuses["unreadable"],
            "left_out": len(listing.left_out),
        },
        "frames": sum(extraction.frames for extraction in extractions.values()),
        "faces": {
            "found": len(members) + len(dropped),
            "kept": len(members),
            "near_duplicates": reasons[NEAR_DUPLICATE],
            "undersampled": reasons[UNDERSAMPLED],
            "contradicted": reasons[BOTH_LABELS],
            "torn": reasons[TIES_PARTS],
        },
        "groups": len({member.sample.group for member in members}),
        "parts": {part: _count([m for m in members if m.sample.split == part]) for part in PARTS},
        "sources": {s: _count([m for m in members if m.sample.source == s]) for s in _names(members)},
        "collections": [_describe(c, [m for m in members if m.sample.source == c.name]) for c in listing.collections],
        "methods": dict(sorted(Counter(m.sample.method for m in members if m.sample.label).items())),
        "side": _measure(members),
        "weight": {"least": min(m.weight for m in members), "most": max(m.weight for m in members)},
        "persons": shared,
        "findings": [*_find_dropped(dropped, sources), *_find_persons(persons, shared), *_find(members, twins)],
        "twins": [
            {"one": a.sample.path, "other": b.sample.path, "bits": bits, "labels": [_label(a), _label(b)]}
            for a, b, bits in twins[:MOST_LISTED]
        ],
        "skipped": [
            *({"path": e.clip, "status": e.status, "reason": e.reason} for e in extractions.values() if e.reason),
            *({"path": p, "status": "left_out", "reason": r} for p, r in sorted(listing.left_out.items())),
        ],
    }


def _describe(collection: Collection, members: Sequence[Member]) -> dict[str, Any]:
    """Return what a collection says of itself, and the count and size of its faces."""
    parts = Counter(member.sample.split for member in members)
    return {
        "name": collection.name,
        **{name: getattr(collection, name) for name in STATED},
        "faces": {part: parts[part] for part in PARTS},
        "side": _measure(members) if members else None,
    }


def _measure(members: Sequence[Member]) -> dict[str, float]:
    sides = [member.face.side for member in members]
    return {"least": min(sides), "median": float(np.median(sides)), "most": max(sides)}


def list_provenance(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what `collections.json` holds: what each collection says of itself, and its faces by part, by source."""
    return {entry["name"]: {name: entry[name] for name in (*STATED, "faces")} for entry in summary["collections"]}


def _find_dropped(dropped: Sequence[Dropped], source_of: Mapping[str, str]) -> list[str]:
    """Return a sentence for the faces that cannot be trusted; the first things to know."""
    findings = []
    contradicted = [entry for entry in dropped if entry.reason == BOTH_LABELS]
    if contradicted:
        pairs = Counter(tuple(sorted((source_of[e.path], source_of[e.twin]))) for e in contradicted)
        named = [f"{one} and {other} ({count})" for (one, other), count in pairs.most_common()]
        findings.append(
            f"{_count_faces(contradicted)} left out of all parts, since one source calls the same picture real and "
            f"another fake; one label is wrong: {_quote(named)}. {TABLE} lists them."
        )
    torn = [entry for entry in dropped if entry.reason == TIES_PARTS]
    if torn:
        named = [f"{source} ({count})" for source, count in Counter(source_of[e.path] for e in torn).most_common()]
        findings.append(
            f"{_count_faces(torn)} left out, since they would tie faces that already lie in two parts: "
            f"{_quote(named)}. {TABLE} lists them."
        )
    return findings


def _list_shared_persons(persons: Sequence[tuple[Member, Member]]) -> list[dict[str, Any]]:
    """Return whoever lies in several sources: the sources, and a file of each."""
    joined = Joined()
    for one, other in persons:
        joined.join((one.sample.group, other.sample.group))
    files: dict[str, dict[str, str]] = {}
    for member in (member for pair in persons for member in pair):
        files.setdefault(joined.find(member.sample.group), {}).setdefault(member.sample.source, member.clip.path)
    return [
        {"sources": sorted(by_source), "files": [by_source[source] for source in sorted(by_source)]}
        for _, by_source in sorted(files.items())
        if len(by_source) > 1
    ]


def _find_persons(persons: Sequence[tuple[Member, Member]], shared: Sequence[Mapping[str, Sequence[str]]]) -> list[str]:
    """Return a sentence for whom groups were tied by, and one for whoever lies in several sources."""
    findings = []
    stated = [(a, b) for a, b in persons if a.sample.split and b.sample.split]
    parted = [(a, b) for a, b in stated if a.sample.split != b.sample.split]
    if parted:
        findings.append(
            f"The split that was stated puts one person in two parts, in {_count_pairs(parted)}: "
            f"{_quote([f'{a.clip.path} and {b.clip.path}' for a, b in parted])}."
        )
    if len(stated) < len(persons):
        groups = {m.sample.group for a, b in persons if not (a.sample.split and b.sample.split) for m in (a, b)}
        findings.append(f"{len(groups)} groups were tied together, as they show persons who are in several of them.")
    if shared:
        named = [f"{' and '.join(one['sources'])} ({' and '.join(one['files'])})" for one in shared]
        findings.append(
            f"{len(shared)} {'person lies' if len(shared) == 1 else 'persons lie'} in several sources: {_quote(named)}."
        )
    return findings


def _find(members: Sequence[Member], twins: Sequence[Twin]) -> list[str]:
    """Return a sentence for everything that one should know."""
    findings = []
    kept = {member.sample.path: member for member in members}
    both = [(a, b) for a, b, _ in twins if a.sample.label != b.sample.label and a.sample.source == b.sample.source]
    if both:
        findings.append(
            f"Faces that look the same bear both labels in {_count_pairs(both)}; one label is likely wrong: "
            f"{_quote([f'{a.clip.path} and {b.clip.path}' for a, b in both])}."
        )
    findings += _find_equals(members, twins)
    parts = [(a, b, {kept[m.sample.path].sample.split for m in (a, b) if m.sample.path in kept}) for a, b, _ in twins]
    leaks = [(a, b) for a, b, of_pair in parts if len(of_pair) > 1]
    if leaks:
        findings.append(
            f"The split that was stated leaks: {_count_pairs(leaks)} of faces that look the same in two parts: "
            f"{_quote([f'{a.clip.path} and {b.clip.path}' for a, b in leaks])}."
        )
    tied = [(a, b) for a, b, of_pair in parts if len(of_pair) < 2 and not (a.sample.split and b.sample.split)]
    if tied:
        groups = {member.sample.group for pair in tied for member in pair}
        findings.append(
            f"{len(groups)} groups were tied together, as they share {_count_pairs(tied)} of faces that look the same."
        )
    findings += _find_large_groups(members)
    for part in PARTS:
        labels = {member.sample.label for member in members if member.sample.split == part}
        if len(labels) < len(LABELS):
            lacks = "no face" if not labels else f"no {LABELS[1 - labels.pop()]} face"
            findings.append(f"The part {part} holds {lacks}: there are too few groups to fill three parts.")
    alone = [
        source for source in _names(members) if len({m.sample.label for m in members if m.sample.source == source}) == 1
    ]
    if alone:
        findings.append(
            f"{len(alone)} of {len(_names(members))} sources hold faces of one label only: {_quote(alone)}; a network "
            "may learn the source instead of the forgery."
        )
    return findings


def _find_equals(members: Sequence[Member], twins: Sequence[Twin]) -> list[str]:
    """Find files that are the same to the last bit under both labels of one group, where likeness is no wonder."""
    told = {twin.sample.path for pair in twins for twin in pair[:2]}
    labels: dict[str, dict[int, Member]] = {}
    for member in members:
        labels.setdefault(member.face.sha256, {}).setdefault(member.sample.label, member)
    equal = [(p[0], p[1]) for p in labels.values() if len(p) > 1 and not {p[0].sample.path, p[1].sample.path} <= told]
    if not equal:
        return []
    names = _quote([f"{real.clip.path} and {fake.clip.path}" for real, fake in equal])
    return [f"One group holds the same file under both labels, in {_count_pairs(equal)}: {names}."]


def _find_large_groups(members: Sequence[Member]) -> list[str]:
    sizes = Counter(member.sample.group for member in members)
    return [
        f"The group {group} holds {size / len(members):.0%} of all faces: it lies in one part, so the parts are "
        "far from 70/15/15."
        for group, size in sizes.most_common(3)
        if size > LARGE_GROUP * len(members)
    ]


def _count(members: Sequence[Member]) -> dict[str, int]:
    labels = Counter(map(_label, members))
    return {**{name: labels[name] for name in LABELS}, "groups": len({member.sample.group for member in members})}


def _names(members: Sequence[Member]) -> list[str]:
    return sorted({member.sample.source for member in members})


def _label(member: Member) -> str:
    return LABELS[member.sample.label]


def _count_faces(entries: Sequence[Dropped]) -> str:
    return f"{len(entries)} {'face was' if len(entries) == 1 else 'faces were'}"


def _count_pairs(pairs: Sequence[object]) -> str:
    return f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'}"


def _quote(names: Sequence[str]) -> str:
    """Name the first few different ones."""
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
    return ", ".join(distinct[:3]) + more

"""Faces are tied, thinned, split and balanced so that no group is torn and nothing vanishes unsaid."""

from __future__ import annotations

from collections import Counter

import pytest

from training.datasets.clips import Clip
from training.datasets.extraction import Extraction, SavedFace
from training.datasets.members import Member, balance, gather, split, thin
from training.manifest import ManifestError, Sample
from training.splits import PARTS


def face(path: str, look: int) -> SavedFace:
    # Two bits a number and far apart: different numbers look different.
    return SavedFace(path, 0, 0.0, 10, (0, 0, 1, 1), (), 1.0, (f"{look * 0x1F1F:016x}", f"{look << 90:064x}"), path)


def member(path: str, label: int, group: str, look: int, source: str = "tv", stated: str = "") -> Member:
    clip = Clip(path, label, source, "", (group,), stated)
    return Member(Sample(path, label, source, "", group, stated), face(path, look), clip)


def crowd(reals: int, fakes: int, groups: int = 40) -> list[Member]:
    """Members of alternating groups; every group has both classes while they last."""
    rows = [(0, i) for i in range(reals)] + [(1, i) for i in range(fakes)]
    return [member(f"{label}/{i:04}", label, f"group {i % groups:03}", i, "ab"[i % 5 == 0]) for label, i in rows]


def test_every_saved_face_is_gathered_with_its_clips_labels() -> None:
    clips = [
        Clip("a.mp4", 1, "tv", "swap", ("1", "2")),
        Clip("b.mp4", 0, "tv", "", ("2",)),
        Clip("c", 0, "tv", "", ("3",)),
    ]
    extractions = {
        "a.mp4": Extraction("a.mp4", "used", 2, (face("a0", 0), face("a1", 1))),
        "b.mp4": Extraction("b.mp4", "used", 1, (face("b0", 2),)),
        "c": Extraction("c", "no_face", 1, (), "no face was found"),
    }
    samples = [member.sample for member in gather(clips, extractions)]
    assert [(s.path, s.label, s.method, s.group) for s in samples] == [
        ("a0", 1, "swap", "1"),
        ("a1", 1, "swap", "1"),
        ("b0", 0, "", "1"),
    ]


def test_a_shared_picture_ties_two_groups_and_its_repeat_is_dropped() -> None:
    members = [
        member("a", 0, "anna", 7),
        member("b", 0, "bert", 7),
        member("c", 1, "cleo", 7),
        member("d", 1, "dora", 9),
    ]
    kept, dropped, twins = thin(members, near=4)
    assert {m.sample.path: m.sample.group for m in kept} == {"a": "anna", "c": "anna", "d": "dora"}
    assert [(d.path, d.reason, d.twin) for d in dropped] == [("b", "near-duplicate", "a")]
    assert [(a.sample.path, b.sample.path) for a, b, _ in twins] == [("a", "b"), ("a", "c")]


def test_other_methods_of_one_frame_are_no_repeats() -> None:
    members = [member("a", 1, "anna", 7, "swap"), member("b", 1, "anna", 7, "reenacted"), member("c", 0, "anna", 7)]
    kept, dropped, twins = thin(members, near=4)
    assert (len(kept), dropped, twins) == (3, [], [])


def test_nothing_is_compared_when_it_is_turned_off() -> None:
    members = [member("a", 0, "anna", 7), member("b", 0, "anna", 7)]
    assert thin(members, near=-1) == (members, [], [])


def test_a_stated_split_is_kept_and_its_twins_are_told() -> None:
    members = [member("a", 0, "anna", 7, stated="train"), member("b", 1, "bert", 7, stated="test")]
    kept, dropped, twins = thin(members, near=4)
    assert [m.sample.group for m in kept] == ["anna", "bert"]
    assert (dropped, len(twins)) == ([], 1)
    assert [m.sample.split for m in split(kept, seed=0)] == ["train", "test"]


def test_a_stated_split_that_tears_a_group_is_refused_by_name() -> None:
    members = [member("a", 0, "anna", 7, stated="train"), member("b", 1, "anna", 9, stated="test")]
    with pytest.raises(ManifestError, match="anna"):
        split(members, seed=0)


def test_every_part_gets_groups_of_its_own() -> None:
    members = split(crowd(200, 200), seed=0)
    groups = [{m.sample.group for m in members if m.sample.split == part} for part in PARTS]
    assert [len(g) for g in groups] == pytest.approx([28, 6, 6], abs=1)
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40


def test_few_groups_of_one_class_each_still_bring_both_classes_to_every_part() -> None:
    members = [member(f"{label}/{i}", label, f"{label} {i}", i) for label in (0, 1) for i in range(5)]
    for seed in range(5):
        counts = Counter((m.sample.split, m.sample.label) for m in split(members, seed))
        assert {key for key, count in counts.items() if count} == {(part, label) for part in PARTS for label in (0, 1)}
        assert all(m.sample.source == "tv" for m in split(members, seed))


def test_undersampling_leaves_a_part_of_one_class_alone() -> None:
    members = [member("a", 0, "anna", 7, stated="train"), member("b", 1, "bert", 9, stated="train")]
    members += [member(f"c{i}", 1, "cleo", 11 + i, stated="test") for i in range(3)]
    assert balance(members, "undersample", seed=0) == (members, [])


def test_undersampling_makes_the_classes_even_in_each_part_and_spares_small_groups() -> None:
    members = split(crowd(120, 400), seed=0)
    kept, dropped = balance(members, "undersample", seed=0)
    counts = Counter((m.sample.split, m.sample.label) for m in kept)
    assert all(counts[part, 0] == counts[part, 1] > 0 for part in PARTS)
    assert {d.path for d in dropped} | {m.sample.path for m in kept} == {m.sample.path for m in members}
    assert {d.reason for d in dropped} == {"undersampled"}
    assert {m.sample.group for m in kept if m.sample.label} == {m.sample.group for m in members if m.sample.label}
    fakes_of_a_group = Counter(m.sample.group for m in kept if m.sample.label and m.sample.split == "train")
    assert max(fakes_of_a_group.values()) - min(fakes_of_a_group.values()) <= 1
    assert balance(members, "undersample", seed=0) == (kept, dropped)
    assert balance(members, "undersample", seed=1) != (kept, dropped)


def test_weights_make_classes_and_sources_count_the_same_in_each_part() -> None:
    members, dropped = balance(split(crowd(120, 400), seed=0), "weights", seed=0)
    assert dropped == []
    for part in PARTS:
        mine = [m for m in members if m.sample.split == part]
        totals: Counter[tuple[int, str]] = Counter()
        for m in mine:
            totals[m.sample.label, m.sample.source] += m.weight  # type: ignore[assignment]
        assert sum(totals.values()) == pytest.approx(len(mine), rel=1e-3)
        assert list(totals.values()) == pytest.approx([len(mine) / 4] * 4, rel=1e-3)

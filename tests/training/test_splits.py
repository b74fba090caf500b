"""No group lies on both sides of a split, and the split is the same everywhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.manifest import ManifestError, Sample, read_manifest
from training.splits import PARTS, leave_out, split_by_group


def make(groups: list[int], source: str = "street") -> list[Sample]:
    return [Sample(f"{source}/{i}", i % 2, source, "", f"{source} {group}") for i, group in enumerate(groups)]


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_every_sample_lands_once_and_no_group_twice(groups: list[int], seed: int) -> None:
    samples = make(groups)
    parts = split_by_group(samples, seed)
    assert sorted(s.path for rows in parts.values() for s in rows) == sorted(s.path for s in samples)
    seen = Counter(group for rows in parts.values() for group in {s.group for s in rows})
    assert all(count == 1 for count in seen.values())


def test_each_source_is_dealt_seventy_fifteen_fifteen() -> None:
    samples = make(list(range(1000))) + make(list(range(100)), "studio")
    parts = split_by_group(samples)
    for source, total in (("street", 1000), ("studio", 100)):
        shares = [sum(s.source == source for s in parts[part]) / total for part in PARTS]
        assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.01)


def test_the_split_depends_on_names_and_seed_alone() -> None:
    samples = make(list(range(50)))
    once = {s.path for s in split_by_group(samples)["test"]}
    assert {s.path for s in split_by_group(samples[::-1])["test"]} == once
    assert {s.path for s in split_by_group(samples, seed=1)["test"]} != once


def test_a_group_that_spans_sources_stays_whole() -> None:
    samples = [Sample(f"{i}", 0, ("a", "b")[i % 2], "", f"person {i // 2}") for i in range(60)]
    parts = split_by_group(samples)
    groups = [{s.group for s in parts[part]} for part in PARTS]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


def state(*rows: tuple[str, str]) -> list[Sample]:
    return [Sample(str(place), place % 2, "street", "", group, split) for place, (group, split) in enumerate(rows)]


def test_a_split_that_the_manifest_states_is_taken_at_its_word() -> None:
    samples = state(("ann", "test"), ("bob", "train"), ("ann", "test"), ("cyd", "validation"))
    parts = split_by_group(samples, seed=3)
    assert {part: [s.group for s in rows] for part, rows in parts.items()} == {
        "train": ["bob"],
        "validation": ["cyd"],
        "test": ["ann", "ann"],
    }


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("ann", "train"), ("bob", "test"), ("ann", "test")], "'ann' lies in two splits, train and test"),
        ([("ann", "train"), ("bob", "")], "1 of 2 rows state no split, such as 1"),
    ],
)
def test_a_stated_split_that_leaks_or_is_half_stated_is_refused(rows: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        split_by_group(state(*rows))


def test_the_shared_pairs_are_kept_apart(shared: Path) -> None:
    parts = split_by_group(read_manifest(shared / "data" / "faces.csv"))
    pairs = {part: {s.group for s in rows if s.source == "ffpp"} for part, rows in parts.items()}
    assert min(map(len, pairs.values())) >= 2
    assert sum(map(len, pairs.values())) == 17


def test_a_family_that_is_left_out_lies_in_the_test_part_and_its_reals_stay() -> None:
    samples = [
        Sample(f"{source} {method} {i} {label}", label, source, method if label else "", f"{source} {i}")
        for source, method in (("film", "swap"), ("film", "puppet"), ("painted", "brush"))
        for i in range(20)
        for label in (0, 1)
    ]
    parts = split_by_group(samples)
    for families in (["swap"], ["film"], ["swap", "painted"]):
        left = leave_out(parts, families)
        assert sorted(s.path for rows in left.values() for s in rows) == sorted(s.path for s in samples)
        for part in ("train", "validation"):
            assert left[part] == [s for s in parts[part] if not (s.label and {s.source, s.method} & set(families))]
            assert len(left[part]) < len(parts[part])
    assert leave_out(parts, []) == parts


def test_what_is_not_there_cannot_be_left_out() -> None:
    parts = split_by_group([Sample("a", 1, "film", "swap", "a"), Sample("b", 0, "street", "", "b")])
    with pytest.raises(ManifestError, match=r"family 'street', so it cannot be left out\. There are: film, swap"):
        leave_out(parts, ["street"])

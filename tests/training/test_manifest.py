"""A manifest is read whole, or refused with a sentence that says what to mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.manifest import ManifestError, Sample, count_by_source, read_manifest


def test_columns_that_are_missing_get_sensible_values(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_text("path,label\nstreet/a.jpg,Real\nstreet/b.jpg,fake\n")
    assert read_manifest(manifest) == [
        Sample("street/a.jpg", 0, "street", "", "street/a.jpg"),
        Sample("street/b.jpg", 1, "street", "", "street/b.jpg"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,label\na,real\n", "lacks the column path"),
        ("", "lacks the column label and path"),
        ("path,label\na,maybe\n", "line 2"),
        ("path,label\n,real\n", "line 2"),
        ("path,label\na,real\nb\n", "line 3"),
        ("path,label\na,real\na,fake\n", "more than once"),
        ("path,label,split\na,real,holdout\n", "line 2: a split"),
        ("path,label,weight\na,real,0\n", "line 2: a weight"),
        ("path,label,weight\na,real,nan\n", "line 2: a weight"),
        ("path,label,weight\na,real,heavy\n", "line 2: a weight"),
        (b"path,label\n\xff\xfe,real\n", "cannot be read"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_fault(tmp_path: Path, text: str | bytes, says: str) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError, match=says):
        read_manifest(manifest)


@pytest.mark.parametrize(
    ("stated", "split"),
    [("train", "train"), ("Val", "validation"), ("validation", "validation"), ("test ", "test"), ("", "")],
)
def test_a_split_is_read_by_its_usual_names(tmp_path: Path, stated: str, split: str) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_text(f"path,label,split\na.jpg,real,{stated}\n")
    assert read_manifest(manifest)[0].split == split


def test_a_weight_is_read_and_is_1_where_none_is_stated(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_text("path,label,weight\na.jpg,real,2.5\nb.jpg,real,\n")
    assert [sample.weight for sample in read_manifest(manifest)] == [2.5, 1]


def test_the_real_picture_that_a_fake_was_made_of_is_read(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_text("path,label,original\nb.jpg,fake,a.jpg\na.jpg,real,\n")
    assert [sample.original for sample in read_manifest(manifest)] == ["a.jpg", ""]


@pytest.mark.parametrize("original", ["none.jpg", "b.jpg"])
def test_an_original_that_is_no_real_picture_of_the_manifest_is_refused(tmp_path: Path, original: str) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_text(f"path,label,original\na.jpg,fake,{original}\nb.jpg,fake,\n")
    with pytest.raises(ManifestError, match=r"the original of a\.jpg"):
        read_manifest(manifest)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        read_manifest(tmp_path / "none.csv")


def test_sources_are_counted_by_class() -> None:
    samples = [Sample(str(i), i % 2, "ab"[i > 2], "", str(i)) for i in range(5)]
    assert count_by_source(samples) == {("a", 0): 2, ("a", 1): 1, ("b", 0): 1, ("b", 1): 1}

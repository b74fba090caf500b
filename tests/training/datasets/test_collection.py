"""A folder of collections is read by what each says of itself, and a description that cannot be used is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.datasets import collection
from training.datasets.clips import DatasetError, Listing
from training.datasets.groups import group_clips
from training.datasets.listing import list_clips


def describe(**changes: object) -> str:
    """Return a `collection.toml`; a value of None leaves its key out."""
    entries: dict[str, object] = {
        "name": "gallery-x",
        "label": "fake",
        "family": "sdxl",
        "origin": "OWNER/NAME@0123",
        "terms": "MIT License",
        **changes,
    }
    lines = []
    for name, value in entries.items():
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else value
            lines.append(f"{name} = {text}")
    return "\n".join(lines)


def parse(files: dict[str, str]) -> Listing:
    """Read a folder whose `.toml` files hold these texts."""
    return collection.parse(sorted(files), files.__getitem__)


def test_a_collection_labels_its_files_and_is_kept() -> None:
    webcam = describe(name="webcams", label="real", family="webcam", note="office light", split="test")
    listing = parse(
        {
            "x/collection.toml": describe(),
            "x/images/a.png": "",
            "x/images/deep/b.mp4": "",
            "webcams/collection.toml": webcam,
            "webcams/images/c.jpg": "",
        }
    )
    assert [(c.path, c.label, c.source, c.method, c.split) for c in listing.clips] == [
        ("webcams/images/c.jpg", 0, "webcams", "", "test"),
        ("x/images/a.png", 1, "gallery-x", "sdxl", ""),
        ("x/images/deep/b.mp4", 1, "gallery-x", "sdxl", ""),
    ]
    assert [(c.name, c.family, c.origin, c.terms, c.note) for c in listing.collections] == [
        ("gallery-x", "sdxl", "OWNER/NAME@0123", "MIT License", ""),
        ("webcams", "webcam", "OWNER/NAME@0123", "MIT License", "office light"),
    ]
    assert not listing.left_out


def test_one_collection_alone_is_read_too() -> None:
    listing = parse({"collection.toml": describe(), "images/a.png": ""})
    assert [(clip.path, clip.source) for clip in listing.clips] == [("images/a.png", "gallery-x")]


def test_the_nearest_description_counts_and_what_none_describes_is_left_out() -> None:
    listing = parse(
        {
            "x/collection.toml": describe(),
            "x/images/a.png": "",
            "x/images/inner/collection.toml": describe(name="inner", label="real"),
            "x/images/inner/images/b.png": "",
            "x/preview.png": "",
            "y/images/c.png": "",
            "z/collection.toml": describe(name="empty"),
        }
    )
    assert {clip.path: clip.source for clip in listing.clips} == {
        "x/images/a.png": "gallery-x",
        "x/images/inner/images/b.png": "inner",
    }
    assert set(listing.left_out) == {"x/preview.png", "y/images/c.png", "z/collection.toml"}
    assert "outside images/" in listing.left_out["x/preview.png"]
    assert "no folder above it" in listing.left_out["y/images/c.png"]
    assert "nothing that can be used" in listing.left_out["z/collection.toml"]


@pytest.mark.parametrize(
    ("grouped", "tie", "together"),
    [
        # Files of one folder, files of one name, and both across the two collections.
        (True, "pairs", [{"r/images/p/1.png", "r/images/p/2.png", "f/images/p/1.jpg"}]),
        (False, "pairs", [{"r/images/p/1.png", "f/images/p/1.jpg"}, {"r/images/p/2.png"}]),
        (True, None, [{"r/images/p/1.png", "r/images/p/2.png"}, {"f/images/p/1.jpg"}]),
        (False, None, [{"r/images/p/1.png"}, {"r/images/p/2.png"}, {"f/images/p/1.jpg"}]),
    ],
)
def test_groups_are_folders_or_files_and_reach_as_far_as_the_tie(
    grouped: bool, tie: str | None, together: list[set[str]]
) -> None:
    listing = parse(
        {
            "r/collection.toml": describe(name="r", label="real", grouped=grouped, tie=tie),
            "r/images/p/1.png": "",
            "r/images/p/2.png": "",
            "r/images/lone.png": "",
            "f/collection.toml": describe(name="f", grouped=grouped, tie=tie),
            "f/images/p/1.jpg": "",
        }
    )
    groups = group_clips(listing.clips)
    sets = {group: {path for path in groups if groups[path] == group} for group in groups.values()}
    assert sorted(map(sorted, sets.values())) == sorted(map(sorted, [*together, {"r/images/lone.png"}]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "is no TOML.*Mend"),
        (describe(terms=None, origin=None), "lacks the key origin, terms; it needs name, label"),
        (describe(licence="MIT"), "unknown key licence; it may hold name"),
        (describe(label="synthetic"), "a label is real or fake. Received: 'synthetic'"),
        (describe(name="Gallery X"), "a name is made of a-z, 0-9 and -. Received: 'Gallery X'"),
        (describe(name="../x"), "a name is made of"),
        (describe(split="dev"), "a split is train, validation, test, or left out. Received: 'dev'"),
        (describe(family=3), "family must be a text in quotes. Received: 3"),
        (describe(grouped="yes"), "grouped must be true or false. Received: 'yes'"),
        (describe(terms=" "), "leaves terms empty"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_by_its_file(text: str, says: str) -> None:
    with pytest.raises(DatasetError, match=rf"^x/collection\.toml.*{says}"):
        parse({"x/collection.toml": text, "x/images/a.png": ""})


def test_descriptions_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"a/collection\.toml and b/collection\.toml both name .* rename"):
        parse({"a/collection.toml": describe(), "b/collection.toml": describe()})
    grouped = describe(name="b", tie="gallery-x", grouped=True)
    with pytest.raises(DatasetError, match=r"share the tie gallery-x, but only one is grouped; give both"):
        parse({"a/collection.toml": describe(), "b/collection.toml": grouped})


def test_a_folder_with_a_description_is_recognised_and_must_be_utf_8(tmp_path: Path) -> None:
    (tmp_path / "in/real/images").mkdir(parents=True)
    (tmp_path / "in/real/images/a.png").write_bytes(b"x")
    (tmp_path / "in/real/collection.toml").write_text(describe())
    listing = list_clips(tmp_path / "in", tmp_path / "in", tmp_path / "out")
    assert (listing.layout, [clip.label for clip in listing.clips]) == ("collections", [1])
    (tmp_path / "in/real/collection.toml").write_bytes(describe(note="Zürich").encode("latin-1"))
    with pytest.raises(DatasetError, match=r"collection\.toml is not UTF-8 .*save it as UTF-8"):
        list_clips(tmp_path / "in", tmp_path / "in", tmp_path / "out")

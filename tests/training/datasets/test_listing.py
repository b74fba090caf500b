"""What the user points at is listed, or refused with a sentence that says what to mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.datasets.clips import DatasetError
from training.datasets.listing import list_clips


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_a_csv_is_taken_as_it_stands(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b/c.jpg")
    (tmp_path / "clips.csv").write_text(
        "path,label,group,source,method,split\na.mp4,fake,anna,tv,swap,test\nb/c.jpg,real,anna,tv,,val\n"
    )
    listing = list_clips(tmp_path / "clips.csv", tmp_path, tmp_path / "out")
    assert listing.layout == "csv"
    clip, other = listing.clips
    assert (clip.path, clip.label, clip.source, clip.method, clip.identities) == ("a.mp4", 1, "tv", "swap", ("anna",))
    assert (clip.split, other.split) == ("test", "validation")
    assert (clip.is_video, other.is_video) == (True, False)


def test_a_row_without_a_file_is_refused_by_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "clips.csv").write_text("path,label\na.mp4,fake\nb.mp4,real\nc.mp4,real\n")
    with pytest.raises(DatasetError, match=r"2 of 3 rows .* the first: b\.mp4.*--root"):
        list_clips(tmp_path / "clips.csv", tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no pictures and no videos"),
        (["notes.txt"], "no pictures and no videos"),
        (["a.mp4", "b/c.jpg"], "no layout that is known"),
        (["original_sequences/a.mp4"], "nothing that the layout faceforensics can use"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, names: list[str], says: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DatasetError, match=says):
        list_clips(tmp_path, tmp_path, tmp_path / "out")


def test_the_layout_can_be_stated(tmp_path: Path) -> None:
    touch(tmp_path, "real/real_1.mp4", "real/x.mp4")
    assert [c.path for c in list_clips(tmp_path, tmp_path, tmp_path / "out", "named").clips] == ["real/real_1.mp4"]


def test_the_data_set_does_not_feed_on_itself_nor_on_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.mp4", "fake/b.mp4", "real/._a.mp4", ".cache/real/c.mp4", "out/faces/own/real/a.jpg")
    listing = list_clips(tmp_path, tmp_path, tmp_path / "out")
    assert [clip.path for clip in listing.clips] == ["fake/b.mp4", "real/a.mp4"]


def test_a_name_that_no_csv_can_hold_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.jpg")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/real/\xff.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    listing = list_clips(tmp_path, tmp_path, tmp_path / "out")
    assert [clip.path for clip in listing.clips] == ["real/a.jpg"]
    assert list(listing.left_out.values()) == ["its name is not UTF-8"]

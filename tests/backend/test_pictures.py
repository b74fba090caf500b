"""What a place of kept pictures must do, be it a folder or a bucket."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from chalicelib.errors import NotFound, StoreUnavailable
from chalicelib.pictures import FolderPictures, Pictures

FLAG = "1" * 32
DAY = 86_400


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["folder", "bucket"])
def pictures(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Pictures:
    if request.param == "folder":
        return FolderPictures(tmp_path / "deep" / "flagged", 30, clock)
    from chalicelib.buckets import BucketPictures

    return BucketPictures(request.getfixturevalue("bucket"), 30, clock)


def test_a_picture_comes_back_byte_for_byte_until_it_is_deleted(pictures: Pictures) -> None:
    pictures.put(FLAG, b"\0\xff picture")
    assert pictures.get(FLAG) == b"\0\xff picture"
    pictures.delete(FLAG)
    with pytest.raises(NotFound):
        pictures.get(FLAG)
    pictures.delete(FLAG)


def test_a_picture_is_gone_when_its_time_is_over(pictures: Pictures, clock: Clock) -> None:
    pictures.put(FLAG, b"picture")
    clock.time += 30 * DAY - 1
    assert pictures.get(FLAG) == b"picture"
    clock.time += 1
    with pytest.raises(NotFound):
        pictures.get(FLAG)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "1" * 31, "1" * 33, "A" * 32, "1" * 32 + "\n"])
def test_an_id_that_is_not_ours_reaches_no_file(pictures: Pictures, name: str) -> None:
    for deed in (pictures.get, pictures.delete, lambda each: pictures.put(each, b"")):
        with pytest.raises(NotFound):
            deed(name)


def test_a_folder_lets_go_of_what_is_over_and_keeps_the_rest(tmp_path: Path, clock: Clock) -> None:
    pictures = FolderPictures(tmp_path, 30, clock)
    pictures.put("a" * 32, b"old")
    clock.time += 20 * DAY
    pictures.put("b" * 32, b"younger")
    clock.time += 10 * DAY
    pictures.put("c" * 32, b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"b" * 32, "c" * 32}


def test_a_kept_picture_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FolderPictures(tmp_path / "flagged", 30).put(FLAG, b"picture")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "flagged").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "flagged" / FLAG).stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "flagged").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        FolderPictures(tmp_path / "flagged", 30).put(FLAG, b"picture")


@pytest.mark.usefixtures("aws")
def test_a_bucket_that_is_not_there_is_told_as_such() -> None:
    from chalicelib.buckets import BucketPictures

    with pytest.raises(StoreUnavailable, match="does not answer"):
        BucketPictures("nowhere", 30).put(FLAG, b"picture")

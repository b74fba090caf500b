"""A face is cut with its margin, described in its own picture's pixels, and never written half."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from chalicelib.faces import Face, FaceFinder
from chalicelib.settings import MODELS, Settings
from training.datasets.clips import Clip
from training.datasets.extraction import Extractor, picture_path, write_whole
from training.datasets.plan import Plan
from training.files import WriteFailed

SETTINGS = Settings()
PLAN = Plan(format="png", frames="even:2")


def clip_of(path: str, label: int = 0, source: str = "tv") -> Clip:
    return Clip(path, label, source, "", ("anna",))


def test_box_and_landmarks_lie_on_the_face_of_the_saved_picture(snap: Any, tmp_path: Path) -> None:
    snap(tmp_path / "a.png")
    extraction = Extractor(PLAN, SETTINGS, tmp_path, tmp_path / "out").extract(clip_of("a.png"))
    assert (extraction.status, extraction.frames, len(extraction.faces)) == ("used", 1, 1)
    face = extraction.faces[0]
    data = (tmp_path / "out" / face.path).read_bytes()
    assert hashlib.sha256(data).hexdigest() == face.sha256
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture.shape == (face.side, face.side, 3)
    found = FaceFinder(MODELS).find(picture)[0]
    assert face.box == pytest.approx(found.box, abs=6)
    assert np.abs(np.array(face.landmarks) - found.landmarks).max() < 4
    # 30 % on each side of the larger side.
    assert face.side == pytest.approx(1.6 * max(face.box[2:]), abs=1)


def test_a_face_too_small_to_be_read_again_is_none(snap: Any, tmp_path: Path) -> None:
    snap(tmp_path / "a.png")
    side = Extractor(PLAN, SETTINGS, tmp_path, tmp_path / "out").extract(clip_of("a.png")).faces[0].side
    for least, status in ((side, "used"), (side + 1, "no_face")):
        extractor = Extractor(PLAN, replace(SETTINGS, min_side=least), tmp_path, tmp_path / f"{least}")
        assert extractor.extract(clip_of("a.png")).status == status


def test_a_limit_shrinks_the_picture_and_its_coordinates_and_never_enlarges(snap: Any, tmp_path: Path) -> None:
    snap(tmp_path / "a.png")
    faces = {}
    for side in (0, 60, 4096):
        plan = replace(PLAN, side=side)
        faces[side] = Extractor(plan, SETTINGS, tmp_path, tmp_path / str(side)).extract(clip_of("a.png")).faces[0]
    assert faces[4096] == faces[0]
    assert faces[60].side == 60
    scale = 60 / faces[0].side
    assert np.array(faces[60].landmarks) == pytest.approx(np.array(faces[0].landmarks) * scale, abs=0.1)
    assert cv2.imread(str(tmp_path / "60" / faces[60].path)).shape == (60, 60, 3)


@pytest.mark.parametrize(
    ("confidences", "which", "taken"),
    [
        ([0.81], "largest", [0]),
        ([0.81, 0.99], "largest", [1]),
        ([0.96, 0.99], "largest", [0]),
        ([0.96, 0.81, 0.99], "all", [0, 2]),
        ([0.81, 0.90], "all", []),
        ([], "all", []),
    ],
)
def test_among_several_faces_only_sure_ones_count(confidences: list[float], which: str, taken: list[int]) -> None:
    extractor = Extractor(replace(PLAN, faces=which), SETTINGS, Path(), Path())
    faces = [Face((0, 0, 40, 40), confidence, np.zeros((5, 2), np.float32)) for confidence in confidences]
    assert extractor._choose(faces, (480, 640)) == [faces[index] for index in taken]


def test_a_clip_gives_a_face_a_frame(film: Any, tmp_path: Path) -> None:
    film(tmp_path / "a.mp4")
    extraction = Extractor(PLAN, SETTINGS, tmp_path, tmp_path / "out").extract(clip_of("a.mp4"))
    assert [(face.frame, face.time) for face in extraction.faces] == [(2, 0.08), (6, 0.24)]
    assert len({face.path for face in extraction.faces}) == 2


@pytest.mark.parametrize(
    ("name", "data", "status", "says"),
    [
        ("a.jpg", b"hello", "unreadable", ""),
        ("a.mp4", b"hello", "unreadable", "no video"),
        ("a.jpg", None, "unreadable", "No such file"),
        ("a.mp4", None, "unreadable", "No such file"),
    ],
)
def test_what_cannot_be_read_is_an_answer(
    tmp_path: Path, name: str, data: bytes | None, status: str, says: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    extraction = Extractor(PLAN, SETTINGS, tmp_path, tmp_path / "out").extract(clip_of(name))
    assert (extraction.status, extraction.faces) == (status, ())
    assert extraction.reason
    assert says in extraction.reason


def test_a_clip_without_a_face_says_so(film: Any, tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", face=False)
    extraction = Extractor(PLAN, SETTINGS, tmp_path, tmp_path / "out").extract(clip_of("a.mp4"))
    assert (extraction.status, extraction.frames, extraction.reason) == ("no_face", 2, "no face was found")


def test_a_clip_that_breaks_off_leaves_no_pictures(film: Any, tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", frames=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    extraction = Extractor(replace(PLAN, frames="every:4"), SETTINGS, tmp_path, tmp_path / "out").extract(
        clip_of("a.avi")
    )
    assert extraction.status == "unreadable"
    assert "breaks off" in extraction.reason
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.parametrize("source", ["../../etc", "a/b", "/root", "..", "", "tv\n"])
def test_no_name_leads_out_of_the_folder(source: str) -> None:
    path = picture_path(clip_of("../x/../../sh adow;.jpg", source=source), 3, 1, ".jpg")
    top, where, label, name = path.split("/")
    assert (top, label) == ("faces", "real")
    assert where.replace("_", "").isalnum()
    assert name.endswith("-00003-1.jpg")
    assert ".." not in path


def test_clips_of_one_name_do_not_share_a_picture() -> None:
    assert picture_path(clip_of("a/1.mp4"), 0, 0, ".jpg") != picture_path(clip_of("b/1.mp4"), 0, 0, ".jpg")


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a", b"old")

    def fill(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(WriteFailed, match="No space left on device"):
        write_whole(tmp_path / "a", b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]

"""Scoring many pictures at once gives what the served path gives one by one, and can be stopped at any time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.checks import Checker
from chalicelib.detector import Detector
from chalicelib.errors import UnmaskError
from chalicelib.face_views import ViewRule
from chalicelib.faces import FaceFinder
from chalicelib.settings import Settings
from training import scoring
from training.degradations import degradations
from training.manifest import Sample, read_manifest
from training.scoring import find_faces, score_faces

SETTINGS = Settings()


@pytest.fixture(scope="module")
def root(collection: Path, tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray, cat: np.ndarray) -> Path:
    """Portraits, one of them small, one blurred, one dark, one with two faces; a cat, a broken file."""
    folder = tmp_path_factory.mktemp("scoring")
    for sample in read_manifest(collection / "faces.csv")[:10]:
        (folder / sample.path).parent.mkdir(exist_ok=True)
        shutil.copy(collection / sample.path, folder / sample.path)
    face = portrait[:256, 96:352, ::-1]
    cv2.imwrite(str(folder / "small.png"), cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(folder / "blurred.png"), cv2.GaussianBlur(face, (0, 0), 4))
    cv2.imwrite(str(folder / "dark.png"), face // 8)
    cv2.imwrite(str(folder / "two.png"), np.hstack([face, cv2.GaussianBlur(face, (0, 0), 1.5)]))
    cv2.imwrite(str(folder / "cat.png"), cat[..., ::-1])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return folder


@pytest.fixture(scope="module")
def samples(root: Path) -> list[Sample]:
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*g"))
    return [Sample(path, 0, "street", "", path) for path in [*paths, "missing.jpg"]]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(SETTINGS.models)


def test_many_at_once_are_judged_as_a_user_s_picture_is(root: Path, samples: list[Sample], detector: Detector) -> None:
    rows = score_faces(samples, root, find_faces(samples, root, SETTINGS), detector, SETTINGS)
    checker = Checker(SETTINGS, FaceFinder(SETTINGS.models), detector, None)
    for row in rows:
        try:
            check = checker.check_image((root / row["path"]).read_bytes())
            served = check["fake_probability"], check["verdict"]
        except (OSError, UnmaskError):
            served = None, "unreadable"
        assert (row["fake_probability"], row["verdict"]) == served, row["path"]
        if row["fake_probability"] is not None:
            assert 1 / (1 + np.exp(-row["log_odds"])) == pytest.approx(row["fake_probability"], abs=1e-4)
    verdicts = {row["path"]: row["verdict"] for row in rows}
    assert verdicts["cat.png"] == "no_face"
    assert verdicts["broken.jpg"] == verdicts["missing.jpg"] == "unreadable"
    assert [verdicts[f"{flaw}.png"] for flaw in ("small", "blurred", "dark")] == ["uncertain"] * 3


def test_why_a_file_cannot_be_read_is_said_without_where_it_lies(root: Path, samples: list[Sample]) -> None:
    error = find_faces(samples, root, SETTINGS)["missing.jpg"].error
    assert "No such file" in error
    assert str(root) not in error


class Stopped:
    """A finder or model that is interrupted after so many calls."""

    side, card = 64, {}

    def __init__(self, inner: FaceFinder | Detector, calls: int) -> None:
        self._inner, self._left = inner, calls
        self.calibration = getattr(inner, "calibration", None)
        self.views = getattr(inner, "views", ViewRule())
        self.side = getattr(inner, "side", 0)

    def _count(self) -> None:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1

    def find(self, pixels: np.ndarray) -> object:
        self._count()
        return self._inner.find(pixels)  # type: ignore[union-attr]

    def score(self, crops: np.ndarray) -> object:
        self._count()
        return self._inner.score(crops)  # type: ignore[union-attr]


def test_an_interrupted_search_keeps_what_it_found(root: Path, samples: list[Sample], tmp_path: Path) -> None:
    finder, notes = FaceFinder(SETTINGS.models), tmp_path / "faces.json"
    whole = find_faces(samples, root, SETTINGS, finder=finder)
    with pytest.raises(KeyboardInterrupt):
        find_faces(samples, root, SETTINGS, notes=notes, finder=Stopped(finder, 5))  # type: ignore[arg-type]
    assert 5 <= len(json.loads(notes.read_text())) < len(samples)
    assert find_faces(samples, root, SETTINGS, notes=notes, finder=finder) == whole
    assert find_faces(samples, root, SETTINGS, notes=notes, finder=Stopped(finder, 0)) == whole  # type: ignore[arg-type]


def test_an_interrupted_scoring_goes_on_and_scores_nothing_twice(
    root: Path, samples: list[Sample], detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BATCH", 3)
    faces, notes = find_faces(samples, root, SETTINGS), tmp_path / "scores.json"
    whole = score_faces(samples, root, faces, detector, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        score_faces(samples, root, faces, Stopped(detector, 2), SETTINGS, notes=notes)  # type: ignore[arg-type]
    assert 0 < len(json.loads(notes.read_text())) < len(samples)
    assert score_faces(samples, root, faces, detector, SETTINGS, notes=notes) == whole
    again = score_faces(samples, root, faces, Stopped(detector, 0), SETTINGS, notes=notes)  # type: ignore[arg-type]
    assert again == whole


def test_damaged_notes_are_begun_anew(root: Path, samples: list[Sample], tmp_path: Path) -> None:
    notes = tmp_path / "faces.json"
    notes.write_text('{"real/00.png": {"boxes": [[1,')
    assert find_faces(samples[:2], root, SETTINGS, notes=notes) == find_faces(samples[:2], root, SETTINGS)
    assert len(json.loads(notes.read_text())) == 2


def test_degraded_pictures_stay_with_their_names(
    root: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 4)
    half = find_faces(samples, root, SETTINGS, alter=degradations()["half size"])
    clean = find_faces(samples, root, SETTINGS)
    assert half["broken.jpg"] == clean["broken.jpg"]
    for sample in samples:
        for small, large in zip(half[sample.path].boxes[:1], clean[sample.path].boxes[:1], strict=False):
            assert np.array(small) * 2 == pytest.approx(np.array(large), abs=14)

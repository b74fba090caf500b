"""Faces are found once; an interrupted search goes on; what has no face is listed, not lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.settings import Settings
from training import faces
from training.faces import adopt_faces, locate_faces
from training.manifest import Sample, read_manifest

SETTINGS = Settings()


@pytest.fixture
def root(collection: Path, cat: np.ndarray, tmp_path: Path) -> Path:
    """Four portraits, a cat, a broken file."""
    for name in ("real/00.png", "real/02.png", "fake/01.png", "fake/03.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(collection / name, tmp_path / name)
    cv2.imwrite(str(tmp_path / "cat.png"), cat[..., ::-1])
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return tmp_path


def samples_in(root: Path) -> list[Sample]:
    paths = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*.*")) if p.suffix in (".png", ".jpg")]
    return [Sample(path, 0, "street", "", path) for path in [*paths, "missing.jpg"]]


def test_what_the_maker_of_a_data_set_found_is_taken_over_once(tmp_path: Path) -> None:
    manifest, run = tmp_path / "data" / "faces.csv", tmp_path / "run"
    manifest.parent.mkdir()
    run.mkdir()
    manifest.with_name("faces_found.csv").write_text("a.jpg,no face found\n")
    adopt_faces(manifest, tmp_path, run / "faces_found.csv")
    assert not (run / "faces_found.csv").exists()
    adopt_faces(manifest, manifest.parent, run / "faces_found.csv")
    (run / "faces_found.csv").write_text("a.jpg,no face found\nb.jpg,no face found\n")
    adopt_faces(manifest, manifest.parent, run / "faces_found.csv")
    assert (run / "faces_found.csv").read_text().count("\n") == 2


def test_faces_are_found_and_the_rest_is_listed_with_its_reason(root: Path) -> None:
    cache = root / "faces_found.csv"
    found = locate_faces(samples_in(root), root, cache, SETTINGS)
    assert sorted(found) == ["fake/01.png", "fake/03.png", "real/00.png", "real/02.png"]
    for face in found.values():
        x, y, width, height = face.box
        assert 60 < width < 200
        assert 60 < height < 200
        for point_x, point_y in face.landmarks:
            assert x < point_x < x + width
            assert y < point_y < y + height
    listed = cache.read_text()
    assert "no face found" in listed
    assert all(name in listed for name in ("cat.png", "broken.jpg", "missing.jpg"))


def test_an_interrupted_search_goes_on_and_asks_nothing_twice(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, samples, asked = root / "faces_found.csv", samples_in(root), []
    whole = locate_faces(samples, root, cache, SETTINGS)
    lines = cache.read_text().splitlines(keepends=True)
    cache.write_text("".join(lines[:3]) + lines[3][:-9])
    real = faces._locate_largest

    def count(path: Path, *rest: object) -> object:
        asked.append(path.name)
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(faces, "_locate_largest", count)
    assert locate_faces(samples, root, cache, SETTINGS) == whole
    assert len(asked) == len(samples) - 3
    locate_faces(samples, root, cache, SETTINGS)
    assert len(asked) == len(samples) - 3


def test_progress_is_told_to_the_end(root: Path) -> None:
    told: list[tuple[int, int]] = []
    locate_faces(samples_in(root), root, root / "faces_found.csv", SETTINGS, lambda *seen: told.append(seen))
    assert told[0] == (0, 7)
    assert told[-1] == (7, 7)


def test_the_made_up_collection_has_a_face_in_every_picture(collection: Path, tmp_path: Path) -> None:
    samples = read_manifest(collection / "faces.csv")
    assert len(locate_faces(samples, collection, tmp_path / "faces_found.csv", SETTINGS)) == len(samples) == 40

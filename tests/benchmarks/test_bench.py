"""The benchmarks run: a row of them, a curve, and what they are made of. Nothing here depends on how fast it goes."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.checks import Checker
from chalicelib.settings import Settings
from tests.benchmarks.growth import draw_curve, fill_store, grow_store, make_check
from tests.benchmarks.photos import make_photo, make_pixels
from tests.benchmarks.row import Row, pair, time_once
from tests.benchmarks.steps import time_steps
from tests.benchmarks.whole import check_one, import_only, serve, write_photos


@pytest.fixture(scope="module")
def checker() -> Checker:
    """The real one, which remembers nothing."""
    return Checker.from_settings(Settings(), remember=False)


def test_the_two_sides_take_turns_and_both_begin_as_often() -> None:
    order: list[str] = []
    row = pair("a", lambda: order.append("ours"), lambda: order.append("peer"), "b", runs=4, warm=0)
    assert order == ["peer", "ours", "ours", "peer"] * 2
    assert (row.runs, row.holds) == (4, None)


def test_a_ratio_is_the_peer_s_time_by_ours() -> None:
    row = pair("a", lambda: 0.5, lambda: 2.0, "b", runs=3, bar=4.1)
    assert (row.ours_ms, row.peer_ms, row.ratio, row.holds) == (500.0, 2000.0, 4.0, False)
    assert "MISSED" in row.spell()
    assert row.to_dict()["holds"] is False
    assert Row("a", "b", 1, 1, 4.1, 4, 4.2, 3, bar=4.1).holds


def test_what_says_how_long_it_took_is_believed() -> None:
    assert time_once(lambda: 7.0) == 7.0
    assert time_once(lambda: time.sleep(0.01)) >= 0.01


@pytest.mark.parametrize("faces", [0, 1, 8])
def test_a_photo_holds_as_many_faces_as_it_should(checker: Checker, faces: int) -> None:
    assert len(checker.check_image(make_photo(faces=faces))["faces"]) == faces
    assert make_photo(seed=1) != make_photo(seed=2)


@pytest.mark.parametrize(("width", "height"), [(320, 180), (1280, 720), (4000, 2250)])
def test_a_photo_has_its_size(width: int, height: int) -> None:
    assert make_pixels(width, height).shape == (height, width, 3)


def test_a_real_service_and_real_commands_are_measured(checker: Checker, tmp_path: Path) -> None:
    photo = make_photo()
    with serve(checker) as post:
        row = pair("http", lambda: post(photo), lambda: checker.check_image(photo), "bare", runs=1, warm=0)
    assert row.ours_ms > 0
    folder = write_photos(tmp_path / "photos", 2)
    decoded = [cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), 1) for path in sorted(folder.iterdir())]
    assert np.array_equal(*decoded)
    assert check_one(tmp_path, folder / "0000.jpg") > 0
    assert import_only(tmp_path) > 0


def test_steps_add_up_to_the_check(checker: Checker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.steps.PROFILE", tmp_path / "bench.prof")
    told = time_steps(checker, make_photo(), runs=2)
    parts = sum(told[name] for name in ("  decode", "  faces", "  detector", "  all else"))
    assert parts == pytest.approx(told["a check"])
    assert (tmp_path / "bench.prof").stat().st_size


def test_a_curve_knows_its_slope(tmp_path: Path) -> None:
    assert draw_curve("a", [1.0, 2.0, 4.0, 8.0], lambda size: size, runs=1).exponent == pytest.approx(1.0)
    assert draw_curve("a", [1.0, 2.0, 4.0, 8.0], lambda size: size**2, runs=1).exponent == pytest.approx(2.0)
    curve = grow_store(tmp_path, 10_000, runs=1)
    assert curve.sizes == [1000.0, 10_000.0]
    store = fill_store(tmp_path / "more.sqlite3", 5)
    assert store.save(make_check(7))["id"] == make_check(7)["id"]  # type: ignore[arg-type]
    store.close()

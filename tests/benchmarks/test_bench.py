"""The benchmarks run: a row of them, a curve, and what they are made of. Nothing here depends on how fast it goes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.checks import Checker
from chalicelib.settings import Settings
from tests.benchmarks import flames, memory
from tests.benchmarks.__main__ import PICTURE, add_memory
from tests.benchmarks.counter import TASK_CLOCK, Counter, Uncounted
from tests.benchmarks.growth import draw_curve, fill_store, grow_store, make_check
from tests.benchmarks.peers import Missing
from tests.benchmarks.photos import make_photo, make_pixels
from tests.benchmarks.process import open_process
from tests.benchmarks.row import HEAD, Row, cost_once, pair, time_once
from tests.benchmarks.steps import time_steps
from tests.benchmarks.whole import check_one, import_only, measure_memory, open_clips, serve, write_photos

# What stands in for py-spy writes a title with a path, as it does.
FLAMES_WRITTEN = """printf '<text id="title" x="1">/home/me/py-spy record</text>' > "$2"\n"""


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


def test_what_processors_worked_is_told_apart_from_the_clock() -> None:
    slept, worked, _ = cost_once(lambda: time.sleep(0.2))
    assert slept >= 0.2 > worked

    def work_elsewhere() -> None:
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)

    assert cost_once(work_elsewhere)[1] > 0.005
    goes_on = [sys.executable, "-c", "import sys\nfor line in sys.stdin: print(sum(range(3_000_000)), flush=True)"]
    with open_process(goes_on) as ask:
        assert cost_once(lambda: ask("go on"))[1] > 0.005
    row = pair("a", lambda: sum(range(1_000_000)), lambda: None, "b", runs=2, threads=2)
    assert row.ours_cpu_ms > row.peer_cpu_ms >= 0
    assert row.to_dict()["threads"] == 2
    assert HEAD.index("ratio") == row.spell().index(f"{row.ratio:.2f} (")


def test_a_counter_counts_threads_and_processes_that_begin_later() -> None:
    try:
        # Nanoseconds of work, which every kernel counts for whom it lets count at all.
        counter = Counter(TASK_CLOCK)
    except Uncounted as error:
        pytest.skip(str(error))

    def work() -> None:
        sum(range(3_000_000))

    def work_in_thread() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    def work_in_process() -> None:
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)

    for do in (work, work_in_thread, work_in_process):
        assert cost_once(do, counter)[2] > 5e6 > cost_once(lambda: time.sleep(0.01), counter)[2]
    row = pair("a", work, lambda: None, "b", runs=2, counter=counter)
    assert row.ours_instructions > 5e6 > row.peer_instructions  # type: ignore[operator]
    counter.close()


def test_what_is_not_counted_is_null_and_not_nought() -> None:
    with pytest.raises(Uncounted, match="kernel"):
        Counter((2**31, 0))
    told = pair("a", lambda: None, lambda: None, "b", runs=1).to_dict()
    assert told["ours_instructions"] is told["peer_instructions"] is told["ours_mb"] is told["peer_mb"] is None


def test_a_row_tells_the_memory_of_both_its_sides(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row(PICTURE, "b", 1, 1, 1, 1, 1, 1).to_dict(), Row("other", "b", 1, 1, 1, 1, 1, 1).to_dict()]
    add_memory(rows, {"ours": 100.0, "b": 1300.0})
    assert [(row["ours_mb"], row["peer_mb"]) for row in rows] == [(100.0, 1300.0), (None, None)]
    assert "1300 MB" in capsys.readouterr().out


def test_our_memory_is_that_of_the_core_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "THEIRS", {"a peer": "held = bytearray(500_000_000)"})
    told = memory.tell_memory(tmp_path)
    assert list(told) == ["ours", "a peer"]
    assert 30 < told["ours"] < 300 < 500 < told["a peer"]


def test_memory_is_that_of_the_process_alone(tmp_path: Path) -> None:
    held = np.ones(40_000_000)
    assert 5 < measure_memory("", tmp_path) < 100
    assert measure_memory("held = bytearray(200_000_000)", tmp_path) > 200
    del held


def test_a_flame_graph_names_no_path_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looker = tmp_path / "py-spy"
    looker.write_text('#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\n' + FLAMES_WRITTEN, encoding="utf-8")
    looker.chmod(0o755)
    monkeypatch.setattr(flames.shutil, "which", lambda name, path: str(looker))
    flames.draw(tmp_path / "out" / "flames.svg", b"jpeg", tmp_path)
    assert (tmp_path / "out" / "flames.svg").read_text() == f'<text id="title" x="1">{flames.TITLE}</text>'
    looker.write_text("#!/bin/sh\necho no right >&2; exit 1", encoding="utf-8")
    with pytest.raises(Missing, match="no right"):
        flames.draw(tmp_path / "flames.svg", b"jpeg", tmp_path)
    monkeypatch.setattr(flames.shutil, "which", lambda name, path: None)
    with pytest.raises(Missing, match="pip install"):
        flames.draw(tmp_path / "flames.svg", b"jpeg", tmp_path)


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


def test_a_process_of_the_core_checks_a_clip_and_its_pictures(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 3)
    with open_clips(folder, tmp_path) as check:
        assert check("clip") > 0 < check("pictures")


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

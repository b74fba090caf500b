"""`unmask dataset` builds, says in a sentence why it cannot, and can be stopped and gone on with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from training.commands.dataset import dataset
from training.datasets.extraction import Extractor
from training.datasets.pace import Pace, spell

MAIN = "import sys; sys.path[:0] = ['backend']; from backend.cli import main; main()"


@pytest.fixture
def pair(snap: Any, tmp_path: Path) -> Path:
    """Two real and two fake photos."""
    for label, number in (("real", 0), ("fake", 1), ("real", 2), ("fake", 3)):
        snap(tmp_path / f"in/{label}/n{number}.png", number)
    return tmp_path / "in"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(dataset, [str(argument) for argument in arguments])


def test_a_folder_becomes_a_data_set_and_its_figures_are_printed(pair: Path, tmp_path: Path) -> None:
    result = call(pair, "--out", tmp_path / "set", "--workers", 1, "--format", "png", "--side", 64)
    assert result.exit_code == 0, result.output
    assert "4 files used, 0 not" in result.output
    assert "4 faces of 4 in 4 groups." in result.output
    assert f"{tmp_path / 'set' / 'faces.csv'} is ready" in result.output
    assert len(list((tmp_path / "set/faces").rglob("*.png"))) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--frames", "some"], "every:N, second or even:N"),
        (["--near", "9"], "near must lie from -1 to 8"),
        (["--margin", "-1"], "margin must lie from 0 to 2"),
        (["--least-confidence", "2"], "least_confidence must lie from 0 to 1"),
        (["--layout", "dfdc"], "nothing that the layout dfdc can use"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    pair: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    result = call(pair, "--out", tmp_path / "set", *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert says in result.output
    assert not (tmp_path / "set").exists()


def test_a_csv_that_is_none_and_a_folder_of_others_are_refused(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("file,label\na,real\n")
    result = call(tmp_path / "clips.csv", "--out", tmp_path / "set")
    assert (result.exit_code, "lacks the column path" in result.output) == (1, True)
    result = call(pair, "--out", pair.parent)
    assert (result.exit_code, "no data set of ours" in result.output) == (1, True)


def test_a_folder_that_may_not_be_written_to_is_told(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call(pair, "--out", tmp_path / "file" / "set", "--workers", 1)
    assert (result.exit_code, "Not a directory" in result.output) == (1, True)


def test_ctrl_c_ends_with_a_sentence(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Extractor, "extract", interrupt)
    result = call(pair, "--out", tmp_path / "set", "--workers", 1)
    assert (result.exit_code, "the same command goes on" in result.output) == (130, True)


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_at_once_and_the_same_command_goes_on(film: Any, tmp_path: Path) -> None:
    first = film(tmp_path / "in/real/a0.avi", 0, frames=3000)
    for name in ("real/a1.avi", "fake/b0.avi", "fake/b1.avi", "fake/b2.avi"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        shutil.copy(first, tmp_path / "in" / name)
    film(tmp_path / "in/fake/a.avi", 1)
    # Clip fake/a is done in no time, the others take half a minute each.
    arguments = ["dataset", tmp_path / "in", "--out", tmp_path / "set", "--frames", "every:1", "--workers", "2"]
    command = [sys.executable, "-c", MAIN, *map(str, arguments)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    journal = tmp_path / "set/extracted.jsonl"
    while not journal.exists() or not journal.read_text():
        assert running.poll() is None
        time.sleep(0.1)
    began = time.monotonic()
    # As a terminal does: to every process of the group.
    os.killpg(running.pid, signal.SIGINT)
    told = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "the same command goes on" in told
    assert "Traceback" not in told
    # Python's own book-keeper of shared memory leaves a moment after the rest.
    with pytest.raises(ProcessLookupError):
        while time.monotonic() - began < 20:
            os.killpg(running.pid, 0)
            time.sleep(0.1)
    assert journal.read_text().count("\n") == 1
    assert not list((tmp_path / "set").rglob("unfinished_*"))


def test_progress_tells_speed_and_time_left_of_this_call_alone() -> None:
    told: list[str] = []
    now = iter([0.0, 1.0, 6.0, 8.0, 20.0])
    pace = Pace(110, 100, told.append, clock=lambda: next(now))
    for done in (101, 103, 104, 110):
        pace.tell(done)
    assert told == ["103 of 110 files done, 0.5 a second, 14 s to go", "110 of 110 files done, 0.5 a second"]


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (59.6, "1 min 0 s"), (3725, "1 h 2 min")])
def test_a_duration_is_spelt_for_a_person(seconds: float, words: str) -> None:
    assert spell(seconds) == words

"""The right frames come out of a clip, and a clip that gives none says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from chalicelib import captures
from chalicelib.settings import Settings
from training.datasets.frames import FrameRule, Unusable, read_photo, read_video, rescale

SETTINGS = Settings()


@pytest.mark.parametrize(
    ("rule", "count", "rate", "picked"),
    [
        ("every:3", 8, 25, [0, 3, 6]),
        ("every:100", 8, 25, [0]),
        ("second", 75, 25, [0, 25, 50]),
        ("second", 76, 25, [0, 25, 50, 75]),
        ("second", 60, 29.97, [0, 30]),
        ("second", 3, 0.5, [0, 1, 2]),
        ("even:4", 8, 25, [1, 3, 5, 7]),
        ("even:2", 100, 25, [25, 75]),
        ("even:10", 3, 25, [0, 1, 2]),
        ("even:1", 9, 25, [4]),
    ],
)
def test_a_rule_picks_its_frames(rule: str, count: int, rate: float, picked: list[int]) -> None:
    assert FrameRule.parse(rule).pick(count, rate) == picked


@pytest.mark.parametrize("text", ["", "all", "every", "every:0", "even:-1", "even:x", "second:2", "even:1.5"])
def test_another_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="every:N, second or even:N"):
        FrameRule.parse(text)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_one_a_second_needs_a_rate(rate: float) -> None:
    with pytest.raises(Unusable, match="frame rate"):
        FrameRule("second").pick(100, rate)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_frames_are_those_that_were_asked_for(film: Any, tmp_path: Path, name: str) -> None:
    path = film(tmp_path / name, frames=20)
    got = list(read_video(path, FrameRule("every", 5), SETTINGS))
    assert [frame.index for frame in got] == [0, 5, 10, 15]
    assert [frame.time for frame in got] == [0, 0.2, 0.4, 0.6]
    for frame in got:
        # The portrait drifts by two px a frame over a dark ground.
        dark = (frame.pixels[50].max(axis=1) < 70).nonzero()[0]
        assert abs(int((dark < 100).sum()) - 2 * frame.index) <= 4


def test_a_jump_gives_the_same_frames(film: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "clip.mp4", frames=40)
    walked = list(read_video(path, FrameRule("every", 13), SETTINGS))
    monkeypatch.setattr(captures, "SEEK_FROM", 5)
    jumped = list(read_video(path, FrameRule("every", 13), SETTINGS))
    assert [frame.index for frame in jumped] == [frame.index for frame in walked] == [0, 13, 26, 39]
    for one, other in zip(walked, jumped, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "red.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 64))
    for _ in range(5):
        writer.write(np.full((64, 64, 3), (0, 0, 255), np.uint8))
    writer.release()
    frame = next(read_video(tmp_path / "red.avi", FrameRule("even", 1), SETTINGS))
    assert frame.pixels[..., 0].mean() > 240 > 20 > frame.pixels[..., 2].mean()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, I am a text", "no video"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n", "no video"),
        (b"\x00\x00\x00\x20ftypisom" + b"\x00" * 100, "cannot be opened"),
    ],
)
def test_what_is_no_video_is_told(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "clip.mp4").write_bytes(data)
    with pytest.raises(Unusable, match=says):
        list(read_video(tmp_path / "clip.mp4", FrameRule("even", 3), SETTINGS))


def test_damage_is_told_in_the_answer_and_not_on_standard_error(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + b"\x00" * 100)
    # In a process of its own, since FFmpeg asks how loud it may be when it is first used.
    code = (
        "import sys; sys.path[:0] = ['backend']\n"
        "from pathlib import Path\n"
        "from chalicelib.captures import Capture, Unusable\n"
        "try: Capture(Path(sys.argv[1]))\n"
        "except Unusable: print('told')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "clip.mp4")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("told\n", "")


def test_a_splinter_is_no_clip(film: Any, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="3 frames, and at least 4"):
        list(read_video(film(tmp_path / "clip.mp4", frames=3), FrameRule("even", 1), SETTINGS))


def test_a_clip_that_breaks_off_says_where(film: Any, tmp_path: Path) -> None:
    whole = film(tmp_path / "clip.avi", frames=40)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    with pytest.raises(Unusable, match=r"breaks off after \d+ of 40 frames"):
        list(read_video(whole, FrameRule("every", 1), SETTINGS))


def test_frames_that_are_too_large_or_too_small_are_refused(film: Any, tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4")
    for settings, says in ((Settings(max_pixels=10_000), "more than"), (Settings(min_side=300), "at least 300")):
        with pytest.raises(Unusable, match=says):
            list(read_video(path, FrameRule("even", 1), settings))


def test_a_photo_is_one_frame(snap: Any, tmp_path: Path) -> None:
    frame = read_photo(snap(tmp_path / "a.png"), SETTINGS)
    assert (frame.index, frame.time, frame.pixels.shape) == (0, 0.0, (200, 200, 3))


@pytest.mark.parametrize(
    ("width", "scaled"), [(299, 598), (300, 300), (1000, 1000), (1001, 500), (1900, 950), (1920, 634)]
)
def test_frames_are_scaled_as_the_source_project_does(width: int, scaled: int) -> None:
    pixels = np.zeros((10, width, 3), np.uint8)
    assert rescale(pixels, "deepfake-detect").shape[1] == scaled
    assert rescale(pixels, "none") is pixels

"""A stranger's clip becomes a few even frames, or a sentence that says why not, and never more than that."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chalicelib import captures, sampler, videos
from chalicelib.errors import TooLarge, UnmaskError, UnreadableVideo, UnsupportedMedia
from chalicelib.sampler import Order, Refused, sample
from chalicelib.settings import Settings
from chalicelib.videos import ClipFrame, open_clip, spool
from tests.backend import clips

# On a busy machine a decoder may take its time; no test waits for this to end.
PATIENCE = 3600.0
SETTINGS = Settings(max_frames=8, video_patience=PATIENCE)


@pytest.fixture(scope="session")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 40 frames that tell their numbers, 1.6 s."""
    return clips.count_up(tmp_path_factory.mktemp("clips") / "counted.mp4")


def read(path: Path, settings: Settings = SETTINGS) -> list[ClipFrame]:
    with open_clip(path, settings) as clip:
        return list(clip)


def numbers(frames: list[ClipFrame]) -> list[int]:
    return [round(clips.read_number(frame.pixels)) for frame in frames]


def test_frames_are_spread_evenly_and_carry_their_times(counted: Path) -> None:
    with open_clip(counted, SETTINGS) as clip:
        frames = list(clip)
        assert (clip.format, clip.count, clip.cut_short) == ("mp4", 40, False)
    # The middles of eight stretches of five frames.
    assert numbers(frames) == [2, 7, 12, 17, 22, 27, 32, 37]
    assert [frame.time for frame in frames] == [n / 25 for n in numbers(frames)]
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3)}
    # The ground is more green than blue.
    assert frames[0].pixels[100, 80, 1] > frames[0].pixels[100, 80, 2] + 30


@pytest.mark.parametrize(("frames", "taken"), [(1, [0]), (5, [0, 1, 2, 3, 4]), (9, None)])
def test_of_a_short_clip_every_frame_is_taken(tmp_path: Path, frames: int, taken: list[int] | None) -> None:
    got = numbers(read(clips.count_up(tmp_path / "short.mp4", frames)))
    assert got == taken if taken else len(got) == 8


@pytest.mark.parametrize(
    ("name", "arguments", "format", "size"),
    [
        pytest.param("clip.mov", ["-c:v", "libx264"], "mov", (160, 120), id="QuickTime"),
        pytest.param("clip.webm", ["-c:v", "libvpx"], "webm", (160, 120), id="WebM, VP8"),
        pytest.param("clip.webm", ["-c:v", "libvpx-vp9", "-cpu-used", "8"], "webm", (160, 120), id="WebM, VP9"),
        pytest.param("clip.mkv", ["-c:v", "libx264"], "webm", (160, 120), id="Matroska"),
        pytest.param("clip.gif", [], "gif", (160, 120), id="GIF"),
        pytest.param("clip.mp4", ["-c:v", "libx265", "-x265-params", "log-level=none"], "mp4", (160, 120), id="HEVC"),
        pytest.param(
            "clip.mp4", ["-c:v", "libx264", "-movflags", "frag_keyframe+empty_moov"], "mp4", (160, 120), id="fragments"
        ),
        pytest.param(
            "clip.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"], "mp4", (160, 120), id="row_47 ten bits"
        ),
        pytest.param(
            "clip.webm",
            ["-pix_fmt", "yuva420p", "-c:v", "libvpx", "-auto-alt-ref", "0"],
            "webm",
            (160, 120),
            id="row_47 transparent",
        ),
    ],
)
def test_formats_and_depths_show_what_the_plain_clip_shows(
    counted: Path, tmp_path: Path, name: str, arguments: list[str], format: str, size: tuple[int, int]
) -> None:
    path = clips.convert(counted, tmp_path / name, *arguments)
    with open_clip(path, SETTINGS) as clip:
        frames = list(clip)
        assert (clip.format, clip.cut_short) == (format, False)
    plain = read(counted)
    assert np.allclose(numbers(frames), numbers(plain), atol=1.5)
    assert (frames[0].pixels.shape[1], frames[0].pixels.shape[0]) == size
    # The ground, away from the bars: the same colour whatever the coding.
    for one, other in zip(frames, plain, strict=True):
        assert np.abs(one.pixels[80:, 20:140].mean((0, 1)) - other.pixels[80:, 20:140].mean((0, 1))).max() < 8


def test_row_47_a_turned_clip_stands_upright(counted: Path, tmp_path: Path) -> None:
    upright, turned = read(counted), read(clips.turn(counted, tmp_path / "phone.mp4"))
    assert len(upright) == len(turned)
    for one, other in zip(upright, turned, strict=True):
        assert np.array_equal(np.rot90(one.pixels, -1), other.pixels)


def test_row_47_a_variable_rate_is_sampled_by_time(counted: Path, tmp_path: Path) -> None:
    # Ten frames in .4 s, then thirty in 6 s.
    path = clips.convert(
        counted,
        tmp_path / "variable.mp4",
        *["-vf", "setpts='if(lt(N,10),N,10+(N-10)*5)/25/TB'", "-fps_mode", "vfr", "-c:v", "libx264"],
    )
    frames = read(path)
    gaps = np.diff([frame.time for frame in frames])
    assert len(frames) == 8
    assert gaps.max() < 2 * gaps.min() and abs(gaps.mean() - 6.4 / 8) < 0.1
    times = [n / 25 if n < 10 else (10 + (n - 10) * 5) / 25 for n in numbers(frames)]
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.05)


def test_a_live_recording_that_tells_no_length_is_sampled_all_the_same(counted: Path, tmp_path: Path) -> None:
    path = clips.convert(counted, tmp_path / "live.webm", "-c:v", "libvpx", "-f", "webm", "-live", "1")
    frames = read(path)
    assert np.allclose(numbers(frames), numbers(read(counted)), atol=1.5)


def test_far_frames_are_leapt_to_and_are_the_same(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(8, 10**6, 32, 600, 60, trusted=True)

    def take() -> list[tuple[float, np.ndarray]]:
        return [item for item in sample(counted, order) if isinstance(item, tuple)]

    leaps: list[int] = []
    walked = take()
    monkeypatch.setattr(captures, "SEEK_FROM", 2)
    leap = captures.Capture.leap
    monkeypatch.setattr(captures.Capture, "leap", lambda self, index: (leaps.append(index), leap(self, index)))
    leapt = take()
    assert len(leaps) == 7
    assert [time for time, _ in leapt] == [time for time, _ in walked]
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(walked, leapt, strict=True))


def test_a_leap_that_lands_elsewhere_ends_the_leaping(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leap = captures.Capture.leap
    monkeypatch.setattr(captures, "SEEK_FROM", 2)
    monkeypatch.setattr(captures.Capture, "leap", lambda self, index: leap(self, 38 if index else 0))
    order = Order(8, 10**6, 32, 600, 60, trusted=True)
    times = [item[0] for item in sample(counted, order) if isinstance(item, tuple)]
    assert times == [n / 25 for n in (2, 7, 12, 17, 22, 27, 32, 37)]


def bend(change: Callable[[bytearray], Any]) -> Callable[[Path, Path], Path]:
    return lambda counted, path: clips.edit(counted, path, change)


def write(data: bytes) -> Callable[[Path, Path], Path]:
    return lambda counted, path: clips.edit(counted, path, lambda _: bytearray(data))


def picture(kind: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + kind + bytes(100)


REFUSED = [
    pytest.param(write(b""), {}, UnreadableVideo, "video_empty", id="row_47 nothing"),
    pytest.param(write(b"\xff\xd8\xff\xe0" + bytes(100)), {}, UnsupportedMedia, "unsupported_media", id="a JPEG"),
    pytest.param(write(picture(b"avif")), {}, UnsupportedMedia, "unsupported_media", id="an AVIF picture"),
    pytest.param(write(picture(b"heic")), {}, UnsupportedMedia, "unsupported_media", id="a phone's photo"),
    pytest.param(
        write(b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n"),
        {},
        UnsupportedMedia,
        "unsupported_media",
        id="a playlist",
    ),
    pytest.param(
        lambda _, path: clips.sound(path.with_suffix(".m4a")),
        {},
        UnreadableVideo,
        "video_audio_only",
        id="row_47 audio only",
    ),
    pytest.param(
        lambda _, path: clips.sound(path.with_suffix(".webm")),
        {},
        UnreadableVideo,
        "video_audio_only",
        id="row_47 audio only, WebM",
    ),
    pytest.param(
        bend(lambda data: clips.set_length(data, 36_000)),
        {},
        UnreadableVideo,
        "video_too_long",
        id="row_47 ten hours in the header",
    ),
    pytest.param(
        bend(lambda data: clips.set_frame_length(data, 10**7)),
        {},
        UnreadableVideo,
        "video_too_long",
        id="row_47 hours in the index",
    ),
    pytest.param(bend(clips.drop_index), {}, UnreadableVideo, "video_index_missing", id="row_47 no index"),
    pytest.param(
        bend(lambda data: data.replace(b"stsz", b"stsX").replace(b"stco", b"stcX")),
        {},
        UnreadableVideo,
        "unreadable_video",
        id="row_47 broken index",
    ),
    pytest.param(
        bend(lambda data: data[: data.index(b"moov") + 300]),
        {},
        UnreadableVideo,
        "unreadable_video",
        id="row_47 half an index",
    ),
    pytest.param(write(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), {}, UnreadableVideo, "video_index_missing", id="a head"),
    pytest.param(write(b"\x1a\x45\xdf\xa3" + bytes(100)), {}, UnreadableVideo, "unreadable_video", id="a head of WebM"),
    pytest.param(write(b"GIF89a" + bytes(20)), {}, UnreadableVideo, "unreadable_video", id="a head of GIF"),
    pytest.param(bend(lambda data: None), {"max_video_bytes": 1000}, TooLarge, "too_large", id="row_47 bytes"),
    pytest.param(
        bend(lambda data: None), {"max_video_pixels": 10_000}, UnreadableVideo, "video_too_large", id="row_47 pixels"
    ),
    pytest.param(bend(lambda data: None), {"min_side": 121}, UnreadableVideo, "video_too_small", id="row_36 small"),
    pytest.param(
        bend(lambda data: None), {"max_video_seconds": 1.0}, UnreadableVideo, "video_too_long", id="row_47 seconds"
    ),
    pytest.param(
        bend(lambda data: None), {"video_patience": 1e-9}, UnreadableVideo, "video_too_slow", id="row_47 wall time"
    ),
]


@pytest.mark.parametrize(("make", "limits", "error", "code"), REFUSED)
def test_what_gives_no_frames_says_why(
    counted: Path,
    tmp_path: Path,
    make: Callable[[Path, Path], Path],
    limits: dict[str, Any],
    error: type[UnmaskError],
    code: str,
) -> None:
    path = make(counted, tmp_path / "clip.mp4")
    with pytest.raises(error) as refused:
        read(path, Settings(**{"video_patience": PATIENCE, **limits}))
    assert refused.value.code == code
    assert refused.value.message.endswith(".") and str(path) not in refused.value.message


def test_row_47_without_a_rate_times_still_rise(counted: Path, tmp_path: Path) -> None:
    frames = read(clips.edit(counted, tmp_path / "timeless.mp4", lambda data: clips.set_frame_length(data, 0)))
    times = [frame.time for frame in frames]
    assert len(times) == 8 and times == sorted(set(times))


def test_row_47_a_clip_that_tells_no_times_is_refused(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grab = captures.Capture.grab

    def stand_still(self: captures.Capture) -> bool:
        grabbed = grab(self)
        self.time = 0.0
        return grabbed

    monkeypatch.setattr(captures.Capture, "grab", stand_still)
    with pytest.raises(Refused) as refused:
        list(sample(counted, Order(8, 10**6, 32, 600, 60, trusted=True)))
    assert refused.value.code == "no_times"
    with pytest.raises(UnreadableVideo) as told:
        videos._heed({"refused": "no_times"})
    assert told.value.code == "video_without_times"


def test_what_cannot_be_decoded_is_named(counted: Path, tmp_path: Path) -> None:
    path = clips.convert(counted, tmp_path / "new.mp4", "-c:v", "libaom-av1", "-cpu-used", "8", "-frames:v", "3")
    with pytest.raises(UnsupportedMedia, match="AV1") as refused:
        read(path)
    assert refused.value.code == "unsupported_codec"


def test_row_47_a_clip_that_breaks_off_gives_what_it_has_and_says_so(counted: Path, tmp_path: Path) -> None:
    whole = clips.convert(counted, tmp_path / "whole.mp4", "-c", "copy", "-movflags", "+faststart")
    data = whole.read_bytes()
    path = clips.edit(whole, tmp_path / "half.mp4", lambda _: bytearray(data[: len(data) - len(data) // 4]))
    with open_clip(path, SETTINGS) as clip:
        frames = list(clip)
        assert clip.cut_short
    assert 4 <= len(frames) <= 8
    # Spread over what is there, not over what was promised.
    assert numbers(frames)[-1] < 38 and len(set(numbers(frames))) == len(frames)


class Clock:
    """Stands still for some glances, then is at the end of all time."""

    def __init__(self, glances: int) -> None:
        self.left = glances

    def __call__(self) -> float:
        self.left -= 1
        return 0.0 if self.left >= 0 else 1e9


def test_row_47_when_patience_ends_what_was_read_is_kept(counted: Path) -> None:
    with open_clip(counted, SETTINGS, Clock(1_000_000)) as clip:
        frames = []
        clock = clip._frames.gi_frame.f_locals["sampler"]._clock  # type: ignore[attr-defined]
        for frame in clip:
            frames.append(frame)
            if len(frames) == 3:
                clock.left = 0
        assert clip.cut_short
    # What lay in the pipe already may still come out.
    assert 3 <= len(frames) < 8


def test_a_decoder_that_dies_costs_the_clip_only(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "encode_order", lambda order: "[]")
    with pytest.raises(UnreadableVideo) as refused:
        read(counted)
    assert refused.value.code == "unreadable_video"


def test_the_decoder_is_confined_and_holds_no_secrets(
    counted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    # In place of Python: a program that writes down its surroundings.
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv > {told}\n")
    program.chmod(0o755)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(UnreadableVideo):
        read(counted)
    assert "PYTHONPATH=" in told.read_text() and "hush" not in told.read_text()

    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(sampler.resource, "setrlimit", lambda what, limit: limits.update({what: limit}))
    sampler._confine(Order(8, 10**6, 32, 600, 7, trusted=True))
    assert limits[sampler.resource.RLIMIT_CPU] == (7, 7)
    assert limits[sampler.resource.RLIMIT_AS] == (sampler.MOST_MEMORY, sampler.MOST_MEMORY)
    assert limits[sampler.resource.RLIMIT_FSIZE] == (0, 0)


def test_nothing_is_left_behind(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    popen = videos.subprocess.Popen
    monkeypatch.setattr(videos.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    with spool(counted.read_bytes()) as path, open_clip(path, SETTINGS) as clip:
        next(iter(clip))
    assert not path.exists()
    # Ended in the middle, and waited for: no zombie.
    assert started[0].returncode is not None
    assert started[0].stdout.closed


def test_a_clip_of_unknown_length_is_measured_within_its_limit(counted: Path) -> None:
    with pytest.raises(Refused) as refused:
        list(sample(counted, Order(8, 10**6, 32, 1.0, 60, trusted=False)))
    assert refused.value.code == "too_long"


def test_shared_clips_are_read_to_their_ends(shared: Path) -> None:
    for path in sorted((shared / "data" / "videos").glob("*.mp4"))[:3]:
        frames = read(path, Settings(video_patience=PATIENCE))
        assert len(frames) == 32

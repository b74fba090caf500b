"""Untrusted clip → a few even frames with their times: the only place where a clip is opened for a check.

What the file claims is judged before a decoder sees it. Decoding itself happens in a process of its own (`sampler`),
which the system holds to a size and a time, and which is ended when the wall clock says so: a decoder that hangs, dies
or fills its memory costs the clip, not the service. Why so: backend/decisions/2026-11-25-clips-in-a-process.md.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.clip_header import read_header
from chalicelib.errors import TooLarge, UnmaskError, UnreadableVideo, UnsupportedMedia
from chalicelib.sampler import Order, encode_order
from chalicelib.settings import Settings

# A clip that ends before this part of what its header promises is told as cut short; headers are a little off.
LEAST_REACHED = 0.9
# Bytes taken from the pipe at once, and the longest line in it.
CHUNK = 1 << 18
LONGEST_LINE = 10_000

# What FFmpeg as OpenCV brings it reads the container of but cannot decode, by its four letters.
_UNDECODABLE = {"AV01": "AV1", "av01": "AV1", "vvc1": "VVC"}

# The folder that `chalicelib` lies in.
HOME = Path(__file__).resolve().parent.parent
# What makes a process find our code and the libraries, and no more: a decoder needs no credentials.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PATH", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """One frame of a clip.

    Attributes:
        time: seconds from the first frame.
        pixels: uint8 RGB [height, width, 3], upright.
    """

    time: float
    pixels: np.ndarray


@dataclass(slots=True)
class Clip:
    """A clip that is being read; iterate it once.

    Attributes:
        format: "mp4", "mov", "webm" or "gif".
        count: frames that the file holds, by its header or by counting; at least 1.
        cut_short: after the last frame: whether more was promised than could be read, or read in time.
    """

    format: str
    count: int
    cut_short: bool = False
    _frames: Iterator[ClipFrame] = field(default_factory=lambda: iter(()))

    def __iter__(self) -> Iterator[ClipFrame]:
        return self._frames


@contextmanager
def open_clip(path: Path, settings: Settings, clock: Callable[[], float] = time.monotonic) -> Iterator[Clip]:
    """Open a clip that a stranger sent.

    Args:
        path: the file; that it holds a video is found out here.
        settings: `max_video_bytes`, `max_video_seconds`, `max_video_pixels`, `min_side`, `max_frames` and
            `video_patience` apply.
        clock: tells seconds.

    Yields:
        The clip, with up to `max_frames` frames, evenly spread, in order of time. Frames come one by one, so a long
        clip takes no more memory than a short one. When patience ends, so do the frames.

    Raises:
        TooLarge: more bytes than `max_video_bytes`.
        UnsupportedMedia: no clip, or encoded in a way that cannot be decoded here; the latter with the code
            `unsupported_codec`.
        UnreadableVideo: everything else, with a code that tells the cases apart: `video_empty`, `video_audio_only`,
            `video_index_missing`, `video_too_long`, `video_too_large`, `video_too_small`, `video_without_times`,
            `video_too_slow` and, for damage of any other kind, `unreadable_video`.
        OSError: the file cannot be read.
    """
    end = clock() + settings.video_patience
    order, format = _judge(path, settings)
    with _Sampler(path, order, end, clock) as sampler:
        told = sampler.read_line()
        if told is None:
            raise _damaged()
        _heed(told)
        clip = Clip(format, max(1, int(told["count"])), cut_short=not order.trusted)
        clip._frames = _read_frames(sampler, clip)
        yield clip


@contextmanager
def spool(data: bytes) -> Iterator[Path]:
    """Lay bytes into a file, which decoders want to leap about in, and take it away again."""
    with tempfile.NamedTemporaryFile(prefix="unmask-") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


def _judge(path: Path, settings: Settings) -> tuple[Order, str]:
    """Refuse a clip for what it claims to be; return what to take from it, and its format."""
    size = path.stat().st_size
    if size > settings.max_video_bytes:
        raise TooLarge(
            f"The video has {size / 1e6:.1f} MB; at most {settings.max_video_bytes / 1e6:.1f} MB are accepted."
        )
    if size == 0:
        raise UnreadableVideo("The file is empty.", code="video_empty")
    header = read_header(path)
    if header is None:
        raise UnsupportedMedia("The file is no video that can be opened here; MP4, MOV, WebM and GIF can.")
    if not header.indexed:
        raise UnreadableVideo(
            "The video lacks its index, most often because its download or recording was interrupted.",
            code="video_index_missing",
        )
    if not header.shows:
        raise UnreadableVideo("The file holds sound only, nothing to see.", code="video_audio_only")
    if header.seconds is not None and header.seconds > settings.max_video_seconds:
        raise _too_long(header.seconds, settings.max_video_seconds)
    order = Order(
        frames=settings.max_frames,
        most_pixels=settings.max_video_pixels,
        least_side=settings.min_side,
        most_seconds=settings.max_video_seconds,
        cpu_seconds=math.ceil(settings.video_patience),
        trusted=header.whole,
    )
    return order, header.format


def _read_frames(sampler: _Sampler, clip: Clip) -> Iterator[ClipFrame]:
    taken = 0
    while True:
        try:
            told = sampler.read_line()
            if told is not None and "time" in told:
                height, width = int(told["height"]), int(told["width"])
                frame = ClipFrame(float(told["time"]), sampler.read_pixels(height, width))
        except (UnreadableVideo, EOFError):
            # Too slow, or the process died. What came before is still worth judging.
            if taken == 0:
                raise
            told = None
        if told is None or "time" not in told:
            break
        taken += 1
        yield frame
    if taken == 0:
        if told is None:
            raise _damaged()
        _heed(told)
    if told is None or "end" not in told:
        clip.cut_short = True
    else:
        clip.cut_short |= float(told["reached"]) < LEAST_REACHED * float(told["seconds"]) - 1


class _Sampler:
    """The process that decodes, seen from here."""

    def __init__(self, path: Path, order: Order, end: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._order = order
        self._end = end
        self._clock = clock
        self._buffer = bytearray()

    def __enter__(self) -> _Sampler:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        # One thread: a pool of OpenBLAS takes as much address space as all the rest.
        # Where our own code lies is not on the path of an editable installation, which finds it by a hook of `site`.
        path = [str(HOME), *filter(None, sys.path)]
        environment |= {"PYTHONPATH": os.pathsep.join(path), "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            # Without `site`, which would only look for what `sys.path` already says.
            [sys.executable, "-S", "-m", "chalicelib.sampler", str(self._path.absolute()), encode_order(self._order)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None  # noqa: S101 -- it was asked for
        self._pipe = self._process.stdout.fileno()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None  # noqa: S101 -- see above
        self._process.stdout.close()

    def read_line(self) -> dict[str, Any] | None:
        """Return what the next line tells; None where the process has ended.

        Raises:
            UnreadableVideo: patience is at its end.
        """
        while b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_LINE:
                raise _damaged()
            part = self._wait_and_read(CHUNK)
            if not part:
                return None
            self._buffer += part
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        return dict(json.loads(line))

    def read_pixels(self, height: int, width: int) -> np.ndarray:
        """Return the frame that follows, uint8 [height, width, 3], read-only.

        Raises:
            UnreadableVideo: patience is at its end.
            EOFError: the process has ended.
        """
        pixels = np.empty(height * width * 3, np.uint8)
        view = pixels.data
        at = min(len(self._buffer), len(view))
        view[:at] = self._buffer[:at]
        del self._buffer[:at]
        while at < len(view):
            self._wait()
            count = os.readv(self._pipe, [view[at:]])
            if not count:
                raise EOFError
            at += count
        pixels.setflags(write=False)
        return pixels.reshape(height, width, 3)

    def _wait_and_read(self, count: int) -> bytes:
        self._wait()
        return os.read(self._pipe, count)

    def _wait(self) -> None:
        left = self._end - self._clock()
        if left <= 0 or not select.select([self._pipe], [], [], left)[0]:
            raise UnreadableVideo("The video takes too long to decode.", code="video_too_slow")


def _heed(told: dict[str, Any]) -> None:
    """Raise what the sampler refused for, if it did."""
    if "refused" in told:
        raise _explain(told)


def _explain(told: dict[str, Any]) -> UnmaskError:
    size = f"{told.get('width')} × {told.get('height')} pixels"
    match told["refused"]:
        case "too_small":
            return UnreadableVideo(f"The video is {size}, too small to hold a face.", code="video_too_small")
        case "too_large":
            return UnreadableVideo(f"The video is {size}, more than can be read.", code="video_too_large")
        case "too_long":
            return _too_long(float(told["seconds"]))
        case "no_times":
            return UnreadableVideo("The video does not tell when its frames are shown.", code="video_without_times")
        case "no_frames" if told.get("codec") in _UNDECODABLE:
            return UnsupportedMedia(
                f"The video is encoded as {_UNDECODABLE[told['codec']]}, which cannot be decoded here; "
                "H.264, HEVC, VP8 and VP9 can.",
                code="unsupported_codec",
            )
    return _damaged()


def _too_long(seconds: float, most: float | None = None) -> UnreadableVideo:
    limit = "" if most is None else f"; at most {most / 60:g} minutes are accepted"
    return UnreadableVideo(f"The video is {seconds / 60:.0f} minutes long{limit}.", code="video_too_long")


def _damaged() -> UnreadableVideo:
    return UnreadableVideo("The video is damaged and cannot be opened.")

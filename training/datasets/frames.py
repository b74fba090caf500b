"""Video or photo → the frames that are looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chalicelib.captures import Capture, Unusable
from chalicelib.clip_header import HEAD, sniff_clip
from chalicelib.images import decode
from chalicelib.settings import Settings

# Fewer frames are a still or a splinter rather than a clip.
LEAST_FRAMES = 4
# Containers promise a few frames more than they hold; beyond this part of the clip it is broken.
MISSING_TAIL = 0.05


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        index: its number in the clip, from 0; 0 for a photo.
        time: seconds from the start.
        pixels: uint8 RGB [height, width, 3], upright.
    """

    index: int
    time: float
    pixels: np.ndarray


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Which frames of a clip are looked at.

    Attributes:
        kind: "every" (each n-th), "second" (one a second) or "even" (n of them, evenly spread).
        n: see `kind`; 1 for "second".
    """

    kind: str
    n: int = 1

    @classmethod
    def parse(cls, text: str) -> FrameRule:
        """Read `every:N`, `second` or `even:N`.

        Raises:
            ValueError: it is none of these, or N is below 1.
        """
        kind, _, number = text.partition(":")
        if text == "second":
            return cls(kind)
        if kind in ("every", "even") and number.isdecimal() and int(number) >= 1:
            return cls(kind, int(number))
        raise ValueError(f"Frames are every:N, second or even:N, N at least 1. Received: {text!r}")

    def pick(self, count: int, rate: float) -> list[int]:
        """Return the rising numbers of the frames to take.

        Even ones are the middles of equal stretches, so that none hangs on the very last frame.

        Args:
            count: frames of the clip.
            rate: frames a second, for "second" only.

        Raises:
            Unusable: a rate is needed and is not one.
        """
        if self.kind == "every":
            return list(range(0, count, self.n))
        if self.kind == "even":
            return sorted({int((i + 0.5) * count / self.n) for i in range(self.n)}) if count else []
        if not (0 < rate < math.inf):
            raise Unusable("the clip states no frame rate")
        return sorted({round(second * rate) for second in range(math.ceil(count / rate))} & set(range(count)))


def read_photo(path: Path, settings: Settings) -> Frame:
    """Read a photo as the one frame that it is.

    Raises:
        UnmaskError: see `chalicelib.images.decode`.
        OSError: the file cannot be read.
    """
    return Frame(0, 0.0, decode(path.read_bytes(), settings).pixels)


def read_video(path: Path, rule: FrameRule, settings: Settings) -> Iterator[Frame]:
    """Yield the frames of a clip that the rule picks.

    Frames come one by one, so a long clip takes no more memory than a short one.

    Args:
        path: the file; that it holds a video is found out here.
        rule: which frames.
        settings: `max_pixels` and `min_side` bound a frame.

    Raises:
        Unusable: it is no video, its frames are too large or too small, or it breaks off; in the last case
            after the frames before the break.
        OSError: the file cannot be read.
    """
    require_container(path)
    with Capture(path) as capture:
        _judge_size(capture, settings)
        count = capture.count or _count(capture)
    if count < LEAST_FRAMES:
        raise Unusable(f"the clip has {count} frames, and at least {LEAST_FRAMES} are needed")
    with Capture(path) as capture:
        rate = capture.rate
        for index in rule.pick(count, rate):
            whole = capture.go_to(index) and capture.grab()
            pixels = capture.retrieve() if whole else None
            if pixels is None:
                if count - capture.at <= max(2, MISSING_TAIL * count):
                    return
                raise Unusable(f"the clip breaks off after {capture.at} of {count} frames")
            yield Frame(index, round(index / rate, 3) if rate > 0 else 0.0, pixels)


def rescale(pixels: np.ndarray, rule: str) -> np.ndarray:
    """Resize a frame as a source project did before it looked for faces.

    Args:
        pixels: uint8 RGB [height, width, 3].
        rule: "none", or "deepfake-detect": twice the size when the frame is narrower than 300 px, as it is up to
            1000, half up to 1900, a third (.33) above.
    """
    width = pixels.shape[1]
    factor = 1.0
    if rule == "deepfake-detect":
        factor = 2.0 if width < 300 else 1.0 if width <= 1000 else 0.5 if width <= 1900 else 0.33
    if factor == 1.0:
        return pixels
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how)


def require_container(path: Path) -> None:
    """Refuse what does not begin like a video file.

    Raises:
        Unusable: it begins like no video that we open.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise Unusable("the file is empty")
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    # MPEG program stream and bare video, Windows Media, Flash, Ogg.
    others = (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"\x30\x26\xb2\x75", b"FLV\x01", b"OggS")
    if not (sniff_clip(head) or avi or head.startswith(others)):
        raise Unusable("the file is no video")


def _judge_size(capture: Capture, settings: Settings) -> None:
    width, height = capture.size
    if min(width, height) < settings.min_side:
        raise Unusable(f"its frames are {width} × {height} px; each side needs at least {settings.min_side}")
    if width * height > settings.max_pixels:
        raise Unusable(f"its frames are {width} × {height} px, more than {settings.max_pixels / 1e6:g} million")


def _count(capture: Capture) -> int:
    """Go through a stream that was recorded without a count, to learn it."""
    while capture.grab():
        pass
    return capture.at

"""A clip opened with FFmpeg, by way of OpenCV: upright, quiet, on one thread. For serving and training alike.

It decodes in this process, so what comes from a stranger goes through `videos`, which puts a process of its own and its
limits around this.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# A jump forward costs up to a whole group of pictures, most often 250 frames; decoding through less is cheaper.
SEEK_FROM = 200
# FFmpeg's level "quiet": standard error is where progress is told.
QUIET = {"OPENCV_FFMPEG_LOGLEVEL": "-8"}


class Unusable(ValueError):
    """A file gives no frames; the message says why."""


class Capture:
    """A clip that is gone through from its start, or by leaps.

    Attributes:
        at: number of the frame that `grab` takes next, from 0; an estimate after `leap` in a clip of variable rate.
        time: of the frame last grabbed, seconds as the clip counts them.
    """

    def __init__(self, path: Path) -> None:
        """Open a clip.

        Raises:
            Unusable: it cannot be opened.
        """
        os.environ.update(QUIET)
        told = cv2.getLogLevel()
        cv2.setLogLevel(0)
        try:
            # An absolute path, or a name such as http:x would be taken for an address.
            self._capture: Any = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        finally:
            cv2.setLogLevel(told)
        if not self._capture.isOpened():
            raise Unusable("the video cannot be opened: it is damaged, or of a kind that FFmpeg here does not know")
        # Phones film sideways and say so. OpenCV does not heed it where it is asked for a number of threads.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self.at = 0
        self.time = 0.0

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px, upright."""
        return self._read(cv2.CAP_PROP_FRAME_WIDTH), self._read(cv2.CAP_PROP_FRAME_HEIGHT)

    @property
    def count(self) -> int:
        """Frames that the header promises; 0 where it promises none, as of a stream that was recorded live."""
        return max(0, self._read(cv2.CAP_PROP_FRAME_COUNT))

    @property
    def rate(self) -> float:
        """Frames a second, 0 where that makes no sense."""
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        return rate if 0 < rate < math.inf else 0.0

    @property
    def codec(self) -> str:
        """Four letters that name how it is encoded."""
        letters = self._read(cv2.CAP_PROP_FOURCC) & 0xFFFFFFFF
        return letters.to_bytes(4, "little").decode("latin-1").strip("\0 ")

    def grab(self) -> bool:
        """Decode the next frame; False where there is none."""
        if not self._capture.grab():
            return False
        self.at += 1
        self.time = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return True

    def retrieve(self) -> np.ndarray | None:
        """Return the frame last grabbed: uint8 RGB [height, width, 3], upright; None where it cannot be had."""
        whole, pixels = self._capture.retrieve()
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if whole else None

    def leap(self, index: int) -> None:
        """Go to the frame of a number, by the nearest whole picture before it."""
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        self.at = index

    def go_to(self, index: int) -> bool:
        """Go to the frame of a number, in the cheaper way; False where the clip ends before it.

        Args:
            index: not before `at`.
        """
        if index - self.at > SEEK_FROM:
            self.leap(index)
        while self.at < index and self.grab():
            pass
        return self.at == index

    def _read(self, what: int) -> int:
        value = float(self._capture.get(what))
        return int(value) if math.isfinite(value) else 0

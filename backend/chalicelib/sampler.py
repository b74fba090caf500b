"""A process of its own that takes frames out of one clip: `python -m chalicelib.sampler PATH ORDER`.

Whatever a stranger's clip does to the decoder, it does it here, under limits that the system enforces, without network
addresses, credentials or anything else worth having at hand. What it writes is for `videos` to read: a line of JSON
about the clip, then for each frame a line of JSON and its pixels, then a last line; or, at any point, a line that tells
what is wrong.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np

    from chalicelib.captures import Capture

# Address space, bytes. A frame of ten million pixels takes 30 MB as we read it and 15 MB as the decoder keeps it, of
# which it keeps up to sixteen; the libraries take 200 MB.
MOST_MEMORY = 900_000_000


@dataclass(frozen=True, slots=True)
class Order:
    """What to take.

    Attributes:
        frames: at most so many, evenly spread over the clip.
        most_pixels, least_side: of a frame.
        most_seconds: of the clip.
        cpu_seconds: that decoding may take.
        trusted: whether the header's length is to be believed; otherwise the clip is gone through once to learn it.
    """

    frames: int
    most_pixels: int
    least_side: int
    most_seconds: float
    cpu_seconds: int
    trusted: bool


class Refused(Exception):
    """The clip cannot be sampled; `code` is one of those that `videos` has words for."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


def sample(path: Path, order: Order) -> Iterator[dict[str, object] | tuple[float, np.ndarray]]:
    """Yield what a clip is, then its frames with their times in seconds from its first frame, then how it ended.

    Raises:
        Refused: it is not sampled, or no further.
    """
    from chalicelib.captures import Capture, Unusable

    try:
        with Capture(path) as capture:
            _judge_size(capture, order)
            length = capture.count / capture.rate if order.trusted and capture.rate else 0.0
            size, codec, count, rate = capture.size, capture.codec, capture.count, capture.rate
            if length:
                _judge_length(length, order)
                yield _describe(size, codec, count, rate)
                yield from _take(capture, length, order)
                return
            count, length = _measure(capture, order)
        yield _describe(size, codec, count, rate)
        with Capture(path) as capture:
            yield from _take(capture, length, order)
    except Unusable as error:
        raise Refused("damaged") from error


def _describe(size: tuple[int, int], codec: str, count: int, rate: float) -> dict[str, object]:
    return {"width": size[0], "height": size[1], "codec": codec, "count": count, "rate": rate}


def _measure(capture: Capture, order: Order) -> tuple[int, float]:
    """Go through a clip that does not tell its length; return its frames and seconds."""
    first = 0.0
    while capture.grab():
        if capture.at == 1:
            first = capture.time
        _judge_length(capture.time - first, order)
    if capture.at == 0:
        raise Refused("no_frames", codec=capture.codec)
    # The last frame is shown as long as the others.
    length = (capture.time - first) * capture.at / max(1, capture.at - 1)
    return capture.at, length


def _take(capture: Capture, length: float, order: Order) -> Iterator[dict[str, object] | tuple[float, np.ndarray]]:
    """Yield the frames in the middles of equal stretches, so that none hangs on the very last one.

    Where the next is far it is leapt to, so that a long clip is not decoded, nor read, from end to end.
    """
    from chalicelib.captures import SEEK_FROM

    step = length / order.frames
    slack = 0.5 / capture.rate if capture.rate else 0.0
    start, due, taken, last = 0.0, 0.0, 0, -math.inf
    leaping = capture.rate > 0
    while True:
        gap = (due - last) * capture.rate if taken else 0
        if leaping and gap > SEEK_FROM:
            capture.leap(max(0, int((due - slack) * capture.rate)))
        if not capture.grab():
            break
        if taken == 0 and last == -math.inf:
            start, due = capture.time, step / 2
        time = capture.time - start
        if leaping and gap > SEEK_FROM and not last < time < due + step:
            # Numbers of frames mislead in a clip of variable rate: rather all of it than frames from elsewhere.
            leaping = False
            capture.leap(0)
            continue
        if time <= last:
            continue
        last = time
        if time + slack < due:
            continue
        pixels = capture.retrieve()
        if pixels is None:
            break
        taken += 1
        due = (math.floor((time + slack) / step + 0.5) + 0.5) * step if step else math.inf
        yield round(max(0.0, time), 3), pixels
        if due > length:
            break
    if taken == 0:
        raise Refused("no_times" if capture.at > 1 else "no_frames", codec=capture.codec)
    yield {"end": True, "seconds": length, "reached": max(0.0, last)}


def _judge_size(capture: Capture, order: Order) -> None:
    width, height = capture.size
    if min(width, height) < order.least_side:
        raise Refused("too_small", width=width, height=height)
    if width * height > order.most_pixels:
        raise Refused("too_large", width=width, height=height)


def _judge_length(seconds: float, order: Order) -> None:
    if seconds > order.most_seconds:
        raise Refused("too_long", seconds=seconds)


def _confine(order: Order) -> None:
    """Give up what a decoder does not need: more memory, more time, files to write, a dump of its memory."""
    for what, limit in (
        (resource.RLIMIT_AS, MOST_MEMORY),
        (resource.RLIMIT_CPU, order.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # Some systems know no such limit.
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))


def _write(item: dict[str, object] | tuple[float, np.ndarray], out: BinaryIO) -> None:
    if isinstance(item, dict):
        out.write(json.dumps(item).encode() + b"\n")
    else:
        time, pixels = item
        height, width = pixels.shape[:2]
        out.write(json.dumps({"time": time, "height": height, "width": width}).encode() + b"\n")
        out.write(pixels.data)
    out.flush()


def encode_order(order: Order) -> str:
    """Return an order as an argument of this program."""
    return json.dumps(asdict(order))


def main() -> None:
    """Take the frames that the arguments name, write them, end."""
    path, order = Path(sys.argv[1]), Order(**json.loads(sys.argv[2]))
    _confine(order)
    out = sys.stdout.buffer
    try:
        for item in sample(path, order):
            _write(item, out)
    except Refused as refused:
        _write({"refused": refused.code, **refused.facts}, out)


if __name__ == "__main__":
    main()

"""Untrusted JSON → the frames of a clip, still encoded."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from chalicelib.errors import BadRequest, TooLarge
from chalicelib.settings import Settings


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        time: seconds, ≥ 0.
        data: a picture's file.
    """

    time: float
    data: bytes


def read_frames(body: bytes, settings: Settings) -> list[Frame]:
    """Read what `POST /v2/checks/frames` takes: `{"frames": [{"time": seconds, "image": base64}, …]}`.

    Args:
        body: from anybody.
        settings: `max_bytes` bounds the body, `max_frames` the frames.

    Returns:
        At least one frame, times rising.

    Raises:
        TooLarge: more bytes or frames than that; the latter with the code `too_many_frames`.
        BadRequest: anything else, with a sentence that names the frame, counted from 1.
    """
    if len(body) > settings.max_bytes:
        raise TooLarge(
            f"The frames have {len(body) / 1e6:.1f} MB; at most {settings.max_bytes / 1e6:.1f} MB are accepted."
        )
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    listed = told.get("frames") if isinstance(told, dict) and told.keys() == {"frames"} else None
    if not isinstance(listed, list) or not listed:
        raise BadRequest('The body must be an object with a list "frames" of at least one frame, and nothing else.')
    if len(listed) > settings.max_frames:
        raise TooLarge(
            f"There are {len(listed)} frames; at most {settings.max_frames} are accepted.", code="too_many_frames"
        )
    frames: list[Frame] = []
    for number, item in enumerate(listed, start=1):
        frame = _read_frame(number, item)
        if frames and frame.time <= frames[-1].time:
            _refuse(number, "its time must be later than that of the frame before")
        frames.append(frame)
    return frames


def hash_frames(frames: Sequence[Frame]) -> str:
    """Return what a clip is known by, 64 hexadecimal digits.

    It is the SHA-256 of, for each frame in order, the 32 bytes of its file's SHA-256 and its time as a big-endian
    double of 8 bytes.
    """
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(hashlib.sha256(frame.data).digest() + struct.pack(">d", frame.time))
    return digest.hexdigest()


def _read_frame(number: int, item: Any) -> Frame:
    if not isinstance(item, dict) or item.keys() != {"time", "image"}:
        _refuse(number, 'it must be an object with "time" and "image", and nothing else')
    time, image = item["time"], item["image"]
    # Python's JSON also knows NaN, infinity and numbers that no double can hold.
    if type(time) not in (int, float) or not 0 <= time <= sys.float_info.max:
        _refuse(number, "its time must be a number of seconds, 0 or more")
    if not isinstance(image, str):
        _refuse(number, "its image must be a text in base64")
    try:
        # Plus zero makes of −0 what it equals.
        return Frame(float(time) + 0.0, base64.b64decode(image, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"Frame {number}: its image is not valid base64.") from error


def _refuse(number: int, reason: str) -> NoReturn:
    raise BadRequest(f"Frame {number}: {reason}.")

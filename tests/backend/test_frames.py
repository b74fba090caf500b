"""JSON that a stranger sent becomes frames, or a sentence that says what is wrong with it."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

import pytest

from chalicelib.errors import BadRequest, TooLarge
from chalicelib.frames import Frame, hash_frames, read_frames
from chalicelib.settings import Settings

SETTINGS = Settings(max_frames=3, max_bytes=1000)


def text(data: bytes = b"picture") -> str:
    return base64.b64encode(data).decode()


def body(*frames: Any, **more: Any) -> bytes:
    return json.dumps({"frames": frames, **more}).encode()


def test_times_and_bytes_come_out_as_they_were_sent() -> None:
    sent = body({"time": 0, "image": text(b"one")}, {"image": text(b""), "time": 2.25})
    assert read_frames(sent, SETTINGS) == [Frame(0.0, b"one"), Frame(2.25, b"")]


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"\xff\xd8\xff", "not JSON", id="a picture"),
        pytest.param(b'{"frames": [', "not JSON", id="cut off"),
        pytest.param(b"[" * 900, "not JSON", id="deep"),
        pytest.param(b"9" * 900, "object", id="a long number"),
        pytest.param(b"[]", "object", id="a list"),
        pytest.param(b"{}", "object", id="no frames"),
        pytest.param(body(), "at least one frame", id="empty"),
        pytest.param(b'{"frames": {"0": 1}}', "list", id="frames that are no list"),
        pytest.param(body({"time": 0, "image": text()}, extra=1), "nothing else", id="something else beside them"),
        pytest.param(body("a"), "Frame 1: it must be an object", id="a frame that is a text"),
        pytest.param(body({"time": 0}), 'Frame 1: it must be an object with "time" and "image"', id="no image"),
        pytest.param(body({"time": 0, "image": text(), "x": 1}), "nothing else", id="a field too many"),
        pytest.param(body({"time": "0", "image": text()}), "Frame 1: its time", id="time in quotes"),
        pytest.param(body({"time": True, "image": text()}), "Frame 1: its time", id="time that is true"),
        pytest.param(body({"time": -0.1, "image": text()}), "0 or more", id="before the start"),
        pytest.param(b'{"frames": [{"time": NaN, "image": ""}]}', "Frame 1: its time", id="not a number"),
        pytest.param(b'{"frames": [{"time": Infinity, "image": ""}]}', "Frame 1: its time", id="infinite"),
        pytest.param(b'{"frames": [{"time": 1' + b"0" * 400 + b', "image": ""}]}', "its time", id="no double"),
        pytest.param(body({"time": 0, "image": 5}), "Frame 1: its image must be", id="image that is a number"),
        pytest.param(body({"time": 0, "image": "*"}), "Frame 1: its image is not valid base64", id="no base64"),
        pytest.param(body({"time": 0, "image": "QQ"}), "not valid base64", id="padding missing"),
        pytest.param(body({"time": 0, "image": "QU\nJD"}), "not valid base64", id="a line break"),
        pytest.param(body({"time": 0, "image": "é"}), "not valid base64", id="not ASCII"),
        pytest.param(body({"time": 0, "image": "data:image/png;base64,QUJD"}), "not valid base64", id="data address"),
        pytest.param(
            body({"time": 1, "image": text()}, {"time": 1, "image": text()}), "Frame 2: its time", id="same time"
        ),
        pytest.param(
            body({"time": 1, "image": text()}, {"time": 0.5, "image": text()}), "later than", id="back in time"
        ),
    ],
)
def test_what_is_no_clip_is_told_in_a_sentence(sent: bytes, sentence: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_frames(sent, SETTINGS)
    assert sentence in refused.value.message
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(body(*({"time": n, "image": text()} for n in range(4))), "too_many_frames", id="four of three"),
        pytest.param(b" " * 1001, "too_large", id="too many bytes"),
    ],
)
def test_more_than_is_accepted_is_refused(sent: bytes, code: str) -> None:
    with pytest.raises(TooLarge) as refused:
        read_frames(sent, SETTINGS)
    assert refused.value.code == code


def test_as_many_frames_as_are_accepted_are_read() -> None:
    assert len(read_frames(body(*({"time": n, "image": text()} for n in range(3))), SETTINGS)) == 3


def test_a_clip_is_known_by_its_frames_and_their_times() -> None:
    clip = [Frame(0.0, b"one"), Frame(0.5, b"two")]
    by_hand = b"".join(hashlib.sha256(frame.data).digest() + struct.pack(">d", frame.time) for frame in clip)
    assert hash_frames(clip) == hashlib.sha256(by_hand).hexdigest()
    others = [
        [Frame(0.0, b"two"), Frame(0.5, b"one")],
        [Frame(0.0, b"one"), Frame(0.6, b"two")],
        [Frame(0.0, b"one")],
        [Frame(0.0, b"onetwo")],
    ]
    assert len({hash_frames(other) for other in [clip, *others]}) == 5


def test_zero_has_no_sign() -> None:
    signed, plain = (
        read_frames(b'{"frames": [{"time": %s, "image": ""}]}' % zero, SETTINGS) for zero in (b"-0.0", b"0")
    )
    assert hash_frames(signed) == hash_frames(plain)

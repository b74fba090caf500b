"""What a crowd of clients sends, and what it must be answered."""

from __future__ import annotations

import base64
import itertools
import json
import struct
import time
import warnings
from dataclasses import dataclass
from random import Random
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow

from tests.backend.pictures import EOI, encode, jpeg_segment, png, resize_jpeg_header, with_segments

# Largest body that the service under load takes, bytes.
LIMIT = 400_000
# How often each kind is chosen, of 100.
SHARES = {
    "face": 20,
    "no face": 10,
    "repeated": 12,
    "together": 12,
    "clip": 4,
    "read": 8,
    "forget": 4,
    "unknown id": 2,
    "truncated": 5,
    "huge header": 4,
    "not a picture": 4,
    "wrong type": 3,
    "oversize": 3,
    "refused address": 5,
    "no JSON": 2,
    "leaves": 2,
}
ADDRESSES = (
    "http://127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]:80/",
    "http://2130706433/",
    "http://10.0.0.1/a.png",
    "https://[::ffff:192.168.0.1]/",
    "http://user:word@10.0.0.1/",
    "ftp://10.0.0.1/",
)
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """A request and its answer.

    Attributes:
        kind: see `SHARES`.
        method, path, body, content_type: what is sent.
        status: what it must be answered with.
        code: of the refusal, where it is one.
        like: name of the verdict that it must be answered with, where it is one.
    """

    kind: str
    method: str
    path: str
    body: bytes | None = None
    content_type: str = "image/jpeg"
    status: int = 200
    code: str | None = None
    like: str | None = None


class Traffic:
    """Makes calls; safe to share between threads."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from skimage import data

            portrait, cat = np.asarray(data.astronaut()), np.asarray(data.chelsea())
        self.pictures = {"face": encode(portrait, "JPEG"), "no face": encode(cat, "JPEG")}
        small = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
        self._frames = [encode(np.roll(small, 4 * n, axis=1), "JPEG") for n in range(4)]
        self._numbers = itertools.count()

    def number(self, name: str, number: int) -> bytes:
        """Return a picture as a file of its own: equal pixels, other bytes."""
        return with_segments(self.pictures[name], jpeg_segment(0xFE, struct.pack(">Q", number)))

    def fresh(self, name: str) -> bytes:
        """Return a picture that nobody has sent yet."""
        return self.number(name, (1 << 32) + next(self._numbers))

    def clip(self) -> bytes:
        """Return the body of a clip that nobody has sent yet."""
        start = next(self._numbers)
        images = [base64.b64encode(frame).decode() for frame in self._frames]
        frames = [{"time": start + n / 2, "image": image} for n, image in enumerate(images)]
        return json.dumps({"frames": frames}).encode()

    def make(self, kind: str, chance: Random) -> Call:
        """Return a call of a kind that needs no earlier answer."""
        image, url = "/v2/checks/image", "/v2/checks/url"
        match kind:
            case "face" | "no face":
                return Call(kind, "POST", image, self.fresh(kind), like=kind)
            case "repeated":
                name = chance.choice(("face", "no face"))
                return Call(kind, "POST", image, self.number(name, chance.randrange(8)), like=name)
            case "together":
                # Whoever sends one within the same half of a second sends the same one.
                return Call(kind, "POST", image, self.number("face", 1000 + int(2 * time.monotonic())), like="face")
            case "clip":
                return Call(kind, "POST", "/v2/checks/frames", self.clip(), JSON, like="clip")
            case "unknown id":
                return Call(kind, "GET", f"/v2/checks/{chance.getrandbits(128):032x}", None, "", 404, "not_found")
            case "truncated":
                body = self.fresh("face")
                return Call(
                    kind, "POST", image, body[: chance.randrange(2000, len(body) - 2)], status=422, code="image_cut_off"
                )
            case "huge header":
                claims = png(60_000, 60_000, 1, 0, b""), resize_jpeg_header(self.pictures["face"], 65_000, 65_000)
                return Call(kind, "POST", image, chance.choice(claims), "image/png", 422, "image_too_large")
            case "not a picture":
                bodies = b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"PK\3\4", b"\0" * 1000, EOI
                return Call(kind, "POST", image, chance.choice(bodies), "image/png", 415, "unsupported_media")
            case "wrong type":
                return Call(kind, "POST", image, self.pictures["face"], "text/html", 415, "unsupported_media")
            case "oversize":
                return Call(
                    kind, "POST", image, bytes(LIMIT + chance.randrange(1, LIMIT)), status=413, code="too_large"
                )
            case "refused address":
                body = json.dumps({"url": chance.choice(ADDRESSES)}).encode()
                return Call(kind, "POST", url, body, JSON, 400, "url_not_allowed")
            case "no JSON":
                path = chance.choice((url, "/v2/checks/frames"))
                return Call(
                    kind, "POST", path, chance.choice((b"{", b"\xff", b"[]", b'{"a": 1}')), JSON, 400, "bad_request"
                )
        raise ValueError(kind)


def strip(check: dict[str, Any]) -> dict[str, Any]:
    """Return what two checks of the same pixels share: all but ids, times and the name of the bytes."""
    kept = {key: value for key, value in check.items() if key not in ("id", "checked_at", "cached", "timing_ms")}
    kept["media"] = {key: value for key, value in check["media"].items() if key != "sha256"}
    if "tracks" in check:
        points = [[{k: v for k, v in point.items() if k != "time"} for point in t["points"]] for t in check["tracks"]]
        kept["tracks"] = [{**track, "points": p} for track, p in zip(check["tracks"], points, strict=True)]
    return kept


def flat(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour."""
    return encode(Pillow.new("RGB", (width, height), colour), "PNG")

"""What is fuzzed: each target takes any bytes, and raises `Finding` or anything else only where we are at fault."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from functools import cache
from ipaddress import IPv6Address, ip_address
from itertools import pairwise
from urllib.parse import urlsplit

import numpy as np
from urllib3.response import HTTPResponse

from chalicelib import fetching
from chalicelib.addresses import is_public
from chalicelib.checks import Checker
from chalicelib.errors import BadRequest, TooLarge, UnreadableImage, UnsupportedMedia, UrlNotAllowed
from chalicelib.face_views import ViewRule
from chalicelib.faces import Face
from chalicelib.fetching import FORBIDDEN, MAX_URL, Target, read_request, read_url
from chalicelib.frames import hash_frames, read_frames
from chalicelib.settings import Settings
from chalicelib.signals import MAX_VALUE
from chalicelib.verdicts import Calibration, Calibrations

SETTINGS = Settings()
VERDICTS = {"likely_fake", "no_traces", "uncertain"}
REFUSED = "refused"
TAKEN = "taken"


class Finding(AssertionError):
    """A promise that an input breaks."""


def promise(kept: object, words: str) -> None:
    """Raise a `Finding` unless something is so; `python -O` does not take it away."""
    if not kept:
        raise Finding(words)


class OneFace:
    """Finds one face in every picture, as wide as that: no network takes part, so thousands are tried a minute."""

    def find(self, pixels: np.ndarray) -> list[Face]:
        height, width = pixels.shape[:2]
        return [Face((0.0, 0.0, float(width), float(height)), 0.9, np.zeros((5, 2), np.float32))]


class Counting:
    """Gives every face the same score, and counts how often it is asked."""

    side = 32

    def __init__(self) -> None:
        self.card = {"name": "counting", "version": "1"}
        self.calibration = Calibrations.alike(Calibration(1.0, 0.0, 0.3, 0.7))
        self.views = ViewRule()
        self.calls = 0

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        promise(crops.shape == (1, 32, 32, 3) and crops.dtype == np.uint8, f"a crop is {crops.dtype} {crops.shape}")
        self.calls += 1
        return np.zeros(1, np.float32), np.zeros((1, 4, 4), np.float32)


@cache
def _checker() -> tuple[Checker, Counting]:
    detector = Counting()
    return Checker(SETTINGS, OneFace(), detector, None), detector


def try_picture(data: bytes) -> str:
    """Check a picture: a verdict about these bytes, or one of the refusals of decoding, and then no score."""
    checker, detector = _checker()
    before = detector.calls
    try:
        check = checker.check_image(data)
    except (TooLarge, UnsupportedMedia, UnreadableImage) as error:
        promise(detector.calls == before, "what is refused was scored")
        promise(error.status in (413, 415, 422) and error.message.endswith("."), "a refusal without its sentence")
        return REFUSED
    media = check["media"]
    promise(detector.calls == before + 1 and check["verdict"] in VERDICTS, "a verdict without a score")
    texts = [text for signal in check["signals"] for text in (signal["field"], signal["value"])]
    promise(all(text.isprintable() and len(text) <= MAX_VALUE for text in texts), "a signal that was not cleaned")
    promise(media["sha256"] == hashlib.sha256(data).hexdigest(), "a verdict about other bytes")
    sides = media["width"], media["height"]
    promise(min(sides) >= SETTINGS.min_side, "too small a picture was judged")
    promise(sides[0] * sides[1] <= SETTINGS.max_pixels, "too large a picture was judged")
    promise(max(sides) <= SETTINGS.max_aspect * min(sides), "too narrow a picture was judged")
    promise(media["frames"] >= 1 and media["format"] in ("jpeg", "png", "gif", "webp", "avif"), "an odd medium")
    json.dumps(check, allow_nan=False)
    return TAKEN


def try_png(data: bytes) -> str:
    """Check a PNG whose sums are put right first: hardly any change leaves them so, and no other gets any further."""
    return try_picture(mend_sums(data))


def mend_sums(data: bytes) -> bytes:
    """Return a PNG with the sum of every whole chunk put right."""
    mended = bytearray(data)
    at = 8
    while at + 12 <= len(mended):
        end = at + 8 + int.from_bytes(mended[at : at + 4], "big")
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = zlib.crc32(mended[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(mended)


def try_frames(data: bytes) -> str:
    """Read the frames of a clip: at least one, times rising, and what is read is what was sent."""
    try:
        frames = read_frames(data, SETTINGS)
    except (BadRequest, TooLarge) as error:
        promise(error.message.endswith("."), "a refusal without its sentence")
        return REFUSED
    promise(1 <= len(frames) <= SETTINGS.max_frames, "too many frames, or none")
    times = [frame.time for frame in frames]
    promise(all(0 <= time < float("inf") for time in times), "a time that is none")
    promise(all(a < b for a, b in pairwise(times)), "times that do not rise")
    again = [{"time": frame.time, "image": base64.b64encode(frame.data).decode()} for frame in frames]
    same = read_frames(json.dumps({"frames": again}).encode(), SETTINGS)
    promise(same == frames and hash_frames(same) == hash_frames(frames), "equal clips are told apart")
    return TAKEN


def try_url(data: bytes) -> str:
    """Parse a URL, and where it redirects to: what is judged must be what is connected to and asked for."""
    first, _, location = data.partition(b"\n")
    try:
        target = read_url(first.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return REFUSED
    except UrlNotAllowed:
        return REFUSED
    _judge_target(target)
    if not location:
        return TAKEN
    response = HTTPResponse(headers={"Location": location.decode("latin-1")})
    try:
        following = fetching._follow(target, response)
    except (UrlNotAllowed, fetching.FetchFailed):
        return REFUSED
    _judge_target(following)
    promise(following.secure or not target.secure, "a redirect leads from https to http")
    return TAKEN


def _judge_target(target: Target) -> None:
    promise(read_url(target.url) == target, "the URL reads differently the second time")
    promise(target.port in (80, 443) and len(target.url) <= 12 * MAX_URL, "a port or length that is not allowed")
    for part in (target.url, target.host, target.authority, target.path):
        promise(part.isascii() and not FORBIDDEN.search(part) and " " not in part, f"a header could be split: {part!r}")
    promise("@" not in target.authority and "/" not in target.authority, "an authority with more than host and port")
    promise(target.host and target.host == target.host.lower(), "a host that does not compare")
    promise(target.path.startswith(("/", "?")) and "#" not in target.path, "a path that is none")
    # Another parser must see the same host, or one of the two can be led elsewhere.
    try:
        other = urlsplit(target.url)
    except ValueError:
        # Python refuses what only looks like a v6 address; no resolver finds anything there either.
        promise(":" in target.host and not _is_address(target.host), "a host that another parser refuses")
        return
    promise(other.hostname == target.host and other.username is None, f"another parser reads {other.hostname!r}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def try_request(data: bytes) -> str:
    """Read what asks for an address to be fetched: a text, or a refusal; and then the address."""
    try:
        url = read_request(data)
    except (BadRequest, TooLarge) as error:
        promise(error.message.endswith("."), "a refusal without its sentence")
        return REFUSED
    promise(isinstance(url, str), "a URL that is no text")
    try:
        _judge_target(read_url(url))
    except UrlNotAllowed as error:
        promise(str(error) == str(UrlNotAllowed()), "a refusal that tells its reason")
        return REFUSED
    return TAKEN


def try_address(data: bytes) -> str:
    """Judge an address: what Python calls anything but global is not public, nor is a v6 one that hides a v4 one."""
    if len(data) not in (4, 16):
        data = data[:16].ljust(16, b"\0") if len(data) > 4 else data.ljust(4, b"\0")
    address = ip_address(data)
    if not is_public(address):
        return REFUSED
    inner = address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            promise(int(address) >> 125 == 1, "a v6 address outside of what is handed out")
            promise(address.sixtofour is None and address.teredo is None, "a v4 address in a tunnel's")
        inner = address.ipv4_mapped or address
    promise(inner.is_global, "an address that is not global")
    for kind in ("multicast", "private", "reserved", "loopback", "link_local", "unspecified"):
        promise(not getattr(inner, f"is_{kind}"), f"an address that is {kind}")
    return TAKEN


TARGETS: dict[str, Callable[[bytes], str]] = {
    "picture": try_picture,
    "png": try_png,
    "frames": try_frames,
    "url": try_url,
    "request": try_request,
    "address": try_address,
}
# Parts of a run: most goes to where native code parses.
SHARES = {"picture": 45, "png": 15, "frames": 14, "url": 14, "request": 8, "address": 4}

"""Honest inputs that fuzzing starts from: small, and of every kind that there is."""

from __future__ import annotations

import base64
import functools
import json
import struct
from collections.abc import Callable
from ipaddress import ip_address

import numpy as np
from PIL import Image as Pillow

from tests.backend import pictures
from tests.backend.pictures import chunk, encode, png, scene
from tests.backend.web import ALLOWED, REFUSED

SIDE = 33


def make_pictures() -> list[bytes]:
    """Return a picture in every format, mode, depth and orientation that decoding tells apart."""
    pixels = scene(SIDE, SIDE, 8)
    image = Pillow.fromarray(pixels)
    grey = np.asarray(image.convert("L"))
    wide = (grey.astype(">u2") * 257).view(np.uint8).reshape(SIDE, -1)
    see_through = Pillow.fromarray(np.dstack([pixels, grey]))
    turned = pictures.exif([(0x010F, 3, 1, 7), (0x0112, 3, 1, 6)])
    text = png(SIDE, SIDE, 8, 0, pictures.plain_rows(grey), before=chunk(b"tEXt", b"k\0word"))
    named = png(SIDE, SIDE, 8, 0, pictures.plain_rows(grey), before=chunk(b"tEXt", b"Software\0NovelAI"))
    packet = b'<a xmlns:x="http://ns.adobe.com/xap/1.0/" x:CreatorTool="GIMP"><x:CreatorTool>b</x:CreatorTool></a>'
    return [
        *pictures.every_format(pixels).values(),
        *(encode(image, kind, exif=turned) for kind in ("JPEG", "PNG", "WEBP", "AVIF")),
        *(encode(see_through, kind, lossless=True) for kind in ("PNG", "WEBP", "AVIF")),
        *(encode(image.convert(mode), "PNG") for mode in ("L", "LA", "1", "P")),
        encode(image.convert("CMYK"), "JPEG"),
        encode(image.convert("L"), "JPEG"),
        encode(image.quantize(8), "GIF", transparency=3),
        png(SIDE, SIDE, 16, 0, pictures.plain_rows(wide), before=chunk(b"tRNS", b"\1\1")),
        png(SIDE, SIDE, 16, 2, pictures.plain_rows(np.repeat(wide, 3, axis=1))),
        pictures.still_before_animation(pixels, pixels[::-1]),
        pictures.with_segments(encode(image, "JPEG"), pictures.jpeg_segment(0xFE, b"a comment")),
        *(encode(image, kind, xmp=packet) for kind in ("JPEG", "WEBP")),
        text,
        named,
    ]


def make_clips() -> list[bytes]:
    """Return bodies that ask to check frames."""
    image = base64.b64encode(encode(scene(SIDE, SIDE, 8), "JPEG")).decode()
    clips: list[object] = [
        {"frames": [{"time": 0, "image": ""}]},
        {"frames": [{"time": n / 2, "image": "AAAA"} for n in range(6)]},
        {"frames": [{"time": 1e300, "image": image[:80]}, {"time": 1.5e300, "image": "/+=="}]},
        {"frames": [{"time": n, "image": ""} for n in range(40)]},
        {"frames": []},
        {"frames": [{"time": -1, "image": "A==="}], "more": None},
        [[[[[]]]]],
    ]
    return [json.dumps(clip).encode() for clip in clips] + [b'{"frames": [{"time": NaN, "image": "\\ud800"}]}']


URLS = (
    "http://pictures.example/a.png",
    "https://pictures.example:443/a/b?c=d&e#f",
    "HTTP://Pictures.Example.:80/%41%zz",
    "http://[2606:4700::1111]/",
    "http://[::ffff:169.254.169.254]:80/latest/meta-data",
    "http://2130706433/",
    "http://0x7f.1/",
    # Found by fuzzing: a number keeps its capitals, and not all that looks like a v6 address is one.
    "http://0XAf.1/",
    "http://[::ffff:169.254.169.654]/",
    "http://\uff11\uff12\uff17.1/",
    "http://b\u00fccher.example/\u00fc",
    "http://xn--bcher-kva.example/",
    "http://evil.example\\@169.254.169.254/",
    "http://user:word@pictures.example/",
    "http://a.example#@b.example/",
    "//pictures.example/../x",
    "data:image/png;base64,AAAA",
    "file:///etc/passwd",
    "/../a?b",
)


def make_urls() -> list[bytes]:
    """Return URLs, and pairs of a URL and where it redirects to, with a line between."""
    alone = [url.encode() for url in URLS]
    return alone + [b"https://pictures.example/a/b\n" + url for url in alone]


def make_requests() -> list[bytes]:
    """Return bodies that ask to fetch an address."""
    bodies = [json.dumps({"url": url}).encode() for url in URLS]
    return [*bodies, b'{"url": 5}', b'{"url": "http://a.example/", "url": null}', b'{"url": "\\ud800"}', b"[" * 50]


def make_addresses() -> list[bytes]:
    """Return addresses, packed."""
    listed = [text for table in (ALLOWED, REFUSED) for row in table.values() for text in row]
    return [ip_address(text).packed for text in listed] + [struct.pack(">L", 0)]


MAKERS: dict[str, Callable[[], list[bytes]]] = {
    "picture": make_pictures,
    "png": lambda: [data for data in make_pictures() if data.startswith(pictures.SIGNATURE)],
    "frames": make_clips,
    "url": make_urls,
    "request": make_requests,
    "address": make_addresses,
}


@functools.cache
def make_seeds(target: str) -> tuple[bytes, ...]:
    """Return the seeds of a target."""
    return tuple(MAKERS[target]())

"""Pictures for tests: honest ones in every format, and the files that an attacker would send."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

SIGNATURE = b"\x89PNG\r\n\x1a\n"
EOI = b"\xff\xd9"


def scene(height: int = 48, width: int = 64, colours: int = 64) -> np.ndarray:
    """A picture with no symmetry and at most `colours` colours, uint8 RGB [height, width, 3]."""
    y, x = np.mgrid[0:height, 0:width]
    index = (x // 7 + 3 * (y // 5) + (x * y) // 97) % colours
    table = np.random.default_rng(7).integers(0, 256, (colours, 3), dtype=np.uint8)
    return np.asarray(table[index])


def encode(pixels: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """Encode with Pillow."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    target = io.BytesIO()
    image.save(target, kind, **options)  # type: ignore[arg-type]
    return target.getvalue()


def every_format(pixels: np.ndarray) -> dict[str, bytes]:
    """The same picture in every way we open, stills and animations."""
    image = Image.fromarray(pixels)
    more = {"save_all": True, "append_images": [ImageOps.invert(image), image.convert("L").convert("RGB")]}
    return {
        "jpeg": encode(image, "JPEG", quality=95, subsampling=0),
        "progressive jpeg": encode(image, "JPEG", quality=95, subsampling=0, progressive=True),
        "png": encode(image, "PNG"),
        "interlaced png": interlaced_png(pixels),
        "animated png": encode(image, "PNG", **more),
        "gif": encode(image, "GIF"),
        "animated gif": encode(image, "GIF", **more),
        "webp": encode(image, "WEBP", quality=95),
        "lossless webp": encode(image, "WEBP", lossless=True),
        "animated webp": encode(image, "WEBP", lossless=True, **more),
        "avif": encode(image, "AVIF", quality=90),
    }


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its sum."""
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    depth: int,
    colour: int,
    rows: bytes,
    *,
    before: bytes = b"",
    after: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """A PNG whose header says what it is told and whose rows (filter bytes included) are what they are."""
    header = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return SIGNATURE + chunk(b"IHDR", header) + before + data + after + chunk(b"IEND", b"")


def plain_rows(samples: np.ndarray) -> bytes:
    """Rows of a PNG without filters, from samples uint8 [height, bytes in a row]."""
    return b"".join(b"\0" + row.tobytes() for row in samples)


# First row, first column, step down, step across of each pass (PNG specification, 8.2).
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def interlaced_png(pixels: np.ndarray) -> bytes:
    """An Adam7 PNG of uint8 RGB [H, W, 3]; Pillow reads them but does not write them."""
    height, width, _ = pixels.shape
    rows = [pixels[y::dy, x::dx] for y, x, dy, dx in _ADAM7]
    body = b"".join(plain_rows(part.reshape(part.shape[0], -1)) for part in rows if part.size)
    return png(width, height, 8, 2, body, interlaced=True)


def still_before_animation(still: np.ndarray, frame: np.ndarray) -> bytes:
    """An APNG whose still picture is no part of its animation, so that no browser ever shows it."""
    height, width, _ = still.shape
    control = struct.pack(">LLLLLHHBB", 0, width, height, 0, 0, 1, 10, 0, 0)
    moving = struct.pack(">L", 1) + zlib.compress(plain_rows(frame.reshape(height, -1)))
    return png(
        width,
        height,
        8,
        2,
        plain_rows(still.reshape(height, -1)),
        before=chunk(b"acTL", struct.pack(">LL", 1, 0)),
        after=chunk(b"fcTL", control) + chunk(b"fdAT", moving),
    )


def gif_header(width: int, height: int) -> bytes:
    """The start of a GIF with two colours."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes([10, 20, 30, 200, 100, 50])


def gif_frame(width: int, height: int, data: bytes = b"\x02\x4c\x01\x00") -> bytes:
    """One GIF frame; by default with a compressed stream that ends after two pixels."""
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02" + bytes([len(data)]) + data + b"\0"


def exif(entries: list[tuple[int, int, int, int]], order: str = "<") -> bytes:
    """An EXIF block of (tag, type, count, value) entries."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    packed = b"".join(
        struct.pack(order + "HHLHxx" if kind == 3 else order + "HHLL", tag, kind, count, value)
        for tag, kind, count, value in entries
    )
    return b"Exif\0\0" + head + struct.pack(order + "LH", 8, len(entries)) + packed + bytes(4)


def jpeg_segment(marker: int, body: bytes) -> bytes:
    """One JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with more segments behind its start."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def exif_bomb() -> bytes:
    """A 60 kB JPEG that takes 300 MB to read: every EXIF entry points at the same large blob."""
    block = exif([(i, 1, 55_000, 8) for i in range(0x0200, 0x0200 + 4500)]).ljust(65_000, b"\0")
    # Without density in a JFIF segment Pillow looks for it in EXIF, as soon as the file is opened.
    jpeg = encode(scene(), "JPEG")
    return jpeg[:2] + jpeg_segment(0xE1, block) + jpeg[20:]


def resize_jpeg_header(jpeg: bytes, width: int, height: int) -> bytes:
    """The same file, claiming another size."""
    at = jpeg.index(b"\xff\xc0" if b"\xff\xc0" in jpeg else b"\xff\xc2")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"WEBP" + b"".join(
        kind + struct.pack("<L", len(data)) + data + b"\0" * (len(data) & 1) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<L", len(body)) + body


_CHILD = """
import struct, sys
from chalicelib.errors import UnmaskError
from chalicelib.images import decode
from chalicelib.settings import Settings

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

data = sys.stdin.buffer.read()
(length,) = struct.unpack_from("<L", data)
decode(data[4 : 4 + length], Settings())
hostile = data[4 + length :]
before = peak()
try:
    decode(hostile, Settings())
    code = "decoded"
except UnmaskError as error:
    code = error.code
print(code, peak() - before)
"""


def measure(data: bytes, warm: bytes) -> tuple[str, float]:
    """Decode in a process of its own.

    Args:
        data: the file in question.
        warm: an honest file of the same format, decoded first so that loaded libraries do not count.

    Returns:
        The error's code, or "decoded", and by how many MiB the process's peak memory grew.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory of a process is read from /proc, which this system lacks")
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=struct.pack("<L", len(warm)) + warm + data,
        capture_output=True,
        check=True,
        timeout=120,
    )
    code, grown = done.stdout.split()
    return code.decode(), int(grown) / 1024

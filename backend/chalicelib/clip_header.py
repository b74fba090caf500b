"""What a clip's container claims about itself, read before any decoder sees a byte of it.

Only headers are read, by way of seeks, over offsets that are checked against the file's length. The walk answers how
long the clip says it is, whether it shows anything at all, whether its index is there and whether the file reaches its
own end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Bytes that tell one format from another.
HEAD = 16
# Boxes or elements of one file that are looked at: a live recording has two for each second.
MOST_PARTS = 10_000
# An index of ten minutes takes half a megabyte.
MOST_INDEX = 20_000_000

# Brands of pictures in the same container: AVIF and HEIF.
_PICTURES = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"heim", b"heis")
# What the first box of an MP4 or QuickTime file may be.
_ISO = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_SEGMENT, _INFO, _SCALE, _DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489
_TRACKS, _TRACK, _TRACK_TYPE, _CLUSTER = 0x1654AE6B, 0xAE, 0x83, 0x1F43B675


@dataclass(frozen=True, slots=True)
class ClipHeader:
    """A clip as its file describes it.

    Attributes:
        format: "mp4", "mov", "webm" or "gif".
        seconds: its length; None where the header does not tell.
        shows: False where there is sound and nothing to see; True where there is, or where nobody can tell.
        indexed: False where the part is missing without which no frame can be found.
        whole: False where the file ends before its last part does.
    """

    format: str
    seconds: float | None = None
    shows: bool = True
    indexed: bool = True
    whole: bool = True


def sniff_clip(head: bytes) -> str | None:
    """Tell the format of a clip by its first bytes, whatever it is called.

    FFmpeg believes contents rather than names: a playlist that is called .mp4 would make it open other files. So what
    does not begin like a clip never reaches it.

    Args:
        head: the first `HEAD` bytes or more.

    Returns:
        "mp4", "mov", "webm" (Matroska too), "gif"; None for anything else, a picture in MP4's container too.
    """
    if head[4:8] in _ISO:
        if head[4:8] == b"ftyp" and head[8:12] in _PICTURES:
            return None
        return "mp4" if head[4:8] == b"ftyp" and head[8:10] != b"qt" else "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    return "gif" if head.startswith((b"GIF87a", b"GIF89a")) else None


def read_header(path: Path) -> ClipHeader | None:
    """Read what a file claims.

    Returns:
        None where it begins like no clip.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        format = sniff_clip(file.read(HEAD))
        size = file.seek(0, 2)
        if format in ("mp4", "mov"):
            return _read_iso(file, size, format)
        if format == "webm":
            return _read_matroska(file, size)
    return None if format is None else ClipHeader(format)


def _read_iso(file: BinaryIO, size: int, format: str) -> ClipHeader:
    """Walk an ISO base media file (ISO/IEC 14496-12, section 4.2)."""
    index, end = b"", 0
    for kind, start, end in _boxes(file, size):
        if kind == b"moov" and end - start <= MOST_INDEX:
            file.seek(start)
            index = file.read(min(end, size) - start)
    seconds: float | None = None
    kinds = set()
    for kind, body in _parts(index):
        if kind == b"mvhd":
            seconds = _read_duration(body)
        if kind == b"trak":
            kinds |= {part[8:12] for media in _find(body, b"mdia") for part in _find(media, b"hdlr")}
    return ClipHeader(format, seconds, b"vide" in kinds or b"soun" not in kinds, bool(index), end <= size)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the contents of each outermost box; the last may end beyond the file."""
    at = 0
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        start = at + 8
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
            start = at + 16
        end = size if length == 0 else at + length
        if end < start:
            return
        yield kind, start, end
        at = end


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and contents of the boxes in a box."""
    at = 0
    for _ in range(MOST_PARTS):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        if length < 8:
            return
        yield kind, data[at + 8 : at + length]
        at += length


def _find(data: bytes, wanted: bytes) -> list[bytes]:
    return [body for kind, body in _parts(data) if kind == wanted]


def _read_duration(body: bytes) -> float | None:
    """Read a movie header; a length of all ones means "unknown"."""
    shape, at, unknown = (">IQ", 20, 2**64 - 1) if body[:1] == b"\1" else (">II", 12, 2**32 - 1)
    if len(body) < at + struct.calcsize(shape):
        return None
    scale, length = struct.unpack_from(shape, body, at)
    return length / scale if scale and length not in (0, unknown) else None


def _read_matroska(file: BinaryIO, size: int) -> ClipHeader:
    """Walk a Matroska file up to its first cluster (RFC 9559)."""
    kinds: set[int] = set()
    scale, length = 1_000_000, 0.0
    whole = True
    for element, start, end in _elements(file, 0, size):
        if element != _SEGMENT:
            continue
        whole = end is None or end <= size
        for part, begin, stop in _elements(file, start, size):
            if part == _CLUSTER or stop is None:
                break
            if part == _INFO:
                for field, first, last in _elements(file, begin, min(stop, size)):
                    value = _read_value(file, first, last)
                    if field == _SCALE:
                        scale = int.from_bytes(value, "big")
                    if field == _DURATION and len(value) in (4, 8):
                        (length,) = struct.unpack(">f" if len(value) == 4 else ">d", value)
            if part == _TRACKS:
                for entry, first, last in _elements(file, begin, min(stop, size)):
                    if entry == _TRACK and last is not None:
                        for field, low, high in _elements(file, first, min(last, size)):
                            if field == _TRACK_TYPE:
                                kinds.add(int.from_bytes(_read_value(file, low, high), "big"))
        break
    seconds = length * scale / 1e9
    return ClipHeader("webm", seconds if seconds > 0 else None, 1 in kinds or 2 not in kinds, whole=whole)


def _elements(file: BinaryIO, at: int, limit: int) -> Iterator[tuple[int, int, int | None]]:
    """Yield id, start and end of each element of one level; the end is None where a live recording leaves it open."""
    for _ in range(MOST_PARTS):
        if at >= limit:
            return
        file.seek(at)
        head = file.read(12)
        wide = _count_bytes(head[:1])
        long = _count_bytes(head[wide : wide + 1])
        if not wide or not long or wide > 4 or len(head) < wide + long:
            return
        length = int.from_bytes(head[wide : wide + long], "big") & (1 << 7 * long) - 1
        start = at + wide + long
        end = None if length == (1 << 7 * long) - 1 else start + length
        yield int.from_bytes(head[:wide], "big"), start, end
        if end is None:
            return
        at = end


def _count_bytes(first: bytes) -> int:
    """Return how many bytes a variable-size integer takes, 0 where that is none."""
    return 9 - first[0].bit_length() if first and first[0] else 0


def _read_value(file: BinaryIO, start: int, end: int | None) -> bytes:
    file.seek(start)
    return file.read(min(8, (end or start) - start))

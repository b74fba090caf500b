"""EXIF blocks, read entry by entry over offsets that are checked; no decoder's own reader sees one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# Longest text that is taken out of a block, bytes. Prompts that generators store run to some thousand letters.
MAX_TEXT = 8_192
# Tags of EXIF 2.32 whose text tells how a picture came about.
_TEXTS = {0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x0131: "Software", 0x9286: "UserComment"}
_ORIENTATION, _EXIF_FOLDER = 0x0112, 0x8769
_BYTE, _ASCII, _SHORT, _LONG, _UNDEFINED, _UTF8 = 1, 2, 3, 4, 7, 129
# Honest folders hold tens of entries.
_MAX_ENTRIES = 1_000


def read_orientation(exif: bytes) -> int:
    """Find the orientation in an EXIF block, reading no other entry of it.

    Args:
        exif: TIFF bytes, with or without the leading `Exif\\0\\0`.

    Returns:
        1 to 8 as in EXIF 2.32, section 4.6.4; 1 for a block that is broken or says nothing.
    """
    for entry in _open(exif):
        if entry.tag == _ORIENTATION:
            value = entry.number()
            return value if entry.kind == _SHORT and 1 <= value <= 8 else 1
    return 1


def read_texts(exif: bytes) -> dict[str, str]:
    """Find the texts that tell how a picture came about.

    Args:
        exif: as of `read_orientation`.

    Returns:
        By the tag's name, `ImageDescription`, `Make`, `Model`, `Software` and `UserComment`; not cleaned. What is
        broken is left out.
    """
    texts: dict[str, str] = {}
    for entry in _open(exif):
        if entry.tag in _TEXTS:
            texts.setdefault(_TEXTS[entry.tag], entry.text())
        elif entry.tag == _EXIF_FOLDER and entry.kind == _LONG:
            for inner in _list(entry.tiff, entry.order, entry.number()):
                if inner.tag in _TEXTS:
                    texts.setdefault(_TEXTS[inner.tag], inner.text())
    return {name: text for name, text in texts.items() if text}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a folder; `at` is where its value, or the offset of that, stands."""

    tiff: bytes
    order: str
    tag: int
    kind: int
    count: int
    at: int

    def number(self) -> int:
        """Return the first number of a short or long entry; 0 where the block ends before it."""
        form = "H" if self.kind == _SHORT else "L"
        try:
            return int(struct.unpack_from(self.order + form, self.tiff, self.at)[0])
        except struct.error:
            return 0

    def text(self) -> str:
        """Return a text, cut to `MAX_TEXT` bytes; empty where the entry is of another kind."""
        if self.kind not in (_BYTE, _ASCII, _UNDEFINED, _UTF8):
            return ""
        start = self.at if self.count <= 4 else self.number()
        raw = self.tiff[start : start + min(self.count, MAX_TEXT)]
        charset, rest = raw[:8], raw[8:]
        if charset == b"UNICODE\0":
            # The standard leaves the order of bytes open, and writers differ; most letters have a zero above.
            big = rest[0::2].count(0) >= rest[1::2].count(0)
            return rest.decode("utf-16-be" if big else "utf-16-le", "replace").strip("\0 ")
        if charset in (b"ASCII\0\0\0", bytes(8)):
            raw = rest
        return raw.decode("utf-8", "replace").strip("\0 ")


def _open(exif: bytes) -> Iterator[_Entry]:
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return
    yield from _list(tiff, order, struct.unpack_from(order + "L", tiff, 4)[0])


def _list(tiff: bytes, order: str, start: int) -> Iterator[_Entry]:
    """Yield a folder's entries until they are all told or the block ends."""
    try:
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for i in range(min(count, _MAX_ENTRIES)):
            at = start + 2 + 12 * i
            tag, kind, length = struct.unpack_from(order + "HHL", tiff, at)
            yield _Entry(tiff, order, tag, kind, length, at + 8)
    except struct.error:
        return

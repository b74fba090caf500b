"""What an encoded picture claims about itself, read before any decoder sees a byte of it.

Each format is walked once, in Python, over offsets that are checked against the file's length. The walk
answers how large the picture says it is, whether the file reaches its own end, how many frames it holds and
which way up it is, and it leaves out everything a decoder does not need. What is left out cannot hurt: in
Pillow 11 a 200 kB JPEG whose EXIF entries all point at one blob takes 1.5 GB, and a GIF comment of one-byte
blocks takes time that grows with the square of its length. What of it tells how the picture came about is kept
aside, cut to size, for `signals`.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from chalicelib.errors import UnreadableImage, UnsupportedMedia
from chalicelib.exif import read_orientation

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Every further pass over a progressive JPEG costs a walk over the whole picture, however few bytes it takes:
# 40 ms each at 40 megapixels. Encoders write about ten.
MAX_JPEG_SCANS = 50
# A 20 MB file of empty segments would keep the walk busy for seconds; pictures have tens, seldom hundreds.
MAX_JPEG_SEGMENTS = 10_000
# Bytes that all compressed text of one PNG may unpack to.
MAX_PNG_TEXT = 4_000_000
# Metadata that is kept aside: bytes of one block, and blocks. Those of honest files are smaller, and fewer.
MAX_BLOCK = 262_144
MAX_BLOCKS = 32

BlockKind = Literal["exif", "xmp", "photoshop", "text", "comment", "manifest"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of metadata that may tell how the picture came about.

    Attributes:
        kind: "text" is a PNG's, "photoshop" the resources of a JPEG's APP13 and APP12, "manifest" a C2PA manifest,
            of which only the presence is kept.
        data: its bytes without the container's own head, unpacked, cut to `MAX_BLOCK`.
        name: keyword of a PNG's text, as bytes of Latin-1; empty for any other kind.
        whole: whether nothing was cut off.
    """

    kind: BlockKind
    data: bytes = b""
    name: bytes = b""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Container:
    """A picture as its file describes it.

    Attributes:
        format: "jpeg", "png", "webp", "gif" or "avif".
        size: width and height, px, as stored (before any turning); None where only the decoder can tell.
        frames: frames of the animation, 1 for a still; None where only the decoder can tell.
        orientation: EXIF orientation, 1 to 8; 1 where there is none or it makes no sense.
        whole: False where there are fewer bytes than the barest picture of that size takes.
        picture: a file of the same format that holds the first frame and no metadata.
        blocks: what of the metadata may tell how the picture came about, at most `MAX_BLOCKS`. EXIF of an AVIF is
            left out: it lies anywhere in the file, and only the decoder knows where.
    """

    format: str
    size: tuple[int, int] | None
    frames: int | None
    orientation: int
    whole: bool
    picture: bytes
    blocks: tuple[Block, ...] = ()


def unpack(data: bytes) -> Container:
    """Tell the format by its first bytes, whatever the sender called it, and walk the file.

    Args:
        data: the whole file.

    Raises:
        UnsupportedMedia: no format that we open.
        UnreadableImage: cut off, damaged, or built to exhaust a decoder.
    """
    walk = _sniff(data)
    try:
        return walk(data)
    except (IndexError, struct.error) as error:
        raise cut_off() from error


def verify(container: Container) -> None:
    """Refuse a picture whose data cannot fill the size that its header promises.

    For a PNG the unpacked bytes are counted, not kept: Pillow takes a compressed stream that ends early, but
    properly, for a picture whose rest is black. Call this only after the size has been judged, because the
    count goes as far as the size says.

    Raises:
        UnreadableImage: rows are missing, or the compressed stream is broken.
    """
    if not container.whole:
        raise cut_off()
    if container.format != "png":
        return
    chunks = dict(_chunks(container.picture))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">LLBBBBB", chunks[b"IHDR"])
    bits = width * depth * _PNG_CHANNELS.get(colour, 1)
    # Adam7 stores at least the pixels; its row filters are left out of the sum.
    missing = bits * height // 8 if interlaced else height * (1 + (bits + 7) // 8)
    inflate, packed = zlib.decompressobj(), chunks[b"IDAT"]
    try:
        while missing > 0:
            part = inflate.decompress(packed, 1 << 21)
            if not part:
                raise cut_off()
            missing -= len(part)
            packed = inflate.unconsumed_tail
    except zlib.error as error:
        raise damaged() from error


def cut_off() -> UnreadableImage:
    """Build the error for a file that ends too early."""
    return UnreadableImage("The picture is cut off: its file ends before the picture does.", code="image_cut_off")


def damaged() -> UnreadableImage:
    """Build the error for a file that no decoder makes sense of."""
    return UnreadableImage("The picture is damaged and cannot be opened.")


class _Blocks(list[Block]):
    """Collects blocks up to their cap."""

    def keep(self, kind: BlockKind, data: bytes = b"", name: bytes = b"") -> None:
        if len(self) < MAX_BLOCKS:
            self.append(Block(kind, data[:MAX_BLOCK], name, len(data) <= MAX_BLOCK))


def _sniff(data: bytes) -> Callable[[bytes], Container]:
    if data.startswith(b"\xff\xd8\xff"):
        return _unpack_jpeg
    if data.startswith(PNG_SIGNATURE):
        return _unpack_png
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _unpack_gif
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _unpack_webp
    if data[4:8] == b"ftyp":
        brands = data[8 : struct.unpack_from(">L", data)[0]]
        # HEIC shares the container and the general brands; only AVIF's own brands say what is inside.
        if {b"avif", b"avis"} & {brands[i : i + 4] for i in range(0, min(len(brands), 400), 4)}:
            return _unpack_avif
    raise UnsupportedMedia("This is no picture that can be checked; JPEG, PNG, WebP, GIF and AVIF pictures are.")


# A marker is 0xFF and a byte that is neither stuffing (00), a restart (D0–D7) nor more fill (FF).
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS, _APP0, _APP1, _APP11, _APP12, _APP13, _APP14, _COM = (
    0xD8,
    0xD9,
    0xDA,
    0xE0,
    0xE1,
    0xEB,
    0xEC,
    0xED,
    0xEE,
    0xFE,
)
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_SOF = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _unpack_jpeg(data: bytes) -> Container:
    kept = [b"\xff\xd8"]
    blocks = _Blocks()
    size: tuple[int, int] | None = None
    orientation = None
    least_bits = scans = scan_bytes = 0
    at = 2
    for _ in range(MAX_JPEG_SEGMENTS):
        match = _JPEG_MARKER.search(data, at)
        if match is None:
            raise cut_off()
        marker, at = data[match.end() - 1], match.end()
        if marker == _EOI:
            break
        if marker == 0x01:  # stands alone, means nothing
            continue
        (length,) = struct.unpack_from(">H", data, at)
        body = data[at + 2 : at + length]
        if length < 2 or marker == _SOI:
            raise damaged()
        if at + length > len(data):
            raise cut_off()
        if marker == _APP1 and orientation is None and body.startswith(b"Exif\0\0"):
            orientation = read_orientation(body)
        # JFIF and Adobe segments tell the colour space; the rest of APPn, and comments, are metadata. With
        # them go the further pictures of a phone's multi-picture file: the first is the photograph.
        if not (_APP0 < marker <= 0xEF or marker == _COM) or marker == _APP14:
            kept.append(data[match.start() : at + length])
        else:
            _keep_segment(marker, body, blocks)
        at += length
        if marker in _SOF:
            size, least_bits = _read_frame(marker, body)
        elif marker == _SOS:
            scans += 1
            if scans > MAX_JPEG_SCANS:
                raise UnreadableImage(
                    "The picture is stored in more passes than any camera or editor writes.",
                    code="too_many_scans",
                )
            following = _JPEG_MARKER.search(data, at)
            if following is None:
                raise cut_off()
            kept.append(data[at : following.start()])
            scan_bytes += following.start() - at
            at = following.start()
    else:
        raise damaged()
    if size is None or not scans:
        raise damaged()
    # A file that was closed again with an end marker after its data broke off is caught only here, when less
    # is left than the barest picture takes. Above that, every decoder and browser shows a grey rest, and
    # what is shown is what gets judged.
    whole = scan_bytes * 8 >= least_bits
    return Container("jpeg", size, 1, orientation or 1, whole, b"".join([*kept, b"\xff\xd9"]), tuple(blocks))


def _keep_segment(marker: int, body: bytes, blocks: _Blocks) -> None:
    if marker == _COM:
        blocks.keep("comment", body)
    elif marker == _APP1 and body.startswith(b"Exif\0\0"):
        blocks.keep("exif", body)
    elif marker == _APP1 and body.startswith(_XMP_HEAD):
        blocks.keep("xmp", body[len(_XMP_HEAD) :])
    elif (marker == _APP13 and body.startswith(b"Photoshop 3.0\0")) or (marker == _APP12 and body.startswith(b"Ducky")):
        blocks.keep("photoshop", body.removeprefix(b"Photoshop 3.0\0"))
    # The first piece of a JUMBF box of the type "c2pa" (C2PA 2.1, A.3.1).
    elif marker == _APP11 and (body[:2], body[12:16], body[24:28]) == (b"JP", b"jumb", b"c2pa"):
        blocks.keep("manifest")


def _read_frame(marker: int, body: bytes) -> tuple[tuple[int, int], int]:
    """Return the size in a frame header, and the fewest bits that Huffman coding can spend on it."""
    height, width, components = struct.unpack_from(">HHB", body, 1)
    factors = [(body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(components)]
    widest, tallest = max((h for h, _ in factors), default=0), max((v for _, v in factors), default=0)
    if not widest or not tallest:
        raise damaged()
    blocks = sum((width * h // widest // 8) * (height * v // tallest // 8) for h, v in factors)
    # A block takes at least one bit for its mean and, outside progressive files, one for its end.
    return (width, height), blocks * {0xC0: 2, 0xC1: 2, 0xC2: 1}.get(marker, 0)


_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a PNG's chunks up to and with IEND, checking the sums of those that make the picture."""
    at = len(PNG_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">L4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if (
            kind in _PNG_KEPT
            and zlib.crc32(body, zlib.crc32(kind)) != struct.unpack_from(">L", data, at + 8 + length)[0]
        ):
            raise damaged()
        yield kind, body
        at += 12 + length


def _unpack_png(data: bytes) -> Container:
    chunks = _chunks(data)
    kind, header = next(chunks)
    if kind != b"IHDR" or len(header) != 13:
        raise damaged()
    width, height, depth, colour = struct.unpack_from(">LLBB", header)
    kept: dict[bytes, bytes] = {}
    still: list[bytes] = []
    moving: list[bytes] = []  # the animation's first frame, where the still picture is not it
    blocks = _Blocks()
    orientation, frames, text = 1, 0, MAX_PNG_TEXT
    animated = still_is_first = False
    for kind, body in chunks:
        if kind == b"IDAT":
            still.append(body)
        elif kind == b"PLTE":
            kept.setdefault(kind, body)
        # Pillow cuts 16-bit colours to 8 bits before it looks for the transparent one, and so hits others.
        elif kind == b"tRNS" and (colour, depth) != (2, 16):
            kept.setdefault(kind, _scale_key(body, colour, depth))
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            name, unpacked, size = _unpack_text(kind, body, text)
            text -= size
            blocks.keep("xmp" if name == b"XML:com.adobe.xmp" else "text", unpacked, name)
        elif kind == b"eXIf":
            orientation = read_orientation(body)
            blocks.keep("exif", body)
        elif kind == b"caBX":
            blocks.keep("manifest")
        elif kind == b"acTL":
            animated = animated or not still
        elif kind == b"fcTL":
            frames += 1
            if frames == 1:
                still_is_first = not still
                first_size = struct.unpack_from(">LL", body, 4)
        elif kind == b"fdAT" and frames == 1 and not still_is_first:
            moving.append(body[4:])
    if animated and moving:
        # Browsers play the animation and never show the still picture in front of it. A first frame that
        # covers a part of the canvas is judged alone.
        width, height = first_size
        header = struct.pack(">LL", width, height) + header[8:]
        still = moving
    # One chunk of pixels: a decoder that is handed millions of empty ones takes its time over each.
    whole = {b"IHDR": header} | kept | {b"IDAT": b"".join(still), b"IEND": b""}
    picture = PNG_SIGNATURE + b"".join(
        struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(body, zlib.crc32(kind)))
        for kind, body in whole.items()
    )
    return Container(
        "png", (width, height), max(frames, 1) if animated else 1, orientation, True, picture, tuple(blocks)
    )


def _scale_key(key: bytes, colour: int, depth: int) -> bytes:
    """Return a transparency chunk as Pillow compares it."""
    if colour == 0 and depth in (1, 2, 4):
        # Greys are stretched to 0–255 before the comparison, the key is not.
        highest = (1 << depth) - 1
        (grey,) = struct.unpack_from(">H", key)
        return struct.pack(">H", (grey & highest) * 255 // highest)
    return key


def _unpack_text(kind: bytes, body: bytes, budget: int) -> tuple[bytes, bytes, int]:
    """Return keyword and text of a text chunk, and how many bytes it unpacked; refuses more than the budget.

    Raises:
        UnreadableImage: a file that carries such a thing is an attack, so its picture is not judged either.
    """
    name, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return name, rest, 0
    packed = rest[1:]
    if kind == b"iTXt":
        # Compression flag and method, then language and translated keyword.
        packed = rest[2:].split(b"\0", 2)[-1]
        if rest[:1] != b"\1":
            return name, packed, 0
    try:
        text = zlib.decompressobj().decompress(packed, budget + 1)
    except zlib.error:
        return name, b"", 0
    if len(text) > budget:
        raise UnreadableImage(
            "The picture carries hidden text that unpacks to far more than its file.", code="text_too_large"
        )
    return name, text, len(text)


def _unpack_gif(data: bytes) -> Container:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    head, control, first = data[:at], b"", b""
    frames, whole, blocks = 0, False, _Blocks()
    while (block := data[at]) != 0x3B:
        start = at
        if block == 0x21:
            at = _skip_blocks(data, at + 2)
            if data[start + 1] == 0xF9 and not frames:
                control = data[start:at]
            else:
                _keep_extension(data, start, at, blocks)
        elif block == 0x2C:
            left, top, across, down, flags = struct.unpack_from("<HHHHB", data, at + 1)
            body = at + 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
            at = _skip_blocks(data, body + 1)
            if not frames:
                first = data[start:at]
                width, height = max(width, left + across), max(height, top + down)
                # One code stands for at most 4096 pixels and takes one bit more than a pixel does.
                whole = (at - body) * 8 // (data[body] + 1) * 4096 >= across * down
            frames += 1
        else:
            at += 1  # stray bytes between blocks occur in the wild
    if not frames:
        raise damaged()
    return Container("gif", (width, height), frames, 1, whole, head + control + first + b";", tuple(blocks))


def _keep_extension(data: bytes, start: int, end: int, blocks: _Blocks) -> None:
    label, name = data[start + 1], data[start + 3 : start + 14]
    if label == 0xFE:
        # Comments come in pieces with a length before each; the first holds what a program signs with.
        blocks.keep("comment", data[start + 3 : start + 3 + data[start + 2]])
    elif label == 0xFF and name == b"XMP DataXMP":
        # It lies there in one piece, and its 258 bytes of trailer stand for the lengths.
        blocks.keep("xmp", data[start + 14 : end - 258])
    elif label == 0xFF and name == b"C2PA_GIF\1\0\0":
        blocks.keep("manifest")


def _skip_blocks(data: bytes, at: int) -> int:
    """Return the offset behind a chain of length-prefixed blocks; IndexError where it runs off the file."""
    while length := data[at]:
        at += length + 1
    return at + 1


def _unpack_webp(data: bytes) -> Container:
    (length,) = struct.unpack_from("<L", data, 4)
    end = 8 + length
    if end > len(data):
        raise cut_off()
    size: tuple[int, int] | None = None
    orientation, frames, at, blocks = 1, 0, 12, _Blocks()
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sL", data, at)
        body = at + 8
        if body + length > end:
            raise cut_off()
        if kind == b"VP8X" and size is None:
            size = (
                1 + int.from_bytes(data[body + 4 : body + 7], "little"),
                1 + int.from_bytes(data[body + 7 : body + 10], "little"),
            )
        elif kind == b"VP8L" and size is None:
            (packed,) = struct.unpack_from("<L", data, body + 1)
            size = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
        elif kind == b"VP8 " and size is None:
            across, down = struct.unpack_from("<HH", data, body + 6)
            size = across & 0x3FFF, down & 0x3FFF
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            orientation = read_orientation(data[body : body + length])
            blocks.keep("exif", data[body : body + length])
        elif kind == b"XMP ":
            blocks.keep("xmp", data[body : body + length])
        elif kind == b"C2PA":
            blocks.keep("manifest")
        at = body + length + (length & 1)
    if size is None:
        raise cut_off()
    return Container("webp", size, max(frames, 1), orientation, True, data[:end], tuple(blocks))


# C2PA 2.1, A.5.1.
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def _unpack_avif(data: bytes) -> Container:
    pieces = []
    blocks = _Blocks()
    at = 0
    while at < len(data):
        length, kind = struct.unpack_from(">L4s", data, at)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
        elif length == 0:
            length = len(data) - at
        if length < 8:
            raise damaged()
        if at + length > len(data):
            raise cut_off()
        box = data[at : at + length]
        if kind == b"uuid" and box[8:24] == _C2PA_UUID:
            blocks.keep("manifest")
        # Under another name the decoder passes the EXIF item by. AVIF turns its pictures by properties of its
        # own, which the decoder reports; its EXIF orientation is to be ignored (ISO/IEC 23000-22, 7.3.6).
        pieces.append(box.replace(b"Exif", b"skip") if kind in (b"meta", b"moov") else box)
        at += length
    return Container("avif", None, None, 1, True, b"".join(pieces), tuple(blocks))

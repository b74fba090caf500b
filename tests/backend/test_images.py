"""Pictures from strangers: what is decoded, what is refused, and what neither costs.

A test named `test_row_N_…` proves row N of the table of untrusted input, in as far as it is about decoding.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import PIL
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageFile, ImageOps, PngImagePlugin, features

from chalicelib.containers import MAX_JPEG_SCANS, unpack
from chalicelib.errors import TooLarge, UnmaskError, UnreadableImage, UnsupportedMedia
from chalicelib.images import STRIP, Image, decode, is_light
from chalicelib.settings import Settings
from tests.backend import pictures
from tests.backend.pictures import EOI, chunk, encode, png, scene

SETTINGS = Settings()
SCENE = scene()
FILES = pictures.every_format(SCENE)
LOSSLESS = ("png", "interlaced png", "animated png", "gif", "animated gif", "lossless webp", "animated webp")
ANIMATED = ("animated png", "animated gif", "animated webp")


def refuse(data: bytes, limits: Settings = SETTINGS) -> str:
    """Return the code with which a picture is refused, having checked that the answer is fit to be shown."""
    with pytest.raises(UnreadableImage) as caught:
        decode(data, limits)
    assert caught.value.status == 422
    assert caught.value.message.endswith(".")
    assert "0x" not in caught.value.message
    return caught.value.code


def stretch(grey: np.ndarray) -> np.ndarray:
    """Grey [H, W] as RGB [H, W, 3]."""
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("name", FILES)
def test_every_format_opens(name: str) -> None:
    image = decode(FILES[name], SETTINGS)
    assert image.format == name.split()[-1]
    assert image.frames == (3 if name in ANIMATED else 1)
    assert image.pixels.shape == SCENE.shape
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    assert not image.pixels.flags.writeable
    if name in LOSSLESS:
        np.testing.assert_array_equal(image.pixels, SCENE)
    else:
        # Some formats keep colour at half the size, so the grey picture is compared.
        assert np.abs(image.pixels.mean(axis=2) - SCENE.mean(axis=2)).mean() < 15


def test_a_photograph_survives_the_way_through_a_jpeg(portrait: np.ndarray) -> None:
    pixels = decode(encode(portrait, "JPEG", quality=95), SETTINGS).pixels
    assert np.abs(pixels.astype(int) - portrait).mean() < 3


def test_more_bytes_than_allowed_are_refused_unread() -> None:
    limits = Settings(max_bytes=len(FILES["png"]) - 1)
    with pytest.raises(TooLarge) as caught:
        decode(FILES["png"], limits)
    assert caught.value.status == 413
    assert decode(FILES["png"], Settings(max_bytes=len(FILES["png"]))).format == "png"


@pytest.mark.parametrize("name", FILES)
def test_row_29_the_bytes_tell_the_format(name: str) -> None:
    # Neither a name nor a Content-Type can be passed, so neither can lie.
    assert decode(FILES[name], SETTINGS).format == unpack(FILES[name]).format


@pytest.mark.parametrize(
    "data",
    [
        b"<!doctype html><html></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        encode(SCENE, "EPS"),
        b"8BPS\0\1" + bytes(40),
        encode(SCENE, "ICO"),
        encode(SCENE, "TIFF"),
        encode(SCENE, "BMP"),
        encode(SCENE, "PPM"),
        encode(SCENE, "JPEG2000"),
        encode(SCENE, "TGA"),
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(28),
        b"\xff\xd8",
        b"\x89PNG",
        b"x",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_row_31_other_formats_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        decode(data, SETTINGS)
    assert (caught.value.status, caught.value.code) == (415, "unsupported_media")


def test_row_31_a_decoder_is_never_offered_another_format(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = Pillow.open

    def record(file: io.BytesIO, formats: list[str]) -> Pillow.Image:
        asked.append(formats)
        return original(file, formats=formats)

    monkeypatch.setattr(Pillow, "open", record)
    for data in FILES.values():
        decode(data, SETTINGS)
    assert all(len(formats) == 1 for formats in asked)
    assert {formats[0] for formats in asked} == {"JPEG", "PNG", "GIF", "WEBP", "AVIF"}


@pytest.mark.parametrize("name", [name for name in FILES if name != "avif"])
def test_row_32_a_tail_behind_the_picture_changes_no_pixel(name: str) -> None:
    zipped = b"PK\x03\x04" + b"payload" * 50 + b"PK\x05\x06" + bytes(18)
    np.testing.assert_array_equal(decode(FILES[name] + zipped, SETTINGS).pixels, decode(FILES[name], SETTINGS).pixels)
    assert b"payload" not in unpack(FILES[name] + zipped).picture


def test_row_32_an_avif_has_no_tail() -> None:
    # Its boxes fill the file, so that what follows passes for a box that is cut off.
    assert refuse(FILES["avif"] + b"PK\x03\x04" + b"payload" * 50) == "image_cut_off"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "image_empty"),
        (b"\xff\xd8\xff", "image_cut_off"),
        (b"\xff\xd8\xff\xd9", "unreadable_image"),
        (pictures.SIGNATURE, "image_cut_off"),
        (pictures.SIGNATURE + chunk(b"IEND", b""), "unreadable_image"),
        (b"GIF89a", "image_cut_off"),
        (pictures.gif_header(64, 64) + b";", "unreadable_image"),
        (b"RIFF\x04\0\0\0WEBP", "image_cut_off"),
        (pictures.riff((b"VP8X", bytes(10))), "image_too_small"),
        (b"\0\0\0\x14ftypavif\0\0\0\0avif", "unreadable_image"),
        (png(0, 0, 8, 2, b""), "image_too_small"),
        (png(64, 0, 8, 2, b""), "image_too_small"),
        (pictures.resize_jpeg_header(FILES["jpeg"], 0, 0), "image_too_small"),
        (pictures.resize_jpeg_header(FILES["jpeg"], 64, 0), "image_too_small"),
        (pictures.gif_header(0, 0) + pictures.gif_frame(0, 0) + b";", "image_too_small"),
    ],
)
def test_row_33_nothing_is_no_picture(data: bytes, code: str) -> None:
    assert refuse(data) == code


@pytest.mark.parametrize("name", FILES)
def test_row_34_no_cut_of_any_length_is_tolerated(name: str) -> None:
    data = FILES[name]
    codes = [refuse(data[:length]) for length in range(16, len(data))]
    assert set(codes) <= {"image_cut_off", "unreadable_image"}
    assert codes.count("image_cut_off") > 0.9 * len(codes)


def test_row_34_truncated_images_stay_switched_off() -> None:
    decode(FILES["jpeg"], SETTINGS)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def _png_closed_again(share: float) -> bytes:
    rows = pictures.plain_rows(SCENE.reshape(48, -1))
    return png(64, 48, 8, 2, rows[: int(len(rows) * share)])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(FILES["png"][:-12], id="png without IEND"),
        pytest.param(FILES["png"][:-40] + chunk(b"IEND", b""), id="png cut, IEND put back"),
        pytest.param(_png_closed_again(0.5), id="png of half the rows, properly compressed"),
        pytest.param(_png_closed_again(0.99), id="png that lacks a part of its last row"),
        pytest.param(_png_closed_again(0), id="png without rows"),
        pytest.param(png(64, 48, 8, 2, bytes(5000), interlaced=True), id="interlaced png of half its passes"),
        pytest.param(FILES["gif"][:-1], id="gif without trailer"),
        pytest.param(FILES["gif"][:-60] + b"\0;", id="gif cut, trailer put back"),
        pytest.param(pictures.gif_header(64, 64) + pictures.gif_frame(64, 64) + b";", id="gif of two pixels"),
        pytest.param(FILES["jpeg"][:-2], id="jpeg without end marker"),
        pytest.param(
            FILES["jpeg"][: FILES["jpeg"].index(b"\xff\xda") + 14] + EOI, id="jpeg without data, end put back"
        ),
        pytest.param(FILES["progressive jpeg"][:-2], id="progressive jpeg without end marker"),
    ],
)
def test_row_34_a_file_closed_again_after_a_cut_is_refused(data: bytes) -> None:
    assert refuse(data) in ("image_cut_off", "unreadable_image")


@pytest.mark.parametrize("name", ["webp", "lossless webp"])
def test_row_34_a_webp_with_lengths_mended_after_a_cut_is_refused(name: str) -> None:
    kind, body = FILES[name][12:16], FILES[name][20:]
    decode(pictures.riff((kind, body)), SETTINGS)
    for share in (0.1, 0.5, 0.9):
        assert refuse(pictures.riff((kind, body[: int(len(body) * share)]))) == "unreadable_image"


def test_row_35_a_huge_one_bit_png_is_refused_from_its_header() -> None:
    rows = zlib.compress(bytes((16384 // 8 + 1) * 16384), 9)
    header = struct.pack(">LLBBBBB", 16384, 16384, 1, 0, 0, 0, 0)
    bomb = pictures.SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    assert len(bomb) < 40_000
    code, grown = pictures.measure(bomb, warm=FILES["png"])
    assert code == "image_too_large"
    assert grown < 8


@pytest.mark.parametrize(
    "data",
    [
        png(7000, 7000, 8, 2, b""),
        pictures.resize_jpeg_header(FILES["jpeg"], 65_000, 65_000),
        pictures.gif_header(65_535, 65_535) + pictures.gif_frame(1, 1) + b";",
        pictures.gif_header(64, 64) + pictures.gif_frame(65_535, 65_535) + b";",
        pictures.riff((b"VP8L", b"\x2f" + struct.pack("<L", 16_383 | 16_383 << 14))),
        pictures.riff((b"VP8X", bytes(4) + (20_000).to_bytes(3, "little") * 2)),
        encode(Pillow.new("RGB", (7000, 6000)), "AVIF", speed=10),
    ],
    ids=["png", "jpeg", "gif screen", "gif frame", "webp lossless", "webp extended", "avif"],
)
def test_row_35_the_cap_on_pixels_holds_in_every_format(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refuse(data) == "image_too_large"


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_row_35_formats_whose_decoders_take_more_memory_may_be_half_as_large(kind: str) -> None:
    limits = Settings(max_pixels=2 * 100 * 100)
    assert decode(encode(Pillow.new("RGB", (100, 100)), kind), limits).format == kind.lower()
    with pytest.raises(UnreadableImage, match=r"more than 0\.01 million"):
        decode(encode(Pillow.new("RGB", (100, 101)), kind), limits)
    assert decode(encode(Pillow.new("RGB", (100, 200)), "PNG"), limits).format == "png"


def _largest(kind: str) -> bytes:
    """The largest picture of a kind that is let in, of the mode that takes most memory."""
    size, half = (8000, 5000), (5000, 4000)
    if kind == "png":
        return png(*size, 8, 6, bytes((4 * size[0] + 1) * size[1]))
    if kind == "jpeg":
        return encode(Pillow.new("CMYK", size), "JPEG")
    if kind == "progressive jpeg":
        turned = pictures.exif([(0x0112, 3, 1, 6)])
        return encode(Pillow.new("RGB", size), "JPEG", progressive=True, subsampling=0, exif=turned)
    if kind == "gif":
        return encode(Pillow.new("P", size), "GIF", transparency=0)
    return encode(Pillow.new("RGBA", half, (200, 30, 40, 128)), kind.upper(), lossless=kind == "webp", speed=10)


@pytest.mark.parametrize("kind", ["png", "jpeg", "progressive jpeg", "gif", "webp", "avif"])
def test_row_35_the_largest_picture_that_is_let_in_fits_its_memory(kind: str) -> None:
    # With the 100 MB of a process at rest that makes 500 MB, and 120 MB are left for a second picture.
    code, grown = pictures.measure(_largest(kind), warm=FILES[kind])
    assert code == "decoded"
    assert 100 < grown < 400


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_a_tall_picture_has_no_seams(mode: str) -> None:
    # Pictures are converted in strips.
    tall = scene(STRIP * 2 + 37, 64)
    image = Pillow.fromarray(tall)
    if mode == "I;16":
        image = Pillow.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode == "P":
        image = image.quantize(64)
    else:
        image = image.convert(mode)
    expected = np.asarray(image) >> 8 if mode == "I;16" else np.asarray(image.convert("RGB"))
    expected = stretch(expected) if expected.ndim == 2 else expected
    np.testing.assert_array_equal(decode(encode(image, "PNG"), SETTINGS).pixels, expected)


@pytest.mark.parametrize("class_", [Pillow.DecompressionBombError, Pillow.DecompressionBombWarning])
def test_row_35_the_decoders_own_cap_says_the_same(monkeypatch: pytest.MonkeyPatch, class_: type[Exception]) -> None:
    monkeypatch.setattr(Pillow, "open", _raiser(class_("too many pixels")))
    assert refuse(FILES["png"]) == "image_too_large"


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [
        (1, 1, "image_too_small"),
        (31, 64, "image_too_small"),
        (64, 31, "image_too_small"),
        (20_000, 1, "image_too_small"),
        (641, 32, "image_too_narrow"),
        (32, 641, "image_too_narrow"),
    ],
)
def test_row_36_specks_and_strips_are_refused(width: int, height: int, code: str) -> None:
    assert refuse(encode(Pillow.new("RGB", (width, height)), "PNG")) == code


@pytest.mark.parametrize(("width", "height"), [(32, 32), (640, 32), (32, 640)])
def test_row_36_the_least_side_and_the_longest_strip_are_let_in(width: int, height: int) -> None:
    assert decode(encode(Pillow.new("RGB", (width, height)), "PNG"), SETTINGS).pixels.shape == (
        height,
        width,
        3,
    )


def test_row_36_limits_come_from_the_settings() -> None:
    strict = Settings(min_side=60, max_pixels=100 * 100, max_aspect=1.5)
    assert refuse(encode(Pillow.new("RGB", (59, 60)), "PNG"), strict) == "image_too_small"
    assert refuse(encode(Pillow.new("RGB", (101, 100)), "PNG"), strict) == "image_too_large"
    assert refuse(encode(Pillow.new("RGB", (100, 66)), "PNG"), strict) == "image_too_narrow"
    assert decode(encode(Pillow.new("RGB", (100, 100)), "PNG"), strict).frames == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("png", png(4000, 4000, 8, 2, b"")),
        ("png", png(4000, 4000, 8, 2, bytes(12_001 * 20))),
        ("png", png(4000, 4000, 8, 2, b"", interlaced=True)),
        ("jpeg", pictures.resize_jpeg_header(FILES["jpeg"], 4000, 4000)),
        ("progressive jpeg", pictures.resize_jpeg_header(FILES["progressive jpeg"], 4000, 4000)),
        ("gif", pictures.gif_header(4000, 4000) + pictures.gif_frame(4000, 4000) + b";"),
    ],
    ids=["png", "png of 20 rows", "interlaced png", "jpeg", "progressive jpeg", "gif"],
)
def test_row_37_a_header_without_its_data_costs_no_memory(name: str, data: bytes) -> None:
    code, grown = pictures.measure(data, warm=FILES[name])
    assert code in ("image_cut_off", "unreadable_image")
    assert grown < 8


def test_row_37_a_webp_header_without_its_data_is_refused() -> None:
    # A flat lossless WebP of any size takes a dozen bytes, so its length tells nothing beforehand.
    assert refuse(pictures.riff((b"VP8L", b"\x2f" + struct.pack("<L", 3999 | 3999 << 14)))) == "unreadable_image"


def test_row_37_the_measurement_sees_a_picture_that_is_really_there() -> None:
    code, grown = pictures.measure(encode(Pillow.new("RGB", (4000, 4000)), "PNG"), warm=FILES["png"])
    assert code == "decoded"
    assert grown > 48


def _text(kind: bytes, text: bytes) -> bytes:
    packed = zlib.compress(text, 9)
    return chunk(kind, b"k\0\0" + packed if kind == b"zTXt" else b"k\0\1\0de\0Wort\0" + packed)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
@pytest.mark.parametrize("text", [[bytes(100_000_000)], [bytes(900_000)] * 6, [b"\xff" * 900_000] * 6])
@pytest.mark.parametrize("place", ["before", "after"])
def test_row_38_text_that_swells_is_refused(kind: bytes, text: list[bytes], place: str) -> None:
    rows = pictures.plain_rows(SCENE.reshape(48, -1))
    bomb = b"".join(_text(kind, part) for part in text)
    assert refuse(png(64, 48, 8, 2, rows, **{place: bomb})) == "text_too_large"


def test_row_38_a_text_bomb_is_never_unpacked_whole() -> None:
    rows = pictures.plain_rows(SCENE.reshape(48, -1))
    bomb = png(64, 48, 8, 2, rows, before=_text(b"zTXt", bytes(300_000_000)))
    code, grown = pictures.measure(bomb, warm=FILES["png"])
    assert code == "text_too_large"
    assert grown < 16


def test_row_38_an_exif_block_that_swells_is_never_read() -> None:
    bomb = pictures.exif_bomb()
    assert len(bomb) < 70_000
    code, grown = pictures.measure(bomb, warm=FILES["jpeg"])
    assert code == "decoded"
    assert grown < 8


def test_row_38_the_exif_of_an_avif_never_reaches_the_decoder() -> None:
    block = pictures.exif([(tag, 1, 20_000, 8) for tag in range(0x0200, 0x0200 + 1500)]).ljust(21_000, b"\0")
    code, grown = pictures.measure(encode(SCENE, "AVIF", exif=block), warm=FILES["avif"])
    assert code == "decoded"
    assert grown < 8


@pytest.mark.parametrize(
    "error",
    [
        SyntaxError,
        struct.error,
        OverflowError,
        MemoryError,
        zlib.error,
        ValueError,
        RecursionError,
        OSError,
        EOFError,
        IndexError,
        TypeError,
        AttributeError,
        AssertionError,
        NotImplementedError,
        PIL.UnidentifiedImageError,
    ],
)
def test_row_38_every_exception_of_a_decoder_means_a_damaged_picture(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setattr(Pillow, "open", _raiser(error("inside the decoder")))
    assert refuse(FILES["png"]) == "unreadable_image"


def test_a_programmer_pressing_stop_is_no_damaged_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pillow, "open", _raiser(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        decode(FILES["png"], SETTINGS)


def _raiser(error: BaseException):  # type: ignore[no-untyped-def]
    def raise_(*_: object, **__: object) -> None:
        raise error

    return raise_


def test_row_38_a_progressive_jpeg_of_endless_passes_is_refused() -> None:
    data = FILES["progressive jpeg"]
    last = data[data.rindex(b"\xff\xda") : -2]
    scans = data.count(b"\xff\xda")
    decode(data[:-2] + last * (MAX_JPEG_SCANS - scans) + EOI, SETTINGS)
    assert refuse(data[:-2] + last * (MAX_JPEG_SCANS - scans + 1) + EOI) == "too_many_scans"


def test_row_38_a_jpeg_of_endless_segments_is_refused() -> None:
    empty = pictures.jpeg_segment(0xE5, b"")
    decode(pictures.with_segments(FILES["jpeg"], empty * 5000), SETTINGS)
    assert refuse(pictures.with_segments(FILES["jpeg"], empty * 10_000)) == "unreadable_image"


def test_row_38_a_gif_comment_never_reaches_the_decoder() -> None:
    # The decoder joins the blocks of a comment one by one: 20 MB of them would take it minutes.
    data, at = FILES["gif"], 13 + 3 * 64
    assert data[at : at + 1] in (b"!", b",")
    long = data[:at] + b"!\xfe" + b"\x01a" * 1_000_000 + b"\0" + data[at:]
    assert len(unpack(long).picture) <= len(data)
    np.testing.assert_array_equal(decode(long, SETTINGS).pixels, SCENE)


def test_row_39_of_ten_thousand_frames_the_first_is_taken() -> None:
    data = FILES["gif"]
    frames = data[:-1] + pictures.gif_frame(1, 1) * 9_999 + b";"
    image = decode(frames, SETTINGS)
    assert image.frames == 10_000
    np.testing.assert_array_equal(image.pixels, SCENE)


def _ten_thousand_png_frames() -> bytes:
    control = struct.pack(">LLLLLHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0)
    speck = struct.pack(">LLLLLHHBB", 1, 1, 1, 0, 0, 1, 10, 0, 0)
    more = (chunk(b"fcTL", speck) + chunk(b"fdAT", struct.pack(">L", 2) + zlib.compress(bytes(4)))) * 9_999
    rows = pictures.plain_rows(SCENE.reshape(48, -1))
    start = chunk(b"acTL", struct.pack(">LL", 10_000, 0)) + chunk(b"fcTL", control)
    return png(64, 48, 8, 2, rows, before=start, after=more)


def _ten_thousand_webp_frames() -> bytes:
    def frame(pixels: np.ndarray) -> tuple[bytes, bytes]:
        still = encode(pixels, "WEBP", lossless=True)
        height, width, _ = pixels.shape
        place = bytes(6) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + b"\x64\0\0\0"
        return b"ANMF", place + still[12:]

    canvas = bytes([2, 0, 0, 0]) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    specks = [frame(np.zeros((1, 1, 3), np.uint8))] * 9_999
    return pictures.riff((b"VP8X", canvas), (b"ANIM", bytes(6)), frame(SCENE), *specks)


@pytest.mark.parametrize("make", [_ten_thousand_png_frames, _ten_thousand_webp_frames], ids=["apng", "webp"])
def test_row_39_of_ten_thousand_frames_in_other_formats_the_first_is_taken(make: Callable[[], bytes]) -> None:
    image = decode(make(), SETTINGS)
    assert image.frames == 10_000
    np.testing.assert_array_equal(image.pixels, SCENE)


@pytest.mark.parametrize("name", ANIMATED)
def test_row_39_frames_times_area_is_capped(name: str) -> None:
    area = 64 * 48
    assert decode(FILES[name], Settings(max_animation_pixels=3 * area)).frames == 3
    assert refuse(FILES[name], Settings(max_animation_pixels=3 * area - 1)) == "animation_too_long"


def test_row_39_an_avif_sequence_is_capped_too() -> None:
    image = Pillow.fromarray(SCENE)
    data = encode(image, "AVIF", save_all=True, append_images=[ImageOps.invert(image)])
    assert decode(data, SETTINGS).frames == 2
    assert refuse(data, Settings(max_animation_pixels=2 * 64 * 48 - 1)) == "animation_too_long"


def test_row_39_a_still_is_not_an_animation() -> None:
    assert decode(FILES["png"], Settings(max_animation_pixels=1)).frames == 1


def test_row_39_the_picture_that_a_browser_never_shows_is_not_the_one_judged() -> None:
    shown = scene(colours=9)
    image = decode(pictures.still_before_animation(SCENE, shown), SETTINGS)
    assert image.frames == 1
    np.testing.assert_array_equal(image.pixels, shown)


def test_row_39_an_animation_that_is_announced_too_late_is_not_played() -> None:
    data = pictures.still_before_animation(SCENE, scene(colours=9))
    announcement = chunk(b"acTL", struct.pack(">LL", 1, 0))
    late = data.replace(announcement, b"").replace(b"\0\0\0\x1afcTL", announcement + b"\0\0\0\x1afcTL")
    assert len(late) == len(data)
    np.testing.assert_array_equal(decode(late, SETTINGS).pixels, SCENE)


def test_row_39_a_claim_of_frames_that_are_not_there_is_not_believed() -> None:
    rows = pictures.plain_rows(SCENE.reshape(48, -1))
    claimed = png(64, 48, 8, 2, rows, before=chunk(b"acTL", struct.pack(">LL", 2_000_000_000, 0)))
    assert decode(claimed, SETTINGS).frames == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_row_40_every_orientation_is_undone(orientation: int, order: str, kind: str) -> None:
    block = pictures.exif([(0x010F, 3, 1, 7), (0x0112, 3, 1, orientation)], order)
    data = encode(SCENE, kind, exif=block, lossless=True, quality=95)
    expected = ImageOps.exif_transpose(Pillow.open(io.BytesIO(data)))
    pixels = decode(data, SETTINGS).pixels
    np.testing.assert_array_equal(pixels, np.asarray(expected.convert("RGB")))
    assert pixels.shape == ((64, 48, 3) if orientation > 4 else SCENE.shape)
    assert pixels.flags.c_contiguous
    assert not pixels.flags.writeable


def test_row_40_a_telephone_held_upright_gives_an_upright_picture() -> None:
    # Orientation 6: the first stored row is the right edge of the picture.
    data = encode(SCENE, "PNG", exif=pictures.exif([(0x0112, 3, 1, 6)]))
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels[:, -1], SCENE[0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_row_40_an_avif_is_turned_by_its_own_properties(orientation: int) -> None:
    block = Pillow.Exif()
    block[0x0112] = orientation
    options = {"quality": 100, "subsampling": "4:4:4"}
    data = encode(SCENE, "AVIF", exif=block, **options)
    upright = ImageOps.exif_transpose(Pillow.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, np.asarray(upright))


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0XX*\0\x08\0\0\0\1\0",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\1",
        pictures.exif([(0x0112, 3, 1, 0)]),
        pictures.exif([(0x0112, 3, 1, 9)]),
        pictures.exif([(0x0112, 4, 1, 6)]),
        pictures.exif([(0x0112, 2, 9_000_000, 6)]),
        b"junk" * 100,
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_row_40_broken_exif_is_ignored(block: bytes, kind: str) -> None:
    plain = encode(SCENE, kind, lossless=True)
    if kind == "JPEG":
        data = pictures.with_segments(plain, pictures.jpeg_segment(0xE1, b"Exif\0\0" + block.removeprefix(b"Exif\0\0")))
    elif kind == "PNG":
        data = plain[:33] + chunk(b"eXIf", block) + plain[33:]
    else:
        canvas = bytes([8, 0, 0, 0]) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
        data = pictures.riff((b"VP8X", canvas), (plain[12:16], plain[20:]), (b"EXIF", block))
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, decode(plain, SETTINGS).pixels)


def _greys(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples [48, 64] of a depth below 8, and their rows packed as a PNG stores them."""
    samples = (scene()[..., 0] >> (8 - depth)).astype(np.uint8)
    bits = np.unpackbits(samples[..., None], axis=2)[..., 8 - depth :]
    return samples, np.packbits(bits.reshape(48, -1), axis=1)


GREY = np.asarray(Pillow.fromarray(SCENE).convert("L"))
BLACK_AND_WHITE = np.where(GREY > 127, 255, 0).astype(np.uint8)
ONE_BIT = Pillow.fromarray(BLACK_AND_WHITE).convert("1")
OPAQUE = Pillow.fromarray(SCENE).convert("RGBA")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encode(Pillow.fromarray(SCENE).quantize(64), "PNG"), SCENE, id="palette png"),
        pytest.param(encode(Pillow.fromarray(SCENE).quantize(64), "GIF"), SCENE, id="palette gif"),
        pytest.param(encode(OPAQUE, "PNG"), SCENE, id="opaque rgba png"),
        pytest.param(encode(OPAQUE, "WEBP", lossless=True), SCENE, id="opaque rgba webp"),
        pytest.param(encode(GREY, "PNG"), stretch(GREY), id="grey png"),
        pytest.param(encode(GREY, "GIF"), stretch(GREY), id="grey gif"),
        pytest.param(encode(Pillow.fromarray(GREY).convert("LA"), "PNG"), stretch(GREY), id="grey and alpha png"),
        pytest.param(
            encode(Pillow.fromarray(BLACK_AND_WHITE).convert("1"), "PNG"),
            stretch(BLACK_AND_WHITE),
            id="1-bit png",
        ),
        pytest.param(png(64, 48, 2, 0, pictures.plain_rows(_greys(2)[1])), stretch(_greys(2)[0] * 85), id="2-bit png"),
        pytest.param(png(64, 48, 4, 0, pictures.plain_rows(_greys(4)[1])), stretch(_greys(4)[0] * 17), id="4-bit png"),
    ],
)
def test_row_41_a_picture_and_its_rgb_twin_give_the_same_pixels(data: bytes, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, expected)
    np.testing.assert_array_equal(decode(encode(expected, "PNG"), SETTINGS).pixels, expected)


def test_row_41_a_grey_jpeg_gives_three_equal_channels() -> None:
    pixels = decode(encode(GREY, "JPEG", quality=95), SETTINGS).pixels
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert np.abs(pixels[..., 0].astype(int) - GREY).mean() < 8


COLOURS = [(255, 255, 255), (0, 0, 0), (220, 30, 40), (20, 160, 60), (30, 60, 200), (224, 172, 138)]


def _cmyk(colour: tuple[int, int, int], *, ycck: bool = False, adobe: bool = True) -> bytes:
    """A flat CMYK JPEG of one colour, its inks inverted as Adobe writes them."""
    inks = tuple(255 - value for value in colour)
    if ycck:
        # Stored is the YCbCr of the inks; Pillow, which knows of CMYK only, inverts what it writes.
        converted = Pillow.new("RGB", (1, 1), inks).convert("YCbCr").tobytes()
        inks = tuple(255 - value for value in converted)
    data = encode(Pillow.new("CMYK", (64, 48), (*inks, 0)), "JPEG", quality=100)
    at = data.index(b"Adobe")
    if not adobe:
        return data[: at - 4] + data[at + 12 :]
    return data[: at + 11] + (b"\2" if ycck else b"\0") + data[at + 12 :]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("options", [{}, {"ycck": True}, {"adobe": False}], ids=["cmyk", "ycck", "no marker"])
def test_row_41_cmyk_gives_the_colours_of_its_rgb_twin(colour: tuple[int, int, int], options: dict[str, bool]) -> None:
    data = _cmyk(colour, **options)
    pixels = decode(data, SETTINGS).pixels.astype(int)
    assert np.abs(pixels - colour).max() <= 4
    other_reader = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(pixels - other_reader).max() <= 4


def test_row_41_black_ink_darkens() -> None:
    image = Pillow.new("CMYK", (64, 48), (0, 0, 0, 155))
    assert np.abs(decode(encode(image, "JPEG", quality=100), SETTINGS).pixels.astype(int) - 100).max() <= 2


def _see_through(kind: str) -> bytes:
    """SCENE with its left half transparent."""
    alpha = np.full((48, 64), 255, dtype=np.uint8)
    alpha[:, :32] = 0
    image = Pillow.fromarray(np.dstack([SCENE, alpha]))
    if kind in ("palette", "GIF"):
        indexed = Pillow.fromarray(SCENE).quantize(64)
        indexed.putpalette([*(indexed.getpalette() or [])[: 64 * 3], 90, 90, 90])
        indexed.paste(64, (0, 0, 32, 48))
        return encode(indexed, "GIF" if kind == "GIF" else "PNG", transparency=64)
    return encode(image, kind, lossless=True, exact=True)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "palette", "GIF"])
def test_row_42_what_is_transparent_is_white(kind: str) -> None:
    pixels = decode(_see_through(kind), SETTINGS).pixels
    assert (pixels[:, :32] == 255).all()
    np.testing.assert_array_equal(pixels[:, 32:], SCENE[:, 32:])


def test_row_42_a_picture_that_is_all_transparent_hides_nothing() -> None:
    hidden = np.dstack([SCENE, np.zeros((48, 64), dtype=np.uint8)])
    assert (decode(encode(hidden, "PNG"), SETTINGS).pixels == 255).all()


def test_row_42_half_transparent_pixels_are_mixed() -> None:
    half = np.dstack([SCENE, np.full((48, 64), 128, dtype=np.uint8)])
    mixed = np.round(SCENE * (128 / 255) + 255 * (127 / 255))
    assert np.abs(decode(encode(half, "PNG"), SETTINGS).pixels - mixed).max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_row_42_one_transparent_grey_is_white_at_every_depth(depth: int) -> None:
    if depth < 8:
        samples, rows = _greys(depth)
        shown = samples * (255 // ((1 << depth) - 1))
    else:
        samples = GREY.astype(np.uint16) * (257 if depth == 16 else 1)
        rows, shown = samples.astype(f">u{depth // 8}").view(np.uint8).reshape(48, -1), GREY
    key = int(samples[20, 20])
    data = png(64, 48, depth, 0, pictures.plain_rows(rows), before=chunk(b"tRNS", struct.pack(">H", key)))
    expected = np.where(samples == key, 255, shown)
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, stretch(expected))


@pytest.mark.parametrize("depth", [8, 16])
def test_row_42_one_transparent_colour_hits_no_other(depth: int) -> None:
    key = [int(value) for value in SCENE[20, 20]]
    samples = SCENE if depth == 8 else SCENE.astype(">u2") * 256 + 7
    rows = pictures.plain_rows(samples.astype(f">u{depth // 8}").view(np.uint8).reshape(48, -1))
    data = png(64, 48, depth, 2, rows, before=chunk(b"tRNS", struct.pack(">HHH", *key)))
    same = (SCENE[20, 20] == SCENE).all(axis=2, keepdims=True)
    expected = np.where(same, 255, SCENE) if depth == 8 else SCENE
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, expected)


@pytest.mark.parametrize("low", [0, 0x7F, 0xFF])
def test_row_43_sixteen_bit_grey_is_scaled_and_not_clipped(low: int) -> None:
    samples = (GREY.astype(">u2") * 256 + low).astype(">u2")
    data = png(64, 48, 16, 0, pictures.plain_rows(samples.view(np.uint8).reshape(48, -1)))
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, stretch(GREY))


@pytest.mark.parametrize("alpha", [False, True])
def test_row_43_sixteen_bit_colour_is_scaled(alpha: bool) -> None:
    planes = np.dstack([SCENE, np.full((48, 64), 255, dtype=np.uint8)]) if alpha else SCENE
    samples = (planes.astype(">u2") * 257).astype(">u2")
    data = png(64, 48, 16, 6 if alpha else 2, pictures.plain_rows(samples.view(np.uint8).reshape(48, -1)))
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, SCENE)


def test_row_44_decoders_are_newer_than_their_known_holes() -> None:
    def version(name: str) -> tuple[int, ...]:
        return tuple(int(part) for part in (features.version(name) or "0").split("."))

    assert version("webp") >= (1, 3, 2)  # CVE-2023-4863
    assert version("avif") >= (1, 3, 0)  # CVE-2025-48174
    assert tuple(int(part) for part in PIL.__version__.split(".")[:2]) >= (11, 3)  # CVE-2025-48379


PLACE = st.floats(0, 1, exclude_max=True)  # along a file
SMALL = pictures.every_format(scene(32, 32, 8))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(SMALL)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.none() | PLACE,
    doubled=st.none() | st.tuples(PLACE, PLACE),
)
def test_row_44_mutated_files_decode_or_are_refused(
    name: str,
    changes: list[tuple[float, int]],
    cut: float | None,
    doubled: tuple[float, float] | None,
) -> None:
    data = bytearray(SMALL[name])
    for place, value in changes:
        data[int(place * len(data))] = value
    if doubled:
        first, last = sorted(int(place * len(data)) for place in doubled)
        data[last:last] = data[first:last]
    if cut is not None:
        del data[int(cut * len(data)) :]
    try:
        image = decode(bytes(data), Settings(max_pixels=1_000_000))
    except UnmaskError as error:
        assert error.status in (415, 422)
    else:
        assert isinstance(image, Image)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.ndim == 3
        assert min(image.pixels.shape[:2]) >= 32


@pytest.mark.parametrize("depth", [0, 3, 5, 32, 255])
@pytest.mark.parametrize("colour", [0, 1, 2, 3, 4, 6, 255])
def test_a_png_of_samples_that_do_not_exist_is_damage(depth: int, colour: int) -> None:
    data = png(64, 48, depth, colour, bytes(1_000_000), before=chunk(b"tRNS", bytes(6)))
    assert refuse(data) == "unreadable_image"


def test_a_wrong_sum_over_the_pixels_is_damage() -> None:
    data = bytearray(FILES["png"])
    data[-13] ^= 1
    assert refuse(bytes(data)) == "unreadable_image"


@pytest.mark.parametrize(
    "profile",
    [b"", b"icc", b"icc\0\0junk", b"icc\0\x09junk", b"icc\0\0" + zlib.compress(bytes(30_000_000))],
    ids=["empty", "no method", "junk", "unknown method", "30 MB"],
)
def test_a_png_with_a_broken_colour_profile_opens(profile: bytes) -> None:
    rows = pictures.plain_rows(SCENE.reshape(48, -1))
    data = png(64, 48, 8, 2, rows, before=chunk(b"iCCP", profile))
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, SCENE)


@pytest.mark.parametrize(
    "segment",
    [
        pictures.jpeg_segment(0xE2, b"ICC_PROFILE\0\1\2junk"),
        pictures.jpeg_segment(0xE2, b"ICC_PROFILE\0"),
        pictures.jpeg_segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
        pictures.jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0"),
        pictures.jpeg_segment(0xFE, b"a comment"),
        b"\xff\xff\xff" + pictures.jpeg_segment(0xE9, b"after fill bytes"),
    ],
)
def test_metadata_of_a_jpeg_never_reaches_the_decoder(segment: bytes) -> None:
    data = pictures.with_segments(FILES["jpeg"], segment)
    assert unpack(data).picture == unpack(FILES["jpeg"]).picture
    assert decode(data, SETTINGS).frames == 1


def test_a_telephones_multi_picture_file_is_its_first_picture() -> None:
    first, second = Pillow.fromarray(SCENE), Pillow.fromarray(scene(colours=9))
    data = encode(first, "MPO", save_all=True, append_images=[second])
    image = decode(data, SETTINGS)
    assert (image.format, image.frames) == ("jpeg", 1)
    assert np.abs(image.pixels.mean(axis=2) - SCENE.mean(axis=2)).mean() < 15


def test_nothing_of_a_picture_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "secret-word")
    caplog.set_level(logging.DEBUG)
    data = encode(SCENE, "PNG", pnginfo=info, icc_profile=b"secret-word")
    decode(data, SETTINGS)
    refuse(data[:-20])
    assert "secret-word" not in caplog.text


def test_every_refusal_has_a_sentence_of_its_own() -> None:
    tiny, strip = Pillow.new("RGB", (8, 8)), Pillow.new("RGB", (32, 900))
    cases = [
        (b"", SETTINGS),
        (FILES["png"][:-20], SETTINGS),
        (encode(tiny, "PNG"), SETTINGS),
        (encode(strip, "PNG"), SETTINGS),
        (FILES["png"], Settings(max_pixels=100)),
        (FILES["animated gif"], Settings(max_animation_pixels=100)),
        (FILES["png"][:60] + b"??" + FILES["png"][62:], SETTINGS),
        (b"text", SETTINGS),
        (FILES["png"], Settings(max_bytes=10)),
    ]
    errors = []
    for data, limits in cases:
        with pytest.raises(UnmaskError) as caught:
            decode(data, limits)
        errors.append(caught.value)
    assert len({error.code for error in errors}) == len(cases)
    assert len({error.message for error in errors}) == len(cases)


def test_a_picture_is_light_by_what_it_claims(encode: Callable[..., bytes]) -> None:
    assert is_light(encode(size=(300, 200)))
    assert is_light(encode(size=(300, 200), format="JPEG"))
    assert not is_light(encode(size=(3100, 3000)))
    for data in (b"", b"GIF89a", b"no picture"):
        assert not is_light(data)

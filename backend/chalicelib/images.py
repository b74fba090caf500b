"""Untrusted bytes → RGB array: the only place where a picture is decoded.

What the file claims is judged before the decoder allocates anything; what the decoder says is judged again.
Colour profiles are ignored, in training and serving alike, so a picture in a wide gamut comes out a little
paler than a colour-managed browser shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import NoReturn

import numpy as np
from PIL import Image as Pillow
from PIL import features

from chalicelib.containers import MAX_BLOCK, Block, cut_off, damaged, unpack, verify
from chalicelib.errors import TooLarge, UnmaskError, UnreadableImage, UnsupportedMedia
from chalicelib.exif import read_orientation
from chalicelib.settings import Settings

# What shows through transparent pixels: the page behind a picture is most often white, and what a person
# sees is what gets judged, not what the file hides.
BACKGROUND = (255, 255, 255)
# Their decoders take 16 to 20 bytes a pixel where others take 4, so they may be half as large.
HEAVY = frozenset({"webp", "avif"})
# Pixels of a frame of 4K, which takes some 40 MB until it is RGB.
LIGHT = 9_000_000
# Rows that are converted at a time: every conversion is a copy, of 160 MB at the largest picture that is let in.
STRIP = 256


@dataclass(frozen=True, slots=True)
class Image:
    """A decoded picture.

    Attributes:
        pixels: uint8 RGB [height, width, 3], C-contiguous, upright, read-only.
        format: "jpeg", "png", "webp", "gif" or "avif".
        frames: frames that the file holds, 1 for a still; `pixels` is the first.
        blocks: metadata that may tell how the picture came about; see `Container`.
    """

    pixels: np.ndarray
    format: str
    frames: int
    blocks: tuple[Block, ...] = ()


def decode(data: bytes, settings: Settings) -> Image:
    """Decode a picture that a stranger sent.

    The first frame of an animation is taken, EXIF orientation is applied, transparency is laid on white,
    16-bit samples are divided by 256, and CMYK is taken as inverted, as browsers do.

    Args:
        data: the whole file, in any of the formats above.
        settings: `max_bytes`, `max_pixels`, `min_side`, `max_aspect` and `max_animation_pixels` apply.

    Raises:
        TooLarge: more bytes than `max_bytes`.
        UnsupportedMedia: the first bytes are of no format that we open.
        UnreadableImage: everything else, with a code that tells the cases apart: `image_empty`,
            `image_cut_off`, `image_too_small`, `image_too_large`, `image_too_narrow`, `animation_too_long`,
            `text_too_large`, `too_many_scans` and, for damage of any other kind, `unreadable_image`.
    """
    if len(data) > settings.max_bytes:
        raise TooLarge(
            f"The file has {len(data) / 1e6:.1f} MB; at most {settings.max_bytes / 1e6:.1f} MB are accepted."
        )
    if not data:
        raise UnreadableImage("The file is empty.", code="image_empty")
    container = unpack(data)
    if container.format == "avif" and not features.check("avif"):
        raise UnsupportedMedia("AVIF pictures cannot be opened here; JPEG, PNG, WebP and GIF pictures can.")
    if container.size is not None:
        _judge(container.size, container.frames or 1, container.format, settings)
    verify(container)
    blocks = container.blocks
    try:
        with Pillow.open(BytesIO(container.picture), formats=[container.format.upper()]) as opened:
            frames = container.frames or int(getattr(opened, "n_frames", 1))
            _judge(opened.size, frames, container.format, settings)
            opened.load()
            orientation = container.orientation
            if container.format == "avif":
                orientation = read_orientation(opened.info.get("exif", b""))
                if xmp := opened.info.get("xmp"):
                    blocks = (*blocks, Block("xmp", xmp[:MAX_BLOCK], whole=len(xmp) <= MAX_BLOCK))
            pixels = np.ascontiguousarray(_turn(_to_rgb(opened), orientation))
    except UnmaskError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        _refuse_area(container.format, settings)
    except Exception as error:
        # Decoders meet damage with whatever class lies nearest: SyntaxError, OverflowError, struct.error …
        raise (cut_off() if "truncated" in str(error).lower() else damaged()) from error
    pixels.setflags(write=False)
    return Image(pixels, container.format, frames, blocks)


def is_light(data: bytes) -> bool:
    """Say whether a file claims so few pixels that decoding it beside something else matters to no memory.

    Args:
        data: the whole file, of any kind; of one that is none of ours or says nothing, the answer is no.
    """
    try:
        size = unpack(data).size
    except UnmaskError:
        return False
    return size is not None and size[0] * size[1] <= LIGHT


def _judge(size: tuple[int, int], frames: int, format: str, settings: Settings) -> None:
    """Refuse a picture for what it claims to be, before it is decoded."""
    width, height = size
    if min(size) < settings.min_side:
        raise UnreadableImage(
            f"The picture is {width} × {height} pixels; each side needs at least {settings.min_side}.",
            code="image_too_small",
        )
    if width * height > _most_pixels(format, settings):
        _refuse_area(format, settings)
    if max(size) > settings.max_aspect * min(size):
        raise UnreadableImage(
            f"The picture is {width} × {height} pixels, too long and thin to hold a face.",
            code="image_too_narrow",
        )
    if frames > 1 and frames * width * height > settings.max_animation_pixels:
        raise UnreadableImage(
            f"The animation has {frames} frames of {width} × {height} pixels, more than can be read.",
            code="animation_too_long",
        )


def _most_pixels(format: str, settings: Settings) -> int:
    return settings.max_pixels // (2 if format in HEAVY else 1)


def _refuse_area(format: str, settings: Settings) -> NoReturn:
    most = _most_pixels(format, settings) / 1e6
    raise UnreadableImage(
        f"The picture has more than {most:g} million pixels, the most that can be read.", code="image_too_large"
    )


def _to_rgb(image: Pillow.Image) -> np.ndarray:
    """Return uint8 RGB [H, W, 3] of a loaded picture of any mode."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    # Asked of the whole picture: of a palette it looks at every pixel.
    see_through = image.has_transparency_data
    for top in range(0, height, STRIP):
        strip = image.crop((0, top, width, min(top + STRIP, height)))
        pixels[top : top + STRIP] = _convert(strip, see_through)
    return pixels


def _convert(image: Pillow.Image, see_through: bool) -> np.ndarray:
    if image.mode == "I;16":
        # Pillow's own conversion clips at 255 and turns nearly everything white.
        samples = np.asarray(image)
        grey = (samples >> 8).astype(np.uint8)
        grey[samples == image.info.get("transparency", -1)] = BACKGROUND[0]
        return np.repeat(grey[..., None], 3, axis=2)
    if see_through:
        layer = image.convert("RGBA")
        canvas = Pillow.new("RGB", image.size, BACKGROUND)
        canvas.paste(layer, mask=layer.getchannel("A"))
        return np.asarray(canvas)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation: [H, W, 3] as stored → upright."""
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    return pixels.swapaxes(0, 1) if orientation >= 5 else pixels

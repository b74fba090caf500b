"""A contact sheet of forgeries: what was made, and where, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from chalicelib.faces import resize_square
from training.forgeries.mix import Forgery

# Side of a picture and height of a line of text, px.
TILE = 192
LINE = 16
GAP = 12
# A difference is shown this many times as large, round middle grey.
GAIN = 4
# Beside each other: what one forgery shows, and forgeries.
TITLES = ("real", "fake", "mask", f"difference x{GAIN}")
ACROSS = 2


def draw_sheet(forgeries: Sequence[Forgery], title: str) -> Image.Image:
    """Draw forgeries in rows of real, fake, mask and difference, each with its kind and what was drawn for it.

    Args:
        forgeries: at least one.
        title: a line above all.

    Raises:
        ValueError: there is none.
    """
    if not forgeries:
        raise ValueError("a sheet needs at least one forgery")
    across = min(ACROSS, len(forgeries))
    down = -(-len(forgeries) // across)
    width, height = len(TITLES) * TILE + GAP, TILE + 2 * LINE + GAP
    sheet = Image.new("RGB", (across * width + GAP, 3 * LINE + down * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    pen.text((GAP, 2), title, "black", font)
    for column in range(across):
        for place, name in enumerate(TITLES):
            pen.text((GAP + column * width + place * TILE, LINE + 8), name, "black", font)
    for index, forgery in enumerate(forgeries):
        left, top = GAP + index % across * width, 3 * LINE + index // across * height
        for place, tile in enumerate(tiles(forgery)):
            sheet.paste(Image.fromarray(resize_square(tile, TILE)), (left + place * TILE, top))
        for line, text in enumerate(caption(forgery)):
            pen.text((left, top + TILE + line * LINE), text, "black", font)
    return sheet


def tiles(forgery: Forgery) -> list[np.ndarray]:
    """Return real, fake, mask and difference, uint8 RGB [s, s, 3] each."""
    pair = forgery.pair
    mask = np.repeat(np.round(np.clip(pair.mask, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    difference = 128 + GAIN * (pair.fake.astype(int) - pair.real)
    return [pair.real, pair.fake, mask, np.clip(difference, 0, 255).astype(np.uint8)]


def caption(forgery: Forgery) -> tuple[str, str]:
    """Return two lines: the kind with its parameters, and the photos."""
    names = [sample.path for sample in (forgery.sample, forgery.partner) if sample]
    return f"{forgery.kind}: {forgery.pair.about}", " <- ".join(names)

"""A contact sheet: pictures beside each other in rows, each row with lines of text, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from chalicelib.faces import resize_square

# Side of a picture and height of a line of text, px.
TILE = 192
LINE = 16
GAP = 12
# Rows beside each other.
ACROSS = 2

# Pictures uint8 RGB [s, s, 3], as many as there are titles, and two lines of text.
Row = tuple[Sequence[np.ndarray], Sequence[str]]


def draw_contact_sheet(rows: Sequence[Row], titles: Sequence[str], title: str) -> Image.Image:
    """Draw rows of pictures, each with its lines below.

    Args:
        rows: at least one.
        titles: of the pictures of every row.
        title: a line above all.
    """
    across = min(ACROSS, len(rows))
    down = -(-len(rows) // across)
    width, height = len(titles) * TILE + GAP, TILE + 2 * LINE + GAP
    sheet = Image.new("RGB", (across * width + GAP, 3 * LINE + down * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    pen.text((GAP, 2), title, "black", font)
    for column in range(across):
        for place, name in enumerate(titles):
            pen.text((GAP + column * width + place * TILE, LINE + 8), name, "black", font)
    for index, (tiles, lines) in enumerate(rows):
        left, top = GAP + index % across * width, 3 * LINE + index // across * height
        for place, tile in enumerate(tiles):
            sheet.paste(Image.fromarray(resize_square(tile, TILE)), (left + place * TILE, top))
        for line, text in enumerate(lines):
            pen.text((left, top + TILE + line * LINE), text, "black", font)
    return sheet

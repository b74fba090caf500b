"""A contact sheet of forgeries: what was made, and where, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from training.contact_sheet import draw_contact_sheet
from training.forgeries.mix import Forgery

# A difference is shown this many times as large, round middle grey.
GAIN = 4
# What one forgery shows, beside each other.
TITLES = ("real", "fake", "mask", f"difference x{GAIN}")


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
    return draw_contact_sheet([(tiles(forgery), caption(forgery)) for forgery in forgeries], TITLES, title)


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

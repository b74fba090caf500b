"""What a picture may have gone through on its way to us, drawn alike for real and fake.

No function here knows a label: a network can only learn from a degradation that tells the classes apart,
and none does. Collections differ in sharpness and compression before they differ in anything else, so every
crop is brought to a resolution from one range and is recompressed by one rule, whatever its source.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from chalicelib.faces import crop_square, resize_square
from training.posting import post

# The margin that serving uses is 0.3. The range is wide because many collections are framed more tightly than
# that: how much surroundings a crop shows must not tell which collection it is from.
MARGINS = (0.05, 0.35)
# Shift of the crop's centre, as a fraction of the box's larger side.
SHIFT = 0.05
# Resolution that a crop is brought to before the network's own, px, drawn evenly.
RESOLUTIONS = (56, 273)
# How often the surroundings of a head are blurred, as by a wide aperture, or plain, as in a studio: many generators
# draw them so and few of the photos that can be had for training do.
PLAIN = 0.15
# How often a view keeps its own resolution and is hardly touched, where nothing else is said, and the quality that it
# may be saved at.
FINE = 0.4
FINE_QUALITIES = (75, 99)
# How often a head is tilted and stretched, by how much at most, degrees and as a fraction.
TILTED = 0.25
TILT = 8.0
STRETCH = 0.06
# Semi-axes of the ellipse that stands for the head, and half the width of the shoulders, in widths of the face.
HEAD = (0.66, 0.9)
SHOULDERS = 1.05
# JPEG and WebP quality.
QUALITIES = (30, 96)
# What the source projects draw: turn, degrees; zoom and shift, as fractions of the side; brightness, as a factor's
# distance from 1.
TURN = 15.0
ZOOM = 0.15
MOVE = 0.1
BRIGHTNESS = 0.2
# How much each of red, green and blue counts in the grey of a pixel (ITU-R BT.601).
GREY = (0.299, 0.587, 0.114)

DOWN_FILTERS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def augment(
    pixels: np.ndarray,
    box: tuple[float, float, float, float],
    side: int,
    rng: np.random.Generator,
    fine: float = FINE,
    posted: float = 0.0,
) -> np.ndarray:
    """Draw one training view of a face.

    Args:
        pixels: uint8 RGB [H, W, 3], the upright picture.
        box: x, y, width, height of the face, px.
        side: the network's side, px.
        rng: the only source of chance; the same state gives the same view.
        fine: how often the view is hardly touched, 0 to 1.
        posted: how often it comes through social networks and messengers instead, 0 to 1; see `training.posting`.

    Returns:
        uint8 RGB [side, side, 3].
    """
    return render(pixels, draw_framing(box, pixels.shape, rng), side, rng, fine, posted)


@dataclass(frozen=True, slots=True)
class Framing:
    """Which part of a picture a view shows, and how it lies in it.

    Attributes:
        square: left, top and side of what is cut out, px.
        box: x, y, width, height of the face in it, px.
        turn: affine matrix float [2, 3] from the cut to what is seen, px; None where it stays as it is.
        mirrored: whether left and right change places, after the turn.
    """

    square: tuple[int, int, int]
    box: tuple[float, float, float, float]
    turn: np.ndarray | None
    mirrored: bool

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Cut this part out of a picture or of a mask of its size; [H, W, …] to [s, s, …]."""
        left, top, side = self.square
        cut = pixels[top : top + side, left : left + side]
        if self.turn is not None:
            cut = cv2.warpAffine(cut, self.turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
        return cv2.flip(cut, 1) if self.mirrored else cut


def draw_framing(box: tuple[float, float, float, float], shape: tuple[int, ...], rng: np.random.Generator) -> Framing:
    """Draw margin, shift, mirroring and, now and then, a slight turn and stretch.

    Args:
        box: x, y, width, height of the face, px.
        shape: height, width, … of the picture, px.
        rng: the only source of chance.
    """
    x, y, width, height = box
    dx, dy = rng.uniform(-SHIFT, SHIFT, 2) * max(width, height)
    left, top, side = crop_square((x + dx, y + dy, width, height), shape, rng.uniform(*MARGINS))
    turn = None
    if rng.random() < TILTED:
        angle = np.deg2rad(rng.uniform(-TILT, TILT))
        stretch = 1 + rng.uniform(-STRETCH, STRETCH, 2)
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * stretch
        middle = np.full(2, (side - 1) / 2)
        turn = np.column_stack([turned, middle - turned @ middle])
    return Framing((left, top, side), (x - left, y - top, width, height), turn, bool(rng.random() < 0.5))


def render(
    pixels: np.ndarray,
    framing: Framing,
    side: int,
    rng: np.random.Generator,
    fine: float = FINE,
    posted: float = 0.0,
) -> np.ndarray:
    """Cut a part out of a picture and let it go through what pictures go through.

    Now and then what lies around the head is blurred or made plain.

    Args:
        pixels: uint8 RGB [H, W, 3].
        framing: the part.
        side: the network's side, px.
        rng: the only source of chance.
        fine: how often the view is hardly touched, 0 to 1.
        posted: how often it comes through social networks and messengers instead, 0 to 1; see `training.posting`.

    Returns:
        uint8 RGB [side, side, 3].
    """
    crop = framing.apply(pixels)
    # A turned head would need a turned body; those few keep their surroundings.
    if rng.random() < PLAIN and framing.turn is None:
        x, y, width, height = framing.box
        seen = framing.square[2] - x - width if framing.mirrored else x
        crop = simplify_surroundings(crop, (seen, y, width, height), rng)
    # Where nothing is posted nothing is drawn for it, so that a training of before sees what it saw.
    if posted and rng.random() < posted:
        crop = post(recolour(crop, rng), rng)
    else:
        crop = polish(crop, rng) if rng.random() < fine else degrade(crop, rng)
    return resize_square(crop, side)


def simplify_surroundings(
    crop: np.ndarray, box: tuple[float, float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """Blur what lies around head and shoulders, or lay one colour or a gradient there.

    Args:
        crop: uint8 RGB [s, s, 3].
        box: x, y, width, height of the face in it, px.
        rng: the only source of chance.

    Returns:
        uint8 RGB [s, s, 3].
    """
    side = crop.shape[0]
    x, y, width, height = box
    middle, face = (x + width / 2, y + height / 2), (width + height / 2) / 2
    kept = np.zeros((side, side), np.float32)
    axes = tuple(round(half * face * rng.uniform(0.95, 1.15)) for half in HEAD)
    cv2.ellipse(kept, (round(middle[0]), round(middle[1] - 0.1 * face)), axes, 0, 0, 360, 1.0, -1)
    half = SHOULDERS * face * rng.uniform(0.85, 1.15)
    top, bottom = round(middle[1] + 0.62 * face), side
    kept[top:bottom, max(0, round(middle[0] - half)) : max(0, round(middle[0] + half))] = 1.0
    kept = _blur(kept, rng.uniform(0.01, 0.05) * side)[..., None]
    if rng.random() < 0.5:
        plain = _blur(crop, rng.uniform(0.04, 0.15) * side).astype(np.float32)
    else:
        above = rng.uniform(0, 255, 3)
        below = np.clip(above + rng.uniform(-60, 60), 0, 255) if rng.random() < 0.5 else above
        plain = np.linspace(above, below, side, dtype=np.float32)[:, None].repeat(side, axis=1)
    return np.round(kept * crop + (1 - kept) * plain).astype(np.uint8)


def _blur(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Blur widely, at a quarter of the size: nothing that fine is left anyway."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (width // 4 + 1, height // 4 + 1), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), (width, height))


def polish(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Recolour and recompress finely and no more: what a good copy has gone through; uint8 RGB [s, s, 3].

    The traces that generators leave are finer than what survives `degrade`; a network has to see them to learn them.
    """
    crop = recolour(crop, rng)
    return _encode(crop, int(rng.integers(*FINE_QUALITIES)), rng) if rng.random() < 0.5 else crop


def degrade(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Resize, recolour, blur or sharpen, add noise and recompress; uint8 RGB [s, s, 3] to [r, r, 3]."""
    resolution = int(rng.integers(*RESOLUTIONS))
    filters = DOWN_FILTERS if resolution < crop.shape[0] else _UP
    crop = cv2.resize(crop, (resolution, resolution), interpolation=int(rng.choice(filters)))
    crop = recolour(crop, rng)
    chance = rng.random()
    if chance < 0.15:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.3, 1.2))
    elif chance < 0.3:
        crop = sharpen(crop, rng)
    if rng.random() < 0.15:
        noise = np.float32(rng.uniform(1, 6)) * rng.standard_normal(crop.shape, np.float32)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        crop = recompress(crop, rng)
        if rng.random() < 0.2:
            crop = recompress(crop, rng)
    return crop


def sharpen(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sharpen a crop as cameras and editors do, by unsharp masking."""
    amount = rng.uniform(0.2, 1.0)
    soft = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.7, 2.0))
    return cv2.addWeighted(crop, 1 + amount, soft, -amount, 0)


def recolour(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw brightness, contrast and saturation, and now and then grey."""
    if rng.random() < 0.04:
        return cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.3:
        return crop
    contrast, saturation = rng.uniform(0.8, 1.2, 2)
    brightness = rng.uniform(-25, 25)
    # All of it is linear in a pixel once the mean grey is known: a matrix for the colours, and an offset.
    mean = float(np.dot(GREY, cv2.mean(crop)[:3]))
    colours = contrast * (saturation * np.eye(3) + (1 - saturation) * np.tile(GREY, (3, 1)))
    offset = (1 - contrast) * mean + brightness
    return cv2.transform(crop, np.column_stack([colours, np.full(3, offset)]))


def recompress(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Encode as JPEG (three times in four) or WebP at a drawn quality, and decode."""
    return _encode(crop, int(rng.integers(*QUALITIES)), rng)


def _encode(crop: np.ndarray, quality: int, rng: np.random.Generator) -> np.ndarray:
    return encode(crop, quality, ".jpg" if rng.random() < 3 / 4 else ".webp")


def encode(crop: np.ndarray, quality: int, suffix: str) -> np.ndarray:
    """Encode as .jpg or .webp at a quality, 0 to 100, and decode; uint8 RGB [h, w, 3]."""
    flag = cv2.IMWRITE_JPEG_QUALITY if suffix == ".jpg" else cv2.IMWRITE_WEBP_QUALITY
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [flag, quality])
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def flip(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror a crop every other time; uint8 RGB [s, s, 3]."""
    return cv2.flip(crop, 1) if rng.random() < 0.5 else crop


def change_geometry(crop: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Mirror, turn, enlarge or shrink, shift and brighten a crop, as the source projects do.

    Args:
        crop: uint8 RGB [s, s, 3].
        side: the network's side, px.
        rng: the only source of chance.

    Returns:
        uint8 RGB [side, side, 3]; what lies outside of the crop is mirrored in.
    """
    angle = np.deg2rad(rng.uniform(-TURN, TURN))
    zoom = rng.uniform(1 - ZOOM, 1 + ZOOM) * crop.shape[0] / side
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    # From a place of the view to its place in the crop, both seen from their middles.
    turned = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * (mirror, 1)
    middle = (crop.shape[0] - 1) / 2 + rng.uniform(-MOVE, MOVE, 2) * crop.shape[0]
    offset = middle - turned @ np.full(2, (side - 1) / 2)
    view = cv2.warpAffine(
        crop,
        np.column_stack([turned, offset]),
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return cv2.convertScaleAbs(view, alpha=rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS))

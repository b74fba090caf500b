"""Up-sampling artefacts: a part of a face remade from fewer numbers, as the last layers of a generator make it.

Nothing moves and no colour changes; what tells is the texture, and the period that the way up has left in it.
Three ways down and up are those of generators (nearest, bilinear, transposed convolution); the fourth is a small
auto-encoder. A linear one with squared error learns no other than the principal components of its patches, so
these are worked out for the face at hand instead of being trained: they smear what is rare, as latent decoders
do. JPEG 2000 was not taken, since its traces are those of a camera's or an archive's file too.

Sources: Odena et al., "Deconvolution and Checkerboard Artifacts", 2016; Zhang et al., "Detecting and Simulating
Artifacts in GAN Fake Images", 2019; Baldi & Hornik, "Neural Networks and Principal Component Analysis", 1989.
"""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np

from training.forgeries.masks import BAND_NAMES, draw_band, draw_soft_mask, lay, require_face
from training.forgeries.self_blending import Pair

# How the pixels are remade, and how often.
WAYS = ("nearest", "bilinear", "transposed", "encoded")
WAY_CHANCES = (0.15, 0.20, 0.35, 0.30)
FACTORS = (2, 3, 4)
# Relative spread of a transposed convolution's weights about those of a bilinear one. What it leaves is a pattern
# of up to a few hundredths of the brightness, as untrained eyes do not see it.
UNEVENNESS = (0.05, 0.20)
# Side of an encoded patch, px, and how many of its components beside its mean are kept, of brightness and of each
# colour.
PATCH = 8
KEPT = (4, 15)
KEPT_OF_COLOUR = (0, 3)
# How much of what is remade is laid over the face.
STRENGTHS = (0.5, 0.75, 1.0, 1.0)
# A soft photo has little to lose: a remake that changes less than this, root mean square in grey levels under the
# mask, is drawn again so many times at most, and the one that changes most is kept. What nobody can see is no fake.
LEAST_CHANGE = 2.5
TRIES = 3


def upsample(pixels: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> Pair:
    """Remake a part of a face from fewer numbers.

    Args:
        pixels: uint8 RGB [H, W, 3], a crop round the face of some 100 to 300 px; the pair's real half.
        landmarks: float [5, 2], px: eyes, nose, corners of the mouth.
        rng: the only source of chance.

    Raises:
        ValueError: the points span no face; see `masks.can_blend`.
    """
    require_face(landmarks)
    band = draw_band(rng)
    mask, place = draw_soft_mask(pixels.shape, landmarks, band, rng)
    strength = float(rng.choice(STRENGTHS))
    mask *= np.float32(strength)
    remade, how = _remake_visibly(pixels[place], mask, rng)
    fake, whole = lay(remade, pixels, mask, place)
    return Pair(pixels, fake, whole, f"{BAND_NAMES[band]}, {how} at {strength:g}")


def _remake_visibly(pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Remake a picture until it changes under the mask; see `LEAST_CHANGE`."""
    largest, kept = -1.0, (pixels.astype(np.float32), "untouched")
    for _ in range(TRIES):
        remade, how = remake(pixels, rng)
        change = float(np.sqrt((((remade - pixels) ** 2).mean(axis=2) * mask**2).sum() / max(mask.sum(), 1e-6)))
        if change > largest:
            largest, kept = change, (remade, how)
        if change >= LEAST_CHANGE:
            break
    return kept


def remake(pixels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Remake a picture one of the `WAYS`.

    Args:
        pixels: uint8 RGB [H, W, 3].
        rng: the only source of chance.

    Returns:
        float32 RGB [H, W, 3], about 0 to 255, and the way in words.
    """
    way = str(rng.choice(WAYS, p=WAY_CHANCES))
    if way == "encoded":
        kept, kept_of_colour = int(rng.integers(*KEPT)), int(rng.integers(*KEPT_OF_COLOUR))
        return encode(pixels, kept, kept_of_colour), f"{way} by {kept}+{kept_of_colour}"
    factor = int(rng.choice(FACTORS))
    height, width = pixels.shape[:2]
    # Whole blocks only, or the period would drift.
    padded = cv2.copyMakeBorder(pixels, 0, -height % factor, 0, -width % factor, cv2.BORDER_REPLICATE)
    small_size = padded.shape[1] // factor, padded.shape[0] // factor
    small = cv2.resize(padded.astype(np.float32), small_size, interpolation=cv2.INTER_AREA)
    if way == "transposed":
        large = convolve_transposed(small, factor, rng.uniform(*UNEVENNESS), rng)
    else:
        how = cv2.INTER_NEAREST if way == "nearest" else cv2.INTER_LINEAR
        large = cv2.resize(small, padded.shape[1::-1], interpolation=how)
    return large[:height, :width], f"{way} x{factor}"


def convolve_transposed(small: np.ndarray, factor: int, unevenness: float, rng: np.random.Generator) -> np.ndarray:
    """Enlarge a picture as a transposed convolution does: zeros between the pixels, then a kernel over all.

    With weights that are exactly a tent this is bilinear; each deviation makes some of the factor² positions
    brighter than others, everywhere alike.

    Args:
        small: float32 [h, w, 3].
        factor: the stride.
        unevenness: relative standard deviation of the weights about the tent.
        rng: the only source of chance.

    Returns:
        float32 [h × factor, w × factor, 3], as bright as `small` in the mean.
    """
    height, width, channels = small.shape
    # A rim to read from, so that the kernel meets no edge.
    rimmed = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    spread = np.zeros(((height + 2) * factor, (width + 2) * factor, channels), np.float32)
    spread[factor // 2 :: factor, factor // 2 :: factor] = rimmed
    length = 2 * factor - factor % 2
    tent = 1 - np.abs(np.arange(length) - (length - 1) / 2) / factor
    kernel = np.outer(tent, tent) * (1 + unevenness * rng.standard_normal((length, length)))
    kernel *= factor**2 / kernel.sum()
    # With this anchor every pixel stays in the middle of its block, whether the stride is odd or even.
    large = cv2.filter2D(spread, cv2.CV_32F, kernel, anchor=(factor - 1, factor - 1))
    return large[factor:-factor, factor:-factor]


def encode(pixels: np.ndarray, kept: int, kept_of_colour: int) -> np.ndarray:
    """Put a picture through a linear auto-encoder of its own patches.

    Four grids of patches, half a patch apart, are averaged, so that no block shows.

    Args:
        pixels: uint8 RGB [H, W, 3].
        kept: numbers, beside its mean, that a patch of brightness is kept as, at most `PATCH`².
        kept_of_colour: the same for each of the two colour channels.

    Returns:
        float32 RGB [H, W, 3].
    """
    height, width = pixels.shape[:2]
    half = PATCH // 2
    planes = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)
    # Half a patch all round, and what makes the whole a multiple of a patch, so that every grid covers the picture.
    padded = cv2.copyMakeBorder(planes, half, half + -height % PATCH, half, half + -width % PATCH, cv2.BORDER_REPLICATE)
    basis = learn_basis(_cut(padded)[0])
    total = np.zeros_like(padded)
    for top, left in product((0, half), repeat=2):
        grid = slice(top, padded.shape[0] - top), slice(left, padded.shape[1] - left)
        coded = [
            _project(patches, basis[:, :count])
            for patches, count in zip(_cut(padded[grid]), (kept, kept_of_colour, kept_of_colour), strict=True)
        ]
        total[grid] += _join(np.stack(coded), padded[grid].shape)
    answer = total[half : half + height, half : half + width] / 4
    return cv2.cvtColor(answer, cv2.COLOR_YCrCb2RGB) * 255


def learn_basis(patches: np.ndarray) -> np.ndarray:
    """Return the principal directions [d, d], one a column and the strongest first, of patches [n, d].

    The mean of each patch is left out: it is kept as a number of its own.
    """
    centred = patches - patches.mean(axis=1, keepdims=True)
    return np.linalg.eigh(centred.T @ centred)[1][:, ::-1]


def _project(patches: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return patches [n, d] as their means and some directions [d, k] tell them."""
    means = patches.mean(axis=1, keepdims=True)
    return means + (patches - means) @ basis @ basis.T


def _cut(planes: np.ndarray) -> np.ndarray:
    """Cut [H, W, 3], whose sides are multiples of `PATCH`, into patches [3, n, PATCH²]."""
    rows, columns = planes.shape[0] // PATCH, planes.shape[1] // PATCH
    return planes.reshape(rows, PATCH, columns, PATCH, 3).transpose(4, 0, 2, 1, 3).reshape(3, -1, PATCH**2)


def _join(patches: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo `_cut`."""
    rows, columns = shape[0] // PATCH, shape[1] // PATCH
    return patches.reshape(3, rows, columns, PATCH, PATCH).transpose(1, 3, 2, 4, 0).reshape(shape)

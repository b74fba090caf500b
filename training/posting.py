"""What social networks and messengers do to a photo that is posted there: made smaller, and saved anew.

As in `training.augmentation`, no function knows a label. The figures are what the services were seen to do; they
change without notice, so each is a range.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# How often a picture that was posted has been posted once, twice, three times.
CHAIN_CHANCES = (0.6, 0.3, 0.1)
# Longest side, px, of the photo that a crop may have been cut from: it decides how much smaller a service makes it.
# Drawn evenly by its logarithm.
PHOTO_SIDES = (800, 4032)
# No crop is made smaller than this, px, unless it is smaller already.
LEAST_SIDE = 64


@dataclass(frozen=True, slots=True)
class Service:
    """What one kind of service does.

    Attributes:
        longest: side, px, that larger photos are brought to; None where photos keep their size.
        qualities: range of the quality that is saved at, both ends included.
        suffix: of the format, as OpenCV knows it.
        rescaled: range of a factor that pictures are scaled by whatever their size, as a window shows them.
        chance: how often it is drawn.
    """

    longest: int | None
    qualities: tuple[int, int]
    suffix: str = ".jpg"
    rescaled: tuple[float, float] | None = None
    chance: float = 1.0


SERVICES = {
    "facebook, instagram": Service(1080, (70, 85), chance=1.5),
    "x": Service(2048, (85, 85)),
    "whatsapp": Service(1600, (70, 80), chance=1.5),
    "telegram": Service(1280, (85, 88)),
    "screenshot": Service(None, (80, 95), rescaled=(0.5, 1.5)),
    "webp": Service(None, (60, 90), suffix=".webp"),
}

_DOWN = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def draw_chain(rng: np.random.Generator) -> list[str]:
    """Draw through which of `SERVICES` a picture has come, one to three, the first one first."""
    chances = np.array([service.chance for service in SERVICES.values()])
    count = 1 + int(rng.choice(len(CHAIN_CHANCES), p=CHAIN_CHANCES))
    return [str(name) for name in rng.choice(list(SERVICES), count, p=chances / chances.sum())]


def post(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Send a crop through one to three services.

    What is drawn depends on the size of the crop and not on its content, so both halves of a pair go the same way.

    Args:
        crop: uint8 RGB [h, w, 3].
        rng: the only source of chance.

    Returns:
        uint8 RGB of its proportions, often smaller.
    """
    low, high = np.log(PHOTO_SIDES)
    longest = float(np.exp(rng.uniform(low, high)))
    for name in draw_chain(rng):
        service = SERVICES[name]
        factor = 1.0
        if service.longest and service.longest < longest:
            factor, longest = service.longest / longest, float(service.longest)
        if service.rescaled:
            factor = float(rng.uniform(*service.rescaled))
            longest *= factor
        how, quality = int(rng.choice(_DOWN)), int(rng.integers(service.qualities[0], service.qualities[1] + 1))
        crop = save(scale(crop, factor, how), service.suffix, quality)
    return crop


def scale(crop: np.ndarray, factor: float, how: int) -> np.ndarray:
    """Scale both sides of a crop by a factor, to no less than `LEAST_SIDE`, by one of OpenCV's interpolations."""
    shorter = min(crop.shape[:2])
    factor = max(factor, min(1.0, LEAST_SIDE / shorter))
    if factor == 1:
        return crop
    height, width = (max(1, round(side * factor)) for side in crop.shape[:2])
    return cv2.resize(crop, (width, height), interpolation=how)


def save(crop: np.ndarray, suffix: str, quality: int) -> np.ndarray:
    """Encode as JPEG, with colours at half the resolution, or as WebP, and decode; uint8 RGB [h, w, 3]."""
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    if suffix == ".jpg":
        options = [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        ]
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), options)
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

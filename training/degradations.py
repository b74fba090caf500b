"""What the web does to a picture before it reaches us, one harm at a time.

Unlike `training.augmentation`, nothing here is drawn: a harm is the same for every picture and every model, so that a
row of the degradation grid can be compared with another.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from training.scoring import Alter

# Double JPEG: saved small once, then saved again finely, on a grid of blocks that lies elsewhere.
DOUBLE = (50, 85)
BLOCK_SHIFT = 3
WEBP_QUALITY = 50
# What a social network makes of a photo: longest side, px, and quality.
POSTED_SIDE, POSTED_QUALITY = 1080, 75
# H.264 is encoded in the colour format of nearly every clip, which halves both sides of colour.
FFMPEG = ("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1")
FFMPEG_SECONDS = 120
# Pictures are grown to sides that are multiples of this, px, so that most can share one clip; starting the encoder
# takes longer than a picture.
STEP = 64


class DegradationError(RuntimeError):
    """A degradation cannot be made on this machine; the message says why."""


def degradations() -> dict[str, Alter]:
    """Return every degradation by name, in the order of the grid; "clean" is not among them.

    Each takes pictures, uint8 RGB [H, W, 3], and returns the bytes of as many files.
    """
    return {
        "JPEG 90": _each(partial(to_jpeg, quality=90)),
        "JPEG 70": _each(partial(to_jpeg, quality=70)),
        "JPEG 50": _each(partial(to_jpeg, quality=50)),
        "JPEG 30": _each(partial(to_jpeg, quality=30)),
        "half size": _each(partial(to_smaller, factor=2)),
        "quarter size": _each(partial(to_smaller, factor=4)),
        "1,080 px, JPEG 75": _each(to_post),
        "double JPEG": _each(to_double_jpeg),
        "WebP 50": _each(to_webp),
        "H.264 CRF 23": partial(to_h264, crf=23),
        "H.264 CRF 35": partial(to_h264, crf=35),
    }


def _each(make: Callable[[np.ndarray], bytes]) -> Alter:
    return lambda pictures: [make(pixels) for pixels in pictures]


def to_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """Save as a JPEG of this quality, 1 to 100."""
    return _encode(".jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, quality)


def to_webp(pixels: np.ndarray) -> bytes:
    """Save as a lossy WebP."""
    return _encode(".webp", pixels, cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY)


def to_smaller(pixels: np.ndarray, factor: int) -> bytes:
    """Shrink both sides by a factor, by area, and save without loss."""
    height, width = pixels.shape[:2]
    size = max(1, width // factor), max(1, height // factor)
    return _to_png(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def to_post(pixels: np.ndarray) -> bytes:
    """Shrink to a longest side of `POSTED_SIDE` where it is longer, and save as a JPEG, as social networks do."""
    height, width = pixels.shape[:2]
    factor = POSTED_SIDE / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return to_jpeg(pixels, POSTED_QUALITY)


def to_double_jpeg(pixels: np.ndarray) -> bytes:
    """Save as a JPEG, cut a few rows and columns off, and save again: a screenshot of a post of a picture."""
    once = cv2.imdecode(np.frombuffer(to_jpeg(pixels, DOUBLE[0]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return to_jpeg(once[BLOCK_SHIFT:, BLOCK_SHIFT:], DOUBLE[1])


def to_h264(pictures: Sequence[np.ndarray], crf: int) -> list[bytes]:
    """Pass pictures through H.264 as key frames of a clip, and save them without loss.

    Args:
        pictures: uint8 RGB [H, W, 3].
        crf: the encoder's constant rate factor; 23 is fine, 35 coarse.

    Raises:
        DegradationError: ffmpeg is missing, has no H.264 encoder, or fails.
    """
    if shutil.which("ffmpeg") is None:
        raise DegradationError("ffmpeg is not installed")
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, pixels in enumerate(pictures):
        height, width = (-(-side // STEP) * STEP for side in pixels.shape[:2])
        by_size[height, width].append(index)
    files = [b""] * len(pictures)
    for (height, width), indices in by_size.items():
        frames = np.stack([_grow(pictures[i], height, width) for i in indices])
        for i, frame in zip(indices, _through_h264(frames, crf), strict=True):
            files[i] = _to_png(frame[: pictures[i].shape[0], : pictures[i].shape[1]])
    return files


def _grow(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Repeat the last row and column up to a size."""
    below, right = height - pixels.shape[0], width - pixels.shape[1]
    return cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)


def _through_h264(frames: np.ndarray, crf: int) -> np.ndarray:
    """Encode and decode frames [N, H, W, 3], each a key frame, so that none borrows from another picture."""
    _, height, width, _ = frames.shape
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}")
    encoder = ("-c:v", "libx264", "-crf", str(crf), "-g", "1", "-pix_fmt", "yuv420p", "-threads", "1", "-f", "h264")
    clip = _run([*FFMPEG, *raw, "-i", "-", *encoder, "-"], frames.tobytes())
    decoded = _run([*FFMPEG, "-f", "h264", "-i", "-", "-fps_mode", "passthrough", *raw, "-"], clip)
    if len(decoded) != frames.size:
        raise DegradationError("ffmpeg gave back another number of frames")
    return np.frombuffer(decoded, np.uint8).reshape(frames.shape)


def _run(command: Sequence[str], data: bytes) -> bytes:
    try:
        return subprocess.run(  # noqa: S603 - a fixed program, and pixels on its standard input
            command, input=data, capture_output=True, check=True, timeout=FFMPEG_SECONDS
        ).stdout
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise DegradationError(f"ffmpeg failed: {lines[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise DegradationError(f"ffmpeg took longer than {FFMPEG_SECONDS} s") from error


def _to_png(pixels: np.ndarray) -> bytes:
    return _encode(".png", pixels, cv2.IMWRITE_PNG_COMPRESSION, 1)


def _encode(suffix: str, pixels: np.ndarray, flag: int, value: int) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR), [flag, value])
    if not done:
        raise DegradationError(f"a picture of {pixels.shape[1]} × {pixels.shape[0]} px cannot be saved as {suffix}")
    return data.tobytes()

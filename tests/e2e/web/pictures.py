"""Pictures and clips of the local web: public domain, made when asked for, no two of them alike."""

from __future__ import annotations

import functools
import hashlib
import io
import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

# `/pictures/<name>-<width>x<height>.<ending>`; a name that begins with "cat" shows no face.
PICTURE = re.compile(r"/pictures/(?P<name>[a-z_-]+)-(?P<width>\d+)x(?P<height>\d+)\.(?P<ending>jpg|png|webp)")
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
STAMP = 8
CLIP_SIDE, CLIP_FRAMES, CLIP_RATE = 320, 60, 10


@functools.cache
def make_picture(path: str) -> bytes:
    """Return the file at a path of the form `PICTURE`.

    Eight squares at its upper left stand for its name, so two pictures differ in pixels as well as in bytes.

    Raises:
        KeyError: no picture has such a path.
    """
    match = PICTURE.fullmatch(path)
    if match is None:
        raise KeyError(path)
    name, width, height = match["name"], int(match["width"]), int(match["height"])
    pixels = crop(photograph("cat" if name.startswith("cat") else "portrait"), width, height)
    for index, value in enumerate(hashlib.sha256(name.encode()).digest()[:8]):
        colour = [value, 255 - value, value * 7 % 256]
        pixels[:STAMP, index * STAMP : (index + 1) * STAMP] = colour
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, FORMATS[match["ending"]], quality=92)
    return file.getvalue()


def crop(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the middle of uint8 RGB [h, w, 3] in the given size."""
    scale = max(width / pixels.shape[1], height / pixels.shape[0])
    size = (max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale)))
    large = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    # The face of the portrait is in its upper half.
    left = (size[0] - width) // 2
    return np.ascontiguousarray(large[:height, left : left + width])


@functools.cache
def photograph(name: str) -> np.ndarray:
    """Return "portrait" (one face) or "cat" (none), uint8 RGB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        return np.asarray({"portrait": data.astronaut, "cat": data.chelsea}[name]())


def make_clip(path: Path) -> Path:
    """Write a VP8 clip of 6 s in which the portrait drifts by; a bar at the bottom tells the frame.

    Raises:
        FileNotFoundError: there is no ffmpeg.
    """
    # As smooth as most film: no two decoders agree on the colours of single pixels.
    soft = Image.fromarray(photograph("portrait")).resize((200, 200), Image.Resampling.LANCZOS)
    portrait = np.array(soft.resize((440, 440), Image.Resampling.BICUBIC))
    frames = []
    for index in range(CLIP_FRAMES):
        left, top = index * 2, index
        frame = portrait[top : top + CLIP_SIDE, left : left + CLIP_SIDE].copy()
        frame[-8:, : round((index + 1) * CLIP_SIDE / CLIP_FRAMES)] = 255
        frames.append(frame)
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{CLIP_SIDE}x{CLIP_SIDE}", "-r", str(CLIP_RATE), "-i", "-"]
    vp8 = ["-c:v", "libvpx", "-b:v", "2M", "-g", str(CLIP_RATE), "-deadline", "realtime", "-cpu-used", "8"]
    command = ["ffmpeg", "-loglevel", "error", "-y", *raw, *vp8, str(path)]
    subprocess.run(command, input=np.stack(frames).tobytes(), check=True)
    return path

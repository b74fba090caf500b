"""Clips for tests: made by OpenCV where it can, by ffmpeg where it cannot, then bent byte by byte."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

SIZE = (160, 120)
RATE = 25


def stripes(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame that tells its number: grey below, and above a white bar of 2 px for each frame; uint8 RGB."""
    frame = np.full((size[1], size[0], 3), (90, 120, 60), np.uint8)
    frame[: size[1] // 2, : 2 * number] = 255
    return frame


def read_number(pixels: np.ndarray) -> float:
    """Tell the number of such a frame."""
    return float((pixels[pixels.shape[0] // 8, :, 0] > 170).sum() / 2)


def write_clip(path: Path, frames: Iterable[np.ndarray], codec: str = "mp4v", rate: float = RATE) -> Path:
    """Write frames, uint8 RGB of one size, as MPEG-4 or otherwise."""
    writer = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, size)
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    assert writer is not None
    writer.release()
    return path


def count_up(path: Path, frames: int = 40) -> Path:
    """Write a clip whose frames tell their numbers."""
    return write_clip(path, map(stripes, range(frames)))


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg; skip where it, or the encoder, is absent."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs Debian's ffmpeg, to make a clip of this kind")
    ran = subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    if "Unknown encoder" in ran.stderr:
        pytest.skip("this ffmpeg lacks an encoder that is needed to make a clip of this kind")
    assert ran.returncode == 0, ran.stderr


def convert(source: Path, path: Path, *arguments: str) -> Path:
    """Make another clip of a clip."""
    ffmpeg("-i", source, *arguments, path)
    return path


def turn(source: Path, path: Path) -> Path:
    """Say of a clip that it is shown turned by a quarter, clockwise, as phones do (ISO/IEC 14496-12, tkhd)."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4
    struct.pack_into(">9i", data, at + 40, 0, 1 << 16, 0, -1 << 16, 0, 0, SIZE[1] << 16, 0, 1 << 30)
    path.write_bytes(data)
    return path


def edit(source: Path, path: Path, change: Callable[[bytearray], bytes | bytearray | None]) -> Path:
    """Write a clip's bytes, changed."""
    data = bytearray(source.read_bytes())
    changed = change(data)
    path.write_bytes(data if changed is None else changed)
    return path


def set_length(data: bytearray, seconds: int) -> None:
    """Let the movie header claim a length."""
    at = data.index(b"mvhd") + 4
    (scale,) = struct.unpack_from(">I", data, at + 12)
    struct.pack_into(">I", data, at + 16, scale * seconds)


def set_frame_length(data: bytearray, ticks: int) -> None:
    """Let the index claim how long every frame is shown; 0 makes a rate that is none."""
    struct.pack_into(">I", data, data.index(b"stts") + 16, ticks)


def drop_index(data: bytearray) -> bytearray:
    """Cut a file whose index stands last off before it."""
    return data[: data.index(b"moov") - 4]


def sound(path: Path) -> Path:
    """Write a second of sound with nothing to see."""
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", path)
    return path

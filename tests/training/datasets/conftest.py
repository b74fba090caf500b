"""Clips and photos that are made up from one public portrait, each lit otherwise, so that no two look the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

Film = Callable[..., Path]


@pytest.fixture(scope="session")
def light(portrait: np.ndarray) -> Callable[[int], np.ndarray]:
    """Return the portrait under the light of a number: uint8 RGB [200, 200, 3], one face."""
    face = cv2.resize(portrait[0:300, 80:380], (200, 200), interpolation=cv2.INTER_AREA)

    def shine(number: int) -> np.ndarray:
        rng = np.random.default_rng(number)
        # Broad blotches of light change what a perceptual hash sees, and leave the face a face.
        blotches = cv2.resize(rng.uniform(0.45, 1.35, (4, 4, 1)), (200, 200), interpolation=cv2.INTER_CUBIC)
        return np.clip(face * blotches[..., None], 0, 255).astype(np.uint8)

    return shine


@pytest.fixture(scope="session")
def film(light: Callable[[int], np.ndarray]) -> Film:
    """Return a function that writes a clip in which the portrait drifts to the right, or noise where face is False."""

    def write(path: Path, number: int = 0, frames: int = 8, face: bool = True) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        codec = "MJPG" if path.suffix == ".avi" else "mp4v"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (240, 200))
        rng = np.random.default_rng(number)
        picture = light(number)
        for index in range(frames):
            frame = np.full((200, 240, 3), 60, np.uint8)
            left = 2 * (index % 20)
            frame[:, left : left + 200] = picture
            if not face:
                frame = rng.integers(0, 255, frame.shape, np.uint8)
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
        writer.release()
        return path

    return write


@pytest.fixture(scope="session")
def snap(light: Callable[[int], np.ndarray]) -> Film:
    """Return a function that writes a photo of the portrait."""

    def write(path: Path, number: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), light(number)[..., ::-1])
        return path

    return write


@pytest.fixture(scope="session")
def collect(snap: Film) -> Callable[..., Path]:
    """Return a function that writes a collection of photos of these numbers, by their path below `images/`."""

    def write(folder: Path, label: str, photos: dict[str, int], **more: str | bool) -> Path:
        entries = {
            "name": folder.name,
            "label": label,
            "family": "webcam" if label == "real" else "sdxl",
            "origin": f"OWNER/{folder.name}@0123",
            "terms": "CC BY 4.0",
            **more,
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, number in photos.items():
            snap(folder / "images" / name, number)
        # JSON's texts and truth values are TOML's too.
        text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in entries.items())
        (folder / "collection.toml").write_text(text, encoding="utf-8")
        return folder

    return write

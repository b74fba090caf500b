"""468 points of a face, by the network of MediaPipe's face mesh, for masks that follow eyes and mouth.

Source: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from chalicelib.runtime import load_interpreter
from training.forgeries.masks import outline

# Side of the network's input, px, and of what it is shown, in heights of the outline of five points.
SIDE = 192
SHOWN = 1.35
POINTS = 468
# Below this logit the network saw no face.
LEAST_SCORE = 0.0
# MediaPipe asks for another build of OpenCV and for libraries that are not needed here.
INSTALL = "pip install --no-deps mediapipe==0.10.14"

# Points round each part of a face, in the numbering of the mesh.
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
BROWS = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107, 276, 283, 282, 295, 285, 300, 293, 334, 296, 336)


class FaceMesh:
    """Finds the points of a face whose five points are known. Threads may share one."""

    def __init__(self, model: Path) -> None:
        """Open face_landmark.tflite.

        Raises:
            ModelUnavailable: the file is missing or damaged.
        """
        self._interpreter = load_interpreter(model)
        self._lock = threading.Lock()

    def find(self, pixels: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
        """Return the points float [468, 2], px, or None where the network sees no face.

        Args:
            pixels: uint8 RGB [H, W, 3].
            landmarks: float [5, 2], px, that span a face.
        """
        matrix = _upright(landmarks)
        shown = cv2.warpAffine(pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        with self._lock:
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            self._interpreter.set_tensor(inputs[0]["index"], shown[None].astype(np.float32) / 255)
            self._interpreter.invoke()
            points, score = sorted(
                (self._interpreter.get_tensor(output["index"]).ravel() for output in outputs), key=len, reverse=True
            )
        if score[0] < LEAST_SCORE:
            return None
        found = points.reshape(POINTS, 3)[:, :2].astype(float)
        back = cv2.invertAffineTransform(matrix)
        return found @ back[:, :2].T + back[:, 2]


@cache
def find_face_mesh() -> FaceMesh | None:
    """Return the mesh of an installed MediaPipe, or None where there is none; see `INSTALL`."""
    # Only its file is wanted: importing the package would load all of it.
    found = find_spec("mediapipe")
    for folder in (found.submodule_search_locations or ()) if found else ():
        model = Path(folder) / "modules" / "face_landmark" / "face_landmark.tflite"
        if model.is_file():
            return FaceMesh(model)
    return None


def _upright(landmarks: np.ndarray) -> np.ndarray:
    """Return the matrix [2, 3] that brings a face upright into the middle of the network's input."""
    eyes = landmarks[1] - landmarks[0]
    across = eyes / np.hypot(*eyes)
    turn = np.array([across, (-across[1], across[0])])
    turned = outline(landmarks) @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    scale = SIDE / (SHOWN * (high - low).max())
    return np.column_stack([scale * turn, SIDE / 2 - scale * (low + high) / 2])

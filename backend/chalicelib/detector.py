"""Face crops become logits and evidence maps (int8 CNN on LiteRT)."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from chalicelib.compatibility import upgrade_record
from chalicelib.errors import ModelUnavailable
from chalicelib.face_views import ViewRule
from chalicelib.runtime import load_interpreter
from chalicelib.verdicts import Calibrations

# A version of ours ends with the first digits of its network's SHA-256, so that neither a damaged network, which mostly
# still runs, nor another one's card passes for it.
_DIGEST = re.compile(r"-([0-9a-f]{8})$")
_CARD_KEYS = ("name", "version", "covers", "limits", "metrics", "terms")


class Detector:
    """The deepfake detector of one models folder; safe to share between threads.

    Attributes:
        side: side S of the square crop that the network sees, pixels.
        card: the model card.
        calibration: how its logits are to be read, by medium.
        views: what of a face it is to be shown, and how its answers become one.
    """

    def __init__(self, models: Path, threads: int = 1) -> None:
        """Load `detector.tflite` and `model_card.json`.

        Args:
            models: folder that holds both.
            threads: intra-op threads, ≥ 1.

        Raises:
            ModelUnavailable: a file is missing, damaged, or not of the shape that is expected.
        """
        self.card = _read_card(models / "model_card.json")
        self.calibration = Calibrations.from_card(self.card)
        self.views = ViewRule.from_card(self.card)
        self._interpreter = load_interpreter(models / "detector.tflite", threads)
        # An interpreter holds its tensors: one picture at a time.
        self._lock = threading.Lock()
        inputs = self._interpreter.get_input_details()
        self._input = inputs[0]
        self.side = _square_side(inputs)
        self._logit, self._map = _tell_apart(self._interpreter.get_output_details())
        self._levels = _input_levels(self._input)
        if self.card.get("input_side", self.side) != self.side or not _is_named(models, self.card["version"]):
            raise ModelUnavailable("The model card and the detector do not belong together.")

    def score(self, crops: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Score face crops.

        Args:
            crops: uint8 RGB [N, S, S, 3], N ≥ 0.

        Returns:
            Logits, float32 [N], positive for fake; and maps, float32 [N, h, w], log-odds by area.

        Raises:
            ModelUnavailable: the network answers with something that is no number.
        """
        expected = (self.side, self.side, 3)
        if crops.shape[1:] != expected or crops.dtype != np.uint8:
            raise ValueError(f"crops must be uint8 [N, {expected}]. Received: {crops.dtype} {crops.shape}")
        height, width = self._map["shape"][1:3]
        logits = np.empty(len(crops), np.float32)
        maps = np.empty((len(crops), height, width), np.float32)
        with self._lock:
            for index, crop in enumerate(crops):
                self._interpreter.set_tensor(self._input["index"], cv2.LUT(crop, self._levels)[np.newaxis])
                self._interpreter.invoke()
                logits[index] = self._read(self._logit).item()
                maps[index] = self._read(self._map).reshape(height, width)
        if not (np.isfinite(logits).all() and np.isfinite(maps).all()):
            raise ModelUnavailable("The model gave no usable score.")
        return logits, maps

    def _read(self, output: dict[str, Any]) -> npt.NDArray[np.float32]:
        values = self._interpreter.get_tensor(output["index"])
        if output["dtype"] == np.float32:
            return np.asarray(values)
        scale, zero_point = output["quantization"]
        return (values.astype(np.float32) - zero_point) * np.float32(scale)


def normalise(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return what a network is given for pixels, in training and in serving: x/127.5 − 1, float32 [-1, 1]."""
    return pixels / np.float32(127.5) - np.float32(1)


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = upgrade_record(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"The model card {path.name} is missing or damaged.") from error
    if not isinstance(card, dict) or not all(key in card for key in _CARD_KEYS):
        raise ModelUnavailable(f"The model card {path.name} lacks one of: {', '.join(_CARD_KEYS)}.")
    return card


def _is_named(models: Path, version: Any) -> bool:
    """Say whether the network is the one that a version names, if that names one."""
    named = _DIGEST.search(str(version))
    return named is None or hashlib.sha256((models / "detector.tflite").read_bytes()).hexdigest().startswith(named[1])


def _square_side(inputs: list[dict[str, Any]]) -> int:
    shape = tuple(int(n) for n in inputs[0]["shape"])
    if len(inputs) != 1 or len(shape) != 4 or shape[0] != 1 or shape[1] != shape[2] or shape[3] != 3:
        raise ModelUnavailable("The detector does not take one square RGB crop.")
    return shape[1]


def _tell_apart(outputs: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (logit, map): the logit is one value, the map [1, h, w] or [1, h, w, 1]; names are not kept."""
    logits = [o for o in outputs if len(o["shape"]) <= 2 and int(np.prod(o["shape"])) == 1]
    maps = [o for o in outputs if len(o["shape"]) == 3 or (len(o["shape"]) == 4 and o["shape"][3] == 1)]
    maps = [o for o in maps if o["shape"][0] == 1]
    if len(outputs) != 2 or len(logits) != 1 or len(maps) != 1:
        raise ModelUnavailable("The detector does not answer with one logit and one map.")
    return logits[0], maps[0]


def _input_levels(tensor: dict[str, Any]) -> npt.NDArray[Any]:
    """Return what the network is given for each of the 256 pixel values, quantised if it must be."""
    levels = normalise(np.arange(256, dtype=np.uint8))
    dtype = tensor["dtype"]
    if dtype == np.float32:
        return levels
    scale, zero_point = tensor["quantization"]
    if dtype not in (np.int8, np.uint8) or scale <= 0:
        raise ModelUnavailable("The detector's input is of no type that we can fill.")
    limits = np.iinfo(dtype)
    return np.clip(np.round(levels / scale + zero_point), limits.min, limits.max).astype(dtype)

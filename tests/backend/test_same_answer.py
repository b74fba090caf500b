"""What makes a check fast moves no answer: beside the plainest way to do each step, on real faces of every source."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from chalicelib import faces
from chalicelib.checks import Checker
from chalicelib.detector import Detector, normalise
from chalicelib.faces import Face, FaceFinder
from chalicelib.frames import Frame
from chalicelib.images import decode
from chalicelib.runtime import load_interpreter
from chalicelib.settings import Settings
from training.manifest import read_manifest

# Pictures of each source and label, of which there are nine.
EACH = 13
# Of a logit. Far less than a step of int8: the kernels are the same, so only a mistake of ours could move it.
LEAST_STEP = 1e-3
# px
NEAR = 1.0


@pytest.fixture(scope="module")
def pictures(shared: Path) -> list[bytes]:
    """JPEGs of every source and label, evenly from all of each."""
    kinds = defaultdict(list)
    for sample in read_manifest(shared / "data" / "faces.csv"):
        kinds[sample.source, sample.label].append(sample.path)
    paths = [path for kind in kinds.values() for path in kind[:: max(1, len(kind) // EACH)][:EACH]]
    assert len(paths) >= 100
    return [(shared / "data" / path).read_bytes() for path in paths]


def cut(pixels: np.ndarray, box: tuple[float, ...], side: int) -> np.ndarray:
    """Return the crop that the detector is promised, written out again: a change of the served one must show here.

    A square round the box's centre, 1.6 times its larger side, moved and made smaller until it lies in the picture.
    """
    height, width = pixels.shape[:2]
    length = min(round(1.6 * max(box[2:])), height, width)
    left, top = (
        int(np.clip(round(start + extent / 2 - length / 2), 0, most - length))
        for start, extent, most in zip(box[:2], box[2:], (width, height), strict=True)
    )
    square = np.ascontiguousarray(pixels[top : top + length, left : left + length])
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if length > side else cv2.INTER_LINEAR)


def beside(*pictures: bytes) -> bytes:
    """Return pictures side by side, 300 px high, as a PNG."""
    opened = [Image.open(io.BytesIO(data)).convert("RGB").resize((300, 300)) for data in pictures]
    out = io.BytesIO()
    Image.fromarray(np.hstack(opened)).save(out, "PNG")
    return out.getvalue()


class Plain(Detector):
    """Finds and scores with networks that are made anew for every picture and see one crop at a time."""

    def __init__(self, models: Path) -> None:
        super().__init__(models)
        self.models = models

    def find(self, pixels: np.ndarray) -> list[Face]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faces, "BATCHES", (1,))
            return FaceFinder(self.models).find(pixels)

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answers = [self._infer(crop) for crop in crops]
        return np.float32([logit for logit, _ in answers]), np.stack([grid for _, grid in answers])

    def _infer(self, crop: np.ndarray) -> tuple[float, np.ndarray]:
        network = load_interpreter(self.models / "detector.tflite")
        network.set_tensor(network.get_input_details()[0]["index"], normalise(crop)[None])
        network.invoke()
        outputs = {len(told["shape"]): network.get_tensor(told["index"]) for told in network.get_output_details()}
        return float(outputs[2][0, 0]), outputs[4][0, ..., 0]


class Heard(Detector):
    """The served detector, which remembers the logits that it gave."""

    def __init__(self, models: Path) -> None:
        super().__init__(models)
        self.logits: list[float] = []

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, maps = super().score(crops)
        self.logits += logits.tolist()
        return logits, maps


def test_a_check_answers_as_the_plainest_way_does(pictures: list[bytes]) -> None:
    settings = Settings()
    plain, heard = Plain(settings.models), Heard(settings.models)
    plainly, served = Checker(settings, plain, plain, None), Checker(settings, FaceFinder(settings.models), heard, None)
    found = 0
    for data in pictures:
        heard.logits.clear()
        check, expected = served.check_image(data), plainly.check_image(data)
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert np.array_equal(decode(data, settings).pixels, pixels)
        there = plain.find(pixels)
        assert len(check["faces"]) == len(there) == len(heard.logits)
        for face, other, logit in zip(check["faces"], there, heard.logits, strict=True):
            assert np.abs(np.subtract(face["box"], other.box)).max() <= NEAR
            crop = cut(pixels, other.box, plain.side)
            assert plain.score(crop[None])[0][0] == pytest.approx(logit, abs=LEAST_STEP)
        assert check["verdict"] == expected["verdict"]
        assert check["fake_probability"] == pytest.approx(expected["fake_probability"], abs=LEAST_STEP)
        found += len(there)
    assert found >= 100


def test_frames_side_by_side_answer_as_pictures_one_by_one(pictures: list[bytes]) -> None:
    settings = replace(Settings(), max_frames=32)
    heard = Heard(settings.models)
    checker = Checker(settings, FaceFinder(settings.models), heard, None)
    # Two pictures side by side are a frame, so that faces of one frame could be taken for each other.
    frames = [beside(*pictures[number : number + 2]) for number in range(0, len(pictures) - 1, 3)][:32]
    for data in frames:
        checker.check_image(data)
    one_by_one = heard.logits.copy()
    heard.logits.clear()
    checker.check_frames([Frame(number / 4, data) for number, data in enumerate(frames)])
    assert len(heard.logits) > len(frames)
    # A clip keeps of each frame the faces that are large enough beside its largest, so some may be missing.
    rest = iter(one_by_one)
    assert all(any(abs(logit - other) <= LEAST_STEP for other in rest) for logit in heard.logits)

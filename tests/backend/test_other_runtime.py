"""The runtime under its former name still works: the same networks, the same numbers, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder, crop_face
from chalicelib.settings import MODELS

ROOT = Path(__file__).parents[2]
# tflite-runtime 2.14 wants numpy < 2 and has no wheel for Python 3.12.
PACKAGES = ("tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless>=4.11,<4.12")
SCORE = """
import json, sys
import numpy as np
from chalicelib import runtime
from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder
from chalicelib.settings import MODELS
from pathlib import Path
crops, portrait = np.load(sys.argv[1]), np.load(sys.argv[2])
logits, _ = Detector(Path(sys.argv[3])).score(crops)
boxes = [face.box for face in FaceFinder(MODELS).find(portrait)]
print(json.dumps({"runtime": runtime.RUNTIME, "logits": logits.tolist(), "boxes": boxes}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has no wheel for Python 3.12")
def test_the_former_runtime_gives_the_same_logits_within_one_quantisation_step(
    tmp_path: Path, portrait: np.ndarray
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True, timeout=600)

    detector, finder = Detector(MODELS), FaceFinder(MODELS)
    box = finder.find(portrait)[0].box
    crops = np.stack([crop_face(portrait, box, detector.side, margin) for margin in np.linspace(0, 0.6, 24)])
    np.save(tmp_path / "crops.npy", crops)
    np.save(tmp_path / "portrait.npy", portrait)
    answer = subprocess.run(
        [python, "-c", SCORE, tmp_path / "crops.npy", tmp_path / "portrait.npy", MODELS],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
        env={"PYTHONPATH": str(ROOT / "backend"), "PATH": "/usr/bin:/bin"},
    )
    other = json.loads(answer.stdout)
    assert other["runtime"] == "tflite-runtime"
    logits, _ = detector.score(crops)
    assert np.abs(logits - other["logits"]).max() <= step_of_the_logit(MODELS / "detector.tflite")
    assert np.allclose(other["boxes"], [face.box for face in finder.find(portrait)], atol=0.5)


def step_of_the_logit(model: Path) -> float:
    """Return what one step of the last int8 tensor, at every place of one channel, can move the logit by.

    The head is float: the logit is a weighted sum of the last int8 activations, and a rounding that falls
    the other way in one of them moves it by their scale times a weight. Over the channels such roundings add
    up like a random walk.
    """
    from chalicelib.runtime import load_interpreter

    interpreter = load_interpreter(model)
    tensors = interpreter.get_tensor_details()
    heads = [
        t for t in tensors if t["dtype"] == np.float32 and list(t["shape"][:3]) == [1, 1, 1] and len(t["shape"]) == 4
    ]
    head = max(heads, key=lambda t: t["shape"][3])
    weights = interpreter.get_tensor(head["index"]).ravel()
    last = [
        t for t in tensors if t["dtype"] == np.int8 and t["shape"][-1:] == head["shape"][-1:] and len(t["shape"]) == 4
    ]
    scale = max(t["quantization"][0] for t in last if t["shape"][0] == 1)
    return float(scale * np.sqrt((weights**2).sum()))

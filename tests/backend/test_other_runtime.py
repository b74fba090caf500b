"""The runtime under its former name still works: the same networks, the same numbers, in an environment of its own."""

from __future__ import annotations

import json
import math
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
    assert np.abs(logits - other["logits"]).max() <= step_of_the_logit()
    assert np.allclose(other["boxes"], [face.box for face in finder.find(portrait)], atol=0.5)


def step_of_the_logit() -> float:
    """Return 1/255 of the range of logits over the probabilities from .0001 to .9999: their step, were they int8."""
    calibration = Detector(MODELS).calibration.picture
    return 2 * math.log(0.9999 / 0.0001) * calibration.temperature / 255

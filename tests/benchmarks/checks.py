"""A whole check beside its peer: the `mtcnn` package and the same network in Keras, on one thread each.

Run `python -m tests.benchmarks.checks [--runs N]`; it prints a table and writes build/checks_benchmark.json.
Both start from the bytes of one 1280 × 720 JPEG with one face and end with a calibrated verdict; both are warm, and
they take turns, so that a machine that changes its speed changes both.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from chalicelib.checks import Checker
from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder
from chalicelib.settings import Settings
from tests.benchmarks.mtcnn_peer import Peer
from training.keras_detector import KerasDetector
from training.models import FLOAT_STUDENT

OUT = Path("build/checks_benchmark.json")


def make_photo() -> bytes:
    """Return a JPEG of 1280 × 720 px: a public-domain portrait in front of a cup of coffee."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        portrait, scene = np.asarray(data.astronaut()), np.asarray(data.coffee())
    canvas = cv2.resize(scene, (1280, 720), interpolation=cv2.INTER_LINEAR)
    canvas[104:616, 700:1212] = portrait
    _, encoded = cv2.imencode(".jpg", canvas[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return encoded.tobytes()


def make_checks() -> dict[str, Callable[[bytes], object]]:
    """Return our check and the peers', by name; all on one thread."""
    settings = Settings(threads=1)
    # The package sets TensorFlow to one thread, so it has to come first.
    peer = Peer()
    student = KerasDetector(FLOAT_STUDENT, settings.models)
    served = Detector(settings.models)
    return {
        "ours": Checker(settings, FaceFinder(settings.models), served, None).check_image,
        "mtcnn + Keras": Checker(settings, peer, student, None).check_image,
    }


def measure(checks: dict[str, Callable[[bytes], object]], photo: bytes, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds of each check, in turns, after three warm-ups."""
    times: dict[str, list[float]] = {name: [] for name in checks}
    for run in range(runs + 3):
        for name, check in checks.items():
            started = time.perf_counter()
            check(photo)
            if run >= 3:
                times[name].append((time.perf_counter() - started) * 1000)
    return times


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    runs = parser.parse_args().runs
    times = measure(make_checks(), make_photo(), runs)
    ratios = np.array(times["mtcnn + Keras"]) / np.array(times["ours"])
    rows = {
        name: dict(zip(("q10", "median", "q90"), np.quantile(t, (0.1, 0.5, 0.9)), strict=True))
        for name, t in times.items()
    }
    rows["ratio"] = dict(zip(("q10", "median", "q90"), np.quantile(ratios, (0.1, 0.5, 0.9)), strict=True))
    print(f"{'1280 × 720, one face, ms':<26}{'q10':>9}{'median':>9}{'q90':>9}")
    for name, row in rows.items():
        print(f"{name:<26}" + "".join(f"{value:9.1f}" for value in row.values()))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"runs": runs, **rows}, indent=1))


if __name__ == "__main__":
    main()

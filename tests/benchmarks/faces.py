"""`chalicelib.faces` beside the `mtcnn` package: how alike, and how much faster, both on one thread.

Run `python -m tests.benchmarks.faces [--photos N] [--canvases N] [--runs N]`; it prints two tables and writes
build/faces_benchmark.json. Alikeness needs the shared photos beside the checkout; speed is measured without them too.
The two finders take turns on each picture, so that a machine that changes its speed changes both.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from chalicelib.faces import Face, FaceFinder
from chalicelib.settings import MODELS
from tests.benchmarks.mtcnn_peer import MOST_FACES, Agreement, Peer, canvases, photos, portrait_crop

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
OUT = Path("build/faces_benchmark.json")
# Longer side, px, from which a face counts: smaller ones get no verdict.
LEAST_SIDE = 48
# Shared photos whose faces are set on canvases; another draw than the photos compared as they are.
CROPS = 300
# Numbers of faces at which speed is measured.
COUNTS = (0, 1, 8)


class Finder(Protocol):
    """What is compared."""

    def find(self, pixels: np.ndarray) -> list[Face]: ...


def compare(ours: Finder, theirs: Finder, pictures: Iterable[np.ndarray]) -> Agreement:
    """Return how alike the two are on these pictures; the second counts as the truth."""
    agreement = Agreement(LEAST_SIDE)
    for pixels in pictures:
        agreement.add(ours.find(pixels), theirs.find(pixels))
    return agreement


def pictures(shared: Path, photo_count: int, canvas_count: int) -> dict[str, Iterator[np.ndarray]]:
    """Return the pictures to compare on, by kind."""
    crops = list(photos(shared, CROPS, seed=1))
    return {"photos": photos(shared, photo_count), "canvases": canvases(crops, canvas_count)}


def measure(ours: Finder, theirs: Finder, samples: list[np.ndarray], runs: int) -> dict[str, float]:
    """Return median milliseconds of both and the quartiles of their ratio, after one warm-up on each sample."""
    times: list[tuple[float, float]] = []
    for run in range(-1, runs):
        for pixels in samples:
            taken = _time(ours, pixels), _time(theirs, pixels)
            if run >= 0:
                times.append(taken)
    mine, peer = np.array(times).T * 1000
    low, middle, high = np.percentile(peer / mine, (25, 50, 75))
    return {
        "ours_ms": float(np.median(mine)),
        "mtcnn_ms": float(np.median(peer)),
        "ratio": float(middle),
        "ratio_25": float(low),
        "ratio_75": float(high),
    }


def speed_samples(faces: int) -> list[np.ndarray]:
    """Return three canvases with so many times the public-domain portrait."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skimage import data

        crop = portrait_crop(np.asarray(data.astronaut()))
    every = MOST_FACES + 1
    return list(islice(canvases([crop], 3 * every, seed=3), faces, None, every))


def _time(finder: Finder, pixels: np.ndarray) -> float:
    start = time.perf_counter()
    finder.find(pixels)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=500, help="shared photos compared as they are")
    parser.add_argument("--canvases", type=int, default=180, help="1280 × 720 pictures with 0 to 8 faces")
    parser.add_argument("--runs", type=int, default=7, help="turns on each of three pictures for speed")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    theirs, ours = Peer(), FaceFinder(MODELS)

    report: dict[str, dict[str, dict[str, float]]] = {"agreement": {}, "speed": {}}
    if SHARED.is_dir():
        print(f"{'':10}{'faces':>7}{'recall':>8}{'precision':>11}{'IoU':>7}{'landmarks mean/median/p95':>27}")
        for kind, samples in pictures(SHARED, options.photos, options.canvases).items():
            found = compare(ours, theirs, samples).summary()
            report["agreement"][kind] = found
            marks = " / ".join(f"{found[f'landmarks_{k}']:.2%}" for k in ("mean", "median", "p95"))
            print(
                f"{kind:10}{found['faces']:7.0f}{found['recall']:8.4f}{found['precision']:11.4f}"
                f"{found['iou_median']:7.3f}{marks:>27}"
            )
    print(f"\n1280 × 720{'ours ms':>10}{'mtcnn ms':>10}{'ratio (quartiles)':>23}")
    for count in COUNTS:
        taken = measure(ours, theirs, speed_samples(count), options.runs)
        report["speed"][f"{count} faces"] = taken
        spread = f"{taken['ratio']:.1f} ({taken['ratio_25']:.1f}-{taken['ratio_75']:.1f})"
        print(f"{count} faces   {taken['ours_ms']:10.1f}{taken['mtcnn_ms']:10.1f}{spread:>23}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

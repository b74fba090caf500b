"""What a model costs: parameters, bytes, and milliseconds a face on one thread.

Run as a program it times models in a process of its own, because a runtime fixes its threads when it starts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

# Rounds that warm a model up, and that are timed; the least number of them, and seconds after which it is enough.
WARM_UP = 2
LEAST_ROUNDS = 3
MOST_ROUNDS = 30
SECONDS = 3.0
# What tells the runtimes that Keras may run on to use one thread.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


def count_parameters(network: Path) -> int:
    """Return the number of values in the weights of a .keras or a .tflite file."""
    return _count_keras(network) if network.suffix == ".keras" else _count_tflite(network)


def _count_keras(network: Path) -> int:
    import h5py

    sizes: list[int] = []
    with zipfile.ZipFile(network) as archive, h5py.File(BytesIO(archive.read("model.weights.h5"))) as weights:
        # The state of an optimiser is no part of the network; that of a random generator is no weight.
        weights.visititems(
            lambda name, entry: (
                sizes.append(entry.size)
                if isinstance(entry, h5py.Dataset) and "optimizer" not in name and "seed_generator" not in name
                else None
            )
        )
    return int(sum(sizes))


def _count_tflite(network: Path) -> int:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(network.read_bytes(), 0)
    total = 0
    for index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(index)
        for number in range(graph.TensorsLength()):
            tensor = graph.Tensors(number)
            # Only what has bytes in the file is a weight; the others are what flows.
            if model.Buffers(tensor.Buffer()).DataLength():
                total += int(np.prod(tensor.ShapeAsNumpy())) if tensor.ShapeLength() else 1
    return total


def time_apart(specs: list[str]) -> dict[str, Any]:
    """Time models on one thread of one core, in a process of its own.

    Args:
        specs: what `--model` names.

    Returns:
        By spec, the milliseconds a face, or None where the model cannot be run.
    """
    ran = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "training.costs", *specs],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ran.stdout.strip().splitlines()
    try:
        return dict(json.loads(lines[-1])) if lines else {}
    except ValueError:
        return {}


def time_face(score: Any, side: int) -> float:
    """Return the median milliseconds of scoring one crop of this side, px."""
    crop = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
    for _ in range(WARM_UP):
        score(crop)
    spent: list[float] = []
    while len(spent) < MOST_ROUNDS and (len(spent) < LEAST_ROUNDS or sum(spent) < SECONDS):
        started = time.perf_counter()
        score(crop)
        spent.append(time.perf_counter() - started)
    return 1000 * median(spent)


def main(specs: list[str]) -> None:
    """Print the milliseconds of each model as JSON."""
    from chalicelib.settings import Settings
    from training.models import load_model

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    settings = Settings()
    times: dict[str, float | None] = {}
    for spec in specs:
        try:
            model = load_model(spec, settings)
            times[spec] = round(time_face(model.score, model.side), 2)
        except Exception:
            # Whatever ails a model is said where it is scored; here it only has no time.
            times[spec] = None
    sys.stdout.write("\n" + json.dumps(times) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

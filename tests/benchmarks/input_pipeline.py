"""The input pipeline beside the networks that it feeds: views a second of the one, and of the other.

Run `python -m tests.benchmarks.input_pipeline [--preset NAME …] [--limit N] [--rounds N]`; it prints a table and writes
build/input_pipeline_benchmark.json. It needs the shared photos beside the checkout. The pipeline runs alone on all the
threads that a training gives it, the network alone on all cores; they take turns, so that a machine that changes its
speed changes both. What counts is the phase that asks most of the pipeline. Processor time a view is told beside it:
on a machine that others use too, it is the steadier figure.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

from chalicelib.settings import Settings
from training.faces import locate_faces
from training.fitting import WORKERS, Data, compile_for, make_batches, start_learner, start_network
from training.manifest import read_manifest
from training.networks.catalogue import train_from
from training.presets import find
from training.splits import limit_by_class, split_by_group

SHARED = Path(__file__).parents[3] / "shared" / "data"
OUT = Path("build/input_pipeline_benchmark.json")
# Where the faces of the shared photos are remembered from one run to the next.
FOUND = Path("build/faces_found.csv")
PRESETS = ("student", "cnn-128", "cnn-224", "b-mobilenetv2")
# Views that the pipeline makes for each that the network takes, at least: then no core waits.
BAR = 3.0
# Seconds that one side runs before the other has its turn.
TURN = 4.0


def read_data(limit: int) -> Data:
    """Return the shared training part, at most so many pictures a class."""
    settings = Settings()
    samples = limit_by_class(split_by_group(read_manifest(SHARED / "faces.csv"))["train"], limit, 0)
    FOUND.parent.mkdir(exist_ok=True)
    faces = locate_faces(samples, SHARED, FOUND, settings, lambda done, total: None)
    return Data([sample for sample in samples if sample.path in faces], [], faces, SHARED, settings)


def measure(name: str, data: Data, rounds: int) -> dict[str, float]:
    """Return views a second of a preset's pipeline, cold and warm, and of its network; and warm by network."""
    recipe = replace(find(name).recipe, weights="none")
    network = start_network(recipe)
    learner = start_learner(network, recipe)
    batches = make_batches(recipe, data, network)
    step = 0

    def prepare(count: int) -> int:
        """Make so many batches on all threads; return the views in them."""
        nonlocal step
        with ThreadPoolExecutor(WORKERS) as pool:
            views = sum(len(labels) for _, labels in pool.map(batches.__getitem__, range(step, step + count)))
        step += count
        return views

    # Cold: nothing is held yet, every picture is read and decoded.
    started = time.perf_counter()
    views = prepare(max(1, len(data.train) // recipe.batch_size))
    cold = views / (time.perf_counter() - started)

    views_ready, labels = batches[0]
    consumers = {}
    for number, phase in enumerate(recipe.phases, start=1):
        train_from(network, phase.train_from)
        compile_for(learner, phase, recipe, recipe.steps)
        learner.train_on_batch(views_ready, labels)
        consumers[number] = _rate(lambda: _train(learner, views_ready, labels), 1, TURN)[0]
    greediest = max(consumers, key=lambda number: consumers[number])
    compile_for(learner, recipe.phases[greediest - 1], recipe, recipe.steps)
    learner.train_on_batch(views_ready, labels)

    made, taken = [], []
    for _ in range(rounds):
        made.append(_rate(lambda: prepare(2 * WORKERS), 0, TURN))
        taken.append(_rate(lambda: _train(learner, views_ready, labels), 1, TURN))
    return {
        "cold": round(cold, 1),
        "pipeline": round(median(rate for rate, _ in made), 1),
        "network": round(median(rate for rate, _ in taken), 1),
        "phase": greediest,
        "ratio": round(median(a / b for (a, _), (b, _) in zip(made, taken, strict=True)), 2),
        "pipeline_cpu_ms": round(median(cost for _, cost in made), 3),
        "network_cpu_ms": round(median(cost for _, cost in taken), 3),
    }


def _train(network: object, views: object, labels: object) -> int:
    network.train_on_batch(views, labels)  # type: ignore[attr-defined]
    return len(labels)  # type: ignore[arg-type]


def _rate(work: Callable[[], int], warm_up: int, seconds: float) -> tuple[float, float]:
    """Return what `work` gets done a second, over some seconds, and the milliseconds of processor time of each."""
    for _ in range(warm_up):
        work()
    done, started, spent = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        done += work()
    return done / (time.perf_counter() - started), (time.process_time() - spent) / done * 1000


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", action="append", help=f"repeatable; default {', '.join(PRESETS)}")
    parser.add_argument("--limit", type=int, default=400, help="pictures a class")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    data = read_data(arguments.limit)
    results = {}
    print(f"views a second, {WORKERS} threads; processor milliseconds a view")
    print(f"{'preset':<16}{'cold':>10}{'pipeline':>10}{'network':>10}{'ratio':>8}{'pipeline':>12}{'network':>10}")
    for name in arguments.preset or PRESETS:
        found = results[name] = measure(name, data, arguments.rounds)
        mark = "" if found["ratio"] >= BAR else f"   below {BAR:g}"
        cells = "".join(f"{found[key]:>10.1f}" for key in ("cold", "pipeline", "network"))
        costs = f"{found['pipeline_cpu_ms']:>9.2f} ms{found['network_cpu_ms']:>7.2f} ms"
        print(f"{name:<16}{cells}{found['ratio']:>8.1f}{costs}{mark}", flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"bar": BAR, "threads": WORKERS, "presets": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

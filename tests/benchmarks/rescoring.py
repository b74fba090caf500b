"""Re-scoring flagged pictures beside the plain way: each picture by itself, `model.predict` on its face.

Run `python -m tests.benchmarks.rescoring [--pictures N] [--runs N] [--workers]`; it prints a table and writes
build/rescoring_benchmark.json. Both sides decode, find faces, crop and score the same pictures by the same ensemble,
and take turns. Ours also reads the flags and writes back what came of them. With --workers they go through Ray too,
by one worker and two, and by one node and two of a cluster on this host; what it takes to start is left out.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import data

from chalicelib.checks import Finds, Scores
from chalicelib.detector import normalise
from chalicelib.faces import FaceFinder, crop_face
from chalicelib.flags import make_flag
from chalicelib.images import decode
from chalicelib.settings import Settings
from chalicelib.stores import open_checks, open_flags, open_pictures
from chalicelib.times import now, spell_time
from training.models import ENSEMBLE, load_model
from training.networks.loading import load_network
from training.rescoring import engines
from training.rescoring.plan import Plan
from training.rescoring.worker import Worker

OUT = Path("build/rescoring_benchmark.json")
SIDE = 320


def draw_pictures(count: int) -> list[bytes]:
    """Return so many JPEGs of one face, no two alike."""
    portrait, chance = np.asarray(data.astronaut())[:384, 40:424], np.random.default_rng(0)
    pictures = []
    for _ in range(count):
        x, y = chance.integers(0, 24, 2)
        pixels = cv2.resize(portrait[y : y + 360, x : x + 360], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(chance.integers(80, 96)))
        pictures.append(file.getvalue())
    return pictures


def predict_one_by_one(pictures: list[bytes], finder: Finds, network: object, side: int) -> float:
    """Go the plain way; return its seconds."""
    started = time.perf_counter()
    for picture in pictures:
        pixels = decode(picture, Settings()).pixels
        for face in finder.find(pixels):
            network.predict(normalise(crop_face(pixels, face.box, side)[None]), verbose=0)  # type: ignore[attr-defined]
    return time.perf_counter() - started


def flag_pictures(pictures: list[bytes], settings: Settings) -> None:
    """Flag all pictures, which are kept, so that nothing is fetched."""
    kept, begun = open_pictures(settings), now() - timedelta(minutes=1)
    with closing(open_flags(settings)) as flags:
        for picture in pictures:
            flag = make_flag(begun, kept_until=begun + timedelta(days=1))
            kept.put(flag["id"], picture)
            flags.add(flag)


def rescore(pictures: list[bytes], finder: Finds, model: Scores) -> float:
    """Go our way, flags and write-back included; return its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store_path=Path(folder) / "checks.sqlite3")
        flag_pictures(pictures, settings)
        plan = Plan(settings, "ensemble", spell_time(now()))
        flags = open_flags(settings)
        with closing(Worker(plan, finder, model, open_checks(settings), flags, open_pictures(settings))) as worker:
            started = time.perf_counter()
            scored = sum(outcome["kind"] == "scored" for outcome in worker.run(worker.find(flags.list_due(plan.at))))
            seconds = time.perf_counter() - started
    assert scored == len(pictures)
    return seconds


@dataclass(frozen=True)
class Pace:
    """How a run by Ray went, once all its workers had told of their first share.

    Attributes:
        speed: pictures a second.
        busy: processors of this host that were busy meanwhile, with whatever else ran.
    """

    speed: float
    busy: float


def pace_ray(pictures: list[bytes], workers: int, nodes: int = 0) -> Pace:
    """Go our way by Ray.

    Args:
        pictures: to be looked at.
        workers: that hold the ensemble.
        nodes: of a cluster on this host that the run joins, beside a head that works not; each node is held to one
            processor of its own, so that it is a machine of one processor. None where 0: workers share the host.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        settings = Settings(store_path=Path(folder) / "checks.sqlite3")
        flag_pictures(pictures, settings)
        plan = Plan(settings, "ensemble", spell_time(now()), threads=1)
        with closing(open_flags(settings)) as flags:
            ids = list(flags.list_due(plan.at))
        address = stack.enter_context(start_nodes(nodes)) if nodes else ""
        done, began, idle = 0, 0.0, 0.0
        for _ in engines.run("ray", plan, ids, Path(folder), workers, address):
            if done == workers * engines.SHARE:
                began, idle = time.perf_counter(), read_idle()
            done += 1
        seconds = time.perf_counter() - began
        idle = read_idle() - idle
    assert done == len(pictures)
    return Pace((done - workers * engines.SHARE) / seconds, (os.cpu_count() or 1) - idle / seconds)


@contextmanager
def start_nodes(count: int) -> Iterator[str]:
    """Start a Ray cluster of a head and so many nodes; lends its address."""
    from ray.cluster_utils import Cluster

    processors = sorted(os.sched_getaffinity(0))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for number in range(count):
            # What a process is held to, its children are.
            os.sched_setaffinity(0, {processors[number]})
            # One to hold the worker, one for what hands it its shares.
            cluster.add_node(num_cpus=2)
        os.sched_setaffinity(0, processors)
        yield cluster.address
    finally:
        os.sched_setaffinity(0, processors)
        cluster.shutdown()


def read_idle() -> float:
    """Return the seconds that the processors of this host have been idle, all together, as Linux counts them."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", action="store_true")
    asked = parser.parse_args()
    pictures = draw_pictures(asked.pictures)
    settings = Settings()
    finder, model = FaceFinder(settings.models), load_model("ensemble", settings)
    network = load_network(ENSEMBLE / "network.keras")
    plain, ours = [], []
    for run in range(asked.runs + 1):
        took = predict_one_by_one(pictures, finder, network, model.side), rescore(pictures, finder, model)
        # The first turn warms both up.
        if run:
            plain.append(took[0])
            ours.append(took[1])
    speeds = {name: asked.pictures / np.array(seconds) for name, seconds in (("plain", plain), ("ours", ours))}
    ratios = np.array(plain) / np.array(ours)
    told: dict[str, object] = {"pictures": asked.pictures, "runs": asked.runs, "ratio": float(np.median(ratios))}
    for name, each in speeds.items():
        told[name] = speed = float(np.median(each))
        print(f"{name:<12}{speed:8.1f} pictures a second")
    print(f"{'ratio':<12}{float(np.median(ratios)):8.1f} ({ratios.min():.1f}–{ratios.max():.1f})")
    if asked.workers:
        engines.SHARE = 64
        many = draw_pictures(asked.pictures * 16)
        ways = {"one worker": (1,), "two workers": (2,), "one node of one processor": (1, 1), "two such nodes": (2, 2)}
        paces = {name: pace_ray(many, *how) for name, how in ways.items()}
        told["ray"] = {name: asdict(pace) for name, pace in paces.items()}
        for name, pace in paces.items():
            print(f"Ray, {name:<27}{pace.speed:6.1f} pictures a second, {pace.busy:.2f} processors busy")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()

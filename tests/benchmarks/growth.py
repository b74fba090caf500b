"""How cost grows: with pixels, faces, frames, stored checks and clients at once.

Run `python -m tests.benchmarks.growth [--runs N] [--checks N]`; it prints the exponent of each (1 is linear, below is
better), and writes build/bench/growth.json and a plot of each beside it.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path

import cv2
import numpy as np

from chalicelib.checks import Checker
from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder
from chalicelib.frames import Frame
from chalicelib.settings import Settings
from chalicelib.store import SqliteStore
from tests.benchmarks import whole
from tests.benchmarks.photos import make_photo
from tests.benchmarks.row import time_once

OUT = Path("build/bench")


@dataclass(frozen=True, slots=True)
class Curve:
    """Milliseconds by size.

    Attributes:
        name: what grows.
        sizes: of it.
        ms: median at each.
        exponent: slope of log ms over log size, of the upper half, where what is fixed weighs least.
    """

    name: str
    sizes: list[float]
    ms: list[float]
    exponent: float


def draw_curve(name: str, sizes: list[float], do: Callable[[float], object], runs: int) -> Curve:
    """Measure; all sizes take turns."""
    times: dict[float, list[float]] = {size: [] for size in sizes}
    for run in range(-1, runs):
        for size in sizes:
            taken = time_once(lambda size=size: do(size))  # type: ignore[misc]
            if run >= 0:
                times[size].append(taken)
    ms = [float(np.median(times[size])) * 1000 for size in sizes]
    half = (len(sizes) - 1) // 2
    slope = np.polyfit(np.log(sizes[half:]), np.log(ms[half:]), 1)[0]
    return Curve(name, sizes, ms, float(slope))


def grow_pixels(checker: Checker, runs: int) -> Curve:
    """Check pictures of one face and more and more pixels."""
    widths = (320, 640, 1280, 1920, 2560, 3840, 5120)
    photos = {float(width * (width * 9 // 16)): make_photo(width, width * 9 // 16) for width in widths}
    return draw_curve("pixels", list(photos), lambda size: checker.check_image(photos[size]), runs)


def grow_faces(checker: Checker, runs: int) -> Curve:
    """Check pictures of more and more faces."""
    photos = {float(count): make_photo(faces=count) for count in (1, 2, 4, 6, 8)}
    return draw_curve("faces", list(photos), lambda size: checker.check_image(photos[size]), runs)


def grow_frames(checker: Checker, runs: int) -> Curve:
    """Check clips of more and more frames."""
    frames = [Frame(number / 4, make_photo(seed=number)) for number in range(32)]
    return draw_curve("frames", [1.0, 2, 4, 8, 16, 32], lambda size: checker.check_frames(frames[: int(size)]), runs)


def grow_store(folder: Path, most: int, runs: int) -> Curve:
    """Find and save checks in stores that hold more and more."""
    sizes = [float(10**power) for power in range(3, 10) if 10**power <= most]
    stores = {size: fill_store(folder / f"{size:.0f}.sqlite3", int(size)) for size in sizes}
    number = 0

    def ask(size: float) -> None:
        nonlocal number
        for _ in range(20):
            number += 1
            assert stores[size].find(f"{number % int(size):064x}", "v") is not None
            stores[size].save(make_check(10**9 + number))

    curve = draw_curve("stored checks", sizes, ask, runs)
    for store in stores.values():
        store.close()
    return curve


def grow_clients(checker: Checker, runs: int) -> Curve:
    """Have more and more clients ask at once, each for one check; the cost is until all have their answer."""
    photo = make_photo()
    with whole.serve(checker) as post:
        port = post.port

        def ask_one(number: int) -> None:
            with closing(HTTPConnection("127.0.0.1", port)) as connection:
                body = photo + number.to_bytes(4, "big")
                connection.request("POST", "/v2/checks/image", body, {"Content-Type": "image/jpeg"})
                assert connection.getresponse().status == 200

        def ask(size: float) -> None:
            clients = [threading.Thread(target=ask_one, args=(number,)) for number in range(int(size))]
            for client in clients:
                client.start()
            for client in clients:
                client.join()

        return draw_curve("clients at once", [1.0, 2, 4, 8, 16, 32], ask, runs)


def make_check(number: int) -> dict[str, object]:
    """Return the least of a check that a store keeps."""
    return {
        "id": f"{number:032x}",
        "media": {"sha256": f"{number:064x}"},
        "model": {"version": "v"},
        "checked_at": "2026-01-01T00:00:00Z",
        "verdict": "no_face",
        "grid": [0.123456] * 200,
    }


def fill_store(path: Path, rows: int) -> SqliteStore:
    """Return a store that holds so many checks."""
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        body = json.dumps(make_check(0))
        raw.executemany(
            "INSERT INTO checks (id, sha256, model_version, checked_at, body) VALUES (?, ?, 'v', '2026', ?)",
            ((f"{number:032x}", f"{number:064x}", body) for number in range(rows)),
        )
        raw.commit()
    return SqliteStore(path)


def plot(curve: Curve) -> None:
    """Write a plot of a curve, both axes logarithmic, with a line of slope 1 through its last point."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3.5))
    axes.loglog(curve.sizes, curve.ms, "o-", label=f"measured, exponent {curve.exponent:.2f}")
    linear = [curve.ms[-1] * size / curve.sizes[-1] for size in curve.sizes]
    axes.loglog(curve.sizes, linear, "--", color="grey", label="linear")
    axes.set_xlabel(curve.name)
    axes.set_ylabel("ms")
    axes.legend()
    figure.tight_layout()
    figure.savefig(OUT / f"{curve.name.replace(' ', '_')}.png", dpi=100)
    pyplot.close(figure)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--checks", type=int, default=1_000_000, help="most checks that a store holds")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    settings = Settings(threads=1)
    checker = Checker(settings, FaceFinder(settings.models), Detector(settings.models), None)
    OUT.mkdir(parents=True, exist_ok=True)
    curves = []
    with tempfile.TemporaryDirectory() as name:
        for grow in (
            lambda: grow_pixels(checker, asked.runs),
            lambda: grow_faces(checker, asked.runs),
            lambda: grow_frames(checker, max(2, asked.runs // 3)),
            lambda: grow_store(Path(name), asked.checks, asked.runs),
            lambda: grow_clients(checker, asked.runs),
        ):
            started = time.perf_counter()
            curve = grow()
            curves.append(curve)
            points = ", ".join(f"{size:g}: {ms:.1f}" for size, ms in zip(curve.sizes, curve.ms, strict=True))
            took = time.perf_counter() - started
            print(f"{curve.name:<16}exponent {curve.exponent:.2f}   ms by size: {points}   ({took:.0f} s)", flush=True)
            plot(curve)
    (OUT / "growth.json").write_text(json.dumps([asdict(curve) for curve in curves], indent=1) + "\n")


if __name__ == "__main__":
    main()

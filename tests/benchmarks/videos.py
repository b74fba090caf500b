"""A whole check of a clip beside its peer: frame by frame with the `mtcnn` package and the same network in Keras.

Run `python -m tests.benchmarks.videos [--runs N]`; it prints a table and writes build/videos_benchmark.json.

Ours starts at the bytes of a 10 s H.264 clip of 1280 × 720 px with one face and ends with a verdict, its process for
decoding included; the peer is given every frame that ours takes, and reads the clip by OpenCV in its own process. Both
are held to one processor and take turns. Then the largest memory of a check of a 4K clip is told, both processes
together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from chalicelib.captures import Capture
from chalicelib.checks import Checker
from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder
from chalicelib.settings import Settings
from tests.benchmarks.mtcnn_peer import Peer
from tests.benchmarks.photos import make_photo
from training.keras_detector import KerasDetector
from training.models import FLOAT_STUDENT

OUT = Path("build/videos_benchmark.json")
FRAMES = 32


def make_clip(path: Path, size: tuple[int, int], seconds: int, rate: int = 25) -> Path:
    """Write an H.264 clip in which a portrait before a cup of coffee drifts, a little noise over it."""
    photo = cv2.imdecode(np.frombuffer(make_photo(), np.uint8), cv2.IMREAD_COLOR)
    scale = size[0] / photo.shape[1]
    photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    noise = np.random.default_rng(0).integers(0, 7, (size[1] + 32, size[0] + 32, 3), np.uint8)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}"]
    command += ["-r", str(rate), "-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        for number in range(seconds * rate):
            moved = np.roll(photo, number % 80, axis=1)[: size[1], : size[0]]
            grain = noise[number % 32 :, number * 7 % 32 :][: size[1], : size[0]]
            encoder.stdin.write(cv2.add(moved, grain).tobytes())
    return path


def check_by_frames(checker: Checker, path: Path) -> None:
    """Check a clip as a program without ours would: read on, and find and judge the face of every chosen frame."""
    with Capture(path) as capture:
        count = capture.count
        for number in range(FRAMES):
            if not (capture.go_to(int((number + 0.5) * count / FRAMES)) and capture.grab()):
                break
            pixels = capture.retrieve()
            assert pixels is not None
            found = checker._finder.find(pixels)
            checker._score([checker._cut(face, pixels) for face in found], "frame")


def make_checks() -> dict[str, Callable[[Path], object]]:
    """Return our check and the peers', by name."""
    settings = Settings(threads=1, video_patience=600, max_video_bytes=100_000_000)
    # The package sets TensorFlow to one thread, so it has to come first.
    peer = Checker(settings, Peer(), KerasDetector(FLOAT_STUDENT, settings.models), None)
    ours = Checker(settings, FaceFinder(settings.models), Detector(settings.models), None)
    return {"ours": ours.check_video, "mtcnn + Keras": lambda path: check_by_frames(peer, path)}


def measure(checks: dict[str, Callable[[Path], object]], clip: Path, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds a frame of each check, in turns, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in checks}
    for run in range(runs + 1):
        for name, check in checks.items():
            started = time.perf_counter()
            check(clip)
            if run:
                times[name].append((time.perf_counter() - started) * 1000 / FRAMES)
    return times


def measure_memory(clip: Path) -> float:
    """Return the most memory that a fresh process and the one that decodes for it hold together, MB."""
    code = (
        "import sys; from pathlib import Path; from chalicelib.checks import Checker\n"
        "from chalicelib.settings import Settings\n"
        "settings = Settings(max_video_bytes=100_000_000, video_patience=600)\n"
        "print(Checker.from_settings(settings, remember=False).check_video(Path(sys.argv[1]))['coverage'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(clip)], stdout=subprocess.DEVNULL)
    most = [0.0]

    def watch() -> None:
        while process.poll() is None:
            tree = [process.pid, *_children(process.pid)]
            most[0] = max(most[0], sum(map(_resident, tree)))
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    watcher.join()
    return most[0]


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        large = make_clip(Path(folder, "4k.mp4"), (3840, 2160), seconds=2)
        memory = measure_memory(large)
        clip = make_clip(Path(folder, "720p.mp4"), (1280, 720), seconds=10)
        if hasattr(os, "sched_setaffinity"):
            # The process that decodes inherits this, or it would have a processor of its own.
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        times = measure(make_checks(), clip, runs)
    rows = {name: dict(zip(("q10", "median", "q90"), np.quantile(t, (0.1, 0.5, 0.9)), strict=True))
            for name, t in times.items()}  # fmt: skip
    ratios = np.array(times["mtcnn + Keras"]) / np.array(times["ours"])
    rows["ratio"] = dict(zip(("q10", "median", "q90"), np.quantile(ratios, (0.1, 0.5, 0.9)), strict=True))
    print(f"{'10 s of 720p, ms a frame':<26}{'q10':>9}{'median':>9}{'q90':>9}")
    for name, row in rows.items():
        print(f"{name:<26}" + "".join(f"{value:9.1f}" for value in row.values()))
    print(f"most memory on a 4K clip, both processes: {memory:.0f} MB")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"runs": runs, "memory_mb": memory, **rows}, indent=1))


if __name__ == "__main__":
    main()

"""Whole commands and a whole service, each from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from backend.server import Server
from chalicelib.checks import Checker
from chalicelib.settings import MODELS
from tests.benchmarks.photos import make_photo
from tests.benchmarks.process import open_process

ROOT = Path(__file__).parents[2]
UNMASK = [sys.executable, "-c", "from backend.cli import main; main()"]
# The least that a check cannot do without: libraries and networks.
IMPORTS = f"""
import sys
import numpy, cv2
from pathlib import Path
from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder
models = Path({str(MODELS)!r})
Detector(models), FaceFinder(models)
print("ready", flush=True)
"""
# Checks photos as one clip or one by one, as each line asks, and tells the seconds.
CLIPS = """
import sys, time
from pathlib import Path
import cv2
from chalicelib.checks import Checker
from chalicelib.frames import Frame
from chalicelib.settings import Settings
cv2.setNumThreads(1)
photos = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
frames = [Frame(number / 4, photo) for number, photo in enumerate(photos)]
checker = Checker.from_settings(Settings(threads=1), remember=False)
for line in sys.stdin:
    started = time.perf_counter()
    if line.strip() == "clip":
        checker.check_frames(frames)
    else:
        for photo in photos:
            checker.check_image(photo)
    print(time.perf_counter() - started, flush=True)
"""
# Not ru_maxrss, which keeps what the process that started this one held. The kernel's kB has 1,024 bytes.
MEMORY = (
    'print(next(int(line.split()[1]) * 1.024e-3 for line in open("/proc/self/status") if line.startswith("VmHWM")))'
)


def run(command: list[str], folder: Path, processors: int | None = None) -> None:
    """Run a command to its end, on so many processors or all."""
    allowed = sorted(os.sched_getaffinity(0))[:processors]
    subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )


def check_folder(folder: Path, processors: int) -> None:
    """Check all photos of a folder by `unmask check`, on so many processors."""
    run([*UNMASK, "check", str(folder), "--no-store", "--json"], folder, processors)


def time_first_line(command: list[str], folder: Path) -> float:
    """Return the seconds from the start of a command to the first line that it prints."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        seconds = time.perf_counter() - started
        process.communicate()
    return seconds


def import_only(folder: Path) -> float:
    """Start Python, import what a check needs, load the networks; return the seconds that took."""
    return time_first_line([sys.executable, "-c", IMPORTS], folder)


def check_one(folder: Path, photo: Path) -> float:
    """Start `unmask check`; return the seconds to its first verdict."""
    return time_first_line([*UNMASK, "check", str(photo), "--no-store", "--json"], folder)


def measure_memory(program: str, folder: Path) -> float:
    """Return the most memory, MB, that a program held at once; it is Python."""
    told = subprocess.run(
        [sys.executable, "-c", f"{program}\n{MEMORY}"],
        cwd=folder,
        env=environment(folder),
        check=True,
        capture_output=True,
        text=True,
    )
    return float(told.stdout.splitlines()[-1])


@contextmanager
def open_clips(photos: Path, folder: Path) -> Iterator[Callable[[str], float]]:
    """Lend a process of the core alone, as it serves, which has neither TensorFlow's threads nor its memory.

    Args:
        photos: the folder of what is checked.
        folder: for what is written meanwhile.

    Yields:
        What checks all photos, as one "clip" or as "pictures" one by one, and returns the seconds.
    """
    with open_process([sys.executable, "-c", CLIPS, str(photos)], environment(folder)) as ask:
        yield lambda what: float(ask(what))


class Poster:
    """Posts JPEGs to a service, over one connection.

    Attributes:
        port: of the service, on loopback.
    """

    def __init__(self, port: int) -> None:
        """Take a port of this machine."""
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port)

    def __call__(self, photo: bytes) -> float:
        """Post a JPEG with a face, and return the seconds until its check was read."""
        started = time.perf_counter()
        self._connection.request("POST", "/v2/checks/image", photo, {"Content-Type": "image/jpeg"})
        answer = self._connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200 and body["faces"], body
        return time.perf_counter() - started

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@contextmanager
def serve(checker: Checker) -> Iterator[Poster]:
    """Serve by HTTP in this process."""
    from backend import app as web

    kept = web.checker, web.desk
    web.checker, web.desk = (lambda: checker), (lambda: None)  # type: ignore[assignment]
    web.app.log.disabled = True
    server = Server("127.0.0.1", 0, checker.settings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    post = Poster(server.server_address[1])
    try:
        yield post
    finally:
        post.close()
        server.shutdown()
        server.server_close()
        web.checker, web.desk = kept
        web.app.log.disabled = False


def write_photos(folder: Path, count: int) -> Path:
    """Write so many photos, no two of equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = make_photo()
    for number in range(count):
        # What follows the end of a JPEG changes its hash and nothing else.
        (folder / f"{number:04d}.jpg").write_bytes(photo + number.to_bytes(4, "big"))
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return what a process needs to run this checkout and to keep its checks in a folder."""
    # Compiled modules are kept, as on any machine that runs a command twice.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'backend'}",
        "UNMASK_STORE_PATH": str(folder / "checks.sqlite3"),
    }

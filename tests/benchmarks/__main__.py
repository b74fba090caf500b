"""Our speed beside the peers', in one table; every figure is a ratio of two sides that took turns.

Run `make bench`, or `python -m tests.benchmarks [--runs N] [--only WORD] [--photos N] [--threads N]`. It prints the
table, on one thread and then on all, and a second one of where a millisecond goes, and writes build/bench.json and a
flame graph. tests/benchmarks/README.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2

from chalicelib.checks import Checker
from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder
from chalicelib.images import decode
from chalicelib.memory import tune_allocator
from chalicelib.processes import count_processors
from chalicelib.settings import Settings
from chalicelib.store import SqliteStore
from tests.benchmarks import flames, peers, whole
from tests.benchmarks.counter import Counter, Uncounted
from tests.benchmarks.memory import tell_memory
from tests.benchmarks.photos import make_photo, make_pixels
from tests.benchmarks.row import HEAD, Row, pair
from tests.benchmarks.steps import time_steps

OUT = Path("build/bench.json")
# Groups of rows that come on one thread and on all.
THREADED = "pipelines,finders,runtimes"
FLAMES = Path("build/bench/flames.svg")
PICTURE = "picture, 1280 × 720, one face"
SIZES = ((320, 240), (1280, 720), (4000, 2250))
COUNTS = (0, 1, 8)
# What a runtime does with one crop is short, so it is done more often.
MORE = 5


class Bench:
    """All rows; each is made when it is asked for, since some peers take a minute to begin."""

    def __init__(self, runs: int, photos: int, folder: Path, threads: int = 1) -> None:
        """Load what is measured.

        Args:
            runs: pairs of a row.
            photos: of the batch by command line.
            folder: for what is written meanwhile.
            threads: of each network, ours and theirs.
        """
        self.skipped: dict[str, str] = {}
        self.counter = None
        # Before any thread begins that is to be counted.
        try:
            self.counter = Counter()
        except Uncounted as error:
            self.skipped["instructions"] = str(error)
        from tests.benchmarks.mtcnn_peer import Peer

        self.runs, self.photos, self.folder, self.threads = runs, photos, folder, threads
        cv2.setNumThreads(threads)
        # As every process does that opens a checker by its settings.
        tune_allocator()
        self.settings = Settings(threads=threads)
        # The package sets TensorFlow's threads, so it has to come first.
        self.peer = Peer(threads)
        models = self.settings.models
        self.finder, self.detector = FaceFinder(models, threads=threads), Detector(models, threads)
        self.ours = Checker(self.settings, self.finder, self.detector, None)
        self.number = 0

    def rows(self) -> Iterator[Row]:
        """Yield the rows, the figures that are asked for first."""
        yield from self.pipelines()
        yield from self.finders()
        yield from self.wholes()
        yield from self.clips()
        yield from self.runtimes()
        yield from self.decoders()
        yield from self.doubles()

    def pipelines(self) -> Iterator[Row]:
        """A picture from its bytes to its verdict."""
        from training.keras_detector import KerasDetector
        from training.models import FLOAT_STUDENT

        deepguard = peers.DeepGuard(self.peer)
        photo = make_photo()
        yield self.pair(
            PICTURE, lambda: self.ours.check_image(photo), lambda: deepguard.check(photo), peers.ENSEMBLE, 25
        )
        student = KerasDetector(FLOAT_STUDENT, self.settings.models)
        plain = Checker(self.settings, self.peer, student, None)
        yield self.pair(
            PICTURE, lambda: self.ours.check_image(photo), lambda: plain.check_image(photo), peers.STUDENT, 10
        )
        for width, height in SIZES:
            other = make_photo(width, height)
            if (width, height) != (1280, 720):
                yield self.pair(
                    f"picture, {width} × {height}, one face",
                    lambda other=other: self.ours.check_image(other),
                    lambda other=other: plain.check_image(other),
                    peers.STUDENT,
                )
        for faces in COUNTS:
            other = make_photo(faces=faces)
            if faces != 1:
                yield self.pair(
                    f"picture, 1280 × 720, {faces} faces",
                    lambda other=other: self.ours.check_image(other),
                    lambda other=other: plain.check_image(other),
                    peers.STUDENT,
                )
        with peers.serve_flask() as post:
            yield self.pair(
                PICTURE, lambda: self.ours.check_image(photo), lambda: post(photo), "(d)'s CNN behind Flask, no face"
            )

    def finders(self) -> Iterator[Row]:
        """Faces in pixels."""
        for faces in COUNTS:
            pixels = make_pixels(faces=faces)
            yield self.pair(
                f"faces, 1280 × 720, {faces} in it",
                lambda pixels=pixels: self.finder.find(pixels),
                lambda pixels=pixels: self.peer.find(pixels),
                "mtcnn package",
                15 if faces else None,
            )

    def wholes(self) -> Iterator[Row]:
        """Commands and the service."""
        photo = make_photo()
        kept = Checker(self.settings, self.finder, self.detector, SqliteStore(self.folder / "kept.sqlite3"))
        with whole.serve(kept) as post:
            # Fresh bytes each time, or the store would answer. The bar: at most 15 % on top.
            yield self.pair(
                "HTTP and store, and none of both",
                lambda: post(self.renew(photo)),
                lambda: self.ours.check_image(self.renew(photo)),
                "the bare path",
                1 / 1.15,
                runs=self.runs * MORE,
            )
        kept.close()
        folder = whole.write_photos(self.folder / "photos", self.photos)
        yield self.pair(
            f"unmask check, {self.photos} photos, all processors",
            lambda: whole.check_folder(folder, 2),
            lambda: whole.check_folder(folder, 1),
            "one processor",
            1.8,
            runs=max(1, self.runs // 4),
            warm=0,
        )
        yield self.pair(
            "unmask check, start to first verdict",
            lambda: whole.check_one(self.folder, folder / "0000.jpg"),
            lambda: whole.import_only(self.folder),
            "imports and networks alone",
            1 / 1.2,
        )

    def clips(self) -> Iterator[Row]:
        """A clip beside its frames one by one."""
        photos = self.folder / "frames"
        photos.mkdir()
        for number in range(32):
            (photos / f"{number:02}.jpg").write_bytes(make_photo(seed=number))
        with whole.open_clips(photos, self.folder) as check:
            yield self.pair(
                "clip of 32 frames, 1280 × 720",
                lambda: check("clip"),
                lambda: check("pictures"),
                "32 single checks",
                1.5,
            )

    def runtimes(self) -> Iterator[Row]:
        """One crop, by other runtimes and other networks."""
        ours = peers.open_int8(self.threads)
        others = {
            "our float student on LiteRT": lambda: peers.open_float(self.threads),
            "our float student on ONNX Runtime": lambda: peers.open_onnx(self.threads),
            "our float student, Keras predict": lambda: peers.open_keras("student"),
            "Meso4, Keras predict": lambda: peers.open_keras("meso4"),
        }
        for name, begin in others.items():
            try:
                yield self.pair("one crop", ours, begin(), name, runs=self.runs * MORE)
            except peers.Missing as error:
                self.skipped[name] = str(error)
        with ExitStack() as stack:
            try:
                other = stack.enter_context(peers.open_tflite(self.threads))
            except peers.Missing as error:
                self.skipped["tflite-runtime"] = str(error)
            else:
                yield self.pair("one crop", ours, other, "the same file on tflite-runtime", runs=self.runs * MORE)

    def decoders(self) -> Iterator[Row]:
        """JPEG to pixels, beside libjpeg-turbo alone."""
        try:
            import simplejpeg
        except ImportError:
            self.skipped["libjpeg-turbo alone"] = 'simplejpeg is missing: pip install -e ".[peers]"'
            return
        for width, height in SIZES:
            photo = make_photo(width, height)
            yield self.pair(
                f"decode, {width} × {height}",
                lambda photo=photo: decode(photo, self.settings),
                lambda photo=photo: simplejpeg.decode_jpeg(photo),
                "libjpeg-turbo alone",
                runs=self.runs * MORE,
            )

    def doubles(self) -> Iterator[Row]:
        """Two threads beside one."""
        settings = Settings(threads=2)
        photo = make_photo()
        both = Checker(settings, FaceFinder(settings.models, threads=2), Detector(settings.models, threads=2), None)

        def check_with_all() -> None:
            cv2.setNumThreads(2)
            both.check_image(photo)
            cv2.setNumThreads(1)

        yield self.pair(
            "picture, 1280 × 720, two threads", check_with_all, lambda: self.ours.check_image(photo), "one thread"
        )

    def pair(self, name: str, ours: object, peer: object, other: str, bar: float | None = None, **how: int) -> Row:
        """Measure a row."""
        how.setdefault("runs", self.runs)
        how.setdefault("threads", self.threads)
        return pair(name, ours, peer, other, bar=bar, counter=self.counter, **how)  # type: ignore[arg-type]

    def renew(self, photo: bytes) -> bytes:
        """Return the same picture in other bytes."""
        self.number += 1
        return photo + self.number.to_bytes(4, "big")


def measure_on_all_threads(runs: int, folder: Path) -> list[dict[str, object]]:
    """Return rows on as many threads as there are processors, by a process of its own: TensorFlow takes them once."""
    out = folder / "all_threads.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--only", THREADED, "--threads", str(count_processors())]
    subprocess.run([*command, "--runs", str(runs), "--out", str(out)], check=True)
    rows: list[dict[str, object]] = json.loads(out.read_text(encoding="utf-8"))["rows"]
    return rows


def add_memory(rows: list[dict[str, object]], memory: dict[str, float]) -> None:
    """Print who holds how much, and write it into the rows of the picture that was checked."""
    print("\n" + "\n".join(f"memory, {who:<36}{mb:>10.0f} MB" for who, mb in memory.items()))
    for row in rows:
        if row["name"] == PICTURE and row["peer"] in memory:
            row.update(ours_mb=memory["ours"], peer_mb=memory[str(row["peer"])])


def tell_where(bench: Bench, folder: Path) -> dict[str, object]:
    """Print where a millisecond goes, and draw it; return the same."""
    steps = time_steps(bench.ours, make_photo(), bench.runs)
    print("\n" + "\n".join(f"{step:<44}{ms:>10.2f} ms" for step, ms in steps.items()))
    try:
        flames.draw(FLAMES, make_photo(), folder)
        print(f"\nflame graph: {FLAMES}")
    except peers.Missing as error:
        bench.skipped["flame graph"] = str(error)
        print(f"\nno flame graph, since {error}")
    return {"steps_ms": steps}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="pairs of a row")
    parser.add_argument("--photos", type=int, default=1000, help="of the batch by command line")
    parser.add_argument("--only", default="", help="groups of rows, such as pipelines,finders; all if not said")
    parser.add_argument("--threads", type=int, default=1, help="of each network; all rows come on one and on all")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(asked.runs, asked.photos, folder, asked.threads)
        groups = [getattr(bench, each) for each in asked.only.split(",")] if asked.only else [bench.rows]
        rows = []
        print(HEAD)
        for group in groups:
            for row in group():
                rows.append(row.to_dict())
                print(row.spell(), flush=True)
        for peer, reason in bench.skipped.items():
            print(f"left out: {peer}, since {reason}")
        where: dict[str, object] = {}
        if asked.threads == 1:
            memory = tell_memory(folder)
            add_memory(rows, memory)
            where = {**tell_where(bench, folder), "memory_mb": memory}
        if not asked.only and asked.threads == 1:
            rows += measure_on_all_threads(asked.runs, folder)
    asked.out.parent.mkdir(exist_ok=True)
    told = {"machine": platform.processor() or platform.machine(), "rows": rows, **where, "left_out": bench.skipped}
    asked.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

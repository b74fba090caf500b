"""Our speed beside the peers', in one table; every figure is a ratio of two sides that took turns.

Run `make bench`, or `python -m tests.benchmarks [--runs N] [--only WORD] [--photos N]`. It prints the table, and a
second one of where a millisecond goes, and writes build/bench.json. tests/benchmarks/README.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2

from chalicelib.checks import Checker
from chalicelib.detector import Detector
from chalicelib.faces import FaceFinder
from chalicelib.images import decode
from chalicelib.settings import Settings
from chalicelib.store import SqliteStore
from tests.benchmarks import peers, whole
from tests.benchmarks.photos import make_photo, make_pixels
from tests.benchmarks.row import HEAD, Row, pair
from tests.benchmarks.steps import time_steps

OUT = Path("build/bench.json")
SIZES = ((320, 240), (1280, 720), (4000, 2250))
COUNTS = (0, 1, 8)
# What a runtime does with one crop is short, so it is done more often.
MORE = 5


class Bench:
    """All rows; each is made when it is asked for, since some peers take a minute to begin."""

    def __init__(self, runs: int, photos: int, folder: Path) -> None:
        """Load what is measured.

        Args:
            runs: pairs of a row.
            photos: of the batch by command line.
            folder: for what is written meanwhile.
        """
        from tests.benchmarks.mtcnn_peer import Peer

        self.runs, self.photos, self.folder = runs, photos, folder
        cv2.setNumThreads(1)
        self.settings = Settings(threads=1)
        # The package sets TensorFlow to one thread, so it has to come first.
        self.peer = Peer()
        self.finder, self.detector = FaceFinder(self.settings.models), Detector(self.settings.models)
        self.ours = Checker(self.settings, self.finder, self.detector, None)
        self.skipped: dict[str, str] = {}
        self.number = 0

    def rows(self) -> Iterator[Row]:
        """Yield the rows, the figures that are asked for first."""
        yield from self.pipelines()
        yield from self.finders()
        yield from self.wholes()
        yield from self.clips()
        yield from self.runtimes()
        yield from self.decoders()
        yield from self.threads()

    def pipelines(self) -> Iterator[Row]:
        """A picture from its bytes to its verdict."""
        from training.keras_detector import KerasDetector
        from training.models import FLOAT_STUDENT

        deepguard = peers.DeepGuard(self.peer)
        photo = make_photo()
        title = "picture, 1280 × 720, one face"
        yield self.pair(
            title, lambda: self.ours.check_image(photo), lambda: deepguard.check(photo), "mtcnn + (c)'s ensemble", 25
        )
        student = KerasDetector(FLOAT_STUDENT, self.settings.models)
        plain = Checker(self.settings, self.peer, student, None)
        yield self.pair(
            title, lambda: self.ours.check_image(photo), lambda: plain.check_image(photo), "mtcnn + float student", 10
        )
        for width, height in SIZES:
            other = make_photo(width, height)
            if (width, height) != (1280, 720):
                yield self.pair(
                    f"picture, {width} × {height}, one face",
                    lambda other=other: self.ours.check_image(other),
                    lambda other=other: plain.check_image(other),
                    "mtcnn + float student",
                )
        for faces in COUNTS:
            other = make_photo(faces=faces)
            if faces != 1:
                yield self.pair(
                    f"picture, 1280 × 720, {faces} faces",
                    lambda other=other: self.ours.check_image(other),
                    lambda other=other: plain.check_image(other),
                    "mtcnn + float student",
                )
        with peers.serve_flask() as post:
            yield self.pair(
                title, lambda: self.ours.check_image(photo), lambda: post(photo), "(d)'s CNN behind Flask, no face"
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
        from chalicelib.frames import Frame

        photos = [make_photo(seed=number) for number in range(32)]
        frames = [Frame(number / 4, photo) for number, photo in enumerate(photos)]
        yield self.pair(
            "clip of 32 frames, 1280 × 720",
            lambda: self.ours.check_frames(frames),
            lambda: [self.ours.check_image(photo) for photo in photos],
            "32 single checks",
            1.5,
            runs=max(2, self.runs // 2),
        )

    def runtimes(self) -> Iterator[Row]:
        """One crop, by other runtimes and other networks, one thread."""
        ours = peers.open_int8()
        others = {
            "our float student on LiteRT": peers.open_float,
            "our float student on ONNX Runtime": peers.open_onnx,
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
                other = stack.enter_context(peers.open_tflite())
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

    def threads(self) -> Iterator[Row]:
        """All that a process may use, beside one thread."""
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
        return pair(name, ours, peer, other, bar=bar, **how)  # type: ignore[arg-type]

    def renew(self, photo: bytes) -> bytes:
        """Return the same picture in other bytes."""
        self.number += 1
        return photo + self.number.to_bytes(4, "big")


def tell_memory(folder: Path) -> dict[str, float]:
    """Return the most memory that a process of each kind holds, MB."""
    photo = folder / "one.jpg"
    photo.write_bytes(make_photo())
    ours = f"""
from pathlib import Path
from chalicelib.checks import Checker
from chalicelib.settings import Settings
Checker.from_settings(Settings(), remember=False).check_image(Path({str(photo)!r}).read_bytes())"""
    theirs = f"""
from pathlib import Path
from tests.benchmarks.mtcnn_peer import Peer
from tests.benchmarks.peers import DeepGuard
DeepGuard(Peer()).check(Path({str(photo)!r}).read_bytes())"""
    return {
        "ours": whole.measure_memory(ours, folder),
        "mtcnn + (c)'s ensemble": whole.measure_memory(theirs, folder),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="pairs of a row")
    parser.add_argument("--photos", type=int, default=1000, help="of the batch by command line")
    parser.add_argument("--only", default="", help="groups of rows, such as pipelines,finders; all if not said")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(asked.runs, asked.photos, folder)
        groups = [getattr(bench, each) for each in asked.only.split(",")] if asked.only else [bench.rows]
        rows = []
        print(HEAD)
        for group in groups:
            for row in group():
                rows.append(row)
                print(row.spell(), flush=True)
        for peer, reason in bench.skipped.items():
            print(f"left out: {peer}, since {reason}")
        steps = time_steps(bench.ours, make_photo(), asked.runs)
        print("\n" + "\n".join(f"{step:<44}{ms:>10.2f} ms" for step, ms in steps.items()))
        memory = tell_memory(folder)
        print("\n" + "\n".join(f"memory, {who:<36}{mb:>10.0f} MB" for who, mb in memory.items()))
    OUT.parent.mkdir(exist_ok=True)
    told = {
        "machine": platform.processor() or platform.machine(),
        "rows": [row.to_dict() for row in rows],
        "steps_ms": steps,
        "memory_mb": memory,
        "left_out": bench.skipped,
    }
    OUT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

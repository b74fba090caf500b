"""What it costs to read what files say of themselves, beside the decoding that it comes with.

Run `python -m tests.benchmarks.signals [--runs N]`; it prints a table, writes build/signals_benchmark.json, and fails
where a picture without any signal pays more than the budget. Both ways take turns on the same bytes, so that a
machine that changes its speed changes both.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chalicelib import containers
from chalicelib.images import decode
from chalicelib.settings import Settings
from chalicelib.signals import find_signals
from tests.backend.test_signals import GRAPH, SETTINGS, exif_of, xmp
from tests.benchmarks.photos import make_photo

OUT = Path("build/signals_benchmark.json")
# What a picture without any signal may cost more, ms.
BUDGET = 2.0
WARM_UP = 3


def make_pictures() -> dict[str, bytes]:
    """Return the benchmark's photo, silent in every format and full of tags."""
    photo = Image.open(io.BytesIO(make_photo()))
    info = PngInfo()
    for name, text in {"parameters": SETTINGS, "prompt": GRAPH * 500, "Software": "NovelAI"}.items():
        info.add_text(name, text)
    tags = {"exif": exif_of(Make="Canon", Model="EOS R5", Software="Adobe Photoshop"), "xmp": xmp() + b" " * 20_000}
    return {
        "JPEG, silent": _encode(photo, "JPEG", quality=90),
        "PNG, silent": _encode(photo, "PNG", compress_level=1),
        "WebP, silent": _encode(photo, "WEBP", quality=90),
        "JPEG, EXIF and XMP": _encode(photo, "JPEG", quality=90, **tags),
        "PNG, a generator's text": _encode(photo, "PNG", compress_level=1, pnginfo=info),
    }


def measure(data: bytes, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the milliseconds of a walk that keeps nothing, and of one that keeps and reads, run by run."""

    def walk_only() -> None:
        with mock.patch.object(containers._Blocks, "keep", lambda *_: None):
            containers.unpack(data)

    def walk_and_read() -> None:
        # The patch costs microseconds, so both pay for one.
        with mock.patch.object(containers, "MAX_BLOCKS", containers.MAX_BLOCKS):
            find_signals(containers.unpack(data).blocks)

    ways: list[Callable[[], None]] = [walk_only, walk_and_read]
    times = np.zeros((runs + WARM_UP, len(ways)))
    for run in range(runs + WARM_UP):
        for way, act in enumerate(ways):
            started = time.perf_counter()
            act()
            times[run, way] = (time.perf_counter() - started) * 1000
    return times[WARM_UP:, 0], times[WARM_UP:, 1]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    runs = parser.parse_args().runs
    rows = {}
    print(f"{'1280 × 720, ms':<26}{'decoding':>10}{'walk':>9}{'signals':>9}{'share':>8}")
    for name, data in make_pictures().items():
        plain, reading = measure(data, runs)
        started = time.perf_counter()
        decode(data, Settings())
        decoding = (time.perf_counter() - started) * 1000
        more = float(np.median(reading - plain))
        rows[name] = {"decoding": decoding, "walk": float(np.median(plain)), "signals": more}
        print(f"{name:<26}{decoding:10.1f}{rows[name]['walk']:9.3f}{more:9.3f}{more / decoding:8.1%}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"runs": runs, **rows}, indent=1))
    dear = [name for name, row in rows.items() if name.endswith("silent") and row["signals"] > BUDGET]
    if dear:
        sys.exit(f"over {BUDGET} ms: {', '.join(dear)}")


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


if __name__ == "__main__":
    main()

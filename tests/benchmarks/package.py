"""A cold start in Lambda, as far as this machine can show it, before and after pruning.

Run `python -m tests.benchmarks.package [--runs N]`; it prints a table and writes build/package_benchmark.json.

From the start of the process, by AWS's own client, to the verdict on one 1280 × 720 JPEG with one face; and the most
memory that it held. `as Chalice packs it` is before pruning, `not compiled` is what Lambda would do without compiled
modules in the zip. All take turns, so that a machine that changes its speed changes all. What Lambda does before it
starts a process (fetching and unpacking the zip) is not in it; that grows with the size.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from infra.archive import weigh
from infra.package import OUT as PACKAGE
from infra.package import build, find_templates, is_current, run_chalice
from tests.benchmarks.photos import make_photo
from tests.infra.lambda_process import ROOT, LambdaProcess, can_seal, make_interpreter, make_request

OUT = Path("build/package_benchmark.json")
VARIABLES = json.loads((ROOT / "backend" / ".chalice" / "config.json").read_text())["environment_variables"]
PACKED, PRUNED, BARE = "as Chalice packs it", "the package", "the package, not compiled"


def make_trees(folder: Path) -> dict[str, Path]:
    """Unpack the package, the same without compiled modules, and what it was made from."""
    if not is_current(PACKAGE, "dev", find_templates()):
        build("dev", find_templates(), PACKAGE)
    run_chalice("dev", find_templates(), folder / "chalice")
    trees = {PACKED: folder / "packed", PRUNED: folder / "pruned", BARE: folder / "bare"}
    for tree, archive in ((PACKED, folder / "chalice"), (PRUNED, PACKAGE)):
        with ZipFile(archive / "deployment.zip") as zipped:
            zipped.extractall(trees[tree])
    shutil.copytree(trees[PRUNED], trees[BARE], ignore=shutil.ignore_patterns("__pycache__"))
    return trees


def measure_once(python: Path, task: Path, event: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds from the start of a process to its first verdict, and the most memory it held, MB."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, "tmp")
        temporary.mkdir()
        with LambdaProcess(python, task, temporary, "app.app", VARIABLES, seal=can_seal()) as process:
            answer = process.invoke(event)
            seconds = time.perf_counter() - process.started
            assert answer["statusCode"] == 200, answer
            return seconds, process.peak


def tabulate(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table in Markdown."""
    lines = ["| | unpacked, MB | packed, MB | cold start, s | memory, MB |", "| --- | --- | --- | --- | --- |"]
    for name, row in rows.items():
        sizes = [f"{row[key]:.1f}" if key in row else "" for key in ("unzipped", "zipped")]
        lines.append(f"| {name} | {' | '.join(sizes)} | {row['seconds']:.2f} | {row['memory']:.0f} |")
    ratios = [f"{rows[PRUNED][key] / rows[PACKED][key]:.2f}" for key in ("unzipped", "zipped", "seconds", "memory")]
    return "\n".join([*lines, f"| package ÷ as packed | {' | '.join(ratios)} |"])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    photo = base64.b64encode(make_photo()).decode()
    event = make_request("POST", "/v2/checks/image", photo, "image/jpeg", encoded=True)
    with tempfile.TemporaryDirectory() as folder:
        trees = make_trees(Path(folder))
        python = make_interpreter(Path(folder, "venv"))
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in trees}
        for run in range(runs + 1):
            for name, tree in trees.items():
                figure = measure_once(python, tree, event)
                # The first one reads the files from the disk, for those that come after.
                if run:
                    figures[name].append(figure)
        rows = {
            name: dict(zip(("seconds", "memory"), np.median(figures[name], axis=0).tolist(), strict=True))
            for name in trees
        }
        for name, archive in ((PACKED, Path(folder, "chalice")), (PRUNED, PACKAGE)):
            weight = weigh(archive / "deployment.zip")
            rows[name] |= {"unzipped": weight.unzipped / 1e6, "zipped": weight.zipped / 1e6}
    print(tabulate(rows))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"runs": runs, "sealed": can_seal(), "rows": rows, "figures": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()

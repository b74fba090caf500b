"""Models tried one after the other on the same pictures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.errors import UnmaskError
from training.bench import CLEAN, Bench, BenchError
from training.costs import count_parameters, time_apart
from training.degradations import DegradationError
from training.evaluation import ModelFiles, find_model, load_model, measure_rows, summarise
from training.manifest import Sample

# A model's name becomes part of file names.
NAME = re.compile(r"[\w .+-]+(#\w+)?")


def parse_models(texts: Sequence[str]) -> dict[str, str]:
    """Read NAME=PATH, or a bare PATH whose last part is its name.

    Raises:
        BenchError: a name is missing, odd or used twice.
    """
    models: dict[str, str] = {}
    for text in texts:
        name, equals, spec = text.partition("=")
        if not equals:
            name, spec = text.rstrip("/").rpartition("/")[2].removesuffix(".keras"), text
        if not NAME.fullmatch(name) or not spec:
            raise BenchError(
                f"--model takes NAME=PATH, and NAME#SEED=PATH for one of several seeds. Received: {text!r}"
            )
        if name in models:
            raise BenchError(f"Two models are called {name!r}; give each a name of its own with NAME=PATH.")
        models[name] = spec
    return models


def check_comparable(bench: Bench) -> None:
    """Make sure that there is something to compare.

    Raises:
        BenchError: only one class, or no face anywhere.
    """
    labels = {sample.label for sample in bench.samples}
    if len(labels) < 2:
        kind, other = ("fake", "real") if labels == {1} else ("real", "fake")
        raise BenchError(
            f"There are only {kind} pictures here; without {other} ones no figure can tell a detector from a guess."
        )
    if not any(found.boxes for found in bench.faces().values()):
        raise BenchError(f"No face was found in any of the {len(bench.samples)} pictures, so nothing can be scored.")


def examine(
    bench: Bench,
    name: str,
    spec: str,
    *,
    harms: Sequence[str] = (),
    covered: bool = False,
    left_out: Sequence[str] = (),
) -> dict[str, Any]:
    """Try one model.

    Args:
        bench: the pictures.
        name: of the model; `NAME#SEED` for one of several seeds.
        spec: what `--model` takes.
        harms: degradations to try.
        covered: whether to score the pictures with their faces covered too.
        left_out: sources or methods that the model has not seen in training.

    Returns:
        What the model is, `metrics`, `grid`, `covered`, `left_out` and `rows`, a row a picture.

    Raises:
        ModelUnavailable: there is no such model, or it gives no numbers.
    """
    try:
        files = find_model(spec, bench.settings)
        digest = files.digest()
        model = load_model(spec, bench.settings)
        rows = bench.score(name, model, digest)
        grid = {harm: bench.score(name, model, digest, harm) for harm in harms}
        behind = bench.score_covered(name, model, digest) if covered else {}
    except DegradationError as error:
        raise BenchError(f"A degradation failed: {error}.") from error
    except UnmaskError as error:
        raise type(error)(f"{name}: {error.message}", code=error.code) from error
    reals = [row for row in rows if row["label"] == "real"]
    kept = {sample.path for sample in bench.grid()} if grid else set()
    on_clean = {CLEAN: [row for row in rows if row["path"] in kept]} if grid else {}
    return {
        **_describe(name, files, model.card, model.side),
        "digest": digest,
        "spec": spec,
        "calibration": {
            key: getattr(model.calibration, key) for key in ("temperature", "bias", "real_below", "fake_above")
        },
        "metrics": summarise(rows, model.calibration),
        "grid": {harm: measure_rows(harmed) for harm, harmed in {**on_clean, **grid}.items()},
        "covered": behind,
        "left_out": {
            family: measure_rows(
                reals + [r for r in rows if r["label"] == "fake" and family in (r["source"], r["method"])]
            )
            for family in left_out
        },
        "rows": rows,
    }


def _describe(name: str, files: ModelFiles, card: Mapping[str, Any], side: int) -> dict[str, Any]:
    base, _, seed = name.partition("#")
    # The card of the model itself; that of the served one says nothing of another network.
    own = card if files.card.parent == files.network.parent else {}
    return {
        "name": name,
        "base": base,
        "seed": seed,
        "network": files.network.name,
        "preset": str(own.get("preset") or ""),
        "architecture": str(own.get("architecture") or own.get("name") or ""),
        "published": str(own.get("published") or ""),
        "side": side,
        "parameters": count_parameters(files.network),
        "bytes": files.network.stat().st_size,
        "own_calibration": bool(own),
    }


def check_families(samples: Sequence[Sample], left_out: Sequence[str]) -> None:
    """Make sure that every family said to be left out is there.

    Raises:
        BenchError: one is not.
    """
    known = {name for sample in samples if sample.label for name in (sample.source, sample.method) if name}
    for family in left_out:
        if family not in known:
            raise BenchError(
                f"No fake here is of the family {family!r}. There are: {', '.join(sorted(known)) or 'none'}."
            )


def time_models(bench: Bench, entries: Sequence[dict[str, Any]]) -> None:
    """Add `ms_per_face` to each entry; None where it cannot be timed."""

    def measure() -> dict[str, Any]:
        bench.report(f"timing {len(entries)} models on one thread")
        times = time_apart([entry["spec"] for entry in entries])
        return {entry["digest"]: times.get(entry["spec"]) for entry in entries}

    key = hashlib.sha256("".join(sorted(entry["digest"] for entry in entries)).encode()).hexdigest()
    times = bench.recall(f"times-{key[:16]}", measure)
    for entry in entries:
        entry["ms_per_face"] = times.get(entry["digest"])

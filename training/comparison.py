"""Models tried one after the other on the same pictures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.errors import UnmaskError
from chalicelib.verdicts import LEAST_FRAMES, Calibrations
from training.bands import measure_bands
from training.bench import CLEAN, TOLD_BY_ROW, Bench, BenchError
from training.contrasts import Contrast, count_labels, tabulate
from training.costs import count_parameters, time_apart
from training.degradations import DegradationError
from training.evaluation import measure_rows, summarise
from training.levels import gather
from training.manifest import Sample
from training.models import ModelFiles, find_model, load_model
from training.promise import measure_promise
from training.splits import list_families

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
    contrasts: Sequence[Contrast] = (),
    widen: bool = False,
) -> dict[str, Any]:
    """Try one model.

    Args:
        bench: the pictures.
        name: of the model; `NAME#SEED` for one of several seeds.
        spec: what `--model` takes.
        harms: degradations to try.
        covered: whether to score the pictures with their faces covered too.
        left_out: sources or methods that the model has not seen in training.
        contrasts: rows that the table begins with.
        widen: whether families that the model's own card says were left out are tried without being asked for, and on
            the fakes of the other parts too, of which it has seen none.

    Returns:
        What the model is, `metrics`, `table` (see `tabulate`), `bands` (see `measure_bands`), `promise` (of pictures,
        and of clips where there are some; see `measure_promise`), `grid`, `covered`,
        `left_out`, `known_left_out` (those that the card states) and `rows`, a row a picture.

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
        # The card of the model itself; that of the served one says nothing of another network.
        own = model.card if files.card.parent == files.network.parent else {}
        stated = list(own.get("left_out", ())) if widen else []
        more = bench.widen(stated)
        beyond = more.score(name, model, digest) if more else []
        stated = find_families([*bench.samples, *(more.samples if more else ())], stated)
    except DegradationError as error:
        raise BenchError(f"A degradation failed: {error}.") from error
    except UnmaskError as error:
        raise type(error)(f"{name}: {error.message}", code=error.code) from error
    kept = {sample.path for sample in bench.grid()} if grid else set()
    on_clean = {CLEAN: rows} if grid else {}
    return {
        **_describe(name, files, own, model.side),
        "digest": digest,
        "spec": spec,
        "calibration": {
            key: getattr(model.calibration.picture, key)
            for key in ("temperature", "bias", "no_traces_below", "fake_above")
        },
        "metrics": summarise(rows, model.calibration),
        "table": tabulate(
            rows,
            contrasts,
            calibration=model.calibration,
            harmed={harm: grid[harm] for harm in TOLD_BY_ROW if harm in grid},
        ),
        "bands": measure_bands(rows),
        "promise": _hold_to_promise(rows, model.calibration, own),
        "grid": {
            harm: measure_rows([row for row in harmed if row["path"] in kept])
            for harm, harmed in {**on_clean, **grid}.items()
        },
        "covered": behind,
        "known_left_out": stated,
        "left_out": measure_left_out([*rows, *beyond], list(dict.fromkeys([*left_out, *stated]))),
        "rows": rows,
    }


def measure_left_out(rows: Sequence[dict[str, Any]], families: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the figures of families against all reals, and against those of their own sources where these are some.

    Args:
        rows: of pictures.
        families: sources or methods that a model has not seen in training.

    Returns:
        By title `family`, `fakes`, `reals` and the figures of `measure_rows`.
    """
    reals = {row["source"] for row in rows if row["label"] == "real"}
    figures = {}
    for family in families:
        contrasts = [Contrast(family, (family,))]
        own = {row["source"] for row in contrasts[0].pick(rows) if row["label"] == "fake"} & reals
        if own and own != reals:
            contrasts.append(Contrast(f"{family} against its own real", (family,), tuple(sorted(own))))
        for contrast in contrasts:
            picked = contrast.pick(rows)
            figures[contrast.title] = {"family": family, **count_labels(picked), **measure_rows(picked)}
    return figures


def _hold_to_promise(
    rows: Sequence[dict[str, Any]], calibration: Calibrations, card: Mapping[str, Any]
) -> dict[str, Any]:
    clips = [unit for unit in gather(rows, "clip", calibration) if unit["pictures"] >= LEAST_FRAMES]
    judged = {"picture": rows, "video": clips}
    return {medium: measure_promise(units, card) for medium, units in judged.items() if units}


def _describe(name: str, files: ModelFiles, own: Mapping[str, Any], side: int) -> dict[str, Any]:
    base, _, seed = name.partition("#")
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


def find_families(samples: Sequence[Sample], named: Sequence[str]) -> list[str]:
    """Return those of the named sources and methods of which there are fakes."""
    known = list_families(samples)
    return [family for family in named if family in known]


def check_families(samples: Sequence[Sample], left_out: Sequence[str]) -> None:
    """Make sure that every family said to be left out is there.

    Raises:
        BenchError: one is not.
    """
    known = list_families(samples)
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

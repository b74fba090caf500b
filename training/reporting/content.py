"""What a report says: several models on the same pictures, what each gets right, and where they differ."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import fmean, stdev
from typing import Any

from training.bench import CLEAN, Bench
from training.degradations import degradations
from training.evaluation import to_json
from training.files import hash_file
from training.metrics import DECISION
from training.reporting.summary import is_number

# Figures whose spread over seeds is told.
FIGURES = (
    "auc",
    "eer",
    "average_precision",
    "tpr_at_1_fpr",
    "tpr_at_5_fpr",
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "f1",
    "mcc",
    "ece",
    "brier",
    "uncertain",
)
# Pictures that are named as the hardest.
HARDEST = 25


def assemble(
    bench: Bench,
    entries: Sequence[dict[str, Any]],
    *,
    probes: Mapping[str, Any] | None = None,
    missing_harms: Mapping[str, str] | None = None,
    ablation: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put together what a report says.

    Args:
        bench: the pictures.
        entries: what `examine` returned for each model.
        probes: what the probes found.
        missing_harms: degradations that cannot be made here, with the reason.
        ablation: what `training.ablation.ablate` returned.

    Returns:
        `data`, `models` (as examined, without the rows), `seeds`, `ablation`, `pictures`, `probes`, `harms`.
    """
    return {
        "made": {"unmask": version("unmask"), "on": f"{datetime.now(UTC):%Y-%m-%d}"},
        "data": describe_data(bench),
        "models": [{key: value for key, value in entry.items() if key != "rows"} for entry in entries],
        "seeds": spread_over_seeds(entries),
        "ablation": dict(ablation or {}),
        "pictures": compare_pictures(entries),
        "probes": dict(probes or {}),
        "harms": {
            "tried": [harm for harm in (CLEAN, *degradations()) if any(harm in e["grid"] for e in entries)],
            "missing": dict(missing_harms or {}),
            "pictures": len(bench.grid()),
        },
    }


def describe_data(bench: Bench) -> dict[str, Any]:
    """Say what was measured: counts, groups, clips, and what was skipped and why."""
    faces = bench.faces()
    skipped: Counter[str] = Counter()
    for sample in bench.samples:
        found = faces[sample.path]
        if not found.boxes:
            skipped[found.error or "no face was found"] += 1
    counts: dict[tuple[str, str, str], dict[str, Any]] = {}
    groups: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for sample in sorted(bench.samples, key=lambda s: (s.label, s.source, s.method)):
        key = (sample.source, "fake" if sample.label else "real", sample.method)
        row = counts.setdefault(key, {"pictures": 0, "without_face": 0})
        row["pictures"] += 1
        row["without_face"] += not faces[sample.path].boxes
        groups[key].add(sample.group)
    return {
        "manifest": bench.manifest.name,
        "manifest_sha256": hash_file(bench.manifest),
        "data_sha256": bench.digest(),
        "part": bench.part,
        "seed": bench.seed,
        "pictures": len(bench.samples),
        "real": sum(not sample.label for sample in bench.samples),
        "fake": sum(sample.label for sample in bench.samples),
        "groups": len({sample.group for sample in bench.samples}),
        "clips": len({(bench.clips[s.path], s.label, s.group) for s in bench.samples if s.path in bench.clips}),
        "clip_rule": bench.clip_rule,
        "skipped": dict(skipped.most_common()),
        "sources": [
            {"source": source, "label": label, "method": method, "groups": len(groups[source, label, method]), **row}
            for (source, label, method), row in counts.items()
        ],
    }


def spread_over_seeds(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and standard deviation of every figure over the models NAME#1, NAME#2 … of one name."""
    families: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        if entry["seed"]:
            families[entry["base"]].append(entry["metrics"]["overall"])
    return [
        {
            "name": base,
            "seeds": len(members),
            "figures": {
                figure: {"mean": fmean(values), "spread": stdev(values)}
                for figure in FIGURES
                if len(values := [member[figure] for member in members if is_number(member.get(figure))]) > 1
            },
        }
        for base, members in families.items()
        if len(members) > 1
    ]


def compare_pictures(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how many models get each picture right, the table of project (b).

    Returns:
        `shares`: pictures by the number of models that are right, from none to all; `hardest`: those that fewest
        get right; `table`: a row a picture, for `images.csv`.
    """
    table = []
    for rows in zip(*(entry["rows"] for entry in entries), strict=True):
        probabilities = [row["fake_probability"] for row in rows]
        if probabilities[0] is None:
            continue
        right = [(p >= DECISION) == (rows[0]["label"] == "fake") for p in probabilities]
        what = {key: rows[0][key] for key in ("path", "label", "source", "method", "group", "clip")}
        table.append({**what, "share": fmean(right), "right": right, "probabilities": probabilities})
    shares: Counter[int] = Counter(sum(row["right"]) for row in table)
    # Among pictures that as few get right, those of which the models are surest in their error.
    hardest = sorted(table, key=lambda row: (row["share"], -_error(row), row["path"]))[:HARDEST]
    return {
        "shares": [shares[right] for right in range(len(entries) + 1)],
        "hardest": [row for row in hardest if row["share"] < 1],
        "table": table,
    }


def _error(row: Mapping[str, Any]) -> float:
    mean = fmean(row["probabilities"])
    return mean if row["label"] == "real" else 1 - mean


def list_pictures(content: Mapping[str, Any]) -> list[list[Any]]:
    """Return the rows of `images.csv`: each picture, who got it right and with what probability."""
    names = [model["name"] for model in content["models"]]
    what = ["path", "label", "source", "method", "group", "clip"]
    heading = [*what, "percent_right", *(f"{n} right" for n in names), *(f"{n} probability" for n in names)]
    return [
        heading,
        *(
            [*(row[key] for key in what), round(100 * row["share"], 1), *map(int, row["right"]), *row["probabilities"]]
            for row in content["pictures"]["table"]
        ),
    ]


def to_text(content: Mapping[str, Any]) -> str:
    """Return `report.json`: all of the report but the table of pictures, which is `images.csv`."""
    pictures = {key: value for key, value in content["pictures"].items() if key != "table"}
    # A model's place on this machine is nobody's business elsewhere.
    models = [{key: value for key, value in model.items() if key != "spec"} for model in content["models"]]
    return json.dumps(to_json({**content, "pictures": pictures, "models": models}), indent=1, ensure_ascii=False) + "\n"

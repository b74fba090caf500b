"""What the verdicts promise to pictures of sources and generators never met, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Share of the real pictures of a source that was left out which may be called fake.
REAL_ALARMS = 0.02
# Share of the fakes of a family that was left out which may fall below the lower threshold.
LOW_FAKES = 0.10
# A source of fewer pictures weighs less in the mean than the others, in proportion.
FULL_WEIGHT = 20
SHARES = ("called_fake", "called_low", "uncertain")
# The share that each class is promised to stay below, and how large it may be.
PROMISES = {"real": ("called_fake", REAL_ALARMS), "fake": ("called_low", LOW_FAKES)}
# What verdicts count as.
_CALLED = {"likely_fake": "called_fake", "no_traces": "called_low"}


def describe_promise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say of each source and of each class whether the promise holds.

    Args:
        rows: one a source of real pictures or a family of fakes: `source`, `label`, `pictures`, and the shares
            `called_fake` and `called_low` of them; what else they say is kept.

    Returns:
        `rows`: with `uncertain`, the share left without a verdict, and `kept`; `real` and `fake`: the mean of each
        share over the sources of a class, each weighing the same but those of under `FULL_WEIGHT` pictures less; with
        `sources`, `worst` (name of the source, of those of `FULL_WEIGHT` pictures or more if there are any, where the
        promised share is largest), `worst_share`, `promised` and
        `kept`: whether the mean is within it. A class without rows is left out.
    """
    completed = []
    for row in rows:
        promised, most = PROMISES[row["label"]]
        uncertain = max(0.0, 1 - row["called_fake"] - row["called_low"])
        completed.append({**row, "uncertain": uncertain, "kept": row[promised] <= most})
    classes = {
        label: _sum_up(own, *PROMISES[label])
        for label in PROMISES
        if (own := [row for row in completed if row["label"] == label])
    }
    return {"rows": completed, **classes}


def _sum_up(rows: Sequence[Mapping[str, Any]], promised: str, most: float) -> dict[str, Any]:
    weights = [min(row["pictures"], FULL_WEIGHT) for row in rows]
    means = {
        share: sum(weight * row[share] for weight, row in zip(weights, rows, strict=True)) / sum(weights)
        for share in SHARES
    }
    # Of a handful of pictures one is much; they are named only where there is nothing larger.
    large = [row for row in rows if row["pictures"] >= FULL_WEIGHT]
    worst = max(large or rows, key=lambda row: row[promised])
    return {
        "sources": len(rows),
        **means,
        "worst": worst["source"],
        "worst_share": worst[promised],
        "promised": most,
        "kept": means[promised] <= most,
    }


def measure_promise(rows: Sequence[Mapping[str, Any]], card: Mapping[str, Any]) -> dict[str, Any]:
    """Hold verdicts that were given to the promise, by source of real pictures and by family of fakes.

    Args:
        rows: of pictures or clips, as `training.evaluation.score` returns them; those without a verdict of a face take
            no part.
        card: of the model that gave the verdicts. Its `data` tells which sources it was trained or calibrated on, and
            `left_out` which families it was not; both may be missing.

    Returns:
        As `describe_promise`, each row with `known`: whether the model knew the source, None where the card does not
        tell. Where it met a stranger of a class, the class's means are over strangers alone.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["fake_probability"] is not None and row["verdict"] in (*_CALLED, "uncertain"):
            name = row["source"] if row["label"] == "real" else row["method"] or row["source"]
            found.setdefault((row["label"], name), []).append(row)
    tried = []
    for (label, name), members in sorted(found.items(), key=lambda item: (item[0][0] != "real", item[0][1])):
        called = [_CALLED.get(row["verdict"]) for row in members]
        shares = {share: called.count(share) / len(called) for share in _CALLED.values()}
        known = _is_known(label, {row["source"] for row in members}, name, card)
        tried.append({"source": name, "label": label, "pictures": len(members), **shares, "known": known})
    described = describe_promise(tried)
    for label in PROMISES:
        strangers = [row for row in tried if row["label"] == label and row["known"] is False]
        if strangers:
            described[label] = {**describe_promise(strangers)[label], "strangers": True}
    return described


def _is_known(label: str, sources: set[str], family: str, card: Mapping[str, Any]) -> bool | None:
    left_out = set(card.get("left_out") or ())
    if label == "fake" and left_out & {family, *sources}:
        return False
    faces = (card.get("data") or {}).get("faces")
    if not faces:
        return None
    met = {name for part in ("train", "validation") for name in faces.get(part, ())}
    return any(f"{source}/{label}" in met for source in sources)


def is_stranger(row: Mapping[str, Any]) -> bool:
    """Say whether a row is of a source that the model is known not to have met."""
    return row.get("known") is False or bool(row.get("never_seen"))


def format_cell(value: float | int | bool) -> str:
    """Return what a row says, as it is printed: yes or no, a number of pictures, or a share in per cent."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else format_share(value)


def format_share(value: float) -> str:
    """Return a share in per cent, with a decimal."""
    return f"{100 * value:.1f} %"


def format_promise(promise: Mapping[str, Any]) -> list[str]:
    """Return a sentence a class: what was promised, what came of it, and the worst source."""
    words = {
        "real": ("real pictures", "source", "called fake"),
        "fake": ("fakes", "family", "fall below the lower threshold"),
    }
    sentences = []
    for label, (pictures, source, event) in words.items():
        if label not in promise:
            continue
        figures = promise[label]
        share = figures[PROMISES[label][0]]
        of = "never met" if figures.get("strangers") else "taken one by one"
        sentences.append(
            f"Of {pictures} of {figures['sources']} {_plural(source, figures['sources'])} {of}, {format_share(share)} "
            f"{'are ' if label == 'real' else ''}{event} (promised: at most {format_share(figures['promised'])}, "
            f"{'kept' if figures['kept'] else 'NOT kept'}; at worst {format_share(figures['worst_share'])}, "
            f"{figures['worst']}), and {format_share(figures['uncertain'])} are left without a verdict."
        )
    return sentences


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return "families" if noun == "family" else f"{noun}s"

"""What shows a data set at a glance: contact sheets, class balance, sizes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.datasets.members import Member
from training.datasets.summary import LABELS
from training.splits import PARTS

# Faces on each side of a contact sheet, and the side of one, px.
ACROSS = 8
TILE = 112
GAP = 4
# Sources of which the plot of the class balance shows bars.
MOST_BARS = 40
# Blue and orange stay apart for every kind of colour vision; a part is told by its brightness too.
COLOURS = {"real": "#2b6ca3", "fake": "#d9772b"}


def draw_contact_sheet(members: Sequence[Member], out: Path, seed: int, most: int = ACROSS * ACROSS) -> np.ndarray:
    """Lay out some faces, as many of each group as there is room for.

    Args:
        members: faces of one class, at least one.
        out: folder of the data set.
        seed: another seed draws others.
        most: how many at most.

    Returns:
        uint8 RGB; as many rows of eight as are needed.
    """
    chosen = draw_evenly(members, most, seed)
    rows = -(-len(chosen) // ACROSS)
    step = TILE + GAP
    sheet = np.full((rows * step + GAP, ACROSS * step + GAP, 3), 255, np.uint8)
    for index, member in enumerate(chosen):
        picture = cv2.imread(str(out / member.sample.path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            continue
        y, x = (GAP + step * place for place in divmod(index, ACROSS))
        sheet[y : y + TILE, x : x + TILE] = cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA)
    return sheet


def draw_evenly(members: Sequence[Member], most: int, seed: int) -> list[Member]:
    """Return up to so many faces: one of each group in a random order, then a second of each, and so on."""
    groups: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        groups[member.sample.group].append(member)
    for rows in groups.values():
        rows.sort(key=lambda member: _shuffle(seed, member.sample.path))
    order = sorted(groups, key=lambda group: _shuffle(seed, group))
    turns = range(max(map(len, groups.values()), default=0))
    return [groups[group][turn] for turn in turns for group in order if turn < len(groups[group])][:most]


def _shuffle(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def draw_balance(summary: dict[str, Any]) -> bytes:
    """Draw faces by source and by part, real beside fake; returns a PNG."""

    sources, title_of_sources = summary["sources"], "by source"
    if len(sources) > MOST_BARS:
        largest = sorted(sources, key=lambda name: -sources[name]["real"] - sources[name]["fake"])[:MOST_BARS]
        sources, title_of_sources = {name: sources[name] for name in largest}, f"of the {MOST_BARS} largest sources"

    def draw(axes: Sequence[Any]) -> None:
        for axis, title, counts in zip(axes, (title_of_sources, "by part"), (sources, summary["parts"]), strict=True):
            names = list(counts)
            at = np.arange(len(names))
            for offset, label in ((-0.2, "real"), (0.2, "fake")):
                bars = axis.barh(
                    at + offset, [counts[n][label] for n in names], 0.38, color=COLOURS[label], label=label
                )
                axis.bar_label(bars, padding=2, fontsize="small")
            axis.set_yticks(at, names)
            axis.invert_yaxis()
            axis.margins(x=0.15)
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.set(title=f"faces {title}", xlabel="faces")
        # Above the plots: in one, it would lie over a bar sooner or later.
        axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)

    return _plot(draw, height=1.5 + 0.5 * max(len(sources), len(PARTS)))


def draw_sizes(members: Sequence[Member]) -> bytes:
    """Draw how large the pictures and the faces in them are; returns a PNG."""

    def draw(axes: Sequence[Any]) -> None:
        for axis, title, measure in (
            (axes[0], "side of the picture, px", lambda m: m.face.side),
            (axes[1], "larger side of the face's box, px", lambda m: max(m.face.box[2:])),
        ):
            values = {
                label: [measure(m) for m in members if LABELS[m.sample.label] == label] for label in ("real", "fake")
            }
            edges = np.histogram_bin_edges([v for of_label in values.values() for v in of_label], 30)
            for label, of_label in values.items():
                axis.hist(of_label, edges, color=COLOURS[label], alpha=0.6, label=label)
            axis.set(xlabel=title, ylabel="faces")
        axes[0].legend(fontsize="small")

    return _plot(draw, height=3.2)


def encode(picture: np.ndarray, suffix: str) -> bytes:
    """Return uint8 RGB as the bytes of a .png or .jpg file."""
    return bytes(cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def _plot(draw: Callable[[Sequence[Any]], None], height: float) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), layout="constrained")
    draw(figure.subplots(1, 2))
    file = BytesIO()
    # Without the version of matplotlib in it, the same data make the same file.
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()

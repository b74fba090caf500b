"""The picture of a training: losses and AUCs over epochs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from training.callbacks import read_history
from training.files import replacing


def draw_curves(history: Path, picture: Path) -> None:
    """Draw losses and AUCs of a history CSV, at least one row, into a PNG; a line marks where a phase begins."""
    from matplotlib.figure import Figure

    rows = read_history(history)
    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        if name in rows[-1]:
            left.plot(epochs, [row[name] for row in rows], marker=".", label=label)
    left.set(xlabel="epoch", ylabel="loss")
    aucs = sorted(name for name in rows[-1] if name.startswith("auc"))
    for name in aucs:
        label = name.removeprefix("auc_").replace("auc", "all")
        right.plot(epochs, [row[name] for row in rows], marker=".", label=label)
    right.set(xlabel="epoch", ylabel="validation AUC")
    for axes in (left, right):
        for before, row in pairwise(rows):
            if row["phase"] != before["phase"]:
                axes.axvline(row["epoch"] - 0.5, color="grey", linestyle=":")
        if axes.get_legend_handles_labels()[1]:
            axes.legend(fontsize="small")
    with replacing(picture) as unfinished:
        figure.savefig(unfinished, dpi=120)

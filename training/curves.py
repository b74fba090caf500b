"""The picture of a training: loss and AUC over epochs."""

from __future__ import annotations

from pathlib import Path

from training.callbacks import read_history


def draw_curves(history: Path, picture: Path) -> None:
    """Draw loss and AUCs of a history CSV into a PNG."""
    from matplotlib.figure import Figure

    rows = read_history(history)
    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [row["loss"] for row in rows], marker=".")
    left.set(xlabel="epoch", ylabel="training loss")
    for name in sorted(n for n in rows[-1] if n.startswith("auc")):
        right.plot(
            epochs,
            [row[name] for row in rows],
            marker=".",
            label=name.removeprefix("auc_").replace("auc", "all"),
        )
    right.set(xlabel="epoch", ylabel="validation AUC")
    right.legend(fontsize="small")
    figure.savefig(picture, dpi=120)

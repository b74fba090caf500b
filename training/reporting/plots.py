"""Plots as inline SVG that takes the colours of the page, light or dark, and is the same at every drawing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import numpy as np
from sklearn import metrics as sk

from training.metrics import bin_by_mass, count_decisions

# Stands for the colour of the page's text while matplotlib draws.
INK = "#010203"
# Middling tones that can be read on white and on black (after Okabe and Ito).
COLOURS = ("#2f7ed8", "#d9622b", "#1f9d73", "#b04fc4", "#b88a00", "#d1495b", "#1799b0", "#8a6f52")
REAL, FAKE = "#2f7ed8", "#d9622b"
# Curves in one plot; more of them cannot be told apart.
MOST_CURVES = 8
_SETTINGS = {
    "svg.hashsalt": "unmask",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}

Labels = np.ndarray
Scored = tuple[np.ndarray, np.ndarray]


def to_scored(rows: Sequence[Mapping[str, Any]]) -> Scored:
    """Return labels int [N] and probabilities float [N] of the rows that have a score."""
    scored = [row for row in rows if row["fake_probability"] is not None]
    labels = np.array([row["label"] == "fake" for row in scored], int)
    return labels, np.array([row["fake_probability"] for row in scored], float)


def draw_curves(models: Mapping[str, Scored], title: str) -> str:
    """Draw ROC and precision-recall of the best few models side by side.

    Args:
        models: labels and probabilities by name, best first.
        title: what is said to those who cannot see it.
    """
    shown = dict(list(models.items())[:MOST_CURVES])

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for colour, (name, (labels, probabilities)) in zip(COLOURS, shown.items(), strict=False):
            draw_roc(left, labels, probabilities, colour, name)
            draw_precision(right, labels, probabilities, colour)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=min(4, len(shown)))

    return to_svg(draw, (9.5, 4.4 + 0.2 * (len(shown) > 4)), title, f"curves {'|'.join(shown)}")


def draw_model(name: str, scored: Scored, thresholds: tuple[float, float]) -> str:
    """Draw one model's ROC, precision-recall, reliability, scores and confusion matrix in a row.

    Args:
        name: of the model.
        scored: labels and probabilities.
        thresholds: `no_traces_below` and `fake_above`, between which a verdict is uncertain.
    """
    labels, probabilities = scored

    def draw(figure: Any) -> None:
        roc, precision, reliability, scores, confusion = figure.subplots(1, 5)
        draw_roc(roc, labels, probabilities, COLOURS[0])
        draw_precision(precision, labels, probabilities, COLOURS[0])
        draw_reliability(reliability, labels, probabilities)
        draw_scores(scores, labels, probabilities, thresholds)
        draw_confusion(confusion, labels, probabilities)

    words = "ROC curve, precision-recall curve, reliability diagram, histogram of scores and confusion matrix"
    return to_svg(draw, (14.5, 2.9), f"{words} of {name}", f"model {name}")


def draw_roc(axes: Any, labels: np.ndarray, probabilities: np.ndarray, colour: str, name: str = "") -> None:
    """Draw a ROC curve, and the line of a guess."""
    fpr, tpr, _ = sk.roc_curve(labels, probabilities)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
    axes.plot(fpr, tpr, color=colour, linewidth=1.4, label=name)
    axes.set(xlabel="reals called fake (FPR)", ylabel="fakes found (TPR)", title="ROC", xlim=(-0.02, 1), ylim=(0, 1.02))


def draw_precision(axes: Any, labels: np.ndarray, probabilities: np.ndarray, colour: str) -> None:
    """Draw a precision-recall curve, and the line of calling everything fake."""
    precision, recall, _ = sk.precision_recall_curve(labels, probabilities)
    axes.axhline(labels.mean(), color=INK, linewidth=0.6, linestyle=":")
    axes.plot(recall, precision, color=colour, linewidth=1.4)
    axes.set(xlabel="fakes found (recall)", ylabel="precision", title="Precision and recall", xlim=(-0.02, 1))
    axes.set_ylim(0, 1.02)


def draw_reliability(axes: Any, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Draw what was said against what was seen, in bins that hold as many pictures each."""
    said, seen, _ = zip(*bin_by_mass(labels, probabilities), strict=True)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
    axes.plot(said, seen, color=COLOURS[2], marker="o", markersize=3, linewidth=1)
    axes.set(xlabel="probability said", ylabel="share of fakes seen", title="Reliability", xlim=(0, 1), ylim=(0, 1.02))


def draw_scores(axes: Any, labels: np.ndarray, probabilities: np.ndarray, thresholds: tuple[float, float]) -> None:
    """Draw the histograms of both classes, and the band in which a verdict is uncertain."""
    bins = np.linspace(0, 1, 21)
    for label, colour, name in ((0, REAL, "real"), (1, FAKE, "fake")):
        axes.hist(probabilities[labels == label], bins, color=colour, alpha=0.6, label=name)
    axes.axvspan(*thresholds, color=INK, alpha=0.07, linewidth=0)
    axes.set(xlabel="probability of fake", ylabel="pictures", title="Scores (grey: uncertain)", xlim=(0, 1))
    axes.legend(fontsize=8, loc="upper center")


def draw_confusion(axes: Any, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Draw the confusion matrix as counts and shares of each true class."""
    counts = count_decisions(labels, probabilities)
    rows = np.array([[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]])
    shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    for y in range(2):
        for x in range(2):
            colour = COLOURS[2] if x == y else COLOURS[1]
            axes.fill_between([x, x + 1], y, y + 1, color=colour, alpha=0.1 + 0.6 * shares[y, x], linewidth=0)
            axes.text(x + 0.5, y + 0.5, f"{rows[y, x]}\n{100 * shares[y, x]:.0f} %", ha="center", va="center")
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal", title="Confusion at ½")
    axes.set_xticks([0.5, 1.5], ["below ½", "above ½"])
    axes.set_yticks([0.5, 1.5], ["real", "fake"], rotation=90, va="center")
    axes.tick_params(length=0)


def draw_shares(shares: Sequence[int]) -> str:
    """Draw how many pictures none, one, … all of the models get right."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        models = len(shares) - 1
        bars = axes.bar(range(len(shares)), shares, color=COLOURS[0], alpha=0.8)
        axes.bar_label(bars, fontsize=8)
        step = max(1, len(shares) // 12)
        axes.set_xticks(range(0, len(shares), step), [f"{100 * n / models:.0f} %" for n in range(0, len(shares), step)])
        axes.set(xlabel="models that are right", ylabel="pictures")

    return to_svg(draw, (7, 2.6), "Histogram of the share of models that get a picture right", "shares")


def draw_grid(models: Mapping[str, Mapping[str, float]], harms: Sequence[str]) -> str:
    """Draw the AUC of the best few models under each degradation.

    Args:
        models: AUC by degradation, by name, best first.
        harms: the degradations, in order.
    """
    shown = dict(list(models.items())[:MOST_CURVES])

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for colour, (name, values) in zip(COLOURS, shown.items(), strict=False):
            heights = [values.get(harm, np.nan) for harm in harms]
            axes.plot(range(len(harms)), heights, color=colour, marker="o", markersize=3, linewidth=1, label=name)
        axes.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
        axes.set_xticks(range(len(harms)), harms, rotation=20, ha="right")
        axes.set(ylabel="AUC")
        figure.legend(loc="outside right center")

    return to_svg(draw, (9.5, 3.2), "AUC of each model under each degradation", f"grid {'|'.join(shown)}")


def to_svg(draw: Any, size: tuple[float, float], title: str, key: str) -> str:
    """Draw on a figure and return an `<svg>` element.

    Args:
        draw: receives a matplotlib Figure.
        size: width and height, inches.
        title: what is said to those who cannot see it.
        key: tells this plot from the others of a page, whose ids must differ.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        out = StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata=_NO_METADATA)
    return _to_inline(out.getvalue(), title, key)


def _to_inline(svg: str, title: str, key: str) -> str:
    from markupsafe import escape

    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    prefix = "p" + "".join(f"{byte:02x}" for byte in _digest(key))
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    # Only the element's own size, which the first match is; the view box keeps its proportions.
    svg = re.sub(r'width="([\d.]+)pt"', r'width="100%" style="max-width:\1pt"', svg, count=1)
    svg = re.sub(r' height="[\d.]+pt"', "", svg, count=1)
    svg = svg.replace(INK, "currentColor").replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    return svg.strip()


def _digest(key: str) -> bytes:
    import hashlib

    return hashlib.sha256(key.encode()).digest()[:4]

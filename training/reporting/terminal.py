"""An evaluation for a terminal: the table of contrasts, the one threshold, and figures by band."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from training.bench import TOLD_BY_ROW
from training.contrasts import POOLED, POOLED_FPR
from training.promise import format_cell, format_promise, is_stranger
from training.reporting.summary import is_number, spell, spell_interval

# Columns of the table of contrasts, their widths and the figures that they hold.
COLUMNS = (
    ("fakes", 7, "fakes"),
    ("reals", 7, "reals"),
    ("AUC", 7, "auc"),
    ("95 %", 14, "auc_interval"),
    ("EER", 7, "eer"),
    ("TPR 1 %", 9, "tpr_at_1_fpr"),
    ("TPR 5 %", 9, "tpr_at_5_fpr"),
    ("pooled", 8, "tpr_pooled"),
)
BAND_COLUMNS = (
    *COLUMNS[:4],
    ("recall", 9, "recall"),
    ("reals called likely fake", 27, "real_called_fake"),
    ("uncertain", 12, "uncertain"),
)
PROMISE_COLUMNS = (
    ("number", 8, "pictures"),
    ("called fake", 13, "called_fake"),
    ("below the lower threshold", 27, "called_low"),
    ("no verdict", 12, "uncertain"),
    ("promise kept", 14, "kept"),
)
MEDIA = {"picture": "verdicts on pictures, by source", "video": "verdicts on clips, by source"}
HARM_WIDTH = 11
LOST_WIDTH = 7
LONGEST_LINE = 140
# Width of a title; a longer one is cut, so that no line is longer than that.
TITLE = 43
BANDS = {"face_side": "larger side of the face", "apparent_skin_tone": "apparent skin tone (ITA of the cheeks)"}


def print_evaluation(entry: Mapping[str, Any]) -> str:
    """Lay an evaluation out in lines of at most 140 columns.

    Args:
        entry: what `training.comparison.examine` returned.
    """
    parts = [
        _tabulate(entry),
        _tell_threshold(entry["table"]),
        *_tell_bands(entry["bands"]),
        *_format_promises(entry["promise"]),
        _sum_up(entry),
    ]
    return "\n\n".join(part for part in parts if part)


def _tabulate(entry: Mapping[str, Any]) -> str:
    """Return the rows asked for, or all where none was; then everything, the mean, and what was left out."""
    rows = entry["table"]["rows"]
    asked = [row for row in rows if row["asked"]] or [row for row in rows if row["title"] != POOLED]
    shown = [*asked, *(row for row in rows if row["title"] == POOLED)]
    left_out = [
        {
            "title": title + (", never seen" if figures["family"] in entry["known_left_out"] else ", left out?"),
            **figures,
        }
        for title, figures in entry["left_out"].items()
    ]
    harms = [harm for harm in TOLD_BY_ROW if any(harm in row["harms"] for row in shown)]
    mean = {"title": "mean of the sources", **entry["table"]["mean"]}
    lines = [*shown, *([mean] if entry["table"]["mean"] else []), *left_out]
    width = min(TITLE, max(len(line["title"]) for line in lines))
    heading = "".join(f"{name:>{wide}}" for name, wide, _ in COLUMNS)
    heading += "".join(f"{harm:>{HARM_WIDTH}}" for harm in harms) + (f"{'loses':>{LOST_WIDTH}}" if harms else "")
    return "\n".join([" " * width + heading, *(_lay_out(line, width, harms) for line in lines)])


def _lay_out(line: Mapping[str, Any], width: int, harms: Sequence[str]) -> str:
    title = line["title"] if len(line["title"]) <= width else line["title"][: width - 1] + "…"
    cells = [f"{_spell(line.get(key)):>{wide}}" for _, wide, key in COLUMNS]
    told = line.get("harms", {})
    if harms:
        cells += [f"{spell(told.get(harm, {}).get('auc')):>{HARM_WIDTH}}" for harm in harms]
        cells.append(f"{spell(line.get('lost')):>{LOST_WIDTH}}")
    return (f"{title:<{width}}" + "".join(cells)).rstrip()


def _spell(value: Any) -> str:
    if isinstance(value, tuple | list):
        return spell_interval(value) or "–"
    return str(value) if isinstance(value, int) else spell(value)


def _tell_threshold(table: Mapping[str, Any]) -> str:
    """Say what the one threshold does to the real pictures of each source."""
    if not is_number(table["threshold"]):
        return ""
    accused = ", ".join(f"{source} {100 * share:.1f} %" for source, share in table["accused"].items())
    return (
        f"One threshold for all, {table['threshold']:.3f}, calls at most {100 * POOLED_FPR:.0f} % of the real pictures "
        f"fake; what it finds is in the column “pooled”.\nOf the real pictures of each source: {accused}"
    )


def _tell_bands(bands: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return a table a kind of band."""
    tables = []
    for kind, title in BANDS.items():
        if not any(band["reals"] or band["fakes"] for band in bands[kind]):
            continue
        lines = [f"{title:<{TITLE}}" + "".join(f"{name:>{wide}}" for name, wide, _ in BAND_COLUMNS)]
        lines += [
            f"{band['title']:<{TITLE}}" + "".join(f"{_spell(band.get(key)):>{wide}}" for _, wide, key in BAND_COLUMNS)
            for band in bands[kind]
        ]
        tables.append("\n".join(lines))
    return tables


def _format_promises(promises: Mapping[str, Any]) -> list[str]:
    """Return a table a medium of what its verdicts are for each source, and whether the promise is kept."""
    tables = []
    for medium, title in MEDIA.items():
        rows = promises.get(medium, {}).get("rows")
        if not rows:
            continue
        lines = [f"{title:<{TITLE}}" + "".join(f"{name:>{wide}}" for name, wide, _ in PROMISE_COLUMNS)]
        lines += [_lay_out_promise(row) for row in rows]
        sentences = [textwrap.fill(sentence, LONGEST_LINE) for sentence in format_promise(promises[medium])]
        tables.append("\n".join([*lines, *sentences]))
    return tables


def _lay_out_promise(row: Mapping[str, Any]) -> str:
    name = f"{row['label']}: {row['source']}" + (", never met" if is_stranger(row) else "")
    cells = [format_cell(row[key]) for _, _, key in PROMISE_COLUMNS]
    wide = [width for _, width, _ in PROMISE_COLUMNS]
    name = name if len(name) <= TITLE else name[: TITLE - 1] + "…"
    return f"{name:<{TITLE}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, wide, strict=True))


def _sum_up(entry: Mapping[str, Any]) -> str:
    """Say how far probabilities and verdicts can be trusted."""
    overall = entry["metrics"]["overall"]
    if "pictures" not in overall:
        return ""
    low, high = entry["calibration"]["no_traces_below"], entry["calibration"]["fake_above"]
    accused = _share(overall.get("real_called_fake"))
    return (
        f"ECE {spell(overall.get('ece'))}. Real pictures called likely fake: {accused}. "
        f"Uncertain, between {low:.3f} and {high:.3f}: {_share(overall.get('uncertain'))} of the pictures. "
        f"Without a score: {overall['unscored']} of {overall['unscored'] + overall['pictures']}."
    )


def _share(value: Any) -> str:
    return f"{100 * value:.1f} %" if is_number(value) else "–"

"""A model card as a page in Markdown: the same that `model_card.json` says to a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.promise import format_cell, format_promise, is_stranger
from training.reporting.summary import spell, spell_interval

BANDS = {
    "face_side": "Larger side of the face",
    "apparent_skin_tone": "Apparent skin tone (individual typology angle of the cheeks, as the picture shows them)",
}

MEDIA = {"picture": "Pictures", "frame": "Single frames", "video": "Clips"}


def describe_model(card: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        card: of JSON's types alone, as `convert.release` writes it.
    """
    overall = card["metrics"]["overall"]
    parts = [
        f"# {card['name']} {card['version']}",
        f"{card['bytes'] / 1e6:.1f} MB, faces of {card['input_side']} px. Every figure below is of held-out groups "
        "that no training, calibration or choice has seen, each picture going the whole way from bytes to verdict. "
        "The positive class is *fake*. Written by `unmask convert detector`.",
        _list("Meant for", card["uses"]),
        _list("What it covers", card["covers"]),
        _list("What it does not", card["limits"]),
        f"## Terms\n{card['terms']}\n\n{card['retrain']}",
        *_list_terms(card["data"].get("sources", {})),
        "## Data\n" + _tabulate_faces(card["data"]["faces"]),
        *_tabulate_sources(card["data"].get("sources", {})),
        "## Figures by family\n" + _tabulate(card["families"]),
        f"Called likely fake are {_percent(overall, 'real_called_fake')} of the real pictures and "
        f"{_percent(overall, 'fake_called_fake')} of the fakes; {_percent(overall, 'uncertain')} of all are uncertain. "
        f"The expected calibration error is {spell(overall.get('ece'))}.",
        *_format_promises(card.get("promise", {})),
        *([_tabulate_degradations(card["degradations"])] if card["degradations"] else []),
        *(f"## {title}\n" + _tabulate(card["bands"][name]) for name, title in BANDS.items()),
        "The data names nobody's age, sex or skin; what cheeks look like in a picture stands in for the last, and for "
        "the others no figure can be given.",
        _tell_places(card["localisation"]),
        _tell_quantisation(card["quantisation"]),
    ]
    return "\n\n".join(parts) + "\n"


def _list(title: str, sentences: Sequence[str]) -> str:
    return f"## {title}\n" + "\n".join(f"- {sentence}" for sentence in sentences)


def _lay_out(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _tabulate_faces(faces: Mapping[str, Mapping[str, int]]) -> str:
    sources = sorted({source for counts in faces.values() for source in counts})
    return _lay_out(
        ["source", *faces],
        [[source, *(str(counts.get(source, 0)) for counts in faces.values())] for source in sources],
    )


def _list_terms(sources: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the terms of the sources, each with the sources that it holds for."""
    by_terms: dict[str, list[str]] = {}
    for name, entry in sources.items():
        by_terms.setdefault(entry["terms"], []).append(name)
    lines = [f"- {terms}: {', '.join(names)}" for terms, names in sorted(by_terms.items())]
    return ["The pictures that it was made of came under these terms:\n\n" + "\n".join(lines)] if lines else []


def _tabulate_sources(sources: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a table of where the sources are from; a card of before has none."""
    header = ["source", "label", "made by, or kind of photo", "from", "terms", "note"]
    rows = [
        [name, entry["label"], entry["family"], entry["origin"], entry["terms"], entry.get("note", "")]
        for name, entry in sources.items()
    ]
    return [_lay_out(header, rows)] if rows else []


def _tabulate(rows: Sequence[Mapping[str, Any]]) -> str:
    header = ["", "against", "fakes", "reals", "AUC (95 %, by group)", "TPR at 5 % FPR", "called fake / no traces"]
    return _lay_out(
        header,
        [
            [
                row["title"],
                row.get("against") or "all real",
                str(row["fakes"]),
                str(row["reals"]),
                _interval(row),
                spell(row.get("tpr_at_5_fpr")),
                f"{_percent(row, 'fake_called_fake')} / {_percent(row, 'fake_no_traces')}",
            ]
            for row in rows
        ],
    )


def _tabulate_degradations(degradations: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [name, str(figures.get("pictures", 0)), _interval(figures), _percent(figures, "uncertain")]
        for name, figures in degradations.items()
    ]
    return "## After degradation\n" + _lay_out(["", "pictures", "AUC (95 %, by group)", "uncertain"], rows)


def _format_promises(promises: Mapping[str, Any]) -> list[str]:
    """Return a section on sources left out: what the thresholds do to each that took no part in choosing them."""
    if not promises:
        return []
    parts = [
        "## Sources left out\nEach source of real pictures and each family of fakes was left out in turn, the "
        "thresholds were found anew without it, and it was judged by them; on validation groups."
    ]
    for medium, promise in promises.items():
        parts.append(f"{MEDIA[medium]}: these thresholds rest on {promise['rests_on']}.")
        if "rows" not in promise:
            continue
        parts += format_promise(promise)
        header = ["source left out", "number", "called fake", "below the lower threshold", "no verdict", "promise kept"]
        keys = ("pictures", "called_fake", "called_low", "uncertain", "kept")
        parts.append(
            _lay_out(
                header,
                [
                    [
                        f"{row['label']}: {row['source']}" + (", never trained on" if is_stranger(row) else ""),
                        *(format_cell(row[key]) for key in keys),
                    ]
                    for row in promise["rows"]
                ],
            )
        )
    return parts


def _tell_places(localisation: Mapping[str, Any]) -> str:
    fakes = localisation["fakes"]["all"]
    return (
        "## Evidence maps\n"
        f"On {fakes['pairs']} photos blended with themselves, {_percent(fakes, 'mass_inside')} of what raised the "
        f"score lies where the face was blended, and the highest place in {_percent(fakes, 'points_inside')}."
    )


def _tell_quantisation(quantisation: Mapping[str, Any]) -> str:
    return (
        "## Quantisation\n"
        f"int8 after the first {quantisation['float_operators']} operators. Against the float network on "
        f"{quantisation['views']} held-out views it loses {quantisation['auc']:.4f} of AUC and "
        f"{quantisation['tpr_at_1_fpr']:.4f} of TPR at 1 % FPR, and moves one probability in a hundred by more than "
        f"{quantisation['probability_p99']:.3f}."
    )


def _percent(figures: Mapping[str, Any], name: str) -> str:
    value = figures.get(name)
    return spell(value) if value is None else f"{value:.1%}".replace("%", " %")


def _interval(figures: Mapping[str, Any]) -> str:
    ends = spell_interval(figures.get("auc_interval"))
    return spell(figures.get("auc")) + (f" ({ends})" if ends else "")

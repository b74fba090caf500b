"""The page needs nothing from elsewhere, escapes what strangers named, and reads right with one model or many."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from chalicelib.settings import Settings
from training.bench import Bench
from training.comparison import examine
from training.probes import ProbeError
from training.reporting.content import assemble
from training.reporting.pages import render
from training.reporting.plots import draw_grid, draw_model
from training.reporting.sheets import draw_sheets, file_name, pick_mistakes
from training.reporting.summary import spell, spell_interval, summarise_report
from training.reporting.terminal import print_evaluation
from training.reporting.yardsticks import find_published

NASTY = "real/<script>alert(1)<_script> & $x$.png"
PROBES = {
    name: {
        state: {"auc": auc, "auc_interval": (auc - 0.05, auc + 0.05), "pictures": 40} for state in ("raw", "augmented")
    }
    for name, auc in (("metadata", 0.93), ("background", 0.52))
}
VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Collects tags, ids and what is fetched, and refuses what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "xlink:href", "srcset", "data"):
                (self.links if str(value).startswith("#") else self.addresses).append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def bench(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The made-up portraits, one of them with a name that would break a careless page."""
    folder = tmp_path_factory.mktemp("reporting")
    rows = (collection / "faces.csv").read_text().splitlines()
    rows[1] = rows[1].replace("real/00.png", NASTY)
    (folder / "faces.csv").write_text("\n".join(rows) + "\n")
    for path in collection.rglob("*.png"):
        copied = folder / path.relative_to(collection)
        copied.parent.mkdir(exist_ok=True)
        copied.write_bytes(path.read_bytes())
    (folder / "real" / "00.png").rename(folder / NASTY)
    return Bench.open(folder / "faces.csv", folder, Settings())


@pytest.fixture(scope="module")
def entry(bench: Bench) -> dict[str, Any]:
    """The served model on these pictures."""
    return {**examine(bench, "int8", "int8", harms=["half size"]), "ms_per_face": 1.2}


def contend(entry: dict[str, Any], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return so many models, the first as measured, the others with shaken scores."""
    rng = np.random.default_rng(seed)
    entries = [entry]
    for number in range(1, count):
        other = copy.deepcopy(entry)
        other |= {"name": f"other {number}", "preset": "", "architecture": "", "published": ""}
        for row in other["rows"]:
            row["fake_probability"] = float(rng.random())
        entries.append(other)
    return entries


@pytest.fixture(scope="module")
def page(bench: Bench, entry: dict[str, Any]) -> str:
    entries = contend(entry, 3)
    return render(assemble(bench, entries, probes=PROBES, missing_harms={"H.264 CRF 23": "no ffmpeg"}), entries, {})


def test_the_page_is_whole_and_needs_nothing_else(page: str) -> None:
    seen = Page(page)
    assert seen.addresses == []
    assert not seen.tags & {"script", "link", "iframe", "img", "object"}
    assert not re.search(r"url\((?!#)|@import", page)
    assert "default-src 'none'" in page


def test_no_id_is_used_twice_and_every_reference_leads_somewhere(page: str) -> None:
    seen = Page(page)
    assert len(seen.ids) == len(set(seen.ids))
    targets = [link[1:] for link in seen.links] + re.findall(r"url\(#([^)]+)\)", page)
    assert set(targets) <= set(seen.ids)
    assert len(targets) > 20


def test_a_name_from_a_stranger_is_shown_and_not_obeyed(bench: Bench, entry: dict[str, Any]) -> None:
    entries = [copy.deepcopy(entry)]
    for row in entries[0]["rows"]:
        row["fake_probability"] = 0.9
    page = render(assemble(bench, entries), entries, {})
    assert NASTY in Page(page).text
    assert "<script" not in page


def test_the_page_is_the_same_at_every_drawing(bench: Bench, entry: dict[str, Any], page: str) -> None:
    entries = contend(entry, 3)
    again = render(assemble(bench, entries, probes=PROBES, missing_harms={"H.264 CRF 23": "no ffmpeg"}), entries, {})
    assert again == page


def test_what_was_measured_is_said(page: str, entry: dict[str, Any]) -> None:
    text = re.sub(r"\s+", " ", Page(page).text)
    for words in (
        "on 40 pictures, 20 real and 20 machine-made",
        "H.264 CRF 23 is missing: no ffmpeg",
        "street against its own real",
        "all, one threshold",
        "mean of the sources",
        "at most 5 % of all real pictures",
        "128–192 px",
        "Nothing here tells age",
        "Published figures, on other data",
        "at most 2.0 % of their real pictures are called fake, and at most 10.0 %",
        "real: street",
        "fake can be told from real by the file alone (size, shape, compression) with an AUC of 0.930",
        f"{entry['metrics']['overall']['auc']:.3f}",
    ):
        assert words in text, words
    assert "by the background alone" not in text


def test_a_source_that_was_never_met_is_named_as_such(bench: Bench, entry: dict[str, Any]) -> None:
    stranger = copy.deepcopy(entry)
    stranger["promise"]["picture"]["rows"][0] |= {"source": "<film>", "known": False, "called_fake": 0.125}
    page = render(assemble(bench, [stranger]), [stranger], {})
    assert '<th scope="row">real: &lt;film&gt;, never met</th><td>10</td><td>12.5 %</td>' in page
    Page(page)
    line = next(line for line in print_evaluation(stranger).splitlines() if "<film>" in line)
    assert line.startswith("real: <film>, never met")
    assert line.split()[4:7] == ["10", "12.5", "%"]


def test_an_ablation_is_a_table_of_gains(bench: Bench, entry: dict[str, Any]) -> None:
    run = {"name": "<plain>", "seeds": 1, "values": [0.8], "spreads": [float("nan")], "gains": [0.0]}
    blended = {"name": "blended", "seeds": 3, "values": [0.9], "spreads": [0.01], "gains": [0.1]}
    ablation = {"columns": ["swaps"], "runs": [run, blended]}
    text = re.sub(r"\s+", " ", Page(render(assemble(bench, [entry], ablation=ablation), [entry], {})).text)
    assert "What each ingredient bought" in text
    assert "<plain>0.800 blended (3 seeds)0.900 ± 0.010+0.100" in text
    assert "What each ingredient bought" not in render(assemble(bench, [entry]), [entry], {})


def test_an_evaluation_fits_a_terminal(entry: dict[str, Any]) -> None:
    long = copy.deepcopy(entry)
    long["table"]["rows"][0] |= {"title": "a very long title " * 5, "asked": True}
    family = {"family": "street", "fakes": 10, "reals": 20, "auc": 0.75}
    long |= {"left_out": {"street": family, "again": {**family, "family": "x"}}, "known_left_out": ["street"]}
    lines = print_evaluation(long).splitlines()
    assert max(map(len, lines)) <= 140
    assert lines[0].split()[-3:] == ["half", "size", "loses"]
    titles = [line[:43].strip() for line in lines]
    assert titles[1].startswith("a very long title a very")
    assert titles[1].endswith("…")
    assert {"all, one threshold", "mean of the sources", "street, never seen", "again, left out?"} <= set(titles)
    # One row was asked for, so the others are not printed.
    assert "street against its own real" not in titles
    assert "street against its own real" in print_evaluation(entry)
    assert f"ECE {entry['metrics']['overall']['ece']:.3f}." in lines[-1]
    assert "Without a score: 0 of 40." in lines[-1]


def test_one_model_is_not_compared_with_itself(bench: Bench, entry: dict[str, Any]) -> None:
    page = render(assemble(bench, [entry]), [entry], {})
    assert "How well does int8 tell real faces from fake ones?" in page
    assert 'class="best"' not in page
    assert "models that get them right" not in page
    Page(page)


def test_nine_models_and_one_without_a_time_fit_on_a_page(bench: Bench, entry: dict[str, Any]) -> None:
    entries = contend(entry, 9)
    entries[3]["ms_per_face"] = None
    seen = Page(render(assemble(bench, entries), entries, {}))
    assert len(seen.ids) == len(set(seen.ids))
    assert "The eight models of the highest AUC" in seen.text


def test_faces_are_shown_only_when_asked_for(bench: Bench, entry: dict[str, Any], tmp_path: Path) -> None:
    sheets = draw_sheets(bench, [entry], tmp_path)
    seen = Page(render(assemble(bench, [entry]), [entry], sheets))
    assert len(seen.addresses) == 1
    assert seen.addresses[0].startswith("data:image/png;base64,")


def test_a_sheet_holds_the_surest_mistakes(bench: Bench, entry: dict[str, Any], tmp_path: Path) -> None:
    mistakes = pick_mistakes(entry["rows"])
    for rows, label, sign in ((mistakes["real, called fake"], "real", -1), (mistakes["fake, missed"], "fake", 1)):
        probabilities = [sign * row["fake_probability"] for row in rows]
        assert probabilities == sorted(probabilities)
        assert all(row["label"] == label and (row["fake_probability"] >= 0.5) == (label == "real") for row in rows)
    assert any(mistakes.values())
    (path,) = draw_sheets(bench, [{**entry, "name": "a/b c#1"}], tmp_path).values()
    assert path.name == "a_b_c_1.png"
    assert cv2.imread(str(path)).shape[1] > 800


def test_a_model_without_mistakes_has_no_sheet(bench: Bench, entry: dict[str, Any], tmp_path: Path) -> None:
    right = [{**row, "fake_probability": float(row["label"] == "fake")} for row in entry["rows"]]
    assert draw_sheets(bench, [{**entry, "rows": right}], tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_plots_take_the_colour_of_the_page(entry: dict[str, Any]) -> None:
    labels = np.array([0, 1] * 20)
    scores = np.linspace(0, 1, 40)
    for drawn in (
        draw_model("a & b", (labels, scores), (0.3, 0.7)),
        draw_grid({"a": {"clean": 0.9, "JPEG 30": None}}, ["clean", "JPEG 30"]),  # type: ignore[dict-item]
    ):
        assert drawn.startswith('<svg role="img" aria-label="')
        assert "currentColor" in drawn
        assert not re.search("#010203|#000000|date|metadata", drawn)
    assert 'of a &amp; b"' in draw_model("a & b", (labels, scores), (0.3, 0.7))


@pytest.mark.parametrize(
    ("rival", "says"),
    [((0.80, 0.90), "interval overlaps with that of b"), ((0.60, 0.70), "95 % interval 0.850–0.950).")],
)
def test_the_summary_says_what_the_pictures_do_not_settle(rival: tuple[float, float], says: str) -> None:
    def model(name: str, low: float, high: float) -> dict[str, Any]:
        figures = {"auc": (low + high) / 2, "auc_interval": (low, high), "tpr_at_1_fpr": 0.5, "tpr_at_5_fpr": 0.7}
        return {"name": name, "metrics": {"overall": figures, "against_real": {}}, "grid": {}}

    content = {"models": [model("b", *rival), model("a", 0.85, 0.95)], "probes": {}, "harms": {"pictures": 9}}
    first, second = summarise_report(content)
    assert first.startswith("The highest AUC is that of a: 0.900")
    assert says in first
    assert ("overlaps" in first) == (rival[1] >= 0.85)
    assert "finds 50 % of the fakes; at five in a hundred, 70 %" in second


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ({"published": "AUC .9", "preset": "cnn-128", "architecture": ""}, "AUC .9"),
        ({"published": "", "preset": "cnn-128", "architecture": ""}, ".925"),
        ({"published": "", "preset": "", "architecture": "xception"}, "DeepfakeBench"),
        ({"published": "", "preset": "", "architecture": "student"}, None),
    ],
)
def test_what_is_published_of_a_model_is_its_card_s_its_preset_s_or_its_architecture_s(
    card: dict[str, str], says: str | None
) -> None:
    assert says in find_published(card) if says else find_published(card) == ""


def test_what_was_not_measured_is_a_dash() -> None:
    assert [spell(value) for value in (None, float("nan"), 0.12345)] == ["–", "–", "0.123"]
    assert spell_interval((float("nan"), 1.0)) == spell_interval(None) == ""
    assert file_name("a b#1") == "a_b_1"


def test_too_few_pictures_to_probe_are_said_on_the_page(
    bench: Bench, entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise ProbeError("The probes need 5 groups of each class; there are 4 real ones.")

    monkeypatch.setattr("training.bench.probe", refuse)
    content = assemble(bench, [entry], probes=bench.probe())
    assert (
        json.dumps(content["probes"]) == '{"skipped": "The probes need 5 groups of each class; there are 4 real ones."}'
    )
    assert "there are 4 real ones" in Page(render(content, [entry], {})).text

"""Scores of networks that were trained without some families are read from a table or an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.left_out_runs import read_left_out_run
from training.manifest import ManifestError

HEAD = "label,source,method,group,logit,left_out"
ROWS = ("real,street,,a,-2.5,", "fake,web,swap,b,3,0", "fake,web,paint,c,-0.5,1")


def write(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "run.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_table_is_read(tmp_path: Path) -> None:
    run = read_left_out_run(write(tmp_path, *ROWS))
    assert run.labels.tolist() == [0, 1, 1]
    assert run.logits.tolist() == [-2.5, 3.0, -0.5]
    assert run.unseen.tolist() == [False, False, True]
    assert (run.sources, run.methods, run.groups) == (["street", "web", "web"], ["", "swap", "paint"], ["a", "b", "c"])


def test_what_an_evaluation_wrote_is_read_and_pictures_without_a_score_are_not(tmp_path: Path) -> None:
    scores = [
        {"label": label, "source": source, "method": method, "group": "g", "log_odds": odds}
        for label, source, method, odds in (
            ("real", "street", "", -1.0),
            # A real picture of a source that was left out was still trained on.
            ("real", "web", "", -2.0),
            ("fake", "web", "swap", 2.0),
            ("fake", "other", "gan", 1.0),
        )
    ]
    unscored = {"label": "real", "source": "street", "method": "", "group": "g", "fake_probability": None}
    metrics = {"left_out": {"web against its own real": {"family": "web"}}}
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"metrics": metrics, "scores": [*scores, unscored]}))
    run = read_left_out_run(path)
    assert run.logits.tolist() == [-1.0, -2.0, 2.0, 1.0]
    assert run.unseen.tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("rows", "head", "says"),
    [
        pytest.param(ROWS, HEAD.replace("logit", "score"), "lacks the column logit", id="no logits"),
        pytest.param(ROWS[:2], HEAD, "families that were left out", id="nothing left out"),
        pytest.param(ROWS[1:], HEAD, "needs real pictures", id="no real picture"),
        pytest.param((ROWS[0], ROWS[2]), HEAD, "fakes of others", id="nothing seen"),
        pytest.param(("real,street,,a,much,",), HEAD, "cannot be read", id="a logit that is no number"),
        pytest.param((*ROWS, "real,street,,a,nan,"), HEAD, "finite", id="a logit without a value"),
        pytest.param(("maybe,street,,a,1,",), HEAD, "cannot be read", id="another label"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, rows: tuple[str, ...], head: str, says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        read_left_out_run(write(tmp_path, *rows, head=head))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        read_left_out_run(tmp_path / "none.json")

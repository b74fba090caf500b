"""Clips are evaluated as a user's clips are checked, one score a clip, and rules of aggregation are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from chalicelib.aggregation import RULES
from chalicelib.face_views import ViewRule
from chalicelib.faces import Face
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration, Calibrations
from tests.backend import clips
from training.commands.evaluate import evaluate
from training.datasets.clips import DatasetError
from training.evaluation import compare_rules, format_rules
from training.video_evaluation import list_films, score_films, summarise_films


class ByRed:
    """Stands for a detector: the redder a crop, the more fake."""

    side = 64
    card = {"name": "red", "version": "1"}  # noqa: RUF012 - shaped like a Detector's
    calibration = Calibrations.alike(Calibration(1.0, 0.0, 0.4, 0.6))
    views = ViewRule()

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = ((crops[..., 0].mean((1, 2)) - crops[..., 2].mean((1, 2))) / 10).astype(np.float32)
        return logits, np.tile(logits[:, None, None], (1, 2, 2))


class Middle:
    """Finds one face in the middle of every picture."""

    def find(self, pixels: np.ndarray) -> list[Face]:
        height, width = pixels.shape[:2]
        return [Face((width / 4, height / 4, width / 2, height / 2), 1.0, np.full((5, 2), width / 2, np.float32))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """Two real and two red clips at different depths, one that is broken, and a photo."""
    root = tmp_path_factory.mktemp("labelled")
    face = cv2.resize(portrait[0:300, 80:380], (200, 200), interpolation=cv2.INTER_AREA)
    for name, red in {"real/1": 0, "real/deep/2": 0, "fake/swap/1": 60, "fake/2": 60}.items():
        path = root / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        shifted = np.clip(face + np.array([red, 0, 20 - red]), 0, 255).astype(np.uint8)
        clips.write_clip(path, [shifted] * 6)
    (root / "fake" / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    cv2.imwrite(str(root / "real" / "photo.png"), face)
    return root


@pytest.fixture(scope="module")
def scored(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return score_films(list_films(folder), folder, Middle(), ByRed(), Settings())


def test_every_clip_has_a_row_and_one_that_cannot_be_read_no_score(scored: Any) -> None:
    rows = {row["path"]: row for row in scored[0]}
    assert set(rows) == {"real/1.mp4", "real/deep/2.mp4", "fake/swap/1.mp4", "fake/2.mp4", "fake/broken.mp4"}
    assert (rows["fake/broken.mp4"]["fake_probability"], rows["fake/broken.mp4"]["verdict"]) == (None, "unreadable")
    assert rows["fake/broken.mp4"]["error"].endswith(".")
    assert (rows["fake/swap/1.mp4"]["label"], rows["fake/swap/1.mp4"]["method"]) == ("fake", "swap")
    assert (rows["real/1.mp4"]["frames"], rows["real/1.mp4"]["usable"]) == (6, 6)
    # A real clip and its fake are one group.
    assert rows["real/1.mp4"]["group"] == rows["fake/swap/1.mp4"]["group"] != rows["fake/2.mp4"]["group"]


def test_figures_are_of_clips_and_rules_are_compared_on_their_frames(scored: Any) -> None:
    metrics = summarise_films(*scored)
    assert {row["label"]: row["pictures"] for row in metrics["promise"]["video"]["rows"]}["real"] == 2
    assert (metrics["overall"]["pictures"], metrics["overall"]["unscored"]) == (4, 1)
    assert metrics["overall"]["auc"] == 1
    assert list(metrics["aggregation"]) == [*RULES, "frames"]
    assert metrics["aggregation"]["mean"]["pictures"] == 4
    assert metrics["aggregation"]["frames"]["pictures"] == 24
    table = format_rules(metrics["aggregation"])
    assert all(name in table for name in (*RULES, "frames", "served: mean"))


def test_a_rule_can_be_better_than_another() -> None:
    same = {"source": "s", "method": "", "verdict": "uncertain", "fake_probability": 0.5}
    odds = {"real": [1.0, 1.0, 1.0, 1.0], "fake": [4.0, -2.0, -2.0, -2.0]}
    rows = [
        {**same, "label": label, "clip": label, "group": label, "path": f"{label}{n}", "log_odds": value}
        for label, values in odds.items()
        for n, value in enumerate(values)
    ]
    rules = compare_rules(rows)
    assert (rules["mean"]["auc"], rules["top"]["auc"]) == (0.0, 1.0)
    assert compare_rules([{**row, "clip": ""} for row in rows]) == {}


def test_a_folder_without_clips_says_so(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "photo.png").write_bytes((folder / "real" / "photo.png").read_bytes())
    with pytest.raises(DatasetError, match="no videos"):
        list_films(tmp_path)


def test_the_command_prints_figures_and_writes_a_score_a_clip(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "clips.json"
    ran = CliRunner().invoke(evaluate, ["--videos", str(folder), "--json", str(out)])
    assert ran.exit_code == 0, ran.output
    report = json.loads(out.read_text())
    assert report.keys() == {"metrics", "scores"}
    assert len(report["scores"]) == 5
    assert {"path", "label", "source", "fake_probability", "verdict"} <= report["scores"][0].keys()


@pytest.mark.parametrize("arguments", [[], ["--videos", ".", "--faces", __file__]])
def test_either_pictures_or_clips_are_asked_for(arguments: list[str]) -> None:
    ran = CliRunner().invoke(evaluate, arguments)
    assert (ran.exit_code, "Give either --faces or --videos." in ran.output) == (2, True)

"""An evaluation goes the whole served path, and what cannot be scored is said, never guessed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration
from training.evaluation import format_table, score, summarise, write_report
from training.manifest import Sample, read_manifest

SETTINGS = Settings()


class ByContrast:
    """Stands for a detector: the made-up fakes wear a pattern, so their crops vary more from place to place."""

    side = 64
    card = {"name": "contrast", "version": "1"}  # noqa: RUF012 - shaped like a Detector's
    calibration = Calibration(1.0, 0.0, 0.4, 0.6)

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        steps = np.abs(np.diff(crops.astype(float), axis=2)).mean(axis=(1, 2, 3))
        logits = (steps - 17).astype(np.float32)
        return logits, np.tile(logits[:, None, None], (1, 2, 2))


@pytest.fixture(scope="module")
def root(collection: Path, tmp_path_factory: pytest.TempPathFactory, cat: np.ndarray) -> Path:
    import cv2

    copy = tmp_path_factory.mktemp("evaluation") / "data"
    shutil.copytree(collection, copy)
    cv2.imwrite(str(copy / "cat.png"), cat[..., ::-1])
    (copy / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return copy


@pytest.fixture(scope="module")
def rows(root: Path) -> list[dict[str, object]]:
    samples = read_manifest(root / "faces.csv")
    extra = [Sample(name, 0, "street", "", name) for name in ("cat.png", "broken.jpg", "missing.jpg")]
    return score([*samples, *extra], root, ByContrast(), SETTINGS)


def test_every_picture_has_a_row_and_a_failure_has_no_score(rows: list[dict[str, object]]) -> None:
    assert len(rows) == 43
    by_path = {row["path"]: row for row in rows}
    assert by_path["cat.png"]["verdict"] == "no_face"
    assert by_path["broken.jpg"]["verdict"] == by_path["missing.jpg"]["verdict"] == "unreadable"
    assert all(by_path[p]["fake_probability"] is None for p in ("cat.png", "broken.jpg", "missing.jpg"))
    assert by_path["fake/01.png"]["label"] == "fake"
    assert 0 <= by_path["fake/01.png"]["fake_probability"] <= 1  # type: ignore[operator]


def test_the_summary_counts_what_was_not_scored_and_compares_like_with_like(
    rows: list[dict[str, object]],
) -> None:
    metrics = summarise(rows)
    assert metrics["overall"]["unscored"] == 3
    assert metrics["overall"]["pictures"] == 40
    assert set(metrics["sources"]) == {"street", "studio"}
    assert {"street", "street against its own real"} <= set(metrics["against_real"])
    assert metrics["against_real"]["street"]["pictures"] == 30
    assert metrics["against_real"]["street against its own real"]["pictures"] == 20
    low, high = metrics["overall"]["auc_interval"]
    assert low <= metrics["overall"]["auc"] <= high
    assert metrics["overall"]["auc"] > 0.9


def test_verdict_shares_add_up(rows: list[dict[str, object]]) -> None:
    overall = summarise(rows)["overall"]
    uncertain_reals = [r for r in rows if r["label"] == "real" and r["verdict"] == "uncertain"]
    assert overall["real_called_fake"] + overall["real_called_real"] + len(uncertain_reals) / 20 == pytest.approx(1)


def test_the_report_is_strict_json_and_the_table_names_every_family(
    rows: list[dict[str, object]], tmp_path: Path
) -> None:
    metrics = summarise(rows)
    write_report(rows, metrics, tmp_path / "out.json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    report = json.loads((tmp_path / "out.json").read_text(), parse_constant=refuse)
    assert [row["path"] for row in report["scores"]] == [row["path"] for row in rows]
    assert report["metrics"]["overall"]["auc"] == pytest.approx(metrics["overall"]["auc"], abs=1e-5)
    table = format_table(metrics)
    assert all(name in table for name in ("overall", "street", "studio"))
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]


def test_one_class_alone_is_summarised_without_a_comparison(rows: list[dict[str, object]]) -> None:
    reals = [row for row in rows if row["label"] == "real"]
    metrics = summarise(reals)
    assert np.isnan(metrics["overall"]["auc"])
    assert metrics["against_real"] == {}
    assert "–" in format_table(metrics)

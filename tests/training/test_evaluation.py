"""An evaluation goes the whole served path, and what cannot be scored is said, never guessed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from chalicelib.errors import ModelUnavailable
from chalicelib.face_views import ViewRule
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration, Calibrations
from training.commands.evaluate import evaluate
from training.evaluation import score, summarise, write_report
from training.manifest import Sample, read_manifest
from training.models import ENSEMBLE, FLOAT_STUDENT, find_model

SETTINGS = Settings()


class ByContrast:
    """Stands for a detector: the made-up fakes wear a pattern, so their crops vary more from place to place."""

    side = 64
    card = {"name": "contrast", "version": "1"}  # noqa: RUF012 - shaped like a Detector's
    calibration = Calibrations.alike(Calibration(1.0, 0.0, 0.4, 0.6))
    views = ViewRule()

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
    assert overall["real_called_fake"] + overall["real_no_traces"] + len(uncertain_reals) / 20 == pytest.approx(1)


def test_the_report_is_strict_json(rows: list[dict[str, object]], tmp_path: Path) -> None:
    metrics = summarise(rows)
    write_report(rows, metrics, tmp_path / "out.json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    report = json.loads((tmp_path / "out.json").read_text(), parse_constant=refuse)
    assert [row["path"] for row in report["scores"]] == [row["path"] for row in rows]
    assert report["metrics"]["overall"]["auc"] == pytest.approx(metrics["overall"]["auc"], abs=1e-5)
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]


def test_one_class_alone_is_summarised_without_a_comparison(rows: list[dict[str, object]]) -> None:
    reals = [row for row in rows if row["label"] == "real"]
    metrics = summarise(reals)
    assert np.isnan(metrics["overall"]["auc"])
    assert metrics["against_real"] == {}


def test_clips_and_groups_are_judged_as_one_where_there_are_some(rows: list[dict[str, object]]) -> None:
    # Twenty people, each with one real and one fake picture: no unit has several.
    assert summarise(rows)["levels"] == {}
    paired = [{**row, "group": str(index // 4), "clip": str(index // 4)} for index, row in enumerate(rows[:20])]
    levels = summarise(paired, ByContrast.calibration)["levels"]
    for level in ("clip", "group"):
        assert levels[level]["overall"]["pictures"] == 10
        assert levels[level]["overall"]["auc"] == 1
        assert "uncertain" in levels[level]["overall"]
        assert levels[level]["against_real"]["studio"]["pictures"] == 10


def test_a_model_is_found_by_name_file_run_folder_or_models_folder(tmp_path: Path) -> None:
    run, old = tmp_path / "run", tmp_path / "old"
    for folder, name in ((run, "network.keras"), (old, "student.keras")):
        folder.mkdir()
        (folder / name).write_bytes(b"weights")
    (run / "card.json").write_text("{}")
    served = SETTINGS.models / "model_card.json"
    assert find_model("int8", SETTINGS).network == SETTINGS.models / "detector.tflite"
    assert find_model("float", SETTINGS).network == FLOAT_STUDENT
    ensemble = find_model("ensemble", SETTINGS)
    assert (ensemble.network, ensemble.card) == (ENSEMBLE / "network.keras", ENSEMBLE / "card.json")
    assert find_model(str(run), SETTINGS).card == run / "card.json"
    assert find_model(str(run / "network.keras"), SETTINGS) == find_model(str(run), SETTINGS)
    assert find_model(str(old), SETTINGS).card == served
    assert find_model(str(SETTINGS.models), SETTINGS).card == served
    with pytest.raises(ModelUnavailable, match="no model 'nothing'"):
        find_model("nothing", SETTINGS)


def test_another_card_is_another_model(tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_bytes(b"weights")
    (tmp_path / "card.json").write_text("{}")
    before = find_model(str(tmp_path), SETTINGS).digest()
    (tmp_path / "card.json").write_text('{"calibration": {}}')
    assert find_model(str(tmp_path), SETTINGS).digest() != before


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(evaluate, list(map(str, arguments)))


def write_manifest(root: Path, name: str, *rows: str) -> Path:
    (root / name).write_text("\n".join(["path,label,group", *rows]) + "\n")
    return root / name


def test_the_command_writes_figures_and_scores(root: Path, tmp_path: Path) -> None:
    answer = run("--faces", root / "faces.csv", "--json", tmp_path / "new" / "out.json")
    assert answer.exit_code == 0, answer.output
    told = json.loads((tmp_path / "new" / "out.json").read_text())
    assert set(told) == {"metrics", "scores"}
    assert {"path", "label", "source", "fake_probability", "verdict"} <= set(told["scores"][0])
    parts = {"overall", "sources", "against_real", "levels", "aggregation", "table", "bands", "promise", "left_out"}
    assert parts == set(told["metrics"])
    assert {"face_side", "skin_angle"} <= set(told["scores"][0])
    assert "all, one threshold" in answer.output
    assert max(map(len, answer.output.splitlines())) <= 140


def test_several_sets_are_scored_as_one(root: Path, tmp_path: Path) -> None:
    header, *rows = (root / "faces.csv").read_text().splitlines()
    for name, few in (("a", rows[:2]), ("b", rows[-2:])):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *few]) + "\n")
    faces = ("--faces", tmp_path / "a.csv", "--faces", tmp_path / "b.csv", "--root", root, "--root", root)
    answer = run(*faces, "--json", tmp_path / "out.json")
    assert answer.exit_code == 0, answer.output
    scores = json.loads((tmp_path / "out.json").read_text())["scores"]
    expected = [f"{root.name}/{row.split(',')[0]}" for row in (*rows[:2], *rows[-2:])]
    assert [row["path"] for row in scores] == expected
    assert all("error" not in row for row in scores)


def test_the_rows_asked_for_are_the_table(root: Path, tmp_path: Path) -> None:
    asked = ("--row", "everywhere=studio,street:street", "--row", "by method=checks", "--left-out", "studio")
    answer = run("--faces", root / "faces.csv", *asked, "--json", tmp_path / "out.json")
    assert answer.exit_code == 0, answer.output
    first, second, *others = json.loads((tmp_path / "out.json").read_text())["metrics"]["table"]["rows"]
    assert (first["title"], first["fakes"], first["reals"]) == ("everywhere", 20, 10)
    assert (second["title"], second["fakes"], second["reals"]) == ("by method", 20, 20)
    assert any(line["title"] == "street" for line in others)
    printed = [line.split("  ")[0].strip() for line in answer.output.splitlines()]
    assert printed.index("everywhere") < printed.index("by method") < printed.index("all, one threshold")
    assert "street" not in printed
    # No card says that the served model never saw it.
    assert "studio, left out?" in printed


def test_what_a_card_says_was_left_out_is_tried_on_the_fakes_of_all_parts(root: Path, tmp_path: Path) -> None:
    shutil.copytree(SETTINGS.models, tmp_path / "models")
    card = json.loads((SETTINGS.models / "model_card.json").read_text())
    (tmp_path / "models" / "model_card.json").write_text(json.dumps({**card, "left_out": ["street", "martians"]}))
    given = ("--faces", root / "faces.csv", "--model", tmp_path / "models", "--json", tmp_path / "out.json")
    answer = run(*given, "--split", "test")
    assert answer.exit_code == 0, answer.output
    told = json.loads((tmp_path / "out.json").read_text())["metrics"]
    assert told["sources"]["street"]["pictures"] < 10
    assert told["left_out"]["street"]["fakes"] == 10
    reals = sum(figures["pictures"] for figures in told["sources"].values()) / 2
    assert told["left_out"]["street"]["reals"] == reals
    assert told["left_out"]["street against its own real"]["reals"] < reals
    assert "martians" not in told["left_out"]
    assert "street, never seen" in answer.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--row", "a=martians"), "asks for martians"),
        (("--row", "a"), "--row takes TITLE=FAKES"),
        (("--left-out", "martians"), "No fake here is of the family 'martians'"),
    ],
)
def test_a_row_that_cannot_be_made_is_refused_before_any_work(
    root: Path, arguments: tuple[str, ...], says: str
) -> None:
    answer = run("--faces", root / "faces.csv", *arguments)
    assert answer.exit_code == 1
    assert says in answer.output
    assert "faces searched" not in answer.output


@pytest.mark.parametrize(
    ("rows", "says", "code"),
    [
        (["real/00.png,real,a"], "All scored pictures are of one class", 0),
        (["cat.png,real,a", "broken.jpg,fake,b"], "No face was found in any picture", 0),
        (["missing.jpg,fake,b"], "No face was found in any picture", 0),
        ([], "names no picture", 1),
    ],
)
def test_what_cannot_be_measured_is_said(root: Path, rows: list[str], says: str, code: int) -> None:
    answer = run("--faces", write_manifest(root, "odd.csv", *rows))
    assert answer.exit_code == code
    assert says in answer.output


def test_a_group_in_two_parts_is_refused(root: Path) -> None:
    (root / "leak.csv").write_text("path,label,group,split\nreal/00.png,real,a,train\nfake/01.png,fake,a,test\n")
    answer = run("--faces", root / "leak.csv")
    assert answer.exit_code == 1
    assert "'a' lies in two splits" in answer.output


def test_a_missing_model_is_refused_before_any_work(root: Path) -> None:
    answer = run("--faces", root / "faces.csv", "--model", "runs/nothing")
    assert answer.exit_code == 1
    assert "There is no model 'runs/nothing'" in answer.output
    assert "faces searched" not in answer.output

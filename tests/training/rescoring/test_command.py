"""`unmask rescore` with a real, small network: both engines, its report, its parts of a manifest."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend.cli import unmask
from chalicelib.errors import StoreUnavailable
from chalicelib.flags import make_flag
from chalicelib.settings import Settings
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.stores import open_pictures
from tests.backend.conftest import aws, bucket
from tests.training.rescoring.test_worker import check_of, draw
from tests.training.test_keras_detector import CALIBRATION, save
from training.networks.catalogue import build
from training.rescoring import engines
from training.rescoring.manifests import read_manifest, write_manifest
from training.rescoring.outcomes import tell_outcome

__all__ = ["aws", "bucket"]
FLAGS = 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose network knows nothing."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    card = {"name": "tiny", "version": "1", "calibration": CALIBRATION}
    return save(build("student-0.35", side=32, weights="none"), folder, card).parent


@pytest.fixture
def flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Ids of flags whose pictures are kept, so that nothing is fetched; another cannot be fetched at all."""
    monkeypatch.setenv("UNMASK_STORE_PATH", str(tmp_path / "checks.sqlite3"))
    settings = Settings.from_environment()
    pictures, now = open_pictures(settings), datetime.now(UTC) - timedelta(minutes=1)
    ids = []
    with closing(SqliteFlags(settings.store_path)) as store:
        for number in range(FLAGS):
            flag = make_flag(now, check=check_of(number), kept_until=now + timedelta(days=30))
            pictures.put(flag["id"], draw(number))
            store.add(flag)
            ids.append(flag["id"])
        store.add(make_flag(now, url="http://127.0.0.1/private.png"))
    yield ids


def run(*arguments: str) -> Result:
    return CliRunner().invoke(unmask, ["rescore", *arguments])


def read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "report.json").read_text()))


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_an_engine_looks_at_all_that_is_due_and_tells(
    engine: str, model: Path, flagged: list[str], tmp_path: Path
) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    out = tmp_path / "report"
    told = run("--engine", engine, "--model", str(model), "--out", str(out))
    assert told.exit_code == 0, told.output
    report = read(out)
    assert (report["looks"], report["scored"], report["failed"]) == (FLAGS + 1, FLAGS, 1)
    assert report["unreachable"] == {"url_not_allowed": 1}
    assert (report["engine"], report["model"], report["interrupted"]) == (engine, "tiny 1", False)
    outcomes = [json.loads(line) for line in (out / "outcomes.jsonl").read_text().splitlines()]
    assert {outcome["id"] for outcome in outcomes if outcome["kind"] == "scored"} == set(flagged)
    assert "6 flags looked at again" in (out / "report.html").read_text()
    again = run("--engine", engine, "--model", str(model), "--out", str(tmp_path / "again"))
    assert read(tmp_path / "again")["looks"] == 0, again.output


def test_the_parts_of_a_manifest_are_all_of_it(
    model: Path, flagged: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(flagged, tmp_path / "manifest.jsonl")
    looks = []
    for part in range(2):
        monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", str(part))
        out = tmp_path / f"part-{part}"
        told = run("--model", str(model), "--manifest", str(manifest), "--slices", "2", "--out", str(out))
        assert told.exit_code == 0, told.output
        looks.append(read(out)["scored"])
    assert looks == [3, 2]


def test_a_list_that_is_none_is_a_sentence(model: Path, flagged: list[str], tmp_path: Path) -> None:
    (tmp_path / "list").write_text('{"id": "1"}\nnonsense\n')
    assert list(read_manifest(str(tmp_path / "list"), 0, 2)) == ["1"]
    for place, words in ((str(tmp_path / "list"), "Line 2 of the list"), (str(tmp_path / "nowhere"), "No such file")):
        told = run("--model", str(model), "--manifest", place, "--out", str(tmp_path / "report"))
        assert told.exit_code == 1
        assert words in told.output


def test_a_limit_holds(model: Path, flagged: list[str], tmp_path: Path) -> None:
    run("--model", str(model), "--limit", "2", "--out", str(tmp_path / "report"))
    assert read(tmp_path / "report")["looks"] == 2


def test_an_interrupted_run_has_its_report_and_the_next_goes_on(
    model: Path, flagged: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = engines.run

    def interrupt(*arguments: Any) -> Iterator[Any]:
        for number, outcome in enumerate(whole(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr(engines, "run", interrupt)
    told = run("--model", str(model), "--out", str(tmp_path / "report"))
    assert told.exit_code == 130
    assert "goes on" in told.output
    assert read(tmp_path / "report")["interrupted"]
    assert "Interrupted" in (tmp_path / "report" / "report.html").read_text()
    monkeypatch.setattr(engines, "run", whole)
    run("--model", str(model), "--out", str(tmp_path / "rest"))
    looks = [read(tmp_path / name)["looks"] for name in ("report", "rest")]
    # What was written when the interrupt came, told or not, is not done again.
    assert looks[0] == 2
    assert FLAGS + 1 - 3 <= looks[1] <= FLAGS + 1 - 2


def test_a_store_that_fails_midway_costs_the_report_nothing(
    model: Path, flagged: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = engines.run

    def fail(*arguments: Any) -> Iterator[Any]:
        yield next(whole(*arguments))
        raise StoreUnavailable("The store does not answer.")

    monkeypatch.setattr(engines, "run", fail)
    told = run("--model", str(model), "--out", str(tmp_path / "report"))
    assert told.exit_code == 1
    assert "The store does not answer. The same command goes on." in told.output
    report = read(tmp_path / "report")
    assert (report["looks"], report["interrupted"]) == (1, True)


def test_reports_are_joined(model: Path, flagged: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_manifest(flagged, tmp_path / "manifest.jsonl")
    for part in range(2):
        monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", str(part))
        out = tmp_path / "parts" / str(part)
        run("--model", str(model), "--manifest", str(manifest), "--slices", "2", "--out", str(out))
    joined = tmp_path / "joined"
    told = run("--join", str(tmp_path / "parts"), "--out", str(joined))
    assert told.exit_code == 0, told.output
    assert (read(joined)["looks"], read(joined)["model"], read(joined)["workers"]) == (FLAGS, "tiny 1", 2)
    assert not read(joined)["interrupted"]
    assert "5 flags looked at again" in (joined / "report.html").read_text()
    # One that was killed has left its outcomes alone.
    (tmp_path / "parts" / "1" / "report.json").unlink()
    run("--join", str(tmp_path / "parts"), "--out", str(joined))
    assert (read(joined)["looks"], read(joined)["interrupted"]) == (FLAGS, True)


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [(None, 1, "No report lies below"), ("nonsense\n", 1, "no outcome"), ("[]\n", 1, "no outcome")],
)
def test_what_cannot_be_joined_is_a_sentence(lines: str | None, code: int, words: str, tmp_path: Path) -> None:
    if lines is not None:
        (tmp_path / "outcomes.jsonl").write_text(lines)
    told = run("--join", str(tmp_path), "--out", str(tmp_path / "joined"))
    assert (told.exit_code, words in told.output) == (code, True), told.output
    assert run("--join", str(tmp_path)).exit_code == 2


def test_reports_in_a_bucket_are_joined_there(bucket: str, tmp_path: Path) -> None:
    from chalicelib.buckets import BucketShelf, list_addresses

    flag = make_flag(datetime.now(UTC), url="https://photos.example/1.png")
    for part in range(3):
        line = json.dumps(tell_outcome(flag, "gone")).encode()
        BucketShelf(bucket).put(f"rescore/n/report/{part:05d}/t/outcomes.jsonl", io.BytesIO(line))
    told = run("--join", f"s3://{bucket}/rescore/n/report", "--out", f"s3://{bucket}/rescore/n")
    assert told.exit_code == 0, told.output
    assert list(list_addresses(f"s3://{bucket}/rescore/n/report.")) == [
        f"s3://{bucket}/rescore/n/report.{kind}" for kind in ("html", "json")
    ]


def test_a_model_that_is_not_there_is_a_sentence_and_costs_nobody_a_try(flagged: list[str], tmp_path: Path) -> None:
    told = run("--model", "nowhere", "--out", str(tmp_path / "report"))
    assert told.exit_code == 1
    assert "There is no model 'nowhere'" in told.output
    with closing(SqliteFlags(Settings.from_environment().store_path)) as store:
        assert {flag["failures"] for flag in store.browse()["flags"]} == {0}


def test_no_engine_of_that_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inline, ray"):
        engines.run("spark", None, [], tmp_path)  # type: ignore[arg-type]

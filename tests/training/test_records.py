"""A record tells what was done, on which data, and nothing of the machine."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from training.files import WriteFailed, replacing
from training.manifest import Sample
from training.recipe import Recipe
from training.records import RunMismatch, hash_data, list_versions, open_record, read_record, write_json

SAMPLES = [Sample(f"{name}.jpg", index, "street", "", name) for index, name in enumerate("ab")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for sample in SAMPLES:
        (tmp_path / sample.path).write_bytes(b"picture")
    return tmp_path


def test_the_data_hash_is_that_of_what_is_told_in_any_order_at_any_time(root: Path) -> None:
    before = hash_data(SAMPLES, root)
    os.utime(root / "a.jpg", (0, 0))
    assert hash_data(SAMPLES[::-1], root) == before


def lengthen(root: Path) -> list[Sample]:
    (root / "b.jpg").write_bytes(b"another picture")
    return SAMPLES


def remove(root: Path) -> list[Sample]:
    (root / "b.jpg").unlink()
    return SAMPLES


@pytest.mark.parametrize(
    "change",
    [
        lengthen,
        remove,
        lambda root: SAMPLES[:1],
        *(
            lambda root, field=field, value=value: [SAMPLES[0], replace(SAMPLES[1], **{field: value})]
            for field, value in (("label", 0), ("group", "a"), ("source", "studio"), ("split", "test"))
        ),
    ],
)
def test_the_data_hash_changes_with_what_a_training_would_see(
    root: Path, change: Callable[[Path], list[Sample]]
) -> None:
    before = hash_data(SAMPLES, root)
    assert hash_data(change(root), root) != before


def test_versions_name_what_counts_and_not_the_machine() -> None:
    versions = list_versions()
    assert {"python", "keras", "backend", versions["backend"], "numpy", "opencv-python-headless"} <= set(versions)
    assert socket.gethostname() not in json.dumps(versions)


def open_in(run: Path, root: Path, **changes: object) -> dict[str, object]:
    manifest = root / "faces.csv"
    manifest.write_text("path,label\n")
    told = {"recipe": Recipe(), "data_sha256": "d" * 64, **changes}
    return open_record(run, preset="student", overrides={"side": 160}, manifest=manifest, **told)  # type: ignore[arg-type]


def test_a_run_takes_its_folder_when_its_record_is_written(root: Path) -> None:
    first = open_in(root / "run", root)
    assert first["finished"] is None
    assert str(root) not in json.dumps(first)
    assert not (root / "run").exists()
    write_json(root / "run" / "record.json", first)
    assert open_in(root / "run", root) == first == read_record(root / "run" / "record.json")


@pytest.mark.parametrize(
    ("changes", "says"), [({"recipe": Recipe(seed=3)}, "another recipe"), ({"data_sha256": "e"}, "another pictures")]
)
def test_another_run_is_not_opened_in_its_folder(root: Path, changes: dict[str, object], says: str) -> None:
    write_json(root / "run" / "record.json", open_in(root / "run", root))
    with pytest.raises(RunMismatch, match=says):
        open_in(root / "run", root, **changes)


def test_weights_from_a_file_are_told_by_their_hash(root: Path) -> None:
    (root / "start.keras").write_bytes(b"weights")
    record = open_in(root / "run", root, recipe=Recipe(weights=str(root / "start.keras")))
    assert len(str(record["weights_sha256"])) == 64


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"preset": 1', None])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "record.json").write_text(text)
    with pytest.raises(ValueError, match="record"):
        read_record(tmp_path / "record.json")


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("cannot close"), KeyboardInterrupt()]
)
def test_a_file_that_is_not_finished_leaves_the_old_one_alone(tmp_path: Path, error: BaseException) -> None:
    write_json(tmp_path / "card.json", {"is": "old"})
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else WriteFailed
    with pytest.raises(expected), replacing(tmp_path / "card.json") as unfinished:
        unfinished.write_text("half")
        raise error
    assert json.loads((tmp_path / "card.json").read_text()) == {"is": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]

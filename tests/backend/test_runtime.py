"""The one module that knows the model runtime."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import chalicelib
from chalicelib.errors import ModelUnavailable
from chalicelib.runtime import load_interpreter

CORE = Path(chalicelib.__file__).parent


def test_a_model_is_ready_to_run(models: Path) -> None:
    interpreter = load_interpreter(models / "detector.tflite", threads=2)
    (wanted,) = interpreter.get_input_details()
    interpreter.set_tensor(wanted["index"], np.zeros(wanted["shape"], wanted["dtype"]))
    interpreter.invoke()
    assert len(interpreter.get_output_details()) == 2


@pytest.mark.parametrize("data", [None, b"", b"TFL3", b"\0" * 1000], ids=["missing", "empty", "stub", "zeros"])
def test_a_file_that_is_no_model_is_told_by_its_name_alone(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "some.tflite"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelUnavailable, match=r"some\.tflite") as told:
        load_interpreter(path)
    assert str(tmp_path) not in told.value.message


@pytest.mark.parametrize(
    ("packages", "only"),
    [
        ({"ai_edge_litert", "tflite_runtime"}, {"runtime.py"}),
        ({"chalice", "click", "flask"}, set()),
        ({"tensorflow", "keras", "training", "convert", "backend"}, set()),
    ],
)
def test_what_the_core_keeps_at_its_edges_stays_there(packages: set[str], only: set[str]) -> None:
    importers = {
        path.name for path in CORE.glob("*.py") if _imports(ast.parse(path.read_text(encoding="utf-8"))) & packages
    }
    assert importers == only


def _imports(module: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names

"""A flag from the page to a real service, through a night, and back."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.settings import MODELS
from tests.backend.test_server import UNMASK, Served, serving

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of the service."""
    return tmp_path


@pytest.fixture
def served(store: Path) -> Iterator[Served]:
    """`unmask serve` with the models that are shipped."""
    with serving(MODELS, store, UNMASK_MAX_BYTES="20000000") as server:
        yield server


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """Its page."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{served.port}/")
    yield page
    context.close()


def run(store: Path, *arguments: str) -> str:
    """Run `unmask` on the store of the service."""
    told = subprocess.run(
        [*UNMASK, *arguments],
        cwd=ROOT,
        env={**os.environ, "UNMASK_STORE_PATH": str(store / "checks.sqlite3"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def list_flags(store: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(store, "flags", "--json").splitlines()]


def choose(page: Any, portrait_file: bytes) -> Any:
    """Check a portrait; return its article."""
    page.locator("#files").set_input_files([{"name": "me.jpg", "mimeType": "image/jpeg", "buffer": portrait_file}])
    article = page.get_by_role("article")
    expect(article.get_by_role("button", name="Flag for re-check")).to_be_visible()
    return article


def test_a_flag_with_its_picture_is_looked_at_by_night(page: Any, store: Path, portrait_file: bytes) -> None:
    pytest.importorskip("tensorflow")
    from tests.training.test_keras_detector import CALIBRATION, save
    from training.networks.catalogue import build

    article = choose(page, portrait_file)
    article.get_by_role("button", name="Flag for re-check").click()
    article.get_by_label("Note (optional)").fill("odd ear")
    article.get_by_label("Keep the picture").check()
    article.get_by_role("button", name="Send").click()
    expect(article).to_contain_text("Flagged. It will be looked at again.")
    (flag,) = list_flags(store)
    assert (flag["note"], flag["state"], flag["owner"]) == ("odd ear", "waiting", "local")
    (kept,) = (path for path in (store / "flagged").rglob("*") if path.is_file())
    assert portrait_file in kept.read_bytes()

    card = {"name": "tiny", "version": "1", "calibration": CALIBRATION}
    model = save(build("student-0.35", side=32, weights="none"), store / "tiny", card).parent
    run(store, "rescore", "--model", str(model), "--out", str(store / "report"))
    seen = json.loads(run(store, "flags", "show", flag["id"]))
    assert (seen["state"], seen["after"]["score"]["model"]["name"]) == ("scored", "tiny")
    assert seen["after"]["score"]["sha256"] == flag["before"]["sha256"]
    assert json.loads((store / "report" / "report.json").read_text())["looks"] == 1

    article.get_by_role("button", name="Undo").click()
    expect(article).to_contain_text("The flag was taken back.")
    assert list_flags(store) == []
    assert not [path for path in (store / "flagged").rglob("*") if path.is_file()]


def test_a_verdict_alone_is_left_to_a_person(page: Any, store: Path, portrait_file: bytes) -> None:
    article = choose(page, portrait_file)
    article.get_by_role("button", name="Flag for re-check").click()
    article.get_by_role("button", name="Send").click()
    expect(article).to_contain_text("Flagged for a person.")
    (flag,) = list_flags(store)
    assert (flag["state"], flag["due_at"]) == ("needs_review", None)

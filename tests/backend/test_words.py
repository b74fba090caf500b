"""What a person reads claims no more than a detector can know: nothing is called real, in no language and no door."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Where a person reads our words. The changelog is left out, which tells what was called so before.
READ = [
    *("README.md", "Makefile", "backend/**/*.py", "backend/**/*.md", "backend/chalicelib/page/*"),
    *("convert/**/*.py", "training/**/*.py", "training/**/*.html", "training/**/*.md"),
    *("extension/*.md", "extension/*/*.md", "extension/*/*.js", "extension/languages/*.json"),
    *("extension/_locales/**/*.json", "extension/*/*.html", "infra/**/*.py", "infra/**/*.md", "infra/**/*.json"),
]
# The only places that know what version 1 said.
NAMED = {"backend/chalicelib/compatibility.py", "extension/common/compatibility.js"}
CLAIMS = re.compile(r"likely[ _-]?real|\breal_below\b|called_real\b|حقيقي(ة|ًا)? على الأرجح", re.IGNORECASE)


def list_files() -> list[Path]:
    found = {path for pattern in READ for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.is_file() and "node_modules" not in path.parts)


def test_nothing_that_a_person_reads_is_called_real() -> None:
    files = list_files()
    assert len(files) > 300
    told = {}
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        if CLAIMS.search(text):
            told[path.relative_to(ROOT).as_posix()] = CLAIMS.findall(text)
    # The description of the API and the decision say what version 1 called things.
    for path in ("backend/chalicelib/openapi.py", "backend/decisions/2026-12-01-version-2-claims-less.md"):
        told.pop(path, None)
    assert set(told) == NAMED


@pytest.mark.parametrize(
    "words", ["Likely real", "likely_real", "likely-real", "fake_called_real", "real_below", "حقيقي على الأرجح"]
)
def test_such_a_claim_would_be_found(words: str) -> None:
    assert CLAIMS.search(f"x {words} y")
    assert not CLAIMS.search("Real photos wrongly called likely fake; no traces found")

"""The table of untrusted input, `ROWS.md`, is held against the tests that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
TABLE = dict(re.findall(r"^\| (\d+) \|.*\| (.+?) \|$", (HERE / "ROWS.md").read_text(encoding="utf-8"), re.MULTILINE))


def collect() -> dict[str, set[str]]:
    """Names of the files whose tests carry the number of a row, by row."""
    run = subprocess.run(
        # An empty `-m` brings the slow ones in as well.
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-m",
            "",
            "-k",
            "row_",
            "-p",
            "no:cacheprovider",
            HERE,
        ],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, set[str]] = defaultdict(set)
    for file, test in re.findall(r"^tests/backend/(\w+)\.py::(.+)$", run.stdout, re.MULTILINE):
        for row in re.findall(r"row_(\d\d)", test):
            found[str(int(row))].add(file)
    return found


def test_every_row_is_proven_where_the_table_says_or_says_why_not() -> None:
    found = collect()
    assert found.keys() <= TABLE.keys(), "a test carries the number of a row that there is not"
    for row, proof in TABLE.items():
        proven, _, reason = proof.partition("– ")
        files = set(re.findall(r"`(\w+)`", proven))
        assert files or reason, f"row {row} names no file and gives no reason"
        assert files == found[row], f"row {row}: named are {files}, its number is carried by tests of {found[row]}"


def test_the_table_is_complete() -> None:
    assert list(TABLE) == [str(number) for number in range(1, 54)]

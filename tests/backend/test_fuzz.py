"""Inputs that nobody thought of: a short run of what `make fuzz` does at length, and whether it would notice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import make_inputs
from tests.fuzz.seeds import make_seeds
from tests.fuzz.targets import REFUSED, TAKEN, TARGETS, Finding, mend_sums, promise
from tests.fuzz.worker import LONGEST, MEMORY

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=200)


def test_row_44_mutated_inputs_are_answered_or_refused_in_bounded_time_and_memory(tmp_path: Path) -> None:
    done = run("-m", "tests.fuzz", "--engine", "mutations", "--inputs", "1500", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "1,500 inputs, 0 findings"
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.split()[0] in TARGETS}
    assert rows.keys() == TARGETS.keys()
    assert all(0 < float(row[3]) < MEMORY for row in rows.values())
    assert all(int(row[6].replace(",", "")) for row in rows.values()), "a target that refuses all proves nothing"


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_takes_some_seeds_and_refuses_none_by_accident(target: str) -> None:
    answers = [TARGETS[target](seed) for seed in make_seeds(target)]
    assert set(answers) <= {TAKEN, REFUSED}
    assert TAKEN in answers
    assert max(map(len, make_seeds(target))) <= LONGEST
    if target in ("picture", "png"):
        assert REFUSED not in answers, "pictures to begin with are honest"


def test_the_same_numbers_give_the_same_inputs() -> None:
    first, again, other = (list(make_inputs("picture", 200, seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) > 150


def test_sums_that_are_put_right_change_no_honest_picture() -> None:
    for seed in make_seeds("png"):
        assert mend_sums(seed) == seed
        broken = seed[:40] + bytes([seed[40] ^ 1]) + seed[41:]
        assert mend_sums(broken) != broken


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(("time", "image", "x")), inner),
    max_leaves=8,
)
FRAMES = st.lists(st.fixed_dictionaries({"time": VALUES, "image": VALUES}) | VALUES, max_size=4)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.fixed_dictionaries({"frames": FRAMES}) | st.fixed_dictionaries({"url": VALUES}) | VALUES)
def test_json_of_any_shape_is_read_or_refused(body: Any) -> None:
    data = json.dumps(body).encode()
    assert TARGETS["frames"](data) in (TAKEN, REFUSED)
    assert TARGETS["request"](data) in (TAKEN, REFUSED)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.sampled_from(("http://", "https://", "//", "http:", "")),
    parts=st.lists(st.sampled_from([*"@:/?#[]\\%.\n\r\t ", "a.example", "10.0.0.1", "80"]) | st.text(max_size=4)),
)
def test_urls_of_any_shape_are_read_as_one_or_refused(start: str, parts: list[str]) -> None:
    url = start + "".join(parts)
    assert TARGETS["request"](json.dumps({"url": url}).encode()) in (TAKEN, REFUSED)
    redirected = b"https://a.example/b\n" + url.encode("utf-8", "surrogatepass")
    assert TARGETS["url"](redirected) in (TAKEN, REFUSED)


def test_a_broken_promise_is_a_finding() -> None:
    promise("kept", "words")
    with pytest.raises(Finding, match="words"):
        promise(0, "words")


LOOP = """
import sys, time
from pathlib import Path
from tests.fuzz import worker
from tests.fuzz.targets import Finding

def hang(data):
    time.sleep(60 * (data == b"bad"))

def grow(data):
    return bytearray(900_000_000) and "taken" if data == b"bad" else "taken"

def raise_(data):
    if data == b"bad":
        raise Finding("a promise")

worker.DEADLINE = {seconds}
worker.loop({function}, iter([b"good"] * 49 + [b"bad", b"good"]), Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("function", "seconds", "words", "kept"),
    [
        ("raise_", 60, r"Finding: a promise\n[^$]*saved as", True),
        ("hang", 1, r"Timeout \(0:00:01\)!", True),
        ("grow", 60, r"LimitExceeded: the process has grown to \d{3,} MB", False),
        ("len", 60, r"tried 51, taken 0, peak \d+ MB", False),
    ],
)
def test_what_goes_wrong_is_noticed_and_its_input_is_kept(
    tmp_path: Path, function: str, seconds: int, words: str, kept: bool
) -> None:
    file = tmp_path / "at-work"
    done = run("-c", LOOP.format(function=function, seconds=seconds), str(file))
    assert (done.returncode == 0) == (function == "len")
    assert re.search(words, done.stdout + done.stderr), done.stdout + done.stderr
    assert (file.exists() and file.read_bytes() == b"bad") == kept

"""What lies in `infra` says what is so: the container, the units, the costs."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from infra.costs import Assumptions, CheckAssumptions, add_up, add_up_checks, tabulate, tabulate_checks

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
DOCKERFILE = (INFRA / "batch" / "Dockerfile").read_text()


def read_steps(word: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{word} +(.+)$", joined, re.MULTILINE)


def test_what_the_container_copies_is_there_and_is_not_ignored() -> None:
    ignored = (INFRA / "batch" / "Dockerfile.dockerignore").read_text().splitlines()
    for step in read_steps("COPY"):
        *sources, _ = step.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source


def test_the_container_names_its_base_and_runs_as_nobody_of_weight() -> None:
    (base,) = read_steps("FROM")
    assert re.fullmatch(r"python:3\.1[12]-[\w-]+", base)
    assert read_steps("USER")[-1] == "unmask"


def test_the_entry_point_runs_here_as_it_would_there(tmp_path: Path) -> None:
    (entry,) = map(json.loads, read_steps("ENTRYPOINT"))
    assert entry[:1] == ["unmask"], "no shell in between, which would swallow the signal"
    (tmp_path / "manifest.jsonl").write_text('{"id": "' + "0" * 32 + '"}\n')
    program = Path(sys.executable).with_name("unmask")
    if not program.exists():
        pytest.skip("unmask is not installed beside this Python")
    environment = {
        # What lies here is run, wherever the installed program would look.
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backend")]),
        "UNMASK_STORE_PATH": str(tmp_path / "checks.sqlite3"),
        "AWS_BATCH_JOB_ARRAY_INDEX": "1",
    }
    told = subprocess.run(
        [program, *entry[1:], "--manifest", tmp_path / "manifest.jsonl", "--slices", "2", "--out", tmp_path / "report"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert told.returncode == 0, told.stderr
    assert json.loads((tmp_path / "report" / "report.json").read_text())["looks"] == 0


def read_unit(name: str) -> configparser.ConfigParser:
    # systemd allows a key twice.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(INFRA / "systemd" / name)
    return parser


def test_the_units_call_a_command_that_there_is() -> None:
    service, timer = read_unit("unmask-rescore.service"), read_unit("unmask-rescore.timer")
    command = shlex.split(service["Service"]["ExecStart"])
    assert Path(command[0]).name == "unmask"
    assert command[1] == "rescore"
    assert f"{command[1]} = " in (ROOT / "pyproject.toml").read_text()
    assert service["Service"]["NoNewPrivileges"] == "yes"
    assert timer["Timer"]["OnCalendar"]
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_the_readme_shows_what_the_program_prints() -> None:
    guide = (INFRA / "README.md").read_text()
    assert tabulate(Assumptions()) in guide
    assert tabulate_checks(CheckAssumptions()) in guide


def test_the_program_of_the_costs_takes_prices() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "infra.costs", "--nat-gb", "0.045", "--gateway-million", "1"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'backend'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    checks, nights = told.stdout.strip().split("\n\n")
    assert nights == tabulate(Assumptions(nat_gb=0.045))
    assert checks == tabulate_checks(CheckAssumptions(gateway_million=1.0))


def test_a_million_checks_are_added_up_as_by_hand() -> None:
    small, large, arm = add_up_checks(CheckAssumptions())
    # 33 ms, half as long again, on 1.769 GB; 70 % fresh, and the rest in a tenth of the time; and 20 cents.
    assert small.compute == pytest.approx(1e6 * 0.033 * 1.5 * 0.73 * 1.769 * 1.66667e-5 + 0.2, rel=1e-4)
    assert arm.compute < small.compute < large.compute
    assert small.dynamo == pytest.approx((0.7 * 8 + 1) * 0.625 + (0.7 + 0.6) * 0.125)
    assert {each.gateway for each in (small, large, arm)} == {3.5}


def test_costs_grow_with_flags_and_with_nothing_else() -> None:
    given = Assumptions()
    small, large = add_up(1e5, given), add_up(1e7, given)
    assert large.total == pytest.approx(100 * small.total, rel=0.01)
    assert add_up(1e5, replace(given, spot_vcpu_hour=0.04)).compute == pytest.approx(2 * small.compute)
    # By hand: 200,000 looks, 85 % of them scored, 19 a second: 8,947 s a day, 2.5 h at 2 cents, 30 days.
    assert small.compute == pytest.approx(1.49, abs=0.01)
    assert small.vcpus == pytest.approx(8_947 / 21_600, abs=0.01)
    assert small.binds == "nothing"
    assert large.binds.startswith("listing")

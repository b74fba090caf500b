"""What makes inputs: libFuzzer through atheris, led by coverage; or seeded mutations, for where that is not installed.

Each run of an engine is a process of its own, so that what hangs or dies in native code ends that and not the report.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.seeds import make_seeds
from tests.fuzz.worker import DEADLINE, LONGEST, MEMORY


@dataclass(frozen=True, slots=True)
class Run:
    """What an engine did to a target.

    Attributes:
        target: its name.
        inputs: how many were tried.
        peak: largest memory of the process, MB.
        corpus: inputs that reached something new; seeds alone where coverage is not seen.
        coverage: edges reached; 0 where coverage is not seen.
        taken: inputs that were not refused.
        findings: what broke a promise, a line each.
        log: all that was said.
    """

    target: str
    inputs: int
    peak: float
    corpus: int
    coverage: int
    taken: int
    findings: list[str] = field(default_factory=list)
    log: str = ""


def run_atheris(target: str, inputs: int, seed: int, out: Path) -> Run:
    """Fuzz a target, led by coverage."""
    corpus = out / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(make_seeds(target)):
        (corpus / f"seed-{number:02}").write_bytes(data)
    options = {
        "runs": inputs,
        "seed": seed,
        "max_len": LONGEST,
        # Pictures are far longer than what libFuzzer likes to begin with.
        "len_control": 0,
        # Changes upon changes leave hardly a file that any decoder is asked about.
        "mutate_depth": 1,
        "timeout": DEADLINE,
        "rss_limit_mb": MEMORY,
        "print_final_stats": 1,
        "artifact_prefix": f"{out / target}-",
    }
    done = _run("atheris", target, *(f"-{name}={value}" for name, value in options.items()), str(corpus))
    log = done.stdout
    counted = dict(re.findall(r"stat::(\w+):\s+(\d+)", log))
    reached = re.findall(r"cov: (\d+) ft: \d+ corp: (\d+)", log) or [("0", "0")]
    # Where it is ended by a finding it leaves no statistics behind.
    tried = counted.get("number_of_executed_units") or (re.findall(r"^#(\d+)", log, re.MULTILINE) or ["0"])[-1]
    return Run(
        target,
        int(tried),
        float(counted.get("peak_rss_mb", 0)),
        int(reached[-1][1]),
        int(reached[-1][0]),
        int((re.findall(r"^tried \d+, taken (\d+)$", log, re.MULTILINE) or ["0"])[-1]),
        _explain(done.returncode, log),
        log,
    )


def run_mutations(target: str, inputs: int, seed: int, out: Path) -> Run:
    """Fuzz a target by seeded mutations of its seeds."""
    out.mkdir(parents=True, exist_ok=True)
    done = _run("mutations", target, str(inputs), str(seed), str(out))
    log = done.stdout
    counted = re.search(r"^tried (\d+), taken (\d+), peak (\d+) MB$", log, re.MULTILINE)
    tried, taken, peak = map(int, counted.groups()) if counted else (0, 0, 0)
    return Run(target, tried, peak, len(make_seeds(target)), 0, taken, _explain(done.returncode, log), log)


ENGINES: dict[str, Callable[[str, int, int, Path], Run]] = {"atheris": run_atheris, "mutations": run_mutations}


def _run(engine: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.worker", engine, *arguments]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )


def _explain(status: int, log: str) -> list[str]:
    if status == 0:
        return []
    saved = re.findall(r"(?:written to|saved as) (\S+)", log)
    # The last exception, what libFuzzer found, or what the watch saw.
    said = re.findall(
        r"^(?:[\w.]+(?:Error|Exception|Finding|Exceeded)\b.*|.*ERROR: libFuzzer.*|Timeout.*)$", log, re.MULTILINE
    )
    return [f"{said[-1] if said else f'ended with status {status}'} ({', '.join(saved) or 'nothing saved'})"]

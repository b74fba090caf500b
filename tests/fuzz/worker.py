"""The process that an engine runs in; imports nothing of ours before that is to be instrumented."""

from __future__ import annotations

import faulthandler
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

# No input may take longer, s, or grow the process beyond, MB.
DEADLINE = 10
MEMORY = 600
# Longest input, bytes: seeds have 200 to 2,000.
LONGEST = 8192
# How many of the changes are libFuzzer's own.
OWN_SHARE = 0.4
# Inputs between two lines that tell how far a run is.
TELL_EVERY = 100
# Of Pillow and OpenCV only what is Python is led by coverage: their native code is not instrumented.
INSTRUMENTED = ["chalicelib", "PIL", "urllib3.util.url", "idna"]


class LimitExceeded(Exception):
    """An input grew the process too far."""


def measure_peak() -> float:
    """Return the largest memory that this process has had, MB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1000


def loop(try_: Callable[[bytes], str], inputs: Iterator[bytes], kept: Path) -> None:
    """Give inputs to a target one by one; the process ends at the first that breaks a promise, and leaves it in a file.

    Args:
        try_: the target.
        inputs: what it is given.
        kept: file that holds the input at work, so that one that kills the process is there as well.
    """
    tried = taken = 0
    for data in inputs:
        kept.write_bytes(data)
        # Ends the process even where native code never comes back.
        faulthandler.dump_traceback_later(DEADLINE, exit=True, file=sys.stdout)
        try:
            taken += try_(data) == "taken"
            if tried % 50 == 0 and measure_peak() > MEMORY:
                raise LimitExceeded(f"the process has grown to {measure_peak():.0f} MB")
        except Exception:
            traceback.print_exc(file=sys.stdout)
            sys.stdout.write(f"input {tried} saved as {kept}\n")
            sys.exit(1)
        finally:
            faulthandler.cancel_dump_traceback_later()
        tried += 1
    kept.unlink(missing_ok=True)
    print(f"tried {tried}, taken {taken}, peak {measure_peak():.0f} MB")
    if measure_peak() > MEMORY:
        raise LimitExceeded(f"the process has grown to {measure_peak():.0f} MB")


def _loop_mutations(target: str, inputs: str, seed: str, out: str) -> None:
    from tests.fuzz.mutations import make_inputs
    from tests.fuzz.targets import TARGETS

    loop(TARGETS[target], make_inputs(target, int(inputs), int(seed)), Path(out) / f"{target}-at-work")


def _loop_atheris(target: str, *options: str) -> NoReturn:
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS
    from tests.fuzz.mutations import mutate
    from tests.fuzz.seeds import make_seeds

    seeds = make_seeds(target)
    tried = taken = 0

    def count(data: bytes) -> None:
        nonlocal tried, taken
        taken += TARGETS[target](data) == "taken"
        tried += 1
        if tried % TELL_EVERY == 0:
            # libFuzzer ends the process itself and lets nothing be said afterwards.
            print(f"tried {tried}, taken {taken}", flush=True)

    def vary(data: bytes, size: int, seed: int) -> bytes:
        # libFuzzer's own changes mostly hit what every file of a format begins with, and get no further.
        chance = random.Random(seed)
        if chance.random() < OWN_SHARE:
            return bytes(atheris.Mutate(data, size))
        return mutate(data or seeds[0], chance, seeds)[:size]

    atheris.Setup([sys.argv[0], *options], count, custom_mutator=vary)
    atheris.Fuzz()
    sys.exit(0)


if __name__ == "__main__":
    {"atheris": _loop_atheris, "mutations": _loop_mutations}[sys.argv[1]](*sys.argv[2:])

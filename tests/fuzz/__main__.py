"""Fuzz decoding, the JSON bodies, the URL parser and the address rule.

`python -m tests.fuzz [--inputs N] [--target NAME] [--engine atheris|mutations] [--seed N]`; `make fuzz` runs 200,000.
Every input must end within 10 s, with an answer or one of our own errors, in a process of at most 600 MB; what is
refused is never scored. An input that breaks a promise is left in build/fuzz/, and the exit status is 1. Only Python
is instrumented: the native code of Pillow is run, but not led by its coverage.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

from tests.fuzz.engines import ENGINES
from tests.fuzz.targets import SHARES
from tests.fuzz.worker import DEADLINE, MEMORY

OUT = Path("build/fuzz")


def main() -> None:
    """Fuzz, print, leave what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=200_000, help="in all, shared out between the targets")
    parser.add_argument("--target", choices=SHARES, action="append", help="one alone; may be given again")
    parser.add_argument("--engine", choices=ENGINES, help="atheris where it is installed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    engine = options.engine or ("atheris" if importlib.util.find_spec("atheris") else "mutations")
    targets = options.target or list(SHARES)
    shares = sum(SHARES[target] for target in targets)
    print(f"{engine}: at most {DEADLINE} s an input and {MEMORY} MB")
    print(f"{'target':<10}{'inputs':>9}{'seconds':>9}{'peak MB':>9}{'corpus':>8}{'edges':>8}{'taken':>8}  findings")
    total = found = 0
    for target in targets:
        started = time.monotonic()
        run = ENGINES[engine](target, options.inputs * SHARES[target] // shares, options.seed, options.out)
        (options.out / f"{target}.log").write_text(run.log)
        numbers = f"{run.inputs:>9,}{time.monotonic() - started:>9.0f}{run.peak:>9.0f}{run.corpus:>8}{run.coverage:>8}"
        print(f"{target:<10}{numbers}{run.taken:>8,}  {'; '.join(run.findings) or 'none'}", flush=True)
        total += run.inputs
        found += len(run.findings)
    print(f"{total:,} inputs, {found} findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

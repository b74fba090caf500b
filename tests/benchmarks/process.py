"""A process that goes on: it reads a line, does what that asks, and answers with one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_process(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Iterator[Callable[[str], str]]:
    """Lend a process, which ends when its input does.

    Args:
        command: what it runs.
        env: its environment; ours if not said.

    Yields:
        What sends a line and returns the answer.
    """
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    ) as process:
        sending, receiving = process.stdin, process.stdout
        assert sending is not None and receiving is not None

        def ask(line: str) -> str:
            sending.write(f"{line}\n")
            return receiving.readline()

        yield ask
        sending.close()

"""`unmask serve` as a process of its own, on a free port of loopback, watched from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from backend.cli import main; main()", "serve", "--port", "0"]
PROC = Path("/proc/self/status")
# How long an answer may take, s: far beyond what any takes, so that only one that never comes counts as lost.
PATIENCE = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `told` is the JSON in it, None where there is none."""

    status: int
    told: Any

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        return self.told["error"]["code"] if isinstance(self.told, dict) and "error" in self.told else None


@dataclass(frozen=True, slots=True)
class Service:
    """A running service.

    Attributes:
        process: the server, without children.
        port: on 127.0.0.1.
        log: file that holds what it says on standard error.
    """

    process: subprocess.Popen[str]
    port: int
    log: Path

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "image/jpeg",
        wait: float = PATIENCE,
    ) -> Answer:
        """Ask over a connection of its own.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=wait)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if body is not None else {})
            answer = connection.getresponse()
            data = answer.read()
            return Answer(answer.status, json.loads(data) if data else None)
        finally:
            connection.close()

    def memory(self) -> float:
        """Return what it holds in memory now, MB; 0 where the system does not tell."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """Return the most it has held, MB; 0 where the system does not tell."""
        return self._status("VmHWM")

    def cpu(self) -> float:
        """Return the processor time it has used, s; 0 where the system does not tell."""
        if not PROC.exists():
            return 0.0
        # Behind the name, which may hold anything: user and system time are the 14th and 15th field (proc(5)).
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """Tell it to end, and return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(60)

    def _status(self, name: str) -> float:
        if not PROC.exists():
            return 0.0
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000


def launch(store: Path, log: Path, settings: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start the process without waiting for it; `options` go to `Popen`."""
    environment = {"PATH": os.defpath, "PYTHONUNBUFFERED": "1", "UNMASK_STORE_PATH": str(store), **(settings or {})}
    with log.open("a") as file:
        return subprocess.Popen(
            COMMAND, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=file, text=True, **options
        )


def greet(process: subprocess.Popen[str], log: Path) -> Service | None:
    """Wait until the service answers; None where it ended instead."""
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)$", process.stdout.readline().strip())
    return Service(process, int(found[1]), log) if found else None


@contextmanager
def serving(store: Path, log: Path, settings: Mapping[str, str] | None = None, **options: Any) -> Iterator[Service]:
    """Run a service for as long as the block lasts."""
    process = launch(store, log, settings, **options)
    try:
        service = greet(process, log)
        assert service is not None, log.read_text()
        yield service
    finally:
        process.kill()
        process.communicate()

"""A real Unmask service, and a proxy before it that remembers what it was sent and can play every trouble."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backend import app as web
from backend.server import Server
from chalicelib.checks import Checker
from chalicelib.settings import Settings
from tests.e2e.web.site import serving

# Every answer of the service carries these, whoever asks.
HEADERS = {**web.HEADERS, **web.CORS.get_access_control_headers()}


@dataclass
class Answer:
    """What the proxy says instead of the service.

    Attributes:
        body: text is sent as it is, anything else as JSON.
        gate: holds the answer back until it is set.
        hang_up: cuts the connection instead of answering.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None
    hang_up: bool = False


@dataclass
class Asked:
    """A request that came in; `seconds` is how long its answer took, once it has one."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    seconds: float | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


class Proxy(ThreadingHTTPServer):
    """Passes everything on to the service behind it.

    Attributes:
        asked: what was asked so far.
        answers: to the next checks, in place of the service's; used up from the front.
        always: by (method, path), answers that stay.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.asked: list[Asked] = []
        self.answers: list[Answer] = []
        self.always: dict[tuple[str, str], Answer] = {}

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def checks(self) -> list[Asked]:
        """The requests that carried something to be checked."""
        return [asked for asked in self.asked if asked.method == "POST"]

    def reset(self) -> None:
        """Forget what was asked and what was to be answered."""
        self.asked, self.answers, self.always = [], [], {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that closes a connection early is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def answer(self) -> None:
        started = time.perf_counter()
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        planned = self.server.always.get((self.command, self.path))
        if planned is None and self.command == "POST" and self.server.answers:
            planned = self.server.answers.pop(0)
        # Noted at once: a test asks what was sent while the answer is still held back.
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        self.server.asked.append(asked)
        if planned is None:
            self._pass_on(body)
        else:
            self._play(planned)
        asked.seconds = time.perf_counter() - started

    do_GET = do_POST = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def _pass_on(self, body: bytes) -> None:
        connection = HTTPConnection("127.0.0.1", self.server.target, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            self._send(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def _play(self, planned: Answer) -> None:
        if planned.gate is not None:
            planned.gate.wait(60)
        if planned.hang_up:
            # A reset, not a polite end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        text = isinstance(planned.body, str)
        data = planned.body if text else "" if planned.body is None else json.dumps(planned.body)
        media_type = "text/html" if text else "application/json"
        self._send(planned.status, {**HEADERS, "Content-Type": media_type, **planned.headers}, data.encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output quiet."""


@contextmanager
def running_service(folder: Path) -> Iterator[Proxy]:
    """Run the service with a store of its own in `folder`, behind the proxy."""
    settings = Settings(store_path=folder / "checks.sqlite3")
    checker = Checker.from_settings(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "_load_checker", lambda: checker)
        server = Server("127.0.0.1", 0, settings)
        proxy = Proxy(server.server_address[1])
        with serving(server), serving(proxy):
            yield proxy


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])

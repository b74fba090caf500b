"""A loopback server that serves the page under its real headers and answers checks from a list."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backend.app import HEADERS, MEDIA_TYPES, PAGE, PAGE_HEADERS

# In AWS the page lies under a stage's name; an address that starts at the root would miss it.
STAGE = "/stage/"

MODEL = {
    "name": "unmask-student",
    "version": "2025.11-0f3c9a51",
    "input_side": 160,
    "covers": [
        "Faces that a GAN or a diffusion model generated whole.",
        "Swapped and re-enacted faces in video frames.",
    ],
    "limits": [
        "Kinds of generator that it never met.",
        "Pictures after heavy compression, strong filters, or a photo of a screen.",
        "Edits that leave the face alone.",
    ],
    "metrics": {"auc": 0.9},
    "thresholds": {"no_traces_below": 0.2, "fake_above": 0.8},
    "terms": "For research and journalism.",
}


@dataclass
class Answer:
    """What a check is answered with.

    Attributes:
        gate: holds the answer back until it is set.
        hang_up: closes the connection instead of answering.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None
    hang_up: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    method: str
    path: str
    media_type: str | None
    body: bytes


class PageServer(ThreadingHTTPServer):
    """Serves on a free loopback port.

    Attributes:
        answers: to the next checks; the last one stays.
        model: answer to `GET v2/model`.
        health: more that `GET v2/health` tells.
        forget: answer to `DELETE v2/checks/…`.
        asked: all requests to the API so far.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = [Answer({"error": {"code": "unset", "message": "unset"}}, 500)]
        self.model = Answer(MODEL)
        self.health: dict[str, Any] = {}
        self.forget = Answer(status=204)
        self.asked: list[Asked] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def address(self) -> str:
        return self.origin + STAGE

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that closes a connection early is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        path = self.path.removeprefix(STAGE)
        if path == "v2/model":
            self._api(self.server.model)
            return
        if path == "v2/health":
            health = {"status": "ok", "api": 2, "model": MODEL, "flags": False, "video_bytes": 10**7}
            self._api(Answer(health | self.server.health))
            return
        name = {"": "index.html"}.get(path, path.removeprefix("assets/"))
        files = {file.name: file for file in PAGE.iterdir()}
        if not self.path.startswith(STAGE) or name not in files:
            self._send(404, b"", {})
            return
        media_type = MEDIA_TYPES[files[name].suffix]
        headers = HEADERS | PAGE_HEADERS | {"Content-Type": media_type}
        self._send(200, files[name].read_bytes(), headers)

    def do_POST(self) -> None:
        known = self.path in (f"{STAGE}v2/checks/image", f"{STAGE}v2/checks/video")
        self._api(self.server.next_answer() if known else Answer(status=404))

    def do_DELETE(self) -> None:
        self._api(self.server.forget)

    def _api(self, answer: Answer) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.asked.append(Asked(self.command, self.path, self.headers["Content-Type"], body))
        if answer.gate is not None:
            answer.gate.wait(60)
        if answer.hang_up:
            self.close_connection = True
            return
        data = b"" if answer.body is None else json.dumps(answer.body).encode()
        self._send(answer.status, data, {"Content-Type": "application/json", **answer.headers})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output quiet."""

"""A loopback server for the card's own page and the modules it needs, under a strict content policy."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"


class CardServer(ThreadingHTTPServer):
    """Serves the checkout on a free loopback port, and pictures by name.

    Attributes:
        pictures: PNG files by path, such as "/portrait.png".
    """

    def __init__(self, pictures: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(ROOT)))
        self.pictures = pictures

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/tests/e2e/card/index.html"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that closes a connection early is part of the tests."""


class _Handler(SimpleHTTPRequestHandler):
    server: CardServer

    def do_GET(self) -> None:
        picture = self.server.pictures.get(self.path)
        if picture is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(picture)))
        self.end_headers()
        self.wfile.write(picture)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output quiet."""

"""A small web on one loopback port: several hosts that serve pictures and pages, and remember who asked.

Chromium is told where the hosts are by --host-resolver-rules, Firefox by network.dns.localDomains.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.e2e.web.pictures import make_picture

PAGES = Path(__file__).parent / "pages"
# `referer.test` serves nobody who does not come from one of our pages, as many picture CDNs do.
HOSTS = ("site.test", "cdn.test", "frame.test", "referer.test")
MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "webm": "video/webm"}
HUGE = 30_000_000
STRICT = {
    "strict": "default-src 'none'; img-src $cdn; require-trusted-types-for 'script'; trusted-types 'none'",
    "sandboxed": "sandbox; default-src 'none'; img-src $cdn",
}


@dataclass(frozen=True)
class Visit:
    """A request that came in; `size` is that of its body, bytes."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    size: int


class Site(ThreadingHTTPServer):
    """Serves all hosts on a free port.

    Attributes:
        visits: all requests so far.
        clip: the file behind every `/clips/*.webm`, or None where there is none.
        pictures: files behind `/pictures/`, by name, beside those that are drawn.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, clip: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clip = clip
        self.visits: list[Visit] = []
        self.pictures: dict[str, bytes] = {}

    @property
    def origins(self) -> dict[str, str]:
        """The address of each host by its first word: site, cdn, frame, referer."""
        return {host.partition(".")[0]: f"http://{host}:{self.server_port}" for host in HOSTS}

    def page(self, name: str, host: str = "site") -> str:
        """Return the address of a page."""
        return f"{self.origins[host]}/pages/{name}.html"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that closes a connection early is part of the tests."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def answer(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        self.rfile.read(length)
        host = (self.headers["Host"] or "").partition(":")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.visits.append(Visit(host, self.command, self.path, headers, length))
        if host not in HOSTS:
            self._send(421, b"", "text/plain")
        elif host == "referer.test" and not headers.get("referer", "").startswith(self.server.origins["site"]):
            self._send(403, b"No hot links.", "text/plain")
        else:
            self._route(urlsplit(self.path).path)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def _route(self, path: str) -> None:
        folder, _, name = path.lstrip("/").partition("/")
        routes: dict[str, Callable[[str], None]] = {
            "pages": self._page,
            "pictures": self._picture,
            "clips": self._clip,
        }
        if folder in routes:
            routes[folder](name)
        else:
            self._send(404, b"", "text/plain")

    def _page(self, name: str) -> None:
        file = PAGES / name
        if file.parent != PAGES or not file.is_file():
            self._send(404, b"", "text/plain")
            return
        text = Template(file.read_text(encoding="utf-8")).safe_substitute(self.server.origins)
        policy = STRICT.get(file.stem)
        more = {"Content-Security-Policy": Template(policy).substitute(self.server.origins)} if policy else {}
        self._send(200, text.encode(), "text/html; charset=utf-8", more)

    def _picture(self, name: str) -> None:
        kind = MEDIA_TYPES.get(name.rpartition(".")[2], "")
        if name in self.server.pictures:
            self._send(200, self.server.pictures[name], kind)
            return
        if name == "text.jpg":
            self._send(200, b"These are words, whatever their name says.", kind)
            return
        try:
            data = make_picture(f"/pictures/{name.removeprefix('huge/')}")
        except KeyError:
            self._send(404, b"", "text/plain")
            return
        # What follows the end of a JPEG does not keep a browser from showing it.
        data = data.ljust(HUGE, b"\0") if name.startswith("huge/") else data
        allowed = "cors" in parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        self._send(200, data, kind, {"Access-Control-Allow-Origin": "*"} if allowed else {})

    def _clip(self, name: str) -> None:
        if self.server.clip is None or not name.endswith(".webm"):
            self._send(404, b"", "text/plain")
            return
        # Without ranges a browser cannot seek.
        data = self.server.clip.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2] or len(data)) if asked else len(data), len(data) - 1)
        more = {"Accept-Ranges": "bytes"}
        if asked:
            more["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        self._send(206 if asked else 200, data[first : last + 1], "video/webm", more)

    def _send(self, status: int, data: bytes, media_type: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Type": media_type, "Content-Length": str(len(data)), "Cache-Control": "max-age=600"}
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output quiet."""

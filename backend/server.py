"""The API on one machine: Chalice's local gateway behind an HTTP server that bounds what it reads."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import re
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

from chalice.config import Config
from chalice.local import LocalGateway, LocalGatewayException

from backend import app as web
from chalicelib.compatibility import OLD_PREFIX, PREFIX, deprecation_headers
from chalicelib.errors import BadRequest, IncompleteBody, NotAllowed, NotFound, TooLarge, UnmaskError
from chalicelib.settings import Settings
from chalicelib.uploads import FolderUploads, check_upload

# A client that sends nothing for so long is let go, seconds.
PATIENCE = 30
# How long and how much a refused client may go on sending before the connection is cut, seconds and bytes.
LINGER = 5
LINGER_BYTES = 100_000_000
# Bodies up to this size pass even where large ones must wait, bytes.
SMALL = 1_000_000
# The API in both of its versions; all else is the page.
API_PREFIXES = (PREFIX, OLD_PREFIX)
# Where a video is sent to.
VIDEOS = tuple(f"{prefix}checks/video" for prefix in API_PREFIXES)
ARRIVAL = re.compile("/v[12]/uploads/([0-9a-f]{32})/clip")
# When a refused client may try again, seconds.
RETRY_AFTER = 2


class LengthRequired(UnmaskError):
    """The request does not say how long its body is."""

    status = 411
    code = "length_required"


class Busy(UnmaskError):
    """Other large bodies take the memory that there is for them."""

    status = 503
    code = "busy"


class Server(ThreadingHTTPServer):
    """Serves the app on one address, a thread a connection.

    Attributes:
        settings: `max_video_bytes` bounds a video, `max_bytes` any other body.
        gateway: what turns a request into the event that Lambda would see.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, settings: Settings) -> None:
        """Bind.

        Args:
            host: name or address of an interface.
            port: 0 takes a free one.
            settings: how large a body may be, and all that are held at once.

        Raises:
            OSError: the address is taken, not ours, or unknown.
        """
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self.settings = settings
        self._room = settings.max_bytes_in_flight
        self._room_lock = threading.Lock()
        self.gateway = LocalGateway(web.app, Config.create())
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        """Address to open in a browser."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    @contextmanager
    def hold(self, length: int) -> Iterator[None]:
        """Keep room for a body, from before it is read until it is answered.

        Who is refused hears so at once: a queue would let slow uploaders keep everybody waiting.

        Raises:
            Busy: there is none.
        """
        taken = length if length > SMALL else 0
        with self._room_lock:
            if taken > self._room:
                raise Busy("Too many large files arrive at once; try again in a moment.")
            self._room -= taken
        try:
            yield
        finally:
            with self._room_lock:
                self._room += taken

    def run(self) -> None:
        """Serve until the process is interrupted or told to end."""

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, interrupt)
        try:
            self.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is its own affair; anything else is ours."""
        error = sys.exception()
        if not isinstance(error, (ConnectionError, TimeoutError)):
            web.refuse(error, "-")

    def server_bind(self) -> None:
        """Bind without asking the network for our own name, which can take seconds and is never shown."""
        socketserver.TCPServer.server_bind(self)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    # Head and body are two writes: otherwise the second may wait 40 ms until the client acknowledges the first.
    disable_nagle_algorithm = True
    server: Server

    def handle_expect_100(self) -> bool:
        """Refuse before the client starts to send, where it asks first."""
        try:
            self._admit()
            self._length()
        except UnmaskError as error:
            self._refuse(error)
            return False
        return super().handle_expect_100()

    def answer(self) -> None:
        """Read one request, hand it to the app, send the answer."""
        try:
            self._admit()
            length = self._length()
            with self.server.hold(length):
                response = self._ask(self._read(length))
        except UnmaskError as error:
            self._refuse(error)
            return
        self._send(response["statusCode"], response["headers"], _body(response))

    def do_PUT(self) -> None:
        """Take in a video that a place was made for, in S3's stead, and have it checked."""
        uploads, arrived = web.uploads(), ARRIVAL.fullmatch(self.path)
        if arrived is None or not isinstance(uploads, FolderUploads):
            self.answer()
            return
        try:
            uploads.receive(arrived[1], self.rfile, self._length())
        except UnmaskError as error:
            self._refuse(error)
            return
        check = threading.Thread(target=_check_arrival, args=(uploads, arrived[1]), daemon=True)
        check.start()
        self._send(HTTPStatus.NO_CONTENT, self._common_headers(), b"")

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def _ask(self, body: bytes) -> dict[str, Any]:
        """Hand a request to the app and return what Lambda would."""
        try:
            response: dict[str, Any] = self.server.gateway.handle_request(
                # As anywhere on the web, HEAD is GET without the body.
                "GET" if self.command == "HEAD" else self.command,
                _normalise(self.path),
                dict(self.headers),
                body,
            )
        except (LocalGatewayException, UnicodeError):
            response = web.refuse(NotFound("There is nothing at this address."), "-").to_dict()
            response["headers"] |= self._common_headers()
        return response

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no HTTP, or of a kind that nobody serves, in the shape of all our errors."""
        error = UnmaskError(f"{HTTPStatus(code).phrase}.", code="bad_request")
        error.status = code
        self._refuse(error)

    def version_string(self) -> str:
        """Name the server without the versions of what it is made of."""
        return "unmask"

    def log_message(self, format: str, *args: Any) -> None:
        """The app logs its requests itself, without addresses."""

    def _admit(self) -> None:
        """Raise `NotAllowed` for who does not bring the key, where there is one.

        The page itself and what a browser asks before it asks are open: neither tells anything. So is a place for a
        video, whose address nobody guesses, and which is made for who has the key.
        """
        key, path = self.server.settings.access_key, _normalise(self.path)
        place = self.command == "PUT" and ARRIVAL.fullmatch(path)
        if not key or self.command == "OPTIONS" or place or not path.startswith(API_PREFIXES):
            return
        told = self.headers.get("x-api-key", "")
        if not hmac.compare_digest(told.encode("latin-1", "replace"), key.encode()):
            raise NotAllowed

    def _length(self) -> int:
        if "transfer-encoding" in self.headers:
            raise LengthRequired("Send the body in one piece, with its Content-Length.")
        texts = set(self.headers.get_all("content-length", ["0"]))
        text = texts.pop().strip()
        if texts or not (text.isascii() and text.isdigit()):
            raise BadRequest("The Content-Length is not a number.")
        # Python refuses to parse numbers of thousands of digits.
        limit = self._limit()
        if len(text) > 15 or int(text) > limit:
            raise TooLarge(f"The body is larger than {limit / 1e6:g} MB.")
        return int(text)

    def _limit(self) -> int:
        settings = self.server.settings
        if self.command == "PUT" and ARRIVAL.fullmatch(self.path):
            return settings.max_upload_bytes
        is_video = _normalise(self.path).partition("?")[0] in VIDEOS
        return settings.max_video_bytes if is_video else settings.max_bytes

    def _read(self, length: int) -> bytes:
        body = self.rfile.read(length)
        if len(body) < length:
            raise IncompleteBody("The upload ended too early.")
        return body

    def _refuse(self, error: UnmaskError) -> None:
        """Answer and hang up: where the next request would begin is not known."""
        self.close_connection = True
        # What could not be parsed passes for HTTP/0.9, whose answers have neither status nor headers.
        self.request_version = self.protocol_version
        web.log(logging.INFO, "refused", status=error.status, code=error.code)
        headers = {"Content-Type": "application/json", "Connection": "close"}
        headers |= self._common_headers()
        if isinstance(error, Busy):
            headers["Retry-After"] = str(RETRY_AFTER)
        self._send(error.status, headers, json.dumps(error.to_dict()).encode())
        self._linger()

    def _common_headers(self) -> dict[str, Any]:
        """Return the headers of an answer that the app did not make."""
        headers: dict[str, Any] = web.HEADERS | web.CORS.get_access_control_headers()
        # A request that could not be parsed has no path.
        path = _normalise(getattr(self, "path", "")).partition("?")[0]
        return headers | deprecation_headers(path) if path.startswith(OLD_PREFIX) else headers

    def _send(self, status: int, headers: dict[str, Any], body: bytes) -> None:
        self.send_response(status)
        headers.setdefault("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name, str(value))
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != HTTPStatus.NO_CONTENT:
            self.wfile.write(body)

    def _linger(self) -> None:
        """Take in what the client still sends: closing on unread bytes would destroy the answer."""
        deadline, left = time.monotonic() + LINGER, LINGER_BYTES
        self.connection.settimeout(1)
        try:
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and time.monotonic() < deadline and (chunk := self.rfile.read1(1 << 16)):
                left -= len(chunk)
        except OSError:
            pass


def _check_arrival(uploads: FolderUploads, upload_id: str) -> None:
    """Check an upload; what goes wrong on our side is logged as in a request."""
    try:
        check_upload(uploads, web.checker(), upload_id)
    except Exception as error:
        web.refuse(error, upload_id)


def _normalise(target: str) -> str:
    """Undo needless escapes in the path, as API Gateway does, but leave `%3F` and the like escaped."""
    path, mark, query = target.partition("?")
    return quote(unquote(path), safe="/:@!$&'()*+,;=~") + mark + query


def _body(response: dict[str, Any]) -> bytes:
    body = response["body"] or ""
    if response.get("isBase64Encoded"):
        return base64.b64decode(body)
    return body if isinstance(body, bytes) else body.encode()

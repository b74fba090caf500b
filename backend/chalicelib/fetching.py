"""Untrusted URL → bytes: the only module that reaches out to strangers.

For each hop the host is resolved once, all its addresses are judged, and one of those is connected to, so a name that
changes its mind in between (DNS rebinding) gains nothing. Sockets are opened here and handed to the HTTP client, which
therefore asks neither DNS nor the environment's proxies. Every URL is parsed once, by that client's own parser; what is
judged is what is connected to and what is asked for.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse
from urllib3.util.url import parse_url

from chalicelib import __version__
from chalicelib.addresses import is_public
from chalicelib.clip_header import HEAD, sniff_clip
from chalicelib.errors import (
    BadRequest,
    FetchFailed,
    FetchingOff,
    FetchTimeout,
    IncompleteBody,
    PictureGone,
    TooLarge,
    UrlNotAllowed,
)
from chalicelib.settings import Settings

PORTS = {"http": 80, "https": 443}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# All that is ever sent along: no cookies, no credentials, no referrer. Servers that find "image/webp" in `Accept`
# convert the picture to that; we want it as it was published.
HEADERS = {
    "User-Agent": f"Unmask/{__version__}",
    "Accept": "image/*, video/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
# A body that asks us to fetch, and the URL in it, bytes and characters.
MAX_REQUEST = 100_000
MAX_URL = 8_000
# Not Found and Gone: https://www.rfc-editor.org/rfc/rfc9110#status.404
GONE = (404, 410)
# Bytes of the body taken at once.
CHUNK = 1 << 16
# Addresses of one host that are tried.
MAX_TRIES = 4
# Questions to DNS that are open at once. The system's resolver cannot be interrupted, so a question outlives the
# request that gave up on it.
MAX_LOOKUPS = 32
# Control characters, which some clients drop and others keep, and the backslash, which some take for a slash.
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")

_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)
# It warns of malformed headers, and quotes the URL: URLs hold secrets.
logging.getLogger("urllib3.connection").disabled = True


def fetch(url: str, settings: Settings, own_hosts: Collection[str] = ()) -> bytes:
    """Fetch what lies at an address.

    Args:
        url: from anybody.
        settings: `max_bytes`, `max_video_bytes` and the settings that begin with `fetch_` apply.
        own_hosts: further names of this service, as in a `Host` header, that are not fetched from.

    Returns:
        The file, at most `max_bytes`, or `max_video_bytes` where it begins like a video. Its format is for the decoder
        to find out.

    Raises:
        FetchingOff: nothing is fetched here.
        UrlNotAllowed: the address, or one that it redirects to, is not fetched; always in the same words.
        FetchFailed, FetchTimeout: there was no answer, none with status 200, or none in time.
        TooLarge: more bytes than that.
        IncompleteBody: fewer bytes than were announced.
    """
    if not settings.fetch_urls:
        raise FetchingOff("This service fetches nothing; save the file and check that instead.")
    deadline = Deadline(time.monotonic() + settings.fetch_seconds)
    own = {_read_host(name) for name in (*settings.own_hosts, *own_hosts)}
    target = read_url(url)
    for _ in range(settings.fetch_redirects + 1):
        with _open(target, own, deadline) as connection:
            response = _ask(target, _Wire(connection, deadline, _most(settings)))
            if response.status not in REDIRECTS:
                return _read_body(response, settings)
            target = _follow(target, response)
    raise FetchFailed("That address redirects too often.")


def read_request(body: bytes) -> str:
    """Read what `POST /v2/checks/url` takes: `{"url": "…"}`.

    Raises:
        TooLarge: no URL is that long.
        BadRequest: it is anything else.
    """
    if len(body) > MAX_REQUEST:
        raise TooLarge(f"The body is larger than {MAX_REQUEST / 1e6:g} MB.")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(told, dict) or told.keys() != {"url"} or not isinstance(told["url"], str):
        raise BadRequest('The body must be an object with a text "url", and nothing else.')
    return told["url"]


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was parsed and found fit, apart from where its host leads.

    Attributes:
        url: all of it.
        secure: https and not http.
        host: in lower case and ASCII; a v6 address without brackets.
        port: 80 or 443.
        authority: host and port as the `Host` header carries them.
        path: with the query.
    """

    url: str
    secure: bool
    host: str
    port: int
    authority: str
    path: str


def read_url(text: str) -> Target:
    """Parse a URL.

    Raises:
        UrlNotAllowed: it is no URL, or not one of the plain public kind.
    """
    if len(text) > MAX_URL or FORBIDDEN.search(text):
        raise UrlNotAllowed
    try:
        url = parse_url(text)
    except (HTTPError, ValueError) as error:
        raise UrlNotAllowed from error
    if url.scheme not in PORTS or not url.host or "%" in url.host:
        raise UrlNotAllowed
    port = PORTS[url.scheme] if url.port is None else url.port
    if url.auth is not None or port not in PORTS.values():
        raise UrlNotAllowed
    return Target(url.url, url.scheme == "https", url.host.strip("[]").lower(), port, str(url.netloc), url.request_uri)


def resolve(host: str) -> list[str]:
    """Ask the system, hence DNS, for the addresses of a host."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def dial(address: str, port: int, seconds: float) -> socket.socket:
    """Open a connection to an address, which is no name any more."""
    return socket.create_connection((address, port), seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which all patience ends.

    Attributes:
        end: by the monotonic clock, s.
    """

    end: float

    def left(self) -> float:
        """Return the seconds that are left, above 0.

        Raises:
            FetchTimeout: there are none.
        """
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise too_late()
        return seconds


def too_late() -> FetchTimeout:
    """Build the error for a server that takes too long."""
    return FetchTimeout("The server at that address took too long.")


def unreachable() -> FetchFailed:
    """Build the error for a server that cannot be spoken to."""
    return FetchFailed("The server at that address cannot be reached.")


@contextmanager
def _open(target: Target, own: Collection[str], deadline: Deadline) -> Iterator[socket.socket]:
    """Connect to a host, once that is found to be a stranger's and public."""
    name = target.host.removesuffix(".")
    if name in own:
        raise UrlNotAllowed
    addresses = _look_up(target.host, deadline)
    if not all(address not in own and is_public(ip_address(address)) for address in addresses):
        raise UrlNotAllowed
    with _connect(addresses[:MAX_TRIES], target.port, deadline) as plain:
        if not target.secure:
            yield plain
            return
        plain.settimeout(deadline.left())
        try:
            secure = _trust().wrap_socket(plain, server_hostname=name)
        except TimeoutError as error:
            raise too_late() from error
        except (OSError, ValueError) as error:
            raise FetchFailed("The server at that address cannot prove that it is the one it claims to be.") from error
        with secure:
            yield secure


def _look_up(host: str, deadline: Deadline) -> list[str]:
    """Resolve a host within the deadline, in a thread that is left behind where DNS does not answer."""
    answer: Future[list[str]] = Future()

    def ask() -> None:
        try:
            answer.set_result(resolve(host))
        except Exception as error:
            answer.set_exception(error)
        finally:
            _lookups.release()

    if not _lookups.acquire(timeout=deadline.left()):
        raise too_late()
    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        addresses = answer.result(deadline.left())
    except TimeoutError as error:
        raise too_late() from error
    except (OSError, UnicodeError) as error:
        raise unreachable() from error
    if not addresses:
        raise unreachable()
    return addresses


def _connect(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; none may use up the time of those after it."""
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return dial(address, port, deadline.left() / left)
        except OSError as error:
            failure = error
    raise too_late() if isinstance(failure, TimeoutError) else unreachable() from failure


@functools.cache
def _trust() -> ssl.SSLContext:
    """The system's certificate authorities; reading them takes a while, so once. Names are checked."""
    return ssl.create_default_context()


class _Wire(io.RawIOBase):
    """A socket as `http.client` takes it and reads from it, bound by a deadline and by a number of bytes.

    A timeout of the socket alone starts anew with every byte, and a chunk may claim any length. `http.client` closes
    its socket while it still reads from it: here that does nothing, and whoever opened the socket closes it.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline, limit: int) -> None:
        self._connection = connection
        self._deadline = deadline
        # Room for the headers and for what chunks add.
        self._left = 2 * limit + 1_000_000

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left())
        try:
            count = self._connection.recv_into(buffer)
        except TimeoutError as error:
            raise too_late() from error
        self._left -= count
        if self._left < 0:
            raise TooLarge("The server at that address sends more than can be read.")
        return count

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(self._deadline.left())
        try:
            self._connection.sendall(data)
        except TimeoutError as error:
            raise too_late() from error

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def settimeout(self, seconds: float | None) -> None: ...

    def close(self) -> None: ...


def _ask(target: Target, wire: _Wire) -> HTTPResponse:
    """Send the request and read the answer's headers."""
    connection = HTTPConnection(target.host, target.port)
    connection.sock = wire
    try:
        connection.request("GET", target.path, headers={"Host": target.authority, **HEADERS}, preload_content=False)
        return connection.getresponse()
    except (OSError, HTTPException, HTTPError, ValueError) as error:
        raise FetchFailed("The server at that address does not answer as a web server does.") from error


def _follow(target: Target, response: HTTPResponse) -> Target:
    """Return where an answer redirects to, judged like the first URL."""
    location = response.headers.get("Location")
    if not location:
        raise FetchFailed("That address redirects to nowhere.")
    # `http.client` takes headers for Latin-1; servers write UTF-8.
    location = location.encode("latin-1").decode("utf-8", "replace")
    if FORBIDDEN.search(location):
        # Judged before `urljoin`, which drops some of these.
        raise UrlNotAllowed
    try:
        following = read_url(urljoin(target.url, location))
    except ValueError as error:
        raise UrlNotAllowed from error
    if target.secure and not following.secure:
        raise UrlNotAllowed
    return following


def _read_body(response: HTTPResponse, settings: Settings) -> bytes:
    """Read the file, unpacked where it comes packed although we asked for it plain."""
    if response.status != 200:
        kind = PictureGone if response.status in GONE else FetchFailed
        raise kind(f"The server at that address answers with status {response.status} instead of a picture.")
    # Until the first bytes tell a picture from a video.
    limit = _most(settings)
    if (response.length_remaining or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        for part in response.stream(CHUNK, decode_content=True):
            body += part
            if len(body) >= HEAD:
                limit = (
                    settings.max_bytes if sniff_clip(bytes(body[:HEAD])) in (None, "gif") else settings.max_video_bytes
                )
            if max(len(body), len(body) + (response.length_remaining or 0)) > limit:
                raise _too_large(limit)
    except (OSError, HTTPException, HTTPError, ValueError) as error:
        raise IncompleteBody("The file at that address did not arrive whole.") from error
    return bytes(body)


def _most(settings: Settings) -> int:
    return max(settings.max_bytes, settings.max_video_bytes)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The file at that address is larger than {limit / 1e6:g} MB.")


def _read_host(name: str) -> str:
    """Return the host of a `Host` header or setting as it compares: without port, brackets, final dot, capitals."""
    try:
        host = (parse_url(f"//{name}").host or "").strip("[]").removesuffix(".")
    except (HTTPError, ValueError):
        return ""
    try:
        # A v6 address can be written in many ways.
        return str(ip_address(host))
    except ValueError:
        return host

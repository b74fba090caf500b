"""A small internet on loopback: real servers behind made-up names and addresses.

Only the two lowest steps of fetching are replaced: what DNS answers, and where a connection to an address ends.
Every address without a server of its own leads to a trap, which would answer with a picture if it were ever reached.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from chalicelib import fetching

PUBLIC = "93.184.216.34"
PRIVATE = "10.0.0.5"
# Addresses that nobody may make us reach, by row of the table of untrusted input.
REFUSED = {
    5: ["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::", "::1"],
    6: ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
    7: [
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.255.255",
        "fc00::1",
        "fdff:ffff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "feff::1",
    ],
    8: ["100.64.0.0", "100.64.0.1", "100.127.255.255"],
    9: [
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "198.18.0.1",
        "198.19.255.255",
        "192.0.0.1",
        "192.0.0.9",
        "192.0.0.170",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.255",
        "ff02::1",
        "ff0e::1",
        "240.0.0.1",
        "255.255.255.255",
        "5f00::1",
        "100::1",
        "4000::1",
        "8000::1",
        "e000::1",
    ],
    10: ["::ffff:169.254.169.254", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0.0.0.0", "::ffff:168.63.129.16"],
    11: [
        "::127.0.0.1",
        "::169.254.169.254",
        "::8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::169.254.169.254",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "64:ff9b:1:ffff::1",
        "2002:a9fe:a9fe::1",
        "2002:808:808::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:10::1",
        "2001:1ff::1",
        "fe80::5efe:10.0.0.1",
        "2606:4700::5efe:169.254.169.254",
        "2606:4700::200:5efe:169.254.169.254",
        "2606:4700::300:5efe:8.8.8.8",
    ],
}
# Neighbours of those, and hosts of the public internet.
ALLOWED = {
    5: ["126.255.255.255", "128.0.0.0", "1.0.0.0"],
    6: ["169.253.255.255", "169.255.0.0", "168.63.129.15", "168.63.129.17"],
    7: ["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0"],
    8: ["100.63.255.255", "100.128.0.0"],
    9: ["198.17.255.255", "198.20.0.0", "192.0.1.0", "192.88.98.255", "192.88.100.0", "223.255.255.255", "3ffe::1"],
    10: ["::ffff:8.8.8.8", "::ffff:93.184.216.34"],
    11: ["2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2606:4700::5eff:808:808", "2a00::1"],
}
# What a server says to one connection: bytes, or a function that is given the connection and the request's head.
Answer = bytes | Callable[[socket.socket, bytes], None]


def reply(body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An answer with the length of its body, or with another that it claims."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode("utf-8") + body


def chunked(*chunks: bytes, headers: str = "X: y", end: bytes = b"0\r\n\r\n") -> bytes:
    """An answer in chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{headers}\r\n\r\n".encode() + body + end


def redirect(location: str, status: int = 302) -> bytes:
    """An answer that leads elsewhere."""
    return reply(b"moved", f"Location: {location}", status=f"{status} Found")


def drip(start: bytes, pause: float, byte: bytes = b"x") -> Answer:
    """Say the start at once, then a byte at a time for as long as the other side listens."""

    def speak(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        while True:
            time.sleep(pause)
            connection.sendall(byte)

    return speak


class Server:
    """Listens on a free port of loopback, a thread a connection, and keeps count.

    Attributes:
        accepted: connections so far.
        heads: what was asked for, line and headers, in order.
        names: what TLS clients named as the server, in order.
    """

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None, greets: bool = False) -> None:
        """Listen.

        Args:
            answers: one a connection, the last one over and over.
            tls: speak TLS with this certificate.
            greets: answer before anything was asked.
        """
        self.accepted = 0
        self.heads: list[bytes] = []
        self.names: list[str | None] = []
        self._answers = answers or (reply(),)
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._greets = greets
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        # Closing alone leaves a thread that is in `accept` there.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                answer = self._answers[min(self.accepted, len(self._answers) - 1)]
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection, answer), daemon=True).start()

    def _serve(self, plain: socket.socket, answer: Answer) -> None:
        with suppress(OSError), plain:
            plain.settimeout(30)
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with connection:
                head = b""
                while not self._greets and not head.endswith(b"\r\n\r\n"):
                    part = connection.recv(1 << 16)
                    if not part:
                        return
                    head += part
                self.heads.append(head)
                if callable(answer):
                    answer(connection, head)
                else:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)


class Internet:
    """What DNS says, and which server stands at which address.

    Attributes:
        trap: stands at every address that no other server was put at.
        lookups: hosts that DNS was asked for, in order.
        dials: addresses and ports that connections were opened to, in order.
    """

    def __init__(self, picture: bytes) -> None:
        self.trap = Server(reply(picture))
        self.lookups: list[str] = []
        self.dials: list[tuple[str, int]] = []
        self._servers = [self.trap]
        self._names: dict[str, Iterator[Sequence[str]]] = {}
        self._places: dict[tuple[str, int], tuple[str, int]] = {}

    def put(self, server: Server, host: str = "pictures.example", address: str = PUBLIC, port: int = 80) -> Server:
        """Put a server at an address, and a name to that."""
        self._servers.append(server)
        self.place(server.address, address, port)
        self.name(host, [address])
        return server

    def place(self, end: tuple[str, int], address: str = PUBLIC, port: int = 80) -> None:
        """Let connections to an address end on loopback."""
        self._places[address, port] = end

    def name(self, host: str, *answers: Sequence[str]) -> None:
        """Give a host addresses: an answer a question, the last one over and over."""

        def tell() -> Iterator[Sequence[str]]:
            yield from answers
            while True:
                yield answers[-1]

        self._names[host] = tell()

    def close(self) -> None:
        """Take all servers down."""
        for server in self._servers:
            server.close()

    def resolve(self, host: str) -> list[str]:
        """Answer as DNS would; what is no name here is for the system to read as a number, without any question."""
        self.lookups.append(host)
        if host in self._names:
            return list(next(self._names[host]))
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(entry[4][0]) for entry in found]

    def dial(self, address: str, port: int, seconds: float) -> socket.socket:
        """Open the connection, on loopback."""
        self.dials.append((address, port))
        connection = socket.create_connection(self._places.get((address, port), self.trap.address), seconds)
        # What follows has to bring its own deadline.
        connection.settimeout(None)
        return connection


@contextmanager
def internet(monkeypatch: pytest.MonkeyPatch, picture: bytes) -> Iterator[Internet]:
    """Put the internet in the place of the real one; the trap serves this picture."""
    made = Internet(picture)
    monkeypatch.setattr(fetching, "resolve", made.resolve)
    monkeypatch.setattr(fetching, "dial", made.dial)
    try:
        yield made
    finally:
        made.close()

"""Strangers' URLs: what is connected to, what is sent, what is read, and for how long.

A test named `test_row_NN_…`, or a case whose id begins with `row_NN`, proves row NN of the table of untrusted input.
Servers are real and on loopback; see `web` for the two steps that are replaced. No test looks at a clock: a server that
drips never ends, so a deadline that did not hold would run into the limit of the test.
"""

from __future__ import annotations

import datetime
import gzip
import logging
import socket
import ssl
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from chalicelib import __version__, fetching
from chalicelib.errors import (
    BadRequest,
    FetchFailed,
    FetchingOff,
    FetchTimeout,
    IncompleteBody,
    TooLarge,
    UnmaskError,
    UrlNotAllowed,
)
from chalicelib.fetching import fetch, read_request, read_url
from chalicelib.settings import Settings
from tests.backend import web
from tests.backend.web import ALLOWED, PRIVATE, PUBLIC, REFUSED, Internet, Server, chunked, drip, redirect, reply

PICTURE = b"the bytes of a picture"
TRAP = b"what nobody may read"
URL = "http://pictures.example/a.png"
# Enough for everything on loopback, even where the machine is busy.
SETTINGS = Settings(max_bytes=100_000, max_video_bytes=100_000, fetch_seconds=60)
IMPATIENT = Settings(max_bytes=100_000, max_video_bytes=100_000, fetch_seconds=0.3)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """An internet in which nothing stands but the trap."""
    with web.internet(monkeypatch, TRAP) as made:
        yield made


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[trustme.CA]:
    """The only certificate authority that is trusted."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    fetching._trust.cache_clear()
    yield made
    fetching._trust.cache_clear()


def certified(authority: trustme.CA, *names: str, **more: Any) -> ssl.SSLContext:
    """What a server needs to prove that it has these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **more).configure_cert(context)
    return context


def refuse(net: Internet, url: str, limits: Settings = SETTINGS, **more: Any) -> None:
    """Assert that a URL is refused in the one way in which any is, and that nothing was sent to the trap."""
    with pytest.raises(UrlNotAllowed) as caught:
        fetch(url, limits, **more)
    assert caught.value.to_dict() == UrlNotAllowed().to_dict()
    assert (caught.value.status, caught.value.code) == (400, "url_not_allowed")
    assert net.trap.accepted == 0


def header_lines(head: bytes) -> list[bytes]:
    return head.removesuffix(b"\r\n\r\n").split(b"\r\n")


def test_a_picture_is_fetched(net: Internet) -> None:
    server = net.put(Server(reply(PICTURE)))
    assert fetch(URL, SETTINGS) == PICTURE
    assert (net.lookups, net.dials) == (["pictures.example"], [(PUBLIC, 80)])
    assert server.heads[0].startswith(b"GET /a.png HTTP/1.1\r\n")


SCHEMES = [
    "file:///etc/passwd",
    "file://pictures.example/a.png",
    "ftp://pictures.example/a.png",
    "gopher://pictures.example:80/_GET",
    "data:image/png;base64,iVBORw0KGgo=",
    "blob:http://pictures.example/4d1f",
    "javascript:alert(1)",
    "ws://pictures.example/",
    "jar:http://pictures.example/!/",
    "http+unix://pictures.example/",
    "view-source:http://pictures.example/",
]


@pytest.mark.parametrize(
    "url", [*SCHEMES, "pictures.example/a.png", "//pictures.example/a.png", "/a.png", "", "http:a.png", "http:///a.png"]
)
def test_row_01_only_http_and_https_are_fetched(net: Internet, url: str) -> None:
    refuse(net, url)
    assert (net.lookups, net.dials) == ([], [])


@pytest.mark.parametrize("url", SCHEMES)
def test_row_01_nor_does_a_redirect_lead_elsewhere(net: Internet, url: str) -> None:
    net.put(Server(redirect(url)))
    refuse(net, URL)
    assert len(net.dials) == 1


@pytest.mark.parametrize(
    "rest",
    [
        "user@pictures.example/",
        "user:password@pictures.example/",
        ":@pictures.example/",
        ":password@pictures.example/",
        "user%40@pictures.example/",
        "93.184.216.34@pictures.example/",
        "pictures.example:81/",
        "pictures.example:8080/",
        "pictures.example:22/",
        "pictures.example:0/",
        "pictures.example:65536/",
        "pictures.example:443443/",
        "pictures.example:-80/",
        "pictures.example:80:80/",
        "pictures.example:８０/",
        "pictures.example:0x50/",
    ],
)
@pytest.mark.parametrize("way", ["directly", "by redirect"])
def test_row_02_no_user_and_no_other_port(net: Internet, rest: str, way: str) -> None:
    server = net.put(Server(redirect(f"http://{rest}")), host="start.example", address="8.8.4.4")
    refuse(net, f"http://{rest}" if way == "directly" else "http://start.example/")
    assert net.dials == ([] if way == "directly" else [("8.8.4.4", 80)])
    assert server.accepted == len(net.dials)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://pictures.example:80/", 80),
        ("http://pictures.example:/", 80),
        ("http://pictures.example:443/", 443),
        ("HTTP://PICTURES.EXAMPLE/", 80),
    ],
)
def test_row_02_the_two_ports_of_the_web_are_allowed(net: Internet, url: str, port: int) -> None:
    net.put(Server(reply(PICTURE)), port=port)
    assert fetch(url, SETTINGS) == PICTURE
    assert net.dials == [(PUBLIC, port)]


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.com\\@169.254.169.254/",
        "http://169.254.169.254\\@evil.com/",
        "http:\\\\169.254.169.254\\",
        "http:/\\169.254.169.254/",
        "http://evil.com\t@169.254.169.254/",
        "http://169.254.\t169.254/",
        "http://169.254.169.254\t/",
        "http://169.254.\n169.254/",
        "http://169.254.169.254\r\n/",
        "h\tttp://169.254.169.254/",
        "http://evil.com /",
        " http://169.254.169.254/",
        "http://[::1",
        "http://::1/",
        "http://[evil.com]/",
        "http://[169.254.169.254]/",
        "http://evil.com%00.169.254.169.254/",
        "http://evil.com%2f@169.254.169.254/",
        "http://a b@169.254.169.254/",
        "http://@169.254.169.254/",
        "http://evil.com@169.254.169.254@evil.com/",
    ],
)
@pytest.mark.parametrize("way", ["directly", "by redirect"])
def test_row_03_what_clients_read_in_two_ways_is_refused(net: Internet, url: str, way: str) -> None:
    net.put(Server(reply(PICTURE)), host="evil.com")
    net.put(Server(redirect(url)), host="start.example", address="8.8.4.4")
    if way == "directly":
        refuse(net, url)
        assert net.dials == []
    elif "\r" not in url and "\n" not in url and not url.startswith(" "):
        refuse(net, "http://start.example/")
        assert net.dials == [("8.8.4.4", 80)]


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.com#@169.254.169.254/",
        "http://evil.com?@169.254.169.254/",
        "http://evil.com/@169.254.169.254/",
        "http://evil.com/http://169.254.169.254/",
        "http://evil.com;@169.254.169.254/".replace(";@", "/;@"),
    ],
)
def test_row_03_the_host_that_was_judged_is_the_host_that_is_asked(net: Internet, url: str) -> None:
    server = net.put(Server(reply(PICTURE)), host="evil.com")
    assert fetch(url, SETTINGS) == PICTURE
    assert (net.lookups, net.dials) == (["evil.com"], [(PUBLIC, 80)])
    assert b"Host: evil.com" in header_lines(server.heads[0])
    assert net.trap.accepted == 0


@pytest.mark.parametrize("location", ["http://pictures.\texample/b.png", "/b\t.png", "ht\ttp://pictures.example/"])
def test_row_03_a_redirect_is_judged_as_it_was_written(net: Internet, location: str) -> None:
    server = net.put(Server(redirect(location), reply(PICTURE)))
    refuse(net, URL)
    assert server.accepted == 1


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0",
        "0.0",
        "00000000.0",
        "%31%32%37.0.0.1",
        "127%2e0%2e0%2e1",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.16689662",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[0000::0001]",
    ],
)
@pytest.mark.parametrize("way", ["directly", "by redirect"])
def test_row_04_a_number_is_judged_as_the_address_that_it_resolves_to(net: Internet, host: str, way: str) -> None:
    net.put(Server(redirect(f"http://{host}/")), host="start.example", address="8.8.4.4")
    refuse(net, f"http://{host}/" if way == "directly" else "http://start.example/")
    # The system itself read the number.
    assert len(net.lookups) == len(net.dials) + 1


@pytest.mark.parametrize(
    "host", ["１２７.０.０.１", "127。0。0。1", "127．0．0．1", "①②⑦.⓪.⓪.①", "ｌocalhost", "１２７.1"]
)
def test_row_04_digits_of_other_alphabets_are_no_digits(net: Internet, host: str) -> None:
    refuse(net, f"http://{host}/")
    assert net.lookups == []


def test_row_04_a_number_of_a_public_address_is_as_good_as_the_address(net: Internet) -> None:
    net.put(Server(reply(PICTURE)))
    assert fetch(f"http://{struct.unpack('>L', socket.inet_aton(PUBLIC))[0]}/", SETTINGS) == PICTURE


def literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize(
    "address", [pytest.param(text, id=f"row_{row:02} {text}") for row, texts in REFUSED.items() for text in texts]
)
def test_no_socket_is_opened_to_an_address_that_is_not_public(net: Internet, address: str) -> None:
    net.name("inside.example", [address])
    for host in (literal(address), "inside.example"):
        for scheme in ("http", "https"):
            refuse(net, f"{scheme}://{host}/")
    assert net.dials == []


@pytest.mark.parametrize(
    "address", [pytest.param(text, id=f"row_{row:02} {text}") for row, texts in ALLOWED.items() for text in texts]
)
def test_a_public_address_is_connected_to(net: Internet, address: str) -> None:
    server = net.put(Server(reply(PICTURE)), address=address)
    assert fetch(f"http://{literal(address)}/", SETTINGS) == fetch(URL, SETTINGS) == PICTURE
    assert set(net.dials) == {(address, 80)}
    assert f"Host: {literal(address)}".encode() in header_lines(server.heads[0])


@pytest.mark.parametrize(
    "host", ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[2606:4700::1111%25lo]", "[v1.fe80]", "localhost%20", "a%2fb"]
)
def test_a_host_with_a_zone_or_an_escape_is_refused(net: Internet, host: str) -> None:
    refuse(net, f"http://{host}/")
    assert net.dials == []


def test_row_12_a_name_that_changes_its_mind_is_asked_only_once(net: Internet) -> None:
    net.put(Server(reply(PICTURE)))
    net.name("pictures.example", [PUBLIC], [PRIVATE], ["127.0.0.1"])
    assert fetch(URL, SETTINGS) == PICTURE
    assert (net.lookups, net.dials, net.trap.accepted) == (["pictures.example"], [(PUBLIC, 80)], 0)


def test_row_12_nor_does_a_redirect_to_the_same_name_reach_its_second_address(net: Internet) -> None:
    server = net.put(Server(redirect("/b.png")))
    net.name("pictures.example", [PUBLIC], [PRIVATE])
    refuse(net, URL)
    assert (len(net.lookups), net.dials, server.accepted) == (2, [(PUBLIC, 80)], 1)


def test_row_12_the_connection_goes_to_the_address_and_the_host_keeps_its_name(
    net: Internet, authority: trustme.CA
) -> None:
    server = net.put(Server(reply(PICTURE), tls=certified(authority, "pictures.example")), port=443)
    net.name("pictures.example", [PUBLIC], [PRIVATE])
    assert fetch("https://pictures.example/a.png?b=c#d", SETTINGS) == PICTURE
    assert (net.dials, server.names) == ([(PUBLIC, 443)], ["pictures.example"])
    assert header_lines(server.heads[0])[:2] == [b"GET /a.png?b=c HTTP/1.1", b"Host: pictures.example"]


@pytest.mark.parametrize(
    "addresses",
    [
        [PUBLIC, PRIVATE],
        [PRIVATE, PUBLIC],
        [PUBLIC, "8.8.8.8", "9.9.9.9", "1.1.1.1", "8.8.4.4", "127.0.0.1"],
        [PUBLIC, "::1"],
        ["2606:4700::1111", "fd00:ec2::254"],
        ["64:ff9b::a9fe:a9fe", PUBLIC],
    ],
)
def test_row_13_one_private_address_among_public_ones_refuses_them_all(net: Internet, addresses: list[str]) -> None:
    net.put(Server(reply(PICTURE)))
    net.name("pictures.example", addresses)
    refuse(net, URL)
    assert net.dials == []


@pytest.mark.parametrize("hop", [1, 2, 3])
@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.5/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://2130706433/",
        "//169.254.169.254/",
        "http://inside.example/",
        "https://inside.example/",
    ],
)
def test_row_14_a_redirect_to_a_private_address_is_refused_at_any_hop(net: Internet, hop: int, location: str) -> None:
    net.name("inside.example", [PRIVATE])
    server = net.put(Server(*[redirect(f"/{n}") for n in range(1, hop)], redirect(location)))
    refuse(net, URL)
    assert (server.accepted, net.dials) == (hop, [(PUBLIC, 80)] * hop)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("http://pictures.example/b.png", b"/b.png"),
        ("b.png", b"/deep/b.png"),
        ("/b.png?c=d", b"/b.png?c=d"),
        ("?e", b"/deep/a.png?e"),
        ("//pictures.example/b.png", b"/b.png"),
        ("/my photo.png", b"/my%20photo.png"),
        ("/ü.png", b"/%C3%BC.png"),
        ("../../b.png", b"/b.png"),
    ],
)
def test_a_redirect_is_followed(net: Internet, status: int, location: str, asked: bytes) -> None:
    server = net.put(Server(redirect(location, status), reply(PICTURE)))
    assert fetch("http://pictures.example/deep/a.png", SETTINGS) == PICTURE
    assert server.heads[1].split()[:2] == [b"GET", asked]


def test_row_15_three_redirects_are_followed_and_a_fourth_is_not(net: Internet) -> None:
    server = net.put(Server(*[redirect(f"/{n}") for n in range(3)], reply(PICTURE)))
    assert fetch(URL, SETTINGS) == PICTURE
    assert server.accepted == 4
    longer = net.put(Server(*[redirect(f"/{n}") for n in range(4)], reply(PICTURE)))
    with pytest.raises(FetchFailed, match="redirects too often") as caught:
        fetch(URL, SETTINGS)
    assert (caught.value.status, longer.accepted) == (502, 4)


def test_row_15_a_circle_of_redirects_ends(net: Internet) -> None:
    server = net.put(Server(redirect("/a.png")))
    with pytest.raises(FetchFailed, match="redirects too often"):
        fetch(URL, SETTINGS)
    assert server.accepted == 4


@pytest.mark.parametrize("answer", [reply(status="302 Found"), redirect("")])
def test_row_15_a_redirect_to_nowhere_ends(net: Internet, answer: bytes) -> None:
    net.put(Server(answer))
    with pytest.raises(FetchFailed, match="nowhere") as caught:
        fetch(URL, SETTINGS)
    assert caught.value.status == 502


def test_row_15_how_many_redirects_are_followed_is_a_setting(net: Internet) -> None:
    net.put(Server(redirect("/1"), redirect("/2"), reply(PICTURE)))
    with pytest.raises(FetchFailed):
        fetch(URL, Settings(fetch_redirects=1))


def test_row_16_nothing_but_the_request_is_ever_sent(
    net: Internet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    lead = reply(
        b"",
        "Location: http://other.example/b.png",
        "Set-Cookie: session=1; Domain=example",
        'WWW-Authenticate: Basic realm="x"',
        status="302 Found",
    )
    servers = net.put(Server(lead)), net.put(Server(reply(PICTURE)), host="other.example", address="8.8.8.8")
    assert fetch(URL, SETTINGS) == PICTURE
    for server, host, path in zip(servers, ("pictures.example", "other.example"), ("a", "b"), strict=True):
        assert sorted(header_lines(server.heads[0])) == sorted(
            [
                f"GET /{path}.png HTTP/1.1".encode(),
                f"Host: {host}".encode(),
                f"User-Agent: Unmask/{__version__}".encode(),
                b"Accept: image/*, video/*",
                b"Accept-Encoding: identity",
                b"Connection: close",
            ]
        )


def test_row_16_a_server_that_asks_for_a_password_gets_none(net: Internet) -> None:
    server = net.put(Server(reply(b"", 'WWW-Authenticate: Basic realm="x"', status="401 Unauthorized")))
    with pytest.raises(FetchFailed, match="status 401"):
        fetch(URL, SETTINGS)
    assert server.accepted == 1


@pytest.mark.parametrize("location", ["http://pictures.example/b.png", "http://other.example/", "HTTP://8.8.8.8/"])
def test_row_17_no_redirect_leads_from_https_to_http(net: Internet, authority: trustme.CA, location: str) -> None:
    server = net.put(Server(redirect(location), tls=certified(authority, "pictures.example")), port=443)
    net.name("other.example", ["8.8.8.8"])
    refuse(net, "https://pictures.example/")
    assert (server.accepted, net.dials) == (1, [(PUBLIC, 443)])


def test_row_17_the_other_way_is_open(net: Internet, authority: trustme.CA) -> None:
    net.put(Server(redirect("https://pictures.example/b.png")))
    net.put(Server(reply(PICTURE), tls=certified(authority, "pictures.example")), port=443)
    assert fetch(URL, SETTINGS) == PICTURE
    assert net.dials == [(PUBLIC, 80), (PUBLIC, 443)]


@pytest.mark.parametrize(
    ("own", "called"),
    [
        (("unmask.example",), ""),
        (("other.example", "UNMASK.example."), ""),
        ((PUBLIC,), ""),
        ((), "unmask.example"),
        ((), "Unmask.Example:8000"),
        ((), "unmask.example.:443"),
        ((), f"{PUBLIC}:80"),
        (("bücher.example",), ""),
        (("[2606:4700::1111]",), ""),
        ((), "[2606:4700:0::1111]:80"),
    ],
)
@pytest.mark.parametrize("way", ["directly", "by redirect"])
def test_row_18_we_are_not_fetched_from_ourselves(net: Internet, own: tuple[str, ...], called: str, way: str) -> None:
    net.name("unmask.example", [PUBLIC, "2606:4700::1111"])
    net.name("unmask.example.", [PUBLIC, "2606:4700::1111"])
    net.name("xn--bcher-kva.example", [PUBLIC])
    host = "xn--bcher-kva.example" if "bücher.example" in own else "UNMASK.example."
    net.put(Server(redirect(f"http://{host}/v2/checks/url")), host="start.example", address="8.8.4.4")
    url = "http://start.example/" if way == "by redirect" else f"http://{host}/v2/checks/url"
    refuse(net, url, Settings(own_hosts=own), own_hosts=[called])


@pytest.mark.parametrize("called", ["", "other.example", "\\", "a b:c", "[::1", "x" * 300, "pictures.example.evil"])
def test_row_18_whatever_we_are_called_strangers_are_fetched_from(net: Internet, called: str) -> None:
    net.put(Server(reply(PICTURE)))
    assert fetch(URL, SETTINGS, [called]) == PICTURE


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_row_19_proxies_of_the_environment_are_ignored(
    net: Internet, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with closing(Server(reply(TRAP))) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://{}:{}".format(*proxy.address))
        monkeypatch.delenv("NO_PROXY", raising=False)
        tls = certified(authority, "pictures.example") if scheme == "https" else None
        net.put(Server(reply(PICTURE), tls=tls), port=443 if tls else 80)
        assert fetch(f"{scheme}://pictures.example/", SETTINGS) == PICTURE
        assert proxy.accepted == 0


@pytest.mark.parametrize("character", ["\r", "\n", "\r\n", "\0", "\x1f", "\x7f", "\t"])
@pytest.mark.parametrize(
    "place",
    ["http://pictures{}.example/", "http://pictures.example/a{}b", "http://pictures.example/?a{}b", "http://x#{}"],
)
def test_row_20_control_characters_are_refused(net: Internet, character: str, place: str) -> None:
    refuse(net, place.format(character))
    assert net.lookups == []


@pytest.mark.parametrize("escape", ["%0d%0aX-Evil:%201", "%00", "%0D%0A%0D%0AGET%20/"])
def test_row_20_escaped_ones_stay_escaped(net: Internet, escape: str) -> None:
    server = net.put(Server(reply(PICTURE)))
    assert fetch(f"http://pictures.example/a{escape}?b{escape}", SETTINGS) == PICTURE
    assert len(header_lines(server.heads[0])) == 6
    refuse(net, f"http://pictures{escape}.example/")


def test_row_21_an_unknown_host_cannot_be_reached(net: Internet) -> None:
    for host in ("no-such.example", "x" * 64 + ".example", "a..example", ".example", "..", "_.example", "-"):
        with pytest.raises(FetchFailed, match="cannot be reached") as caught:
            fetch(f"http://{host}/", SETTINGS)
        assert (caught.value.status, caught.value.code) == (502, "fetch_failed")
    net.name("empty.example", [])
    with pytest.raises(FetchFailed, match="cannot be reached"):
        fetch("http://empty.example/", SETTINGS)
    assert net.dials == []


def test_row_21_a_server_that_is_down_cannot_be_reached(net: Internet) -> None:
    net.put(Server()).close()
    with pytest.raises(FetchFailed, match="cannot be reached") as caught:
        fetch(URL, SETTINGS)
    assert caught.value.status == 502


def test_row_21_the_next_address_is_tried_where_one_is_down_but_not_without_end(net: Internet) -> None:
    addresses = ["8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4", "8.8.8.5"]
    for address in addresses:
        net.put(Server(), address=address).close()
    server = net.put(Server(reply(PICTURE)), host="other.example", address=PUBLIC)
    net.name("pictures.example", [*addresses[:2], PUBLIC])
    assert fetch(URL, SETTINGS) == PICTURE
    net.name("pictures.example", [*addresses, PUBLIC])
    with pytest.raises(FetchFailed):
        fetch(URL, SETTINGS)
    assert (server.accepted, len(net.dials)) == (1, 3 + fetching.MAX_TRIES)


LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
BAD_TLS: dict[str, Callable[[trustme.CA], ssl.SSLContext | None]] = {
    "of another authority": lambda _: certified(trustme.CA(), "pictures.example"),
    "of another host": lambda authority: certified(authority, "other.example"),
    "of a host below": lambda authority: certified(authority, "www.pictures.example"),
    "of its address": lambda authority: certified(authority, PUBLIC),
    "expired": lambda authority: certified(authority, "pictures.example", not_before=LONG_AGO, not_after=LONG_AGO),
    "none": lambda _: None,
}


@pytest.mark.parametrize("certificate", BAD_TLS)
def test_row_21_a_server_that_cannot_prove_its_name_is_not_spoken_to(
    net: Internet, authority: trustme.CA, certificate: str
) -> None:
    tls = BAD_TLS[certificate](authority)
    server = net.put(Server(reply(PICTURE), tls=tls, greets=tls is None), port=443)
    with pytest.raises(FetchFailed, match="prove") as caught:
        fetch("https://pictures.example/secret", SETTINGS)
    assert caught.value.status == 502
    assert not any(b"secret" in head for head in server.heads)


def test_row_21_verification_is_on(authority: trustme.CA) -> None:
    context = fetching._trust()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_row_21_an_address_can_prove_itself_too(net: Internet, authority: trustme.CA) -> None:
    for address in (PUBLIC, "2606:4700::1111"):
        server = net.put(Server(reply(PICTURE), tls=certified(authority, address)), address=address, port=443)
        assert fetch(f"https://{literal(address)}/", SETTINGS) == PICTURE
        # An address is no name to indicate, RFC 6066, section 3.
        assert server.names == [None]


def test_a_final_dot_is_no_part_of_the_name_that_is_proven(net: Internet, authority: trustme.CA) -> None:
    server = net.put(Server(reply(PICTURE), tls=certified(authority, "pictures.example")), port=443)
    net.name("pictures.example.", [PUBLIC])
    assert fetch("https://pictures.example./", SETTINGS) == PICTURE
    assert server.names == ["pictures.example"]


def test_a_host_outside_ascii_is_asked_for_by_its_name_in_dns(net: Internet) -> None:
    server = net.put(Server(reply(PICTURE)), host="xn--bcher-kva.example")
    assert fetch("http://Bücher.example/", SETTINGS) == PICTURE
    assert net.lookups == ["xn--bcher-kva.example"]
    assert b"Host: xn--bcher-kva.example" in header_lines(server.heads[0])


HEADERS = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "before the answer": drip(b"", 0.05, b"H"),
    "silence": drip(b"", 3600),
    "in the first line": drip(b"HTTP/1.1 200 ", 0.05),
    "in a header": drip(HEADERS + b"X: ", 0.05),
    "header by header": drip(HEADERS, 0.05, b"X: y\r\n"),
    "continuing": drip(b"", 0.05, b"HTTP/1.1 100 Continue\r\n\r\n"),
    "in the body": drip(reply(b"", length=50_000), 0.05),
    "in a body of unknown length": drip(HEADERS + b"\r\n", 0.05),
    "nothing of the body": drip(reply(b"", length=50_000), 3600),
    "in the length of a chunk": drip(chunked(PICTURE, end=b""), 0.05, b"0"),
    "in a chunk": drip(chunked(end=b"ffff\r\n"), 0.05),
    "chunk by chunk": drip(chunked(end=b""), 0.05, b"1\r\nx\r\n"),
    "after the chunks": drip(chunked(PICTURE, end=b"0\r\n"), 0.05, b"X: y\r\n"),
    "in a packed body": drip(reply(b"", "Content-Encoding: gzip", length=50_000), 0.05, gzip.compress(b"")),
}


@pytest.mark.parametrize("place", DRIPS)
def test_row_22_a_server_that_drips_is_left_at_the_deadline(net: Internet, place: str) -> None:
    net.put(Server(DRIPS[place]))
    with pytest.raises(FetchTimeout) as caught:
        fetch(URL, IMPATIENT)
    assert (caught.value.status, caught.value.code) == (504, "fetch_timeout")


def test_row_22_the_deadline_holds_over_tls(net: Internet, authority: trustme.CA) -> None:
    context = certified(authority, "pictures.example")
    net.put(Server(drip(reply(b"", length=50_000), 0.05), tls=context), port=443)
    with pytest.raises(FetchTimeout):
        fetch("https://pictures.example/", IMPATIENT)


@pytest.mark.parametrize("pause", [3600, 0.05], ids=["silence", "an endless record"])
def test_row_22_the_deadline_holds_while_tls_is_agreed_on(net: Internet, authority: trustme.CA, pause: float) -> None:
    server = net.put(Server(drip(b"\x16\x03\x03\x40\x00", pause), greets=True), port=443)
    with pytest.raises(FetchTimeout):
        fetch("https://pictures.example/", IMPATIENT)
    assert server.accepted == 1


def test_row_22_the_deadline_holds_while_connecting(net: Internet) -> None:
    # A queue that is full lets nobody in and sends nobody away.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        net.place(listener.getsockname())
        net.name("pictures.example", [PUBLIC])
        with pytest.raises(FetchTimeout):
            fetch(URL, IMPATIENT)
        for one in waiting:
            one.close()


@pytest.fixture
def silent_dns(net: Internet, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A DNS that answers nobody until the test is over; the list fills with what it was asked for."""
    asked: list[str] = []
    over = threading.Event()

    def resolve(host: str) -> list[str]:
        asked.append(host)
        over.wait()
        return [PUBLIC]

    monkeypatch.setattr(fetching, "resolve", resolve)
    yield asked
    over.set()
    for thread in threading.enumerate():
        if thread.name == "look-up":
            thread.join()


def test_row_22_the_deadline_holds_while_dns_is_asked(silent_dns: list[str]) -> None:
    with pytest.raises(FetchTimeout):
        fetch(URL, IMPATIENT)
    assert silent_dns == ["pictures.example"]


def test_row_22_questions_that_dns_does_not_answer_do_not_pile_up(
    silent_dns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_lookups", threading.BoundedSemaphore(2))
    for _ in range(5):
        with pytest.raises(FetchTimeout):
            fetch(URL, IMPATIENT)
    assert len(silent_dns) == 2


def test_questions_that_dns_answers_make_room_for_the_next(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_lookups", threading.BoundedSemaphore(1))
    net.put(Server(reply(PICTURE)))
    for _ in range(3):
        assert fetch(URL, SETTINGS) == PICTURE
        with pytest.raises(FetchFailed):
            fetch("http://no-such.example/", SETTINGS)


def test_row_22_the_deadline_is_one_for_all_redirects_together(net: Internet) -> None:
    def dawdle(connection: socket.socket, _: bytes) -> None:
        threading.Event().wait(0.4)
        connection.sendall(redirect("/again"))

    server = net.put(Server(dawdle))
    with pytest.raises(FetchTimeout):
        fetch(URL, Settings(fetch_seconds=1, fetch_redirects=1000))
    assert 1 <= server.accepted <= 3


def test_row_22_one_address_cannot_use_up_the_time_of_the_next(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    net.put(Server(reply(PICTURE)))
    net.name("pictures.example", ["8.8.8.8", PUBLIC])
    given: list[float] = []

    def dial(address: str, port: int, seconds: float) -> socket.socket:
        given.append(seconds)
        if address == "8.8.8.8":
            raise TimeoutError
        return net.dial(address, port, seconds)

    monkeypatch.setattr(fetching, "dial", dial)
    assert fetch(URL, SETTINGS) == PICTURE
    assert given[0] <= 30 < given[1]


def endless(start: bytes, more: bytes) -> web.Answer:
    def speak(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(more)

    return speak


CHUNKED = chunked(end=b"")
ENDLESS = {
    "chunks": endless(CHUNKED, b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
    "chunks of a byte": endless(CHUNKED, b"1\r\nx\r\n" * 1000),
    "a huge chunk": endless(CHUNKED + b"ffffffffffff\r\n", b"x" * 0x8000),
    "a chunk of length −1": endless(CHUNKED + b"-1\r\n", b"x" * 0x8000),
    "chunks of nothing but extensions": endless(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n"),
    "trailers": endless(chunked(PICTURE, end=b"0\r\n"), b"X: y\r\n" * 1000),
    "no length": endless(HEADERS + b"\r\n", b"x" * 0x8000),
    "a length that is none": endless(HEADERS + b"Content-Length: many\r\n\r\n", b"x" * 0x8000),
    "a negative length": endless(HEADERS + b"Content-Length: -1\r\n\r\n", b"x" * 0x8000),
    "a length of thousands of digits": endless(HEADERS + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000), b"x" * 0x8000),
    "informational answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_row_23_an_endless_body_is_left_at_the_cap(net: Internet, kind: str) -> None:
    net.put(Server(ENDLESS[kind]))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge) as caught:
            fetch(URL, SETTINGS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 10_000_000


@pytest.mark.parametrize("more", [b"X: y\r\n" * 1000, b"x" * 0x8000])
def test_row_23_endless_headers_are_no_answer(net: Internet, more: bytes) -> None:
    net.put(Server(endless(HEADERS, more)))
    with pytest.raises(FetchFailed):
        fetch(URL, SETTINGS)


def test_row_23_a_body_of_the_largest_size_is_read_and_none_that_is_larger(net: Internet) -> None:
    whole = b"x" * SETTINGS.max_bytes
    for answer in (reply(whole), chunked(whole[:99_999], b"x"), HEADERS + b"\r\n" + whole):
        net.put(Server(answer))
        assert fetch(URL, SETTINGS) == whole
    for answer in (chunked(whole, b"x"), HEADERS + b"\r\n" + whole + b"x"):
        net.put(Server(answer))
        with pytest.raises(TooLarge):
            fetch(URL, SETTINGS)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        pytest.param(b"\0\0\0\x18ftypmp42" + bytes(150_000), False, id="a video"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(150_000), True, id="a picture"),
        pytest.param(b"GIF89a" + bytes(150_000), True, id="a GIF"),
        pytest.param(b"\0\0\0\x18ftypmp42" + bytes(250_000), True, id="a video of too many bytes"),
    ],
)
def test_a_video_may_be_larger_than_a_picture(net: Internet, body: bytes, refused: bool) -> None:
    net.put(Server(reply(body)))
    settings = Settings(max_bytes=100_000, max_video_bytes=200_000, fetch_seconds=60)
    with pytest.raises(TooLarge) if refused else nullcontext():
        assert fetch("http://pictures.example/", settings) == body


@pytest.mark.parametrize("length", [100_001, 10**12, 10**15])
def test_row_24_a_length_over_the_cap_is_refused_before_anything_is_read(net: Internet, length: int) -> None:
    # Were the body waited for, there would be a timeout.
    net.put(Server(drip(reply(length=length), 3600)))
    with pytest.raises(TooLarge, match=r"larger than 0\.1 MB") as caught:
        fetch(URL, SETTINGS)
    assert caught.value.status == 413


def reset(start: bytes) -> web.Answer:
    """Say the start and cut the connection."""

    def speak(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return speak


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(PICTURE, length=100), id="short"),
        pytest.param(reply(b"", length=100), id="empty"),
        pytest.param(chunked(PICTURE, end=b""), id="no last chunk"),
        pytest.param(chunked(end=b"ff\r\n" + PICTURE), id="a chunk that is cut off"),
        pytest.param(chunked(PICTURE, end=b"what?\r\n"), id="a chunk without length"),
        pytest.param(chunked(PICTURE, end=b"-5\r\n"), id="a chunk of negative length"),
        pytest.param(reply(b"not packed", "Content-Encoding: gzip"), id="not as packed as it claims"),
        pytest.param(reset(reply(PICTURE, length=100)), id="reset"),
    ],
)
def test_row_25_a_body_that_is_not_whole_is_refused(net: Internet, answer: web.Answer) -> None:
    net.put(Server(answer))
    with pytest.raises(IncompleteBody) as caught:
        fetch(URL, SETTINGS)
    assert (caught.value.status, caught.value.code) == (422, "incomplete_body")


def test_row_26_of_a_body_that_is_too_long_only_the_declared_length_is_read(net: Internet) -> None:
    net.put(Server(reply(PICTURE + b"GARBAGE" * 100_000, length=len(PICTURE))))
    assert fetch(URL, SETTINGS) == PICTURE


def bomb(encoding: str) -> bytes:
    """200 MB of zeros, packed."""
    if encoding == "deflate":
        return zlib.compress(bytes(200_000_000), 9)
    packed = gzip.compress(bytes(200_000_000), 9)
    return gzip.compress(packed) if encoding == "gzip, gzip" else packed


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "gzip, gzip"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_row_27_a_body_that_swells_is_left_at_the_cap(net: Internet, encoding: str, framing: str) -> None:
    packed = bomb(encoding)
    assert len(packed) < 250_000
    limits = Settings(max_bytes=1_000_000)
    header = f"Content-Encoding: {encoding}"
    net.put(Server(reply(packed, header) if framing == "length" else chunked(packed, headers=header)))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            fetch(URL, limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_row_27_a_body_that_is_packed_although_we_asked_for_it_plain_is_unpacked(net: Internet) -> None:
    packed = gzip.compress(PICTURE)
    server = net.put(Server(reply(packed, "Content-Encoding: gzip"), chunked(packed, headers="Content-Encoding: GZIP")))
    assert fetch(URL, SETTINGS) == fetch(URL, SETTINGS) == PICTURE
    assert b"Accept-Encoding: identity" in header_lines(server.heads[0])


@pytest.mark.parametrize(
    "status",
    [
        "201 Created",
        "203 Non-Authoritative Information",
        "204 No Content",
        "206 Partial Content",
        "300 Multiple Choices",
        "304 Not Modified",
        "305 Use Proxy",
        "403 Forbidden",
        "404 Not Found",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "101 Switching Protocols",
        "999 ?",
    ],
)
def test_row_28_only_200_is_an_answer(net: Internet, status: str) -> None:
    net.put(Server(reply(PICTURE, "Location: http://127.0.0.1/", status=status)))
    with pytest.raises(FetchFailed, match=f"status {status[:3]}") as caught:
        fetch(URL, SETTINGS)
    assert (caught.value.status, net.trap.accepted) == (502, 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"<html>an old server</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 ftp.example ready\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        HEADERS + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        HEADERS + b"x" * 70_000 + b"\r\n\r\n",
        b"\0" * 100,
        b"\x15\x03\x01\0\x02\x02\x46",
    ],
    ids=lambda answer: repr(answer[:24]),
)
def test_row_28_what_is_no_http_is_no_answer(net: Internet, answer: bytes) -> None:
    net.put(Server(answer))
    with pytest.raises(FetchFailed) as caught:
        fetch(URL, SETTINGS)
    assert caught.value.status == 502


@pytest.mark.parametrize("header", ["Content-Type: text/html", "Content-Type: image/png, text/html", "X: y"])
def test_row_29_what_the_header_says_changes_nothing(net: Internet, header: str) -> None:
    net.put(Server(reply(PICTURE, header)))
    assert fetch(URL, SETTINGS) == PICTURE


def test_nothing_of_an_address_is_told_or_logged(net: Internet, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        HEADERS + b": malformed\r\n no header\r\n\r\n" + PICTURE,
        HEADERS + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        reply(status="404 Not Found"),
        reply(PICTURE, length=100),
        b"nonsense",
        redirect("http://127.0.0.1/secret-word"),
        drip(b"", 3600),
    ]
    told = ""
    for answer in answers:
        net.put(Server(answer), host="secret-word.example")
        try:
            fetch("http://secret-word.example/secret-word?secret-word", IMPATIENT)
        except UnmaskError as error:
            told += error.message
    with pytest.raises(FetchFailed) as caught:
        fetch("http://secret-word.none.example/", SETTINGS)
    assert "secret-word" not in caplog.text + told + caught.value.message
    assert told.count(".") == 5


def test_fetching_can_be_switched_off(net: Internet) -> None:
    net.put(Server(reply(PICTURE)))
    for url in (URL, "http://127.0.0.1/"):
        with pytest.raises(FetchingOff) as caught:
            fetch(url, Settings(fetch_urls=False))
        assert (caught.value.status, caught.value.code) == (403, "fetching_off")
    assert (net.lookups, net.dials) == ([], [])


def test_connections_are_closed_whatever_came_over_them(net: Internet) -> None:
    left: list[bytes] = []

    def listen(start: bytes) -> web.Answer:
        def speak(connection: socket.socket, _: bytes) -> None:
            connection.sendall(start)
            try:
                left.append(connection.recv(1))
            except ConnectionResetError:
                left.append(b"")

        return speak

    answers = [
        reply(PICTURE),
        reply(length=10**9),
        reply(status="404 Not Found"),
        redirect("ftp://x/"),
        b"nonsense\r\n",
    ]
    for count, answer in enumerate(answers, start=1):
        net.put(Server(listen(answer)))
        with suppress(UnmaskError):
            fetch(URL, SETTINGS)
        while len(left) < count:
            threading.Event().wait(0.01)
    assert left == [b""] * len(answers)


def test_the_real_steps_ask_the_system_and_open_a_connection_to_the_address() -> None:
    assert set(fetching.resolve("localhost")) <= {"127.0.0.1", "::1"}
    assert fetching.resolve("2130706433") == ["127.0.0.1"]
    with closing(Server()) as server, fetching.dial(*server.address, 5) as connection:
        assert connection.getpeername() == server.address
        assert connection.gettimeout() == 5


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "[::1]", "0", "[::ffff:127.0.0.1]"])
def test_with_nothing_replaced_this_machine_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a socket was opened"))
    for scheme in ("http", "https"):
        with pytest.raises(UrlNotAllowed):
            fetch(f"{scheme}://{host}/", SETTINGS)


@given(
    st.one_of(
        st.text(),
        st.text().map("http://".__add__),
        st.lists(st.sampled_from([*"/\\@:?#%[]. \t\0é0１", "http:", "https://", "127.0.0.1", "a.b", "::1"])).map(
            "".join
        ),
        st.lists(st.sampled_from([*"/@:?#%[].é0", "%2e", "a.b", "[::1]", ":80"])).map(
            lambda parts: "http://" + "".join(parts)
        ),
    )
)
def test_every_text_is_a_url_of_the_plain_kind_or_refused(text: str) -> None:
    try:
        target = read_url(text)
    except UrlNotAllowed:
        return
    assert target.port in (80, 443)
    assert target.url.startswith("https://" if target.secure else "http://")
    assert target.host.isascii() and target.host == target.host.lower()
    assert not set(target.host) & set("/\\@?#% \t\r\n\0[]")
    for sent in (target.path, target.authority):
        assert sent.isascii() and sent.isprintable() and " " not in sent
    # What was read is read in the same way again.
    assert read_url(target.url) == target


def test_a_very_long_url_is_refused_at_once() -> None:
    assert read_url("http://a.b/" + "x" * (fetching.MAX_URL - 11)).host == "a.b"
    for text in ("http://a.b/" + "x" * fetching.MAX_URL, "http://" + "a." * 1_000_000, "http://" + "@" * 1_000_000):
        with pytest.raises(UrlNotAllowed):
            read_url(text)


WHOLE = [
    reply(PICTURE, "Content-Type: image/png"),
    chunked(PICTURE, PICTURE),
    reply(gzip.compress(PICTURE), "Content-Encoding: gzip"),
    redirect("/b.png"),
    redirect("http://127.0.0.1/"),
]


@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3)), max_size=4),
    st.one_of(st.none(), st.floats(0, 1)),
)
@tried(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_server_says_there_is_a_file_or_an_error_of_ours(
    net: Internet, answer: bytes, changes: list[tuple[float, bytes]], cut: float | None
) -> None:
    data = bytearray(answer)
    for place, value in changes:
        at = int(place * len(data))
        data[at : at + len(value)] = value
    with closing(net.put(Server(bytes(data[: None if cut is None else int(cut * len(data))])))):
        try:
            assert isinstance(fetch(URL, SETTINGS), bytes)
        except UnmaskError as error:
            assert error.status in (400, 413, 422, 502)
    assert net.trap.accepted == 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadRequest),
        (b"{", BadRequest),
        (b"\xff", BadRequest),
        (b"[" * 100_000, BadRequest),
        (b"null", BadRequest),
        (b'"http://a.b/"', BadRequest),
        (b"{}", BadRequest),
        (b'{"url": null}', BadRequest),
        (b'{"url": ["http://a.b/"]}', BadRequest),
        (b'{"url": "http://a.b/", "headers": {}}', BadRequest),
        (b" " * 100_001, TooLarge),
    ],
)
def test_a_request_that_is_none_is_told_what_to_send(body: bytes, error: type[UnmaskError]) -> None:
    with pytest.raises(error) as caught:
        read_request(body)
    assert caught.value.message.endswith(".")


def test_a_request_is_an_object_with_the_url() -> None:
    assert read_request(b'{"url": "http://a.b/"}') == "http://a.b/"

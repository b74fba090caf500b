"""`unmask serve` as a process of its own, asked over real sockets."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import app as web
from chalicelib.store import SqliteStore

ROOT = Path(__file__).parents[2]
UNMASK = [sys.executable, "-c", "from backend.cli import main; main()"]
LIMIT = 300_000
Encode = Callable[..., bytes]


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    port: int

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask over a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def check(self, picture: bytes) -> tuple[int, Any]:
        """Check a picture."""
        status, _, body = self.ask("POST", "/v2/checks/image", picture, {"Content-Type": "image/jpeg"})
        return status, json.loads(body)

    def say(self, *parts: bytes, then_close: bool = False) -> bytes:
        """Send bytes as they are; return all that comes back until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            for part in parts:
                connection.sendall(part)
            if then_close:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(1 << 16):
                answer += chunk
            return answer


@contextmanager
def serving(models: Path, folder: Path, *options: str, **variables: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [*UNMASK, "serve", "--port", "0", *options],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "UNMASK_MODELS": str(models),
            "UNMASK_STORE_PATH": str(folder / "checks.sqlite3"),
            "UNMASK_MAX_BYTES": str(LIMIT),
            "PYTHONUNBUFFERED": "1",
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)$", first.strip())
        assert found, first
        yield Served(process, int(found.group(1)))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests that do not end it."""
    with serving(models, tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="module")
def jpeg(portrait: np.ndarray, encode: Encode) -> bytes:
    """A picture with one face."""
    return encode(portrait, "JPEG")


def test_a_picture_is_checked_read_and_forgotten(served: Served, jpeg: bytes) -> None:
    status, check = served.check(jpeg)
    assert (status, len(check["faces"]), check["cached"]) == (200, 1, False)
    path = f"/v2/checks/{check['id']}"
    assert json.loads(served.ask("GET", path)[2]) == {**check, "cached": True}
    assert served.ask("DELETE", path)[0] == 204
    assert served.ask("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/health", 200),
        ("GET", "/v2/health/", 200),
        ("GET", "/v2/health?x=1&y=%20&x=2", 200),
        ("GET", "/v2/%68ealth", 200),
        ("GET", "//v2/health", 200),
        ("GET", "/v2/health%3Fx", 404),
        ("GET", "/v2/health%00", 404),
        ("GET", "/%ff", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/assets/..%2f..%2fapp.py", 404),
        ("GET", "/assets/../app.py", 404),
        ("GET", "/v2/checks/%E2%9C%93", 404),
        ("POST", "/v2/health", 405),
        ("BREW", "/v2/health", 501),
    ],
)
def test_any_address_is_answered(served: Served, method: str, path: str, status: int) -> None:
    answered, headers, body = served.ask(method, path)
    assert (answered, headers["Content-Type"]) == (status, "application/json")
    if status >= 400:
        error = json.loads(body)["error"]
        assert error["code"] and error["message"].endswith(".")
        assert headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "said",
    [b"GET /none HTTP/1.1\r\nAuthorization: \xff\xfe", b"GET * HTTP/1.1", b"GET ? HTTP/1.1"],
)
def test_an_unknown_address_is_not_found_however_odd_it_is(served: Served, said: bytes) -> None:
    answer = served.say(said + b"\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404")
    assert b'"not_found"' in answer


def test_a_head_is_a_get_without_its_body(served: Served) -> None:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=30)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        connection.request(method, "/v2/model")
        answer = connection.getresponse()
        assert (answer.status, int(answer.headers["Content-Length"]) > 100) == (200, True)
        assert bool(answer.read()) == (method == "GET")
    connection.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/checks/image"),
        ("POST", "/v2/checks/frames"),
        ("GET", f"/v2/checks/{'a' * 32}"),
        ("DELETE", f"/v2/checks/{'a' * 32}"),
        ("GET", "/v2/model"),
        ("GET", "/v2/health"),
    ],
)
def test_a_browser_may_ask_before_it_sends(served: Served, method: str, path: str) -> None:
    asked = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    status, headers, _ = served.ask("OPTIONS", path, headers=asked)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert method in headers["Access-Control-Allow-Methods"].split(",")
    assert {"Content-Type", "X-Api-Key"} <= set(headers["Access-Control-Allow-Headers"].split(","))


def test_a_page_may_read_how_long_to_wait(served: Served) -> None:
    for path in ("/v2/health", "/nothing/here"):
        assert "Retry-After" in served.ask("GET", path)[1]["Access-Control-Expose-Headers"].split(",")


def test_a_clip_is_checked_read_and_forgotten(served: Served, portrait: np.ndarray, encode: Encode) -> None:
    images = [base64.b64encode(encode(np.roll(portrait, 9 * n, axis=1), "JPEG")).decode() for n in range(5)]
    sent = json.dumps({"frames": [{"time": n / 2, "image": image} for n, image in enumerate(images)]}).encode()
    status, _, body = served.ask("POST", "/v2/checks/frames", sent, {"Content-Type": "application/json"})
    check = json.loads(body)
    assert (status, check["media"]["kind"], check["coverage"]) == (200, "video", {"frames": 5, "usable": 5})
    assert [len(track["points"]) for track in check["tracks"]] == [5]
    path = f"/v2/checks/{check['id']}"
    assert json.loads(served.ask("GET", path)[2]) == {**check, "cached": True}
    assert served.ask("DELETE", path)[0] == 204


POST = b"POST /v2/checks/image HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        pytest.param(b"Connection: close\r\n", 422, "image_empty", id="no Content-Length"),
        pytest.param(b"Content-Length: 0\r\nConnection: close\r\n", 422, "image_empty", id="zero"),
        pytest.param(b"Content-Length: many\r\n", 400, "bad_request", id="a word"),
        pytest.param(b"Content-Length: -5\r\n", 400, "bad_request", id="negative"),
        pytest.param(b"Content-Length: +5\r\n", 400, "bad_request", id="signed"),
        pytest.param(b"Content-Length: 5_0\r\n", 400, "bad_request", id="underscore"),
        pytest.param(b"Content-Length: 1e3\r\n", 400, "bad_request", id="float"),
        pytest.param(b"Content-Length: \r\n", 400, "bad_request", id="blank"),
        pytest.param(b"Content-Length: \xb2\r\n", 400, "bad_request", id="a digit of another kind"),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 6\r\n", 400, "bad_request", id="two that differ"),
        pytest.param(b"Content-Length: %d\r\n" % (LIMIT + 1), 413, "too_large", id="row 24: over the limit"),
        pytest.param(b"Content-Length: " + b"9" * 5000 + b"\r\n", 413, "too_large", id="thousands of digits"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", 411, "length_required", id="row 23: chunked"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            411,
            "length_required",
            id="chunked and long",
        ),
        pytest.param(
            b"Expect: 100-continue\r\nContent-Length: 999999\r\n",
            413,
            "too_large",
            id="over the limit, asked first",
        ),
    ],
)
def test_a_length_is_judged_before_anything_is_read(served: Served, lines: bytes, status: int, code: str) -> None:
    answer = served.say(POST + lines + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"onnection: close" in head or status == 422
    assert json.loads(body)["error"]["code"] == code


def test_row_24_a_client_that_sends_too_much_still_reads_why(served: Served) -> None:
    size = 40 * LIMIT
    status, told = served.check(b"\0" * size)
    assert (status, told["error"]["code"]) == (413, "too_large")


def test_row_25_a_body_that_ends_too_early_is_refused(served: Served) -> None:
    answer = served.say(POST + b"Content-Length: 100\r\n\r\n", b"\x89PNG", then_close=True)
    assert answer.startswith(b"HTTP/1.1 422")
    assert b"incomplete_body" in answer


def test_row_26_what_follows_the_declared_length_is_no_part_of_the_body(served: Served, encode: Encode) -> None:
    picture = encode((1, 2, 3))
    answer = served.say(POST + b"Content-Length: %d\r\n\r\n" % len(picture) + picture + b"GARBAGE\r\n\r\n")
    first, _, second = answer.partition(b"}HTTP/1.1 ")
    assert first.startswith(b"HTTP/1.1 200") and b'"verdict":"no_face"' in first
    assert second.startswith(b"400")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
    ids=["words", "version", "long address", "many headers", "TLS"],
)
def test_what_is_no_http_is_refused_in_the_same_shape(served: Served, said: bytes, status: bytes) -> None:
    answer = served.say(said, then_close=True)
    assert status in answer[:20]
    assert json.loads(answer[answer.index(b"{") :])["error"]["message"].endswith(".")


def test_a_client_that_says_nothing_keeps_nobody_waiting(served: Served) -> None:
    with (
        socket.create_connection(("127.0.0.1", served.port)),
        socket.create_connection(("127.0.0.1", served.port)) as half,
    ):
        half.sendall(POST + b"Content-Length: 1000\r\n\r\nhalf of it")
        assert served.ask("GET", "/v2/health")[0] == 200


def test_row_48_the_same_picture_many_times_at_once_is_one_check(
    served: Served, portrait: np.ndarray, encode: Encode
) -> None:
    picture = encode(portrait[:, ::-1], "JPEG")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(served.check, [picture] * 8))
    assert {status for status, _ in answers} == {200}
    assert len({check["id"] for _, check in answers}) == 1
    assert sorted(check.pop("cached") for _, check in answers) == [False] + [True] * 7
    assert all(check == answers[0][1] for _, check in answers)


def test_large_bodies_beyond_the_memory_for_them_are_told_to_wait(models: Path, tmp_path: Path, jpeg: bytes) -> None:
    limits = {
        "UNMASK_MAX_BYTES": "2000000",
        "UNMASK_MAX_VIDEO_BYTES": "2000000",
        "UNMASK_MAX_BYTES_IN_FLIGHT": "3000000",
    }
    large, kind = jpeg + bytes(1_500_000), {"Content-Type": "image/jpeg"}
    head = f"POST /v2/checks/image HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: {len(large)}\r\n\r\n"
    with serving(models, tmp_path, **limits) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
            slow.sendall(head.encode() + large[:-1])
            # Room is taken once the head is read, some moment after it was sent.
            wait_until(lambda: server.check(large)[0] == 503)
            status, headers, body = server.ask("POST", "/v2/checks/image", large, kind)
            assert (status, json.loads(body)["error"]["code"], headers["Retry-After"]) == (503, "busy", "2")
            assert server.check(jpeg)[0] == 200
            slow.sendall(large[-1:])
            assert slow.recv(64).startswith(b"HTTP/1.1 200")
        assert server.check(large)[0] == 200


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_it_is_told_to(models: Path, tmp_path: Path, number: signal.Signals) -> None:
    with serving(models, tmp_path) as server:
        assert server.ask("GET", "/v2/health")[0] == 200
        server.process.send_signal(number)
        out, _ = server.process.communicate(timeout=30)
        assert server.process.returncode == 0
        assert out.splitlines()[-1] == "Stopped."


def test_a_port_that_is_taken_is_told_in_a_sentence(served: Served, models: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [*UNMASK, "serve", "--port", str(served.port)],
        cwd=ROOT,
        env={"UNMASK_MODELS": str(models), "UNMASK_STORE_PATH": str(tmp_path / "checks.sqlite3")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        f"Error: Cannot listen on 127.0.0.1, port {served.port}: it is taken. Choose another with --port.\n"
    )


@pytest.mark.parametrize(
    ("variables", "options", "status", "sentence"),
    [
        ({"UNMASK_MAX_BYTES": "many"}, [], 2, "UNMASK_MAX_BYTES must be"),
        ({"UNMASK_MODELS": "/nowhere"}, [], 1, "is missing or damaged."),
        (
            {"UNMASK_STORE_PATH": "/dev/null/checks"},
            [],
            1,
            "The store's file or folder cannot be opened or made.",
        ),
        ({}, ["--host", "not a host"], 1, "Cannot listen on not a host"),
        ({}, ["--port", "65536"], 2, "65536 is not in the range"),
    ],
)
def test_a_start_that_cannot_succeed_is_told_in_a_sentence(
    models: Path, tmp_path: Path, variables: dict[str, str], options: list[str], status: int, sentence: str
) -> None:
    known = {"UNMASK_MODELS": str(models), "UNMASK_STORE_PATH": str(tmp_path / "checks.sqlite3")}
    run = subprocess.run(
        [*UNMASK, "serve", "--port", "0", *options],
        cwd=ROOT,
        env=known | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == status
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def test_a_killed_server_leaves_a_store_that_opens_and_holds_all_that_was_answered(
    models: Path, tmp_path: Path, encode: Encode
) -> None:
    answered: list[Any] = []
    with serving(models, tmp_path) as server:

        def send(worker: int) -> None:
            with suppress(OSError, HTTPException):
                for n in range(10_000):
                    status, check = server.check(encode((worker, n // 256, n % 256), size=(64, 64)))
                    assert status == 200
                    answered.append(check)

        workers = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        while len(answered) < 40 and server.process.poll() is None:
            threading.Event().wait(0.01)
        server.process.kill()
        for worker in workers:
            worker.join()
    assert len(answered) >= 40
    store = SqliteStore(tmp_path / "checks.sqlite3")
    assert all(store.get(check["id"]) == check for check in answered)
    store.close()
    with serving(models, tmp_path) as server:
        assert server.ask("GET", f"/v2/checks/{answered[-1]['id']}")[0] == 200


def test_a_service_with_a_key_answers_who_brings_it(models: Path, tmp_path: Path, jpeg: bytes) -> None:
    with serving(models, tmp_path, UNMASK_ACCESS_KEY="a long secret") as server:
        for key in ({}, {"X-Api-Key": ""}, {"X-Api-Key": "a long secre"}, {"X-Api-Key": "\xff"}):
            for method, path in (
                ("POST", "/v2/checks/image"),
                ("GET", "/v2/health"),
                ("GET", "/%76%31/flags"),
                ("GET", "/%76%32/flags"),
            ):
                status, headers, body = server.ask(method, path, jpeg if method == "POST" else None, key)
                assert (status, json.loads(body)["error"]["code"]) == (403, "not_allowed")
                assert headers["Access-Control-Allow-Origin"] == "*"
        asked = {"Content-Type": "image/jpeg", "X-Api-Key": "a long secret"}
        assert server.ask("POST", "/v2/checks/image", jpeg, asked)[0] == 200
        # The page has to be there before it can bring a key, and a browser asks without one whether it may.
        assert server.ask("GET", "/")[0] == server.ask("GET", "/assets/page.js")[0] == 200
        assert server.ask("OPTIONS", "/v2/checks/image")[0] == 200
        made = json.loads(
            server.ask("POST", "/v2/uploads", b'{"bytes": 10}', asked | {"Content-Type": "application/json"})[2]
        )
        assert server.ask("PUT", made["upload"]["url"], b"x" * 10)[0] == 204


def test_every_route_of_either_version_is_refused_alike_without_the_key(models: Path, tmp_path: Path) -> None:
    routes = [
        (method, re.sub(r"\{\w+\}", "0" * 32, path))
        for path, views in web.app.routes.items()
        for method in views
        if path.startswith(("/v1/", "/v2/"))
    ]
    assert len({path[:4] for _, path in routes}) == 2
    with serving(models, tmp_path, UNMASK_ACCESS_KEY="a long secret") as server:
        for method, path in routes:
            status, headers, body = server.ask(method, path)
            assert (status, json.loads(body)["error"]["code"]) == (403, "not_allowed"), (method, path)
            old = path.startswith("/v1/")
            assert ("Deprecation" in headers, "Link" in headers) == (old, old), (method, path)


@pytest.mark.parametrize("version", [1, 2])
def test_a_video_may_be_larger_than_a_picture_in_both_versions(models: Path, tmp_path: Path, version: int) -> None:
    with serving(models, tmp_path, UNMASK_MAX_VIDEO_BYTES=str(2 * LIMIT)) as server:
        body = b"x" * (LIMIT + 1)
        status, _, answer = server.ask("POST", f"/v{version}/checks/video", body, {"Content-Type": "video/mp4"})
        assert (status, json.loads(answer)["error"]["code"]) != (413, "too_large")
        status, _, answer = server.ask("POST", f"/v{version}/checks/image", body, {"Content-Type": "image/jpeg"})
        assert (status, json.loads(answer)["error"]["code"]) == (413, "too_large")
        made = json.loads(
            server.ask("POST", f"/v{version}/uploads", b'{"bytes": 10}', {"Content-Type": "application/json"})[2]
        )
        place = f"/v{version}/uploads/{made['id']}/clip"
        assert server.ask("PUT", place, b"x" * 10)[0] == 204


def test_other_machines_are_served_with_a_key_only(models: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [*UNMASK, "serve", "--port", "0", "--host", "0.0.0.0"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "UNMASK_MODELS": str(models), "UNMASK_STORE_PATH": str(tmp_path / "s.sqlite3")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (told.returncode, "UNMASK_ACCESS_KEY" in told.stderr) == (2, True)


def test_the_page_opens_in_the_root(served: Served) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/?from=here", timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert b"</html>" in answer.read()

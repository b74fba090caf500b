"""Asks a running service for what every service must do, and says what it did.

Run `make smoke URL=https://…/api`, or `python -m infra.smoke URL [--key KEY]`. Nothing is left behind but one check of
a drawn picture.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

# The first answer of a function that slept takes longest.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers in small letters, body; JSON where it is some."""

    status: int
    headers: dict[str, str]
    body: Any


def ask(base: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    """Ask a service.

    Raises:
        OSError: it cannot be reached.
    """
    if not base.startswith(("http://", "https://")):
        raise ValueError("The address must begin with http:// or https://.")
    request = urllib.request.Request(base.rstrip("/") + path, body, dict(headers), method=method)  # noqa: S310 -- see above
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 -- see above
            return _read(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return _read(error.code, error.headers, error.read())


def try_all(base: str, key: str = "") -> Iterator[tuple[str, bool]]:
    """Yield what was tried, in words, and whether it held.

    Raises:
        OSError: the service cannot be reached.
    """
    told = {"X-Api-Key": key} if key else {}
    png, odd, words = ({**told, "Content-Type": kind} for kind in ("image/png", "a/b", "application/json"))
    health = ask(base, "GET", "/v2/health", told)
    yield f"health: {health.body}", health.status == 200 and health.body.get("status") == "ok"
    check = ask(base, "POST", "/v2/checks/image", png, draw())
    holds = check.status == 200 and check.body.get("verdict") == "no_face"
    yield f"a picture without a face: {_sum_up(check)}", holds
    inner = b'{"url": "http://169.254.169.254/"}'
    for title, answer, status in (
        ("a type that is not taken", ask(base, "POST", "/v2/checks/image", odd, b"x"), 415),
        ("an address within", ask(base, "POST", "/v2/checks/url", words, inner), 400),
        ("an unknown check", ask(base, "GET", f"/v2/checks/{'0' * 32}", told), 404),
    ):
        yield f"{title}: {_sum_up(answer)}", answer.status == status and "error" in answer.body
    if health.body.get("sign_in"):
        stranger = ask(base, "GET", "/v2/flags", told)
        holds = stranger.status == 401 and stranger.headers.get("access-control-allow-origin") == "*"
        yield f"flags for nobody: {_sum_up(stranger)}", holds
    page = ask(base, "GET", "/", told)
    yield f"the page: {page.status}", page.status == 200 and "Unmask" in str(page.body)


def draw() -> bytes:
    """Return a PNG of a gradient, in which there is no face."""
    ramp = np.tile(np.linspace(0, 255, 256, dtype=np.uint8), (128, 1))
    return cv2.imencode(".png", ramp)[1].tobytes()


def _read(status: int, headers: Any, body: bytes) -> Answer:
    read: Callable[[bytes], Any] = json.loads if "json" in (headers.get("Content-Type") or "") else bytes.decode
    return Answer(status, {name.lower(): value for name, value in headers.items()}, read(body) if body else {})


def _sum_up(answer: Answer) -> str:
    body = answer.body if isinstance(answer.body, dict) else {}
    return f"{answer.status} {body.get('verdict') or body.get('error', {}).get('code', '')}"


def main() -> None:
    """Try all; status 1 where one did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--key", default="", help="of a service that wants one")
    given = parser.parse_args()
    held = True
    try:
        for words, holds in try_all(given.url, given.key):
            sys.stdout.write(f"{'ok  ' if holds else 'FAIL'}  {words}\n")
            held &= holds
    except (OSError, ValueError) as error:
        raise SystemExit(f"{given.url} does not answer: {error}") from error
    sys.exit(not held)


if __name__ == "__main__":
    main()

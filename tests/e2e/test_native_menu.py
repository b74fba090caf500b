"""The browser's own menu, opened with a real mouse on a real (virtual) screen."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import FLAGS
from tests.e2e.extension_browser import ENGLISH, PATIENCE, Extension, launch
from tests.e2e.test_extension_sources import SOURCES, Source, open_frame, wait_until_shown
from tests.e2e.web.pictures import make_picture
from tests.e2e.web.service import Proxy
from tests.e2e.web.site import Site

PROGRAMS = ("Xvfb", "xdotool")
missing = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)} (Debian: xvfb, xdotool)")


@contextmanager
def virtual_screen() -> Iterator[dict[str, str]]:
    """A screen of 1280 × 900 that nobody sees; yields the environment that leads to it."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        display = pipe.readline().strip()
    try:
        yield {**os.environ, "DISPLAY": f":{display}"}
    finally:
        process.terminate()
        process.wait()


class Hand:
    """A hand on the mouse and the keyboard."""

    def __init__(self, screen: dict[str, str]) -> None:
        self.screen = screen

    def do(self, *words: Any) -> None:
        subprocess.run(["xdotool", *map(str, words)], env=self.screen, check=True)

    def point(self, page: Any, box: dict[str, float]) -> None:
        """Move the mouse to a box of the page, not far from its upper left corner."""
        left, top = page.evaluate("[screenX + (outerWidth - innerWidth) / 2, screenY + outerHeight - innerHeight]")
        x, y = left + box["x"] + min(100, box["width"] / 2), top + box["y"] + min(100, box["height"] / 2)
        self.do("mousemove", round(x), round(y), "sleep", 0.1)

    def choose(self, page: Any, target: Any) -> None:
        """Right-click an element and choose the extension's entry by its underlined letter."""
        self.point(page, target.bounding_box())
        self.do("click", 3, "sleep", 0.45, "key", "d")


@pytest.fixture(scope="module")
def hand() -> Iterator[Hand]:
    with virtual_screen() as screen:
        yield Hand(screen)


@pytest.fixture(scope="module", params=["all sites", "this tab"])
def native(
    request: pytest.FixtureRequest,
    playwright: Any,
    chromium: str,
    built: Path,
    hand: Hand,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Extension]:
    """A browser with a window."""
    place = ["--window-position=0,0", "--window-size=1200,860", "--lang=en-US", "--test-type"]
    options = {"headless": False, "viewport": None, "no_viewport": True, "env": hand.screen}
    profile = tmp_path_factory.mktemp("profile")
    all_sites = request.param == "all sites"
    with launch(playwright, chromium, built, profile, *FLAGS, *place, all_sites=all_sites, **options) as extension:
        yield extension


@pytest.fixture
def ready(native: Extension, service: Proxy, site: Site) -> Extension:
    """The same, as after its first check."""
    native.reset(backend=service.url, agreedHost=service.host)
    site.visits.clear()
    return native


def check(extension: Extension, hand: Hand, service: Proxy, site: Site, source: Source) -> None:
    """Right-click the source, and see that the right bytes were sent and an answer came."""
    page = extension.open(site.page(source.page))
    frame = open_frame(page, source)
    target = frame.locator("#target")
    wait_until_shown(target)
    closed = bool(source.frames) and not extension.all_sites and source.page != "frame-same"
    hand.choose(page, target)
    card = extension.wait_for_card(page, frame=page.main_frame if closed else frame)
    reached = source.everywhere if extension.all_sites else source.here
    if reached == "unreachable":
        assert (card.state, service.checks) == ("failure", [])
        return
    assert card.state == "verdict", card
    (sent,) = service.checks
    if reached in ("original", "poster"):
        assert sent.sha256 == hashlib.sha256(make_picture(str(source.url))).hexdigest()


def test_the_menu_has_the_entry_and_it_answers(ready: Extension, hand: Hand, service: Proxy, site: Site) -> None:
    check(ready, hand, service, site, SOURCES[0])


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES[1:], ids=lambda source: source.page)
def test_the_entry_is_there_for_every_source(
    ready: Extension, hand: Hand, service: Proxy, site: Site, source: Source
) -> None:
    if source.seen == "video" and site.clip is None:
        pytest.skip("needs ffmpeg to make a clip")
    check(ready, hand, service, site, source)


@pytest.mark.slow
def test_a_stopped_worker_answers_the_menu(ready: Extension, hand: Hand, service: Proxy, site: Site) -> None:
    page = ready.open(site.page("cross-origin"))
    target = page.locator("#target")
    wait_until_shown(target)
    ready.stop_worker(page)
    hand.choose(page, target)
    assert ready.wait_for_card(page).state == "verdict"
    assert len(service.checks) == 1


@pytest.mark.slow
def test_the_key_checks_the_picture_under_the_pointer(ready: Extension, hand: Hand, service: Proxy, site: Site) -> None:
    page = ready.open(site.page("same-origin"))
    target = page.locator("#target")
    wait_until_shown(target)
    hand.point(page, target.bounding_box())
    deadline = time.monotonic() + PATIENCE
    while ready.read_card(page) is None and time.monotonic() < deadline:
        hand.do("key", "alt+shift+u", "sleep", 0.5)
    assert ready.wait_for_card(page).state == "verdict"
    (sent,) = service.checks
    assert sent.sha256 == hashlib.sha256(make_picture("/pictures/same-origin-600x750.png")).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("native", ["this tab"], indirect=True)
@pytest.mark.parametrize("allowed", [False, True], ids=["denied", "allowed"])
def test_the_original_is_fetched_once_its_site_is_allowed(
    ready: Extension, hand: Hand, service: Proxy, site: Site, allowed: bool
) -> None:
    page = ready.open(site.page("cross-origin"))
    target = page.locator("#target")
    wait_until_shown(target)
    hand.choose(page, target)
    ready.wait_for_card(page, "verdict")
    name = ENGLISH["card"]["verdict"]["allow"].format(host=site.origins["cdn"].removeprefix("http://"))
    hand.point(page, ready.wait_for_card_with(page, name).buttons[name])
    # In the browser's own question "Deny" has the focus, "Allow" comes after it.
    hand.do("click", 1, "sleep", 1.2, *(["key", "Tab", "sleep", 0.2] if allowed else []), "key", "Return")
    if allowed:
        ready.wait_for_card(page, "verdict", until=lambda card: "Original file, 600 × 750" in card.text)
        assert (
            service.checks[-1].sha256 == hashlib.sha256(make_picture("/pictures/cross-origin-600x750.jpg")).hexdigest()
        )
        ready.ask("(origin) => chrome.permissions.remove({ origins: [`${origin}/*`] })", "http://cdn.test")
    else:
        assert ready.wait_for_card(page, "failure").failure == "refused"
        assert len(service.checks) == 1

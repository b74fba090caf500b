"""Firefox: its own menu, and what it lets an extension have."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.extension_browser import ENGLISH, build_extension
from tests.e2e.firefox_browser import Firefox, launch_firefox
from tests.e2e.test_extension_sources import TOLERANCE, assert_told, decode, decode_clip, measure_difference
from tests.e2e.web.pictures import make_picture
from tests.e2e.web.service import Proxy
from tests.e2e.web.site import Site

pytest.importorskip("marionette_driver", reason="needs marionette_driver: pip install unmask[dev]")
PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs firefox (Debian: firefox-esr)")

LABEL = "Check for deepfake"


@dataclass(frozen=True)
class Source:
    """One way to show a face, and how far the extension gets with all sites allowed and with the click alone."""

    page: str
    picture: str | None
    everywhere: str
    here: str
    frames: tuple[str, ...] = ()


# With all sites allowed, a script of Firefox may read what it drew, whoever it belongs to.
SOURCES = [
    Source("same-origin", "same-origin-600x750.png", "original", "original"),
    Source("cross-origin", "cross-origin-600x750.jpg", "original", "screenshot"),
    Source("srcset", "srcset-640x800.webp", "original", "screenshot"),
    Source("data", "data-400x500.jpg", "original", "original"),
    Source("blob", "blob-400x500.jpg", "original", "original"),
    Source("background", "background-600x750.jpg", "original", "screenshot"),
    Source("svg", "svg-600x750.jpg", "original", "screenshot"),
    Source("canvas", "canvas-400x500.png", "pixels", "pixels"),
    Source("canvas-tainted", "canvas-tainted-400x500.png", "pixels", "screenshot"),
    Source("overlay", "overlay-600x750.jpg", "original", "screenshot"),
    Source("shadow", "shadow-600x750.jpg", "original", "screenshot"),
    Source("frame", "framed-600x750.jpg", "original", "screenshot", ("framed",)),
    Source("referer", "referer-600x750.jpg", "original", "screenshot"),
    Source("strict", "strict-600x750.jpg", "original", "screenshot"),
    Source("sandboxed", "sandboxed-600x750.jpg", "original", "screenshot"),
    Source("dialog", "dialog-600x750.jpg", "original", "screenshot"),
    Source("video", None, "frame", "frame"),
    Source("video-cross", None, "frame", "screenshot"),
    Source("video-stream", None, "frame", "frame"),
    Source("video-poster", "poster-600x750.jpg", "poster", "screenshot"),
    Source("link", "link-600x750.jpg", "original", "unreachable"),
]


@pytest.fixture(scope="module")
def running(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    folder = build_extension(built, browser="firefox")
    with launch_firefox(str(PROGRAM), folder, tmp_path_factory.mktemp("firefox")) as firefox:
        yield firefox


@pytest.fixture
def firefox(running: Firefox, service: Proxy) -> Firefox:
    """Firefox with the extension as after its first check."""
    running.reset(backend=service.url, agreedHost=service.host)
    return running


def check(firefox: Firefox, service: Proxy, site: Site, source: Source, all_sites: bool) -> None:
    """Right-click the source, and see that what can be had was sent and an answer came."""
    reached = source.everywhere if all_sites else source.here
    closed = bool(source.frames) and not all_sites
    firefox.open(site.page(source.page), *source.frames)
    firefox.wait_until_shown()
    firefox.click(LABEL)
    if closed:
        firefox.driver.switch_to_frame()
    card = firefox.wait_for_card()
    if reached == "unreachable":
        assert (card.failure, service.checks) == ("unreachable", [])
        return
    assert card.state == "verdict", card
    (sent,) = service.checks
    pixels = decode(sent.body)
    height, width = pixels.shape[:2]
    assert_told(card, reached, width, height)
    if reached == "frame":
        assert min(measure_difference(pixels, still) for still in decode_clip(site.clip)) <= TOLERANCE
    if source.picture is None:
        return
    picture = make_picture(f"/pictures/{source.picture}")
    if reached in ("original", "poster"):
        assert sent.sha256 == hashlib.sha256(picture).hexdigest()
    if reached == "pixels":
        assert measure_difference(pixels, decode(picture)) <= TOLERANCE


def test_the_menu_has_the_entry_and_it_answers(firefox: Firefox, service: Proxy, site: Site) -> None:
    firefox.allow_all_sites(False)
    check(firefox, service, site, SOURCES[0], all_sites=False)


@pytest.mark.slow
@pytest.mark.parametrize("all_sites", [True, False], ids=["all sites", "this tab"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.page)
def test_a_face_reaches_the_service(
    firefox: Firefox, service: Proxy, site: Site, source: Source, all_sites: bool
) -> None:
    if source.page.startswith("video") and site.clip is None:
        pytest.skip("needs ffmpeg to make a clip")
    firefox.allow_all_sites(all_sites)
    check(firefox, service, site, source, all_sites)


@pytest.mark.slow
def test_nothing_is_sent_before_the_person_agrees(firefox: Firefox, service: Proxy, site: Site) -> None:
    firefox.reset(backend=service.url)
    firefox.open(site.page("same-origin"))
    firefox.wait_until_shown()
    firefox.click(LABEL)
    assert service.host in firefox.wait_for_card("consent").text
    assert service.asked == []
    firefox.press(ENGLISH["card"]["consent"]["agree"])
    firefox.wait_for_card("verdict")
    assert len(service.checks) == 1


@pytest.mark.slow
def test_a_playing_video_is_checked_over_some_seconds(firefox: Firefox, service: Proxy, site: Site) -> None:
    if site.clip is None:
        pytest.skip("needs ffmpeg to make a clip")
    firefox.open(site.page("video"))
    firefox.wait_until_shown()
    firefox.click(LABEL)
    firefox.wait_for_card("verdict")
    firefox.press(ENGLISH["card"]["verdict"]["video"])
    firefox.wait_for_card("progress")
    firefox.wait_for_card("verdict")
    times = [frame["time"] for frame in json.loads(service.checks[-1].body)["frames"]]
    assert 4 <= len(times) <= 12
    assert times == sorted(set(times))

"""A browser, and a server for it to look at."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.extension_browser import Extension, launch
from tests.e2e.page_server import PageServer
from tests.e2e.web.pictures import make_clip
from tests.e2e.web.service import Proxy, running_service
from tests.e2e.web.site import HOSTS, Site, serving

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install unmask[dev]")

# Generous, since nothing but a hang should fail here.
sync_api.expect.set_options(timeout=30_000)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# A mouse that is moved by the driver leaves no trace in the page around a frame of another process, as a hand's
# does. test_native_menu.py has the processes apart.
ONE_PROCESS = ["--disable-site-isolation-trials"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a browser test that failed again, twice at most; the summary counts these tries."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium; skips where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs chromium (Debian: apt-get install --no-install-recommends chromium)")
    return path


@pytest.fixture(scope="session")
def playwright() -> Iterator[sync_api.Playwright]:
    """The one driver that a thread may have."""
    with sync_api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: sync_api.Playwright, chromium: str) -> Iterator[sync_api.Browser]:
    """A headless Chromium without extensions."""
    browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    """The page with prepared answers."""
    server = PageServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A small web; without ffmpeg it has no clips."""
    clip = make_clip(tmp_path_factory.mktemp("clips") / "clip.webm") if shutil.which("ffmpeg") else None
    site = Site(clip)
    with serving(site):
        yield site


@pytest.fixture(scope="session")
def one_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A real service behind a proxy, for all tests."""
    with running_service(tmp_path_factory.mktemp("service")) as proxy:
        yield proxy


@pytest.fixture
def service(one_service: Proxy) -> Proxy:
    """The service, asked nothing yet."""
    one_service.reset()
    return one_service


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to build the extension into."""
    return tmp_path_factory.mktemp("extension")


@pytest.fixture(scope="session")
def browsers(
    playwright: sync_api.Playwright, chromium: str, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Extension]]:
    """One browser with the extension for each permission: "all sites", "this tab"."""
    with ExitStack() as stack:
        running: dict[str, Extension] = {}

        def browser_for(permission: str) -> Extension:
            if permission not in running:
                profile = tmp_path_factory.mktemp("profile")
                flags = [*FLAGS, *ONE_PROCESS]
                start = launch(playwright, chromium, built, profile, *flags, all_sites=permission == "all sites")
                running[permission] = stack.enter_context(start)
            return running[permission]

        yield browser_for


@pytest.fixture
def extension(
    request: pytest.FixtureRequest, browsers: Callable[[str], Extension], service: Proxy, site: Site
) -> Iterator[Extension]:
    """The extension as after its first check: the service is set and agreed to.

    Parametrised indirectly by the permission. Whatever a test does, nobody but the service may be sent a byte.
    """
    extension = browsers(getattr(request, "param", "all sites"))
    extension.reset(backend=service.url, agreedHost=service.host)
    site.visits.clear()
    yield extension
    assert [visit for visit in site.visits if visit.size or visit.method not in ("GET", "HEAD")] == []
    assert {visit.host for visit in site.visits} <= set(HOSTS)


@pytest.fixture(scope="session")
def portrait_file(portrait: np.ndarray) -> bytes:
    """A PNG of 512 × 512 px with one face."""
    return encode(portrait)


@pytest.fixture(scope="session")
def pair_file(portrait: np.ndarray) -> bytes:
    """A PNG of 1024 × 512 px with a face in either half."""
    return encode(np.hstack([portrait, portrait[:, ::-1]]))


def encode(pixels: np.ndarray) -> bytes:
    """Return a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()

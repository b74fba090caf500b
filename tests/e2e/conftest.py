"""A browser, and a server for it to look at."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.e2e.page_server import PageServer

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


@pytest.fixture(scope="session")
def browser() -> Iterator[sync_api.Browser]:
    """A headless Chromium of the system; skips where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs chromium (Debian: apt-get install --no-install-recommends chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
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

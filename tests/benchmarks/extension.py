"""From the click to the verdict: Chromium with the extension, a local site, a local service, one face.

Run `python -m tests.benchmarks.extension [--runs N]`; it prints a table and writes build/extension_benchmark.json.
The extension's own share is all the time but that in which the service had the picture, as a proxy before it
measures: finding the picture, fetching it, hashing, asking and drawing. Every picture is new to the service.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from tests.e2e.extension_browser import Extension, launch
from tests.e2e.web.service import Proxy, running_service
from tests.e2e.web.site import Site, serving

OUT = Path("build/extension_benchmark.json")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WARM_UP = 3
SIZE = "1200x1500"
# The page sees nothing of the card but the element that it hangs in, so the extension's own world is asked.
WATCH = """globalThis.shown = new Promise((resolve) => {
    const look = () => {
        const hosts = [...document.querySelectorAll("[popover]")];
        const roots = hosts.map((host) => chrome.dom.openOrClosedShadowRoot(host));
        const done = roots.some((root) => root?.querySelector(".panel[data-state=verdict]"));
        if (done) resolve(Date.now());
        else setTimeout(look, 1);
    };
    look();
})"""


def measure(extension: Extension, service: Proxy, site: Site, runs: int) -> dict[str, list[float]]:
    """Return the milliseconds of each check: all of it, and the service's part."""
    page = extension.open(f"{site.page('gallery')}?size={SIZE}")
    page.wait_for_function("[...document.images].every((image) => image.naturalWidth)")
    times: dict[str, list[float]] = {"click to verdict": [], "of it the service": [], "of it the extension": []}
    for run in range(runs + WARM_UP):
        total, served = check(extension, service, page, run)
        if run >= WARM_UP:
            for name, value in zip(times, (total, served, total - served), strict=True):
                times[name].append(value)
    return times


def check(extension: Extension, service: Proxy, page: Any, run: int) -> tuple[float, float]:
    """Check one picture of the gallery; return the milliseconds of all of it and of the service."""
    picture = page.locator("#gallery img").nth(run)
    source = picture.evaluate("(element) => element.currentSrc")
    picture.hover()
    if run > 0:
        extension.evaluate(f"void ({WATCH})", page)
    clicked = extension.ask(CLICK, {"mediaType": "image", "srcUrl": source})
    extension.wait_for_card(page, "verdict")
    shown = extension.evaluate("globalThis.shown", page) if run > 0 else clicked
    page.keyboard.press("Escape")
    extension.wait_for_no_card(page)
    served = service.checks[-1].seconds
    assert served is not None
    return shown - clicked, served * 1000


CLICK = """async (info) => {
    const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
    const clicked = Date.now();
    chrome.contextMenus.onClicked.dispatch({ menuItemId: "check", editable: false, frameId: 0, ...info }, tab);
    return clicked;
}"""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    runs = parser.parse_args().runs
    chromium = shutil.which("chromium")
    assert chromium, "needs chromium (Debian: apt-get install --no-install-recommends chromium)"
    logging.disable(logging.INFO)
    site = Site()
    with tempfile.TemporaryDirectory() as name, serving(site), running_service(Path(name)) as service:
        folder = Path(name)
        places = folder / "built", folder / "profile"
        with (
            sync_playwright() as playwright,
            launch(playwright, chromium, *places, *FLAGS, all_sites=True) as extension,
        ):
            extension.reset(backend=service.url, agreedHost=service.host)
            times = measure(extension, service, site, runs)
    rows = {
        name: dict(zip(("q10", "median", "q90"), np.quantile(t, (0.1, 0.5, 0.9)), strict=True))
        for name, t in times.items()
    }
    print(f"{f'one face, {SIZE} px, ms':<26}{'q10':>9}{'median':>9}{'q90':>9}")
    for name, row in rows.items():
        print(f"{name:<26}" + "".join(f"{value:9.1f}" for value in row.values()))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"runs": runs, **rows}, indent=1))


if __name__ == "__main__":
    main()

"""The pictures of the card that show what a file states, taken anew: `python -m tests.extension.screenshots`.

A real service judges the sample portrait, in the public domain; the signatures are made for the occasion.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from pathlib import Path
from string import Template

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.benchmarks.extension import FLAGS
from tests.e2e.extension_browser import launch
from tests.e2e.web.service import running_service
from tests.e2e.web.site import Site, serving
from tests.signed import CAPTURED, EDITED, MADE_BY_AI, Authority, sign, tamper_pixels

FOLDER = Path(__file__).parents[2] / "extension" / "screenshots"
PORTRAIT = Path(__file__).parents[2] / "extension" / "samples" / "portrait.jpg"
VIEWPORT = {"width": 980, "height": 900}
# Few colours make a small file, and are enough for an interface and one portrait.
COLOURS = 192
POST = Template("""
    document.documentElement.style.cssText = "background: $ground; color-scheme: $scheme; font-family: sans-serif";
    const picture = document.getElementById("target");
    picture.style.cssText = "width: 500px; height: 500px; margin: 24px 16px; border-radius: 8px";
""")


def make_pictures(authority: Authority) -> dict[str, tuple[bytes, str]]:
    """Return each picture and the colours of the page that it stands on, by the name of its screenshot."""
    portrait = PORTRAIT.read_bytes()
    signer = authority.make_signer("Orbit Weekly")
    valid = sign(portrait, signer=signer, actions=[CAPTURED, EDITED])
    return {
        "credentials-valid": (valid, "light"),
        "credentials-changed": (tamper_pixels(valid), "dark"),
        "credentials-ai": (sign(portrait, signer=signer, actions=[MADE_BY_AI]), "light"),
    }


def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium")
    assert chromium, "needs chromium (Debian: apt-get install --no-install-recommends chromium)"
    logging.disable(logging.INFO)
    authority, site = Authority(), Site()
    pictures = make_pictures(authority)
    site.pictures = {f"{name}.jpg": data for name, (data, _) in pictures.items()}
    with tempfile.TemporaryDirectory() as name, serving(site), running_service(Path(name)) as service:
        places = Path(name) / "built", Path(name) / "profile"
        with (
            sync_playwright() as playwright,
            launch(playwright, chromium, *places, *FLAGS, all_sites=True, viewport=VIEWPORT) as extension,
        ):
            for title, (_, scheme) in pictures.items():
                extension.reset(backend=service.url, agreedHost=service.host, theme=scheme, trustList=authority.pem)
                page = extension.open(f"{site.page('signed')}?{title}.jpg")
                page.evaluate(POST.substitute(scheme=scheme, ground="#edf1f4" if scheme == "light" else "#15191c"))
                target = page.locator("#target")
                source = target.evaluate("(element) => element.decode().then(() => element.currentSrc)")
                extension.click(page, target, mediaType="image", srcUrl=source)
                extension.wait_for_card(page, "verdict")
                page.mouse.move(2, 2)
                page.wait_for_timeout(600)
                shot = Image.open(io.BytesIO(page.screenshot()))
                shot.convert("RGB").quantize(COLOURS).save(FOLDER / f"{title}.png", optimize=True)


if __name__ == "__main__":
    main()

"""All pictures of `extension/screenshots`, taken anew: `python -m tests.extension.screenshots`.

A real service judges the samples, in the public domain; the signatures are made for the occasion.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.benchmarks.extension import FLAGS
from tests.e2e.extension_browser import Extension, launch
from tests.e2e.web.service import Proxy, running_service
from tests.e2e.web.site import Site, serving
from tests.signed import CAPTURED, EDITED, MADE_BY_AI, Authority, sign, tamper_pixels

FOLDER = Path(__file__).parents[2] / "extension" / "screenshots"
SAMPLES = Path(__file__).parents[2] / "extension" / "samples"
PORTRAIT, BLENDED = SAMPLES / "portrait.jpg", SAMPLES / "blended.jpg"
# Where the portrait's face is, as parts of its sides.
FACE = 0.48, 0.32
VIEWPORT = {"width": 980, "height": 900}
# Few colours make a small file, and are enough for an interface and one portrait.
COLOURS = 192
COLOURS_OF = {
    "light": {"scheme": "light", "ground": "#edf1f4", "post": "#fff", "ink": "#1c2226"},
    "dark": {"scheme": "dark", "ground": "#15191c", "post": "#20262a", "ink": "#e8ecee"},
}
POST = Template("""
    document.documentElement.style.cssText = "background: $ground; color-scheme: $scheme; font-family: sans-serif";
    const picture = document.getElementById("target");
    picture.style.cssText = "width: 500px; height: 500px; margin: 24px 16px; border-radius: 8px";
""")
FEED = Template("""
    document.title = "Orbit Weekly";
    document.documentElement.style.cssText = "background: $ground; color-scheme: $scheme; font-family: sans-serif";
    const picture = document.getElementById("target");
    picture.style.cssText = "width: 100%; height: auto; display: block; border-radius: 8px";
    const post = document.createElement("article");
    post.style.cssText = "width: 508px; margin: 24px 32px; padding: 16px; border-radius: 12px; background: $post; "
        + "color: $ink";
    post.innerHTML = '<header style="display: flex; gap: 10px; align-items: center">'
        + '<span style="width: 36px; height: 36px; border-radius: 50%; '
        + 'background: linear-gradient(135deg, #6a9490 50%, #477698 50%)"></span>'
        + '<span><b>Orbit Weekly</b><br><small>2 h</small></span></header>'
        + '<p>Back from the archive. Do you recognise her?</p>';
    document.body.append(post);
    post.append(picture);
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


def take_signed(extension: Extension, service: Proxy, site: Site, authority: Authority) -> None:
    """Take the cards that show what a file states."""
    pictures = make_pictures(authority)
    site.pictures |= {f"{name}.jpg": data for name, (data, _) in pictures.items()}
    for title, (_, scheme) in pictures.items():
        extension.reset(backend=service.url, agreedHost=service.host, theme=scheme, trustList=authority.pem)
        page = show_card(extension, site, f"{title}.jpg", POST.substitute(COLOURS_OF[scheme]))
        page.mouse.move(2, 2)
        page.wait_for_timeout(600)
        save(title, page.screenshot())


def take_cards(extension: Extension, service: Proxy, site: Site) -> None:
    """Take the card beside a post in a feed, with the areas on the face: light, dark, in Arabic."""
    for title, scheme, language in (
        ("card", "light", "en"),
        ("card-dark", "dark", "en"),
        ("card-arabic", "light", "ar"),
    ):
        extension.reset(backend=service.url, agreedHost=service.host, theme=scheme, language=language)
        # In other bytes, or the service would say that it has judged them before.
        site.pictures[f"{title}.jpg"] = BLENDED.read_bytes() + title.encode()
        page = show_card(extension, site, f"{title}.jpg", FEED.substitute(COLOURS_OF[scheme]))
        point_at_face(page, page.locator("#target"))
        save(title, page.screenshot(clip={"x": 0, "y": 0, "width": VIEWPORT["width"], "height": 760}))


def take_panel(extension: Extension, service: Proxy, site: Site) -> None:
    """Take three views of the side panel: own pictures and samples, history, settings in the dark."""
    site.pictures |= {"portrait.jpg": PORTRAIT.read_bytes(), "blended.jpg": BLENDED.read_bytes()}
    extension.reset(backend=service.url, agreedHost=service.host, theme="light")
    for picture in ("blended.jpg", "portrait.jpg"):
        show_card(extension, site, picture, FEED.substitute(COLOURS_OF["light"]))
    width, height, gap = 420, 760, 20
    whole = Image.new("RGB", (3 * width + 2 * gap, height), "#ced6da")
    for number, view in enumerate(("check", "history", "settings")):
        if view == "settings":
            extension.change_settings(theme="dark")
        panel = extension.context.new_page()
        panel.set_viewport_size({"width": width, "height": height})
        panel.goto(f"chrome-extension://{extension.id}/panel/panel.html#{view}")
        panel.locator("h1:visible").wait_for()
        panel.wait_for_timeout(800)
        whole.paste(Image.open(io.BytesIO(panel.screenshot())), (number * (width + gap), 0))
        panel.close()
    save("panel", whole)


def take_page(extension: Extension, service: Proxy) -> None:
    """Take the service's own page with a verdict."""
    extension.reset(backend=service.url, agreedHost=service.host)
    page = extension.context.new_page()
    page.set_viewport_size({"width": 1200, "height": 1080})
    page.goto(service.url)
    page.locator("input[type=file]").first.set_input_files(PORTRAIT)
    page.locator("[data-state=verdict]").wait_for()
    point_at_face(page, page.locator("[data-state=verdict] .unmask-figure img"))
    save("page", page.screenshot())
    page.close()


def show_card(extension: Extension, site: Site, picture: str, dress: str) -> Any:
    """Return a page with a picture that was checked, once its card stands."""
    page = extension.open(f"{site.page('signed')}?{picture}")
    page.evaluate(dress)
    target = page.locator("#target")
    source = target.evaluate("(element) => element.decode().then(() => element.currentSrc)")
    extension.click(page, target, mediaType="image", srcUrl=source)
    extension.wait_for_card(page, "verdict")
    return page


def point_at_face(page: Any, picture: Any) -> None:
    """Rest the mouse on the portrait's face, so that its areas are shown."""
    box = picture.bounding_box()
    page.mouse.move(box["x"] + FACE[0] * box["width"], box["y"] + FACE[1] * box["height"], steps=4)
    page.wait_for_timeout(800)


def save(title: str, picture: bytes | Image.Image) -> None:
    """Write a screenshot in few colours."""
    shot = picture if isinstance(picture, Image.Image) else Image.open(io.BytesIO(picture))
    shot.convert("RGB").quantize(COLOURS).save(FOLDER / f"{title}.png", optimize=True)


def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium")
    assert chromium, "needs chromium (Debian: apt-get install --no-install-recommends chromium)"
    logging.disable(logging.INFO)
    authority, site = Authority(), Site()
    with tempfile.TemporaryDirectory() as name, serving(site), running_service(Path(name)) as service:
        places = Path(name) / "built", Path(name) / "profile"
        with (
            sync_playwright() as playwright,
            launch(playwright, chromium, *places, *FLAGS, all_sites=True, viewport=VIEWPORT) as extension,
        ):
            take_signed(extension, service, site, authority)
            take_cards(extension, service, site)
            take_page(extension, service)
            take_panel(extension, service, site)


if __name__ == "__main__":
    main()

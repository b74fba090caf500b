"""Every way in which a page can show a face: the right bytes, or the right pixels, reach the service."""

from __future__ import annotations

import functools
import hashlib
import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.extension_browser import ENGLISH, Card, Extension
from tests.e2e.web.pictures import CLIP_SIDE, make_picture
from tests.e2e.web.service import Proxy
from tests.e2e.web.site import Site

VERDICTS = ("Likely fake", "No traces found", "Uncertain", "No face found")
# Mean difference over all pixels and channels, of 255.
TOLERANCE = 2.0


@dataclass(frozen=True)
class Source:
    """One way to show a face.

    Attributes:
        page: name of the page; what is pointed at is its #target.
        picture: path of the file behind it, if there is one.
        seen: what the browser itself sees under the pointer: "image", "video", "link" or nothing.
        everywhere: how far the extension gets with permission for all sites.
        here: how far it gets with no more than the click's own permission.
    """

    page: str
    picture: str | None
    seen: str
    everywhere: str
    here: str
    frames: tuple[str, ...] = ()

    @property
    def url(self) -> str | None:
        return self.picture and f"/pictures/{self.picture}"


SOURCES = [
    Source("cross-origin", "cross-origin-600x750.jpg", "image", "original", "screenshot"),
    Source("same-origin", "same-origin-600x750.png", "image", "original", "original"),
    Source("srcset", "srcset-640x800.webp", "image", "original", "screenshot"),
    Source("data", "data-400x500.jpg", "image", "original", "original"),
    Source("blob", "blob-400x500.jpg", "image", "original", "original"),
    Source("background", "background-600x750.jpg", "", "original", "screenshot"),
    Source("pseudo", "pseudo-600x750.jpg", "", "original", "screenshot"),
    Source("svg", "svg-600x750.jpg", "image", "original", "screenshot"),
    Source("canvas", "canvas-400x500.png", "", "pixels", "pixels"),
    Source("canvas-tainted", "canvas-tainted-400x500.png", "", "screenshot", "screenshot"),
    Source("overlay", "overlay-600x750.jpg", "", "original", "screenshot"),
    Source("shadow", "shadow-600x750.jpg", "", "original", "screenshot"),
    Source("frame", "framed-600x750.jpg", "image", "original", "screenshot", ("framed",)),
    Source("frame-same", "framed-same-600x750.jpg", "image", "original", "original", ("framed-same",)),
    Source("frames", "nested-600x750.jpg", "image", "original", "screenshot", ("frames-middle", "frames-inner")),
    Source("referer", "referer-600x750.jpg", "image", "original", "screenshot"),
    Source("strict", "strict-600x750.jpg", "image", "original", "screenshot"),
    Source("sandboxed", "sandboxed-600x750.jpg", "image", "original", "screenshot"),
    Source("dialog", "dialog-600x750.jpg", "image", "original", "screenshot"),
    Source("rtl", "rtl-600x750.jpg", "image", "original", "screenshot"),
    Source("video", None, "video", "frame", "frame"),
    Source("video-stream", None, "video", "frame", "frame"),
    Source("video-cross", None, "video", "screenshot", "screenshot"),
    Source("video-poster", "poster-600x750.jpg", "video", "poster", "screenshot"),
    Source("link", "link-600x750.jpg", "link", "original", "unreachable"),
]


@pytest.mark.parametrize("extension", ["all sites", "this tab"], indirect=True)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.page)
def test_a_face_reaches_the_service(extension: Extension, service: Proxy, site: Site, source: Source) -> None:
    if source.seen == "video" and site.clip is None:
        pytest.skip("needs ffmpeg to make a clip")
    page = extension.open(site.page(source.page))
    frame = open_frame(page, source)
    target = frame.locator("#target")
    wait_until_shown(target)
    reached = source.everywhere if extension.all_sites else source.here
    # Where the frame is closed to the extension, all of the frame is the picture, and the card hangs beside it.
    closed = bool(source.frames) and source.here == "screenshot" and not extension.all_sites
    before = take_shot(page, page.locator("#frame") if closed else target) if reached == "screenshot" else None
    extension.click(page, target, **see(extension, source, target, frame))
    card = extension.wait_for_card(page, frame=page.main_frame if closed else frame)
    if reached == "unreachable":
        assert card.failure == "unreachable"
        assert service.checks == []
        return
    assert card.state == "verdict", card
    assert any(word in card.text for word in VERDICTS)
    (sent,) = service.checks
    assert sent.path == "/v2/checks/image"
    picture = make_picture(source.url) if source.url else None
    if reached in ("original", "poster"):
        assert sent.sha256 == hashlib.sha256(picture).hexdigest()
    else:
        pixels = decode(sent.body)
        if source.seen == "video" and reached != "poster" and picture is None:
            difference = min(measure_difference(pixels, still) for still in decode_clip(site.clip))
        else:
            difference = measure_difference(pixels, decode(picture) if reached == "pixels" else before)
        assert difference <= TOLERANCE
    height, width = decode(sent.body).shape[:2]
    assert_told(card, reached, width, height)


def open_frame(page: Any, source: Source) -> Any:
    """Return the innermost frame that shows the source."""
    frame = page.main_frame
    for name in source.frames:
        frame.wait_for_selector("#frame")
        frame = next(child for child in frame.child_frames if f"/{name}.html" in child.url)
    return frame


def wait_until_shown(target: Any) -> None:
    """Wait until the picture is there in full, or the clip runs."""
    if target.evaluate("(element) => element.matches('img') && element.complete && element.naturalWidth > 0"):
        # In a sandbox without scripts nothing could wait, either.
        return
    target.evaluate(
        """async (element) => {
            if (element.matches("img")) while (!element.complete || !element.naturalWidth) await nap();
            if (element.matches("canvas")) while (!("ready" in element.dataset)) await nap();
            if (element.matches("video") && !element.poster) while (!(element.currentTime > 0.2)) await nap();
            // Backgrounds and posters say nothing of themselves; their files come from the cache the second time.
            const style = getComputedStyle(element);
            const before = getComputedStyle(element, "::before");
            const texts = `${style.backgroundImage} ${before.backgroundImage} url("${element.poster ?? ""}")`;
            for (const [, url] of texts.matchAll(/url\\("(.+?)"\\)/g)) {
                const image = new Image();
                image.src = url;
                await image.decode();
            }
            function nap() { return new Promise((done) => setTimeout(done, 20)); }
        }"""
    )


def see(extension: Extension, source: Source, target: Any, frame: Any) -> dict[str, Any]:
    """Return what Chromium tells of a click there."""
    told: dict[str, Any] = {}
    if source.frames:
        told |= {"frameId": extension.frame_id(frame.page, frame.url), "frameUrl": frame.url}
    if source.seen == "link":
        return told | {"linkUrl": target.evaluate("(element) => element.href")}
    if source.seen:
        address = "(element) => element.currentSrc || element.src || element.href.baseVal"
        return told | {"mediaType": source.seen, "srcUrl": target.evaluate(address)}
    return told


def take_shot(page: Any, target: Any) -> np.ndarray:
    """Return what the screen shows of an element, uint8 RGB."""
    return decode(page.screenshot(clip=target.bounding_box()))


def decode(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def measure_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean absolute difference, of 255, where both have pixels; sizes may differ by rounding."""
    assert np.abs(np.subtract(a.shape, b.shape)).max() <= 1, (a.shape, b.shape)
    height, width = np.minimum(a.shape, b.shape)[:2]
    return float(np.abs(np.subtract(a[:height, :width], b[:height, :width], dtype=float)).mean())


@functools.cache
def decode_clip(clip: Path) -> np.ndarray:
    """Return all frames, uint8 RGB [n, h, w, 3]."""
    precise = ["-sws_flags", "accurate_rnd+full_chroma_int+bilinear"]
    command = ["ffmpeg", "-loglevel", "error", "-i", str(clip), *precise, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, CLIP_SIDE, CLIP_SIDE, 3)


def assert_told(card: Card, reached: str, width: int, height: int) -> None:
    """The card says what it judged: "original 600 × 750"."""
    words = ENGLISH["card"]["sources"][reached].format(width=width, height=height)
    assert words in card.text, card.text

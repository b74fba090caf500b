"""Finding the picture that was meant, getting its pixels, and marking an area, in a real browser.

The modules are loaded into ordinary pages here, without the extension around them; the pointer is a real one.
"""

from __future__ import annotations

import base64
import functools
import io
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import FLAGS

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install unmask[dev]")

PAGES = Path(__file__).parent / "targets"
EXTENSION = Path(__file__).parents[2] / "extension"
MEDIA_TYPES = {"js": "text/javascript", "html": "text/html", "webm": "video/webm"}
HUGE = 30_000_000
# Strict rules, and rules under which a page has no origin.
POLICIES = {
    "strict": "default-src 'none'; script-src 'unsafe-inline' http:; require-trusted-types-for 'script'",
    "sandboxed": "sandbox allow-scripts",
}

# What an extension has and a page has not: sight of closed shadow roots.
SIGHT = """
    const roots = new WeakMap();
    const attach = Element.prototype.attachShadow;
    Element.prototype.attachShadow = function (options) {
        const root = attach.call(this, options);
        roots.set(this, root);
        return root;
    };
    globalThis.chrome ??= {};
    chrome.dom = { openOrClosedShadowRoot: (element) => roots.get(element) ?? null };
"""

WORDS = {
    "label": "Select an area",
    "drag": "Drag over the face.",
    "keys": "Arrow keys move, Shift and arrow keys resize.",
    "size": "{width} by {height}, {left} from the left, {top} from the top",
    "small": "At least {side} by {side}",
    "take": "Check this area",
    "cancel": "Cancel",
}


# The card's, which the layer is given as well.


class Web(ThreadingHTTPServer):
    """Pages on `site.test`, further pictures on `cdn.test`; both are this server.

    Attributes:
        portrait: what every picture shows.
        films: files by name.
    """

    daemon_threads = True

    def __init__(self, portrait: np.ndarray, films: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.portrait = portrait
        self.films = films

    def origin(self, host: str = "site.test") -> str:
        return f"http://{host}:{self.server_port}"

    @functools.cache  # noqa: B019 - one server a session
    def picture(self, width: int, height: int, kind: str) -> bytes:
        """Return a file of exactly this size."""
        side = self.portrait.shape[0]
        crop = self.portrait[: max(1, min(side, side * height // width)), : max(1, min(side, side * width // height))]
        file = io.BytesIO()
        Image.fromarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)).save(
            file, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[kind], quality=95
        )
        return file.getvalue()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that closes a connection early is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        picture = re.fullmatch(r"/p/.+-(\d+)x(\d+)\.(jpg|png|webp)", path)
        headers = {"Access-Control-Allow-Origin": "*"} if query == "open" else {}
        if picture:
            width, height, kind = picture.groups()
            self._send(200, self.server.picture(int(width), int(height), kind), f"image/{kind}", headers)
        elif path.startswith("/extension/"):
            self._send(200, (EXTENSION / path.removeprefix("/extension/")).read_bytes(), MEDIA_TYPES["js"], OPEN)
        elif path.removeprefix("/") in self.server.films:
            self._send_film(self.server.films[path.removeprefix("/")].read_bytes())
        elif path == "/huge.png":
            self._send(200, bytes(HUGE), "image/png")
        elif (PAGES / path.removeprefix("/")).is_file():
            page = Template((PAGES / path.removeprefix("/")).read_text()).safe_substitute(
                cdn=self.server.origin("cdn.test")
            )
            policy = {"Content-Security-Policy": POLICIES[query]} if query in POLICIES else {}
            self._send(200, page.encode(), "text/html", policy)
        else:
            self._send(404, b"", "text/plain")

    def _send_film(self, data: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            self._send(200, data, MEDIA_TYPES["webm"], {"Accept-Ranges": "bytes"})
            return
        start, end = int(asked[1]), int(asked[2] or len(data) - 1)
        headers = {"Content-Range": f"bytes {start}-{end}/{len(data)}"}
        self._send(206, data[start : end + 1], MEDIA_TYPES["webm"], headers)

    def _send(self, status: int, data: bytes, media_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output quiet."""


OPEN = {"Access-Control-Allow-Origin": "*"}


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Moving test patterns by name; none where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        return {}
    folder = tmp_path_factory.mktemp("films")
    lengths = {"film.webm": 12, "short.webm": 1}
    for name, seconds in lengths.items():
        pattern = f"testsrc2=size=320x180:rate=15:duration={seconds}"
        command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", pattern, "-c:v", "libvpx", "-b:v", "1M"]
        command += ["-deadline", "realtime", "-cpu-used", "8"]
        subprocess.run([*command, "-g", "15", str(folder / name)], check=True)
    return {name: folder / name for name in lengths}


@pytest.fixture(scope="session")
def web(portrait: np.ndarray, films: dict[str, Path]) -> Iterator[Web]:
    web = Web(portrait, films)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield web
    web.shutdown()
    web.server_close()
    thread.join()


@pytest.fixture(scope="module")
def travelled(playwright: Any, chromium: str) -> Iterator[Any]:
    """A browser that finds the hosts of the small web."""
    flags = [*FLAGS, "--host-resolver-rules=MAP *.test 127.0.0.1", "--autoplay-policy=no-user-gesture-required"]
    browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=flags)
    yield browser
    browser.close()


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def open_page(travelled: Any, web: Web) -> Iterator[Open]:
    """Opens a page of the small web with the modules in it, and gives it a name for the next time."""
    contexts = []

    def open_page(path: str, *, host: str = "site.test", **options: Any) -> Any:
        context = travelled.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        context.add_init_script(SIGHT)
        page = context.new_page()
        page.goto(f"{web.origin(host)}/{path}")
        load_modules(page, web)
        return page

    yield open_page
    for context in contexts:
        context.close()


def load_modules(page: Any, web: Web) -> None:
    page.evaluate(
        """async (base) => {
            const names = ["targets", "pixels", "area", "pictures"];
            const modules = await Promise.all(names.map((name) => import(`${base}/extension/content/${name}.js`)));
            globalThis.unmask = Object.assign({}, ...modules);
        }""",
        web.origin(),
    )


@pytest.fixture(scope="module")
def kinds(open_page: Open) -> Any:
    """The page with every kind of picture."""
    page = open_page("kinds.html")
    page.evaluate("ready")
    return page


def hover(page: Any, selector: str, x: float = 0.5, y: float = 0.5) -> None:
    """Bring something into view and the pointer onto it."""
    page.mouse.move(1279, 1)
    # Which frame is under the pointer is known from what was last painted.
    box = page.evaluate(
        """async (selector) => {
            const element = document.querySelector(selector);
            element.scrollIntoView({ block: "center" });
            for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
            const { x, y, width, height } = element.getBoundingClientRect();
            return [x, y, width, height];
        }""",
        selector,
    )
    page.mouse.move(box[0] + box[2] * x, box[1] + box[3] * y)


def find(page: Any, **request: Any) -> list[dict[str, Any]]:
    """Return what is found, as the worker is told, and where all of the pixels are."""
    found: list[dict[str, Any]] = page.evaluate(
        """(request) => {
            globalThis.found = unmask.findTargets({ by: "pointer", ...request });
            return found.map((target) => ({
                ...unmask.describe(target),
                content: target.content(),
                live: target.live,
                element: target.element.localName,
            }));
        }""",
        request,
    )
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    """Name what was found by its kind and the file it leads to."""
    return [f"{one['kind']} {re.sub(r'^.*/', '', (one['url'] or '-')[:200])}" for one in found]


# Section, what was found.
SEEN = [
    ("cross", ["image cross-300x200.jpg"]),
    ("same", ["image same-300x200.png"]),
    ("picture", ["image wide-600x400.webp"]),
    ("srcset", ["image one-300x200.png"]),
    ("svg", ["svg drawn-600x400.jpg"]),
    ("xlink", ["svg linked-600x400.jpg"]),
    ("canvas", ["canvas -"]),
    ("background", ["background back%20(1)-600x400.jpg"]),
    ("image-set", ["background once-300x200.png"]),
    ("layers", ["background front-600x400.jpg"]),
    ("before", ["background before-300x200.png"]),
    ("after", ["background after-600x400.jpg"]),
    ("content", ["image instead-300x200.png"]),
    ("input", ["image button-300x200.png"]),
    ("object", ["image object-300x200.png"]),
    ("embed", ["image embed-300x200.png"]),
    ("map", ["image mapped-300x200.png"]),
    ("poster", ["poster poster-600x400.jpg"]),
    ("overlay", ["image post-300x200.jpg"]),
    ("veil", ["image veiled-300x200.jpg"]),
    ("solid-veil", ["image hidden-300x200.jpg"]),
    ("closed", ["image closed-300x200.jpg"]),
    ("nested", ["image nested-300x200.jpg"]),
    ("slotted", ["image slotted-300x200.jpg"]),
    ("carousel", ["image second-300x200.jpg"]),
    ("slides", ["image shown-300x200.jpg"]),
    ("unseen-image", ["background tweet-600x400.jpg"]),
    ("spacer", ["image guarded-300x200.jpg"]),
    ("blank-canvas", ["image under-300x200.jpg"]),
    ("play-mark", ["image still-300x200.jpg"]),
    ("play-button", ["image film-300x200.jpg"]),
    ("untouchable", ["image untouchable-300x200.jpg"]),
    ("avatar-on-photo", ["background behind-600x400.jpg"]),
    ("avatar-itself", ["image person-64x64.png"]),
    ("dialog", ["image inside-300x200.jpg"]),
    ("opaque-dialog", []),
    ("label", ["image choice-300x200.jpg"]),
    ("caption", ["image captioned-300x200.jpg"]),
    ("page-tile", []),
    ("hero", ["background hero-900x300.jpg"]),
    ("alike", ["image right-120x90.jpg", "image left-120x90.jpg"]),
    ("sprite", ["background sprite-400x400.png"]),
    ("icon", []),
    ("empty-lazy", []),
    ("broken", []),
    ("text", []),
    ("frame", ["frame -"]),
]


# Inside a frame of another site, a driver's pointer is not over the page around it; a person's is. The frame's
# border belongs to the page, and is over it either way.
BORDER = 0.003


@pytest.mark.parametrize(("section", "expected"), SEEN, ids=[section for section, _ in SEEN])
def test_what_the_pointer_is_on_is_found_without_the_browsers_help(
    kinds: Any, section: str, expected: list[str]
) -> None:
    hover(kinds, f"#{section} [data-at]", x=BORDER if section == "frame" else 0.5)
    assert names(find(kinds)) == expected


# Section, what the browser tells of it, what was found.
NAMED = [
    ("cross", {"srcUrl": "$cdn/p/cross-300x200.jpg"}, ["image cross-300x200.jpg"]),
    ("unseen-image", {"srcUrl": "$cdn/p/tweet-600x400.jpg"}, ["background tweet-600x400.jpg"]),
    ("spacer", {"srcUrl": "$site/p/spacer-1x1.png"}, ["image guarded-300x200.jpg"]),
    ("closed", {"srcUrl": "$cdn/p/closed-300x200.jpg"}, ["image closed-300x200.jpg"]),
    ("poster", {"srcUrl": "$cdn/film.webm"}, ["poster poster-600x400.jpg"]),
    ("text", {"srcUrl": "$cdn/p/elsewhere-9x9.jpg"}, ["image elsewhere-9x9.jpg"]),
    ("text", {"srcUrl": "$site/p/same-300x200.png#top"}, ["image same-300x200.png"]),
    ("frame", {"srcUrl": "$site/p/framed-200x100.jpg"}, ["frame framed-200x100.jpg"]),
    ("link", {"linkUrl": "$cdn/p/linked-300x200.jpg"}, ["link linked-300x200.jpg"]),
    ("link", {"linkUrl": "$site/page.html"}, []),
    ("veil", {"linkUrl": "$site/p/large-900x600.jpg"}, ["image veiled-300x200.jpg"]),
]


@pytest.mark.parametrize(
    ("section", "told", "expected"),
    NAMED,
    ids=[f"{section}-{next(iter(told))}-{i}" for i, (section, told, _) in enumerate(NAMED)],
)
def test_what_the_browser_names_is_found(
    kinds: Any, web: Web, section: str, told: dict[str, str], expected: list[str]
) -> None:
    hover(kinds, f"#{section} [data-at]", x=BORDER if section == "frame" else 0.5)
    origins = {"site": web.origin(), "cdn": web.origin("cdn.test")}
    assert names(find(kinds, **{key: Template(value).substitute(origins) for key, value in told.items()})) == expected


@pytest.mark.parametrize("section", ["data", "blob"])
def test_pictures_that_the_page_made_itself_are_found(kinds: Any, section: str) -> None:
    hover(kinds, f"#{section} [data-at]")
    [target] = find(kinds)
    assert target["kind"] == "image"
    assert target["url"].startswith(f"{section}:")
    assert target["natural"] == {"width": 300, "height": 200}


def test_a_target_tells_all_that_the_worker_needs(kinds: Any) -> None:
    hover(kinds, "#cross [data-at]")
    [target] = find(kinds)
    assert target["label"] == "A person outdoors"
    assert target["natural"] == {"width": 300, "height": 200}
    assert (target["rect"]["width"], target["rect"]["height"]) == (300, 200)
    assert target["content"] == target["rect"]
    assert target["viewport"] == {"width": 1280, "height": 800, "scale": 1, "offsetLeft": 0, "offsetTop": 0}
    assert (target["playing"], target["live"]) == (False, False)


def test_a_dense_screen_gets_the_dense_files(open_page: Open) -> None:
    page = open_page("kinds.html", device_scale_factor=2)
    page.evaluate("ready")
    for section, expected in {"srcset": "image two-600x400.png", "image-set": "background twice-600x400.png"}.items():
        hover(page, f"#{section} [data-at]")
        assert names(find(page)) == [expected]


def test_only_the_part_that_is_seen_counts(kinds: Any) -> None:
    hover(kinds, "#scroller")
    [target] = find(kinds)
    assert (target["rect"]["width"], target["rect"]["height"]) == (300, 100)
    assert target["content"]["height"] == 200
    # Half of it leaves the window, then all of it.
    rects = kinds.evaluate(
        """() => {
            const [target] = found;
            const box = document.querySelector("#scroller").getBoundingClientRect();
            scrollBy(0, box.y + 40);
            const half = target.rect().toJSON();
            scrollBy(0, 400);
            return [half, target.rect()];
        }"""
    )
    assert (rects[0]["y"], round(rects[0]["height"])) == (0, 60)
    assert rects[1] is None


def test_what_is_fixed_is_not_cut_off_by_what_it_was_written_into(kinds: Any) -> None:
    kinds.evaluate("document.querySelector('#pinned').style.display = 'block'")
    try:
        kinds.mouse.move(1200, 750)
        [target] = find(kinds)
        assert names([target]) == ["image pinned-300x200.jpg"]
        assert target["rect"] == {"x": 980, "y": 600, "width": 300, "height": 200}
    finally:
        kinds.evaluate("document.querySelector('#pinned').style.display = 'none'")


def test_pictures_in_a_frame_of_the_same_site_are_found_where_they_are_on_the_page(kinds: Any) -> None:
    hover(kinds, "#own-frame iframe", y=0.4)
    [target] = find(kinds)
    frame = kinds.evaluate("document.querySelector('#own-frame iframe').getBoundingClientRect().toJSON()")
    assert names([target]) == ["image framed-200x100.jpg"]
    # Border 5, padding 7, margin of the picture 20.
    assert (target["rect"]["x"], target["rect"]["y"]) == (frame["x"] + 32, frame["y"] + 32)
    assert target["content"] == target["rect"]
    hover(kinds, "#own-frame iframe", y=0.9)
    [target] = find(kinds)
    assert names([target]) == ["image cut-200x400.jpg"]
    assert target["rect"]["y"] + target["rect"]["height"] == frame["y"] + 12 + 200
    assert target["content"]["height"] == 400


def test_in_a_frame_of_another_site_its_own_script_finds_the_picture(kinds: Any, web: Web) -> None:
    hover(kinds, "#frame iframe", y=0.4)
    frame = next(frame for frame in kinds.frames if frame.url.startswith(web.origin("cdn.test")))
    load_modules(frame, web)
    frame.wait_for_selector("img:hover")
    [target] = find(frame)
    assert names([target]) == ["image framed-200x100.jpg"]
    assert (target["rect"]["x"], target["rect"]["y"]) == (20, 20)
    hover(kinds, "#frame iframe", x=BORDER)
    [outer] = find(kinds)
    assert (outer["kind"], outer["element"], outer["content"]) == ("frame", "iframe", None)
    assert (outer["rect"]["width"], outer["rect"]["height"]) == (304, 204)


def test_a_page_without_a_doctype_is_no_different(open_page: Open) -> None:
    page = open_page("quirks.html")
    for selector, expected in {"#veiled i": "image veiled-300x200.jpg", "#back": "background back-300x200.jpg"}.items():
        hover(page, selector)
        assert names(find(page)) == [expected]


def test_a_picture_opened_as_a_page_is_the_target(open_page: Open) -> None:
    page = open_page("p/alone-600x400.png")
    assert names(find(page)) == ["image alone-600x400.png"]
    assert names(find(page, by="focus")) == ["image alone-600x400.png"]


def test_where_nothing_was_pointed_at_a_person_chooses(open_page: Open, web: Web) -> None:
    page = open_page("blank.html")
    assert find(page) == []
    page.evaluate(
        """(base) => {
            const places = [[0, 0, 600, 300], [700, 0, 300, 200], [0, 400, 60, 60], [300, 400, 20, 20]];
            for (const [x, y, width, height] of places) {
                const image = new Image(width, height);
                image.src = `${base}/p/spread-${width}x${height}.png`;
                image.style.cssText = `position: absolute; left: ${x}px; top: ${y}px`;
                document.body.append(image);
            }
            return Promise.all([...document.images].map((image) => image.decode()));
        }""",
        web.origin(),
    )
    page.mouse.move(1100, 700)
    assert names(find(page)) == ["image spread-600x300.png", "image spread-300x200.png", "image spread-60x60.png"]
    assert names(find(page, by="focus")) == ["image spread-600x300.png"]


def test_the_keyboard_finds_what_has_the_focus(kinds: Any) -> None:
    kinds.mouse.move(1279, 1)
    # The picture inside what has the focus; else the nearest one.
    for selector, expected in {"#link-one": "image focused-300x200.jpg", "#plain": "image nearest-300x200.jpg"}.items():
        kinds.evaluate("document.querySelector('#link-one').scrollIntoView({ block: 'center' })")
        kinds.keyboard.press("Shift")
        kinds.evaluate("(selector) => document.querySelector(selector).focus({ focusVisible: true })", selector)
        assert names(find(kinds, by="focus")) == [expected]
    # Clicking leaves the focus behind; a pointer elsewhere says more.
    hover(kinds, "#plain")
    kinds.mouse.down()
    kinds.mouse.up()
    hover(kinds, "#same [data-at]")
    assert names(find(kinds, by="focus")) == ["image same-300x200.png"]
    kinds.evaluate("document.activeElement.blur()")
    assert names(find(kinds, by="focus")) == ["image same-300x200.png"]


def test_a_pinch_is_taken_into_account(open_page: Open) -> None:
    page = open_page("p/alone-600x400.png", viewport={"width": 600, "height": 400})
    page.context.new_cdp_session(page).send("Emulation.setPageScaleFactor", {"pageScaleFactor": 2})
    [target] = find(page)
    assert (target["rect"]["width"], target["rect"]["height"]) == (300, 200)
    assert (target["viewport"]["width"], target["viewport"]["scale"]) == (300, 2)


@pytest.fixture(scope="module", params=[1, 2], ids=["plain screen", "dense screen"])
def fits(request: pytest.FixtureRequest, open_page: Open) -> Any:
    page = open_page("fits.html", viewport={"width": 1200, "height": 1900}, device_scale_factor=request.param)
    page.wait_for_load_state("networkidle")
    return page


def test_all_pixels_lie_where_they_are_said_to_lie(fits: Any, web: Web) -> None:
    """Each picture is painted anew from `content`, cut to `rect`, and compared with the screen."""
    ratio = fits.evaluate("devicePixelRatio")
    original = np.asarray(Image.open(io.BytesIO(web.picture(600, 400, "png"))))
    screen = np.asarray(Image.open(io.BytesIO(fits.screenshot())).convert("RGB"))
    cells = fits.evaluate(
        """() => [...document.querySelectorAll("[data-fit]")].map((element) => {
            const kind = element.localName === "div" ? "background" : "any";
            const [picture] = kind === "background" ? unmask.readBackgrounds(element) : [unmask.readPicture(element)];
            const target = unmask.makeTarget(picture);
            target.natural ??= { width: 600, height: 400 };
            return { rect: target.rect(), content: target.content(), html: element.outerHTML };
        })"""
    )
    assert len(cells) == 20
    for cell in cells:
        rect, content = cell["rect"], cell["content"]
        assert content is not None, cell["html"]
        # Two pixels less on each side: rounding, and smoothing against what lies around.
        left, top = (max(rect[axis], content[axis]) * ratio + 2 for axis in "xy")
        right, bottom = (
            min(rect[axis] + rect[side], content[axis] + content[side]) * ratio - 2
            for axis, side in (("x", "width"), ("y", "height"))
        )
        box = [round(value) for value in (left, top, right, bottom)]
        scale = [content["width"] * ratio / 600, content["height"] * ratio / 400]
        matrix = np.array([[scale[0], 0, content["x"] * ratio - box[0]], [0, scale[1], content["y"] * ratio - box[1]]])
        matrix[:, 2] += (matrix[:, 0] + matrix[:, 1]) / 2 - 0.5
        blurred = cv2.GaussianBlur(original, (0, 0), 0.45 / min(*scale, 1))
        painted = cv2.warpAffine(blurred, matrix, (box[2] - box[0], box[3] - box[1]))
        shown = screen[box[1] : box[3], box[0] : box[2]]
        difference = np.abs(painted.astype(float) - shown).mean()
        moved = np.abs(np.roll(painted, 4, axis=1).astype(float) - shown).mean()
        print(round(difference, 2), round(moved, 2), cell["html"][:120])
        assert difference < 5 and difference < moved, cell["html"]


def test_where_the_pixels_are_no_upright_rectangle_no_place_is_told(fits: Any) -> None:
    places = fits.evaluate(
        """() => [...document.querySelectorAll("[data-none]")].map((element) => {
            const target = unmask.makeTarget(unmask.readPicture(element) ?? unmask.readBackgrounds(element)[0]);
            target.natural ??= { width: 600, height: 400 };
            return target.content();
        })"""
    )
    assert places == [None] * 6


def test_another_picture_in_the_same_element_takes_the_place_away(kinds: Any) -> None:
    hover(kinds, "#same [data-at]")
    [target] = find(kinds)
    assert target["content"] is not None
    assert kinds.evaluate(
        """async () => {
            const image = document.querySelector("#same img");
            const before = image.src;
            image.src = "/p/next-300x200.png";
            await image.decode();
            const place = found[0].content();
            image.src = before;
            await image.decode();
            return place;
        }"""
    ) is None  # fmt: skip


def test_our_own_card_is_no_part_of_the_page(kinds: Any) -> None:
    hover(kinds, "#text [data-at]")
    kinds.evaluate(
        """() => {
            const host = document.createElement("div");
            host.dataset.unmask = "";
            host.style.cssText = "position: fixed; inset: 0";
            host.attachShadow({ mode: "closed" }).innerHTML = "<img src='/p/card-300x200.png' width=300 height=200>";
            document.body.append(host);
        }"""
    )
    try:
        kinds.mouse.move(100, 100)
        assert "image card-300x200.png" not in names(find(kinds))
        assert "image card-300x200.png" not in names(find(kinds, by="focus"))
    finally:
        kinds.evaluate("document.querySelector('[data-unmask]').remove()")


def read(page: Any, call: str) -> dict[str, Any]:
    """Return the pixels that a call brings, or the obstacle that it met."""
    answer: dict[str, Any] = page.evaluate(
        """async (call) => {
            try {
                const { blob, bytes, ...rest } = await (0, eval)(call);
                const data = new Uint8Array(bytes ?? (await blob.arrayBuffer()));
                const text = Array.from(data, (byte) => String.fromCharCode(byte)).join("");
                return { ...rest, type: rest.type ?? blob.type, data: btoa(text) };
            } catch (error) {
                return { obstacle: error.kind ?? String(error) };
            }
        }""",
        call,
    )
    if "data" in answer:
        answer["data"] = base64.b64decode(answer["data"])
    return answer


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


# What is fetched, and the picture that must come.
FETCHED = [
    ("same origin", "/p/same-300x200.png", "p/same-300x200.png"),
    ("data", "data-image", "p/made-300x200.png"),
    ("blob", "blob-image", "p/made-300x200.png"),
    ("another site that lets anybody", "$cdn/p/free-300x200.jpg?open", "p/free-300x200.jpg"),
]


@pytest.mark.parametrize(("name", "source", "expected"), FETCHED, ids=[name for name, *_ in FETCHED])
def test_a_page_fetches_exact_bytes(kinds: Any, web: Web, name: str, source: str, expected: str) -> None:
    address = f"document.getElementById('{source}').src" if source.endswith("-image") else f"'{source}'"
    address = Template(address).substitute(cdn=web.origin("cdn.test"))
    got = read(kinds, f"unmask.fetchInPage(new URL({address}, location).href)")
    width, height, kind = (300, 200, expected[-3:])
    assert got["data"] == web.picture(width, height, kind)
    assert got["type"] == f"image/{kind}"


# What is fetched, the obstacle.
UNFETCHED = [
    ("$cdn/p/closed-300x200.jpg", "unreachable"),
    ("$site/missing.png", "unreachable"),
    ("$site/huge.png", "too_large"),
]


@pytest.mark.parametrize(("address", "obstacle"), UNFETCHED)
def test_what_a_page_may_not_fetch_is_said_to_be_so(kinds: Any, web: Web, address: str, obstacle: str) -> None:
    address = Template(address).substitute(cdn=web.origin("cdn.test"), site=web.origin())
    assert read(kinds, f"unmask.fetchInPage('{address}')") == {"obstacle": obstacle}


# Section, size of the file whose pixels must come.
DRAWN = [
    ("same", (300, 200)),
    ("picture", (600, 400)),
    ("data", (300, 200)),
    ("canvas", (300, 200)),
    ("input", (300, 200)),
    ("object", (300, 200)),
    ("content", (300, 200)),
]


@pytest.mark.parametrize(("section", "size"), DRAWN, ids=[section for section, _ in DRAWN])
def test_drawing_brings_every_pixel_of_the_file(kinds: Any, web: Web, section: str, size: tuple[int, int]) -> None:
    hover(kinds, f"#{section} [data-at]")
    [target] = find(kinds)
    got = read(kinds, "unmask.readCanvas(found[0])")
    assert (got["width"], got["height"], got["type"]) == (*size, "image/png")
    kind = "webp" if section == "picture" else "png"
    assert np.abs(decode(got["data"]) - decode(web.picture(*size, kind))).mean() < 1, target


# Section, the obstacle.
UNDRAWN = [("cross", "tainted"), ("svg", "tainted"), ("closed", "tainted"), ("background", "tainted")]


@pytest.mark.parametrize(("section", "obstacle"), UNDRAWN, ids=[section for section, _ in UNDRAWN])
def test_what_a_page_may_not_read_is_said_to_be_so(kinds: Any, section: str, obstacle: str) -> None:
    hover(kinds, f"#{section} [data-at]")
    find(kinds)
    assert read(kinds, "unmask.readCanvas(found[0])") == {"obstacle": obstacle}


def test_drawings_that_do_not_show_themselves_are_not_taken_for_pictures(kinds: Any) -> None:
    draw = """unmask.readCanvas((() => {
        const element = document.createElement("canvas");
        element.getContext("%s");
        return { kind: "canvas", element, url: null };
    })())"""
    for context in ("2d", "webgl"):
        assert read(kinds, draw % context) == {"obstacle": "blank"}


def test_a_photo_that_lies_on_its_side_is_drawn_upright(kinds: Any, portrait: np.ndarray) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.fromarray(portrait[:400, :300])
    photo.rotate(90, expand=True).save(file, "JPEG", quality=95, exif=exif)
    got = read(
        kinds,
        f"""(async () => {{
            const element = new Image();
            element.src = "data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}";
            await element.decode();
            return unmask.readCanvas({{ kind: "image", element, url: element.currentSrc }});
        }})()""",
    )
    assert (got["width"], got["height"]) == (300, 400)
    assert np.abs(decode(got["data"]) - np.asarray(photo)).mean() < 3


def test_a_huge_picture_is_drawn_smaller(kinds: Any) -> None:
    got = read(
        kinds,
        """(async () => {
            const element = document.createElement("canvas");
            [element.width, element.height] = [6000, 300];
            element.getContext("2d").fillRect(0, 0, 6000, 300);
            return unmask.readCanvas({ kind: "canvas", element, url: null });
        })()""",
    )
    assert (got["width"], got["height"]) == (4096, 205)


@pytest.fixture
def cinema(open_page: Open, films: dict[str, Path]) -> Iterator[Any]:
    if not films:
        pytest.skip("needs ffmpeg to make a film (Debian: apt-get install --no-install-recommends ffmpeg)")
    page = open_page("films.html")
    page.evaluate("streamed")
    page.evaluate("Promise.all([...document.querySelectorAll('#own, #other, #round')].map((one) => one.play()))")
    page.wait_for_function("[...document.querySelectorAll('#own, #other, #round')].every((one) => one.currentTime > 0)")
    yield page
    page.context.close()


# Runs `sampleFrames` and tells of its frames by size and time.
SAMPLE = """async ([id, options, during, capturable]) => {
    const video = document.getElementById(id);
    const counts = [];
    const stop = new AbortController();
    let captures = 0;
    const capture = async () => {
        captures += 1;
        if (capturable === "never" || (capturable === "once" && captures > 1)) throw new Error("the browser refuses");
        const canvas = new OffscreenCanvas(2560, 1440);
        canvas.getContext("2d").fillRect(0, 0, 9, 9);
        return canvas.convertToBlob();
    };
    const sampling = unmask.sampleFrames(video, {
        ...options,
        signal: stop.signal,
        onFrame: (done, of) => {
            counts.push([done, of]);
            if (done === 2) new Function("video", "stop", during)(video, stop);
        },
        ...(capturable ? { capture } : {}),
    });
    const result = await sampling.catch((error) => ({ obstacle: error.kind ?? String(error) }));
    if (result.obstacle) return result;
    const frames = [];
    for (const { time, image } of result.frames) {
        const bitmap = await createImageBitmap(image);
        frames.push({ time, type: image.type, width: bitmap.width, height: bitmap.height });
    }
    return { frames, ended: result.ended, counts, paused: video.paused, time: video.currentTime };
}"""


def sample(page: Any, video: str, during: str = "", capture: str = "", **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate(SAMPLE, [video, {"count": 5, "seconds": 1, **options}, during, capture])
    if "frames" in answer:
        times = [frame["time"] for frame in answer["frames"]]
        assert times == sorted(set(times))
    return answer


@pytest.mark.parametrize("video", ["own", "streamed", "captured"])
def test_frames_are_taken_while_a_video_plays(cinema: Any, video: str) -> None:
    if video == "captured":
        cinema.evaluate("captured()")
    cinema.evaluate("(id) => document.getElementById(id).play()", video)
    cinema.wait_for_function("(id) => document.getElementById(id).currentTime > 0", arg=video)
    answer = sample(cinema, video)
    assert answer["ended"] == "done"
    assert answer["counts"] == [[number, 5] for number in range(1, 6)]
    assert {(one["type"], one["width"], one["height"]) for one in answer["frames"]} == {("image/jpeg", 320, 180)}
    # Evenly: neither all at once nor in one place.
    assert answer["frames"][-1]["time"] - answer["frames"][0]["time"] > 0.5
    assert answer["paused"] is False


def test_the_frame_of_a_running_video_is_the_one_on_the_screen(cinema: Any) -> None:
    cinema.evaluate("document.querySelector('#own').pause()")
    hover(cinema, "#own")
    [target] = find(cinema)
    assert (target["kind"], target["playing"], target["live"]) == ("video", False, False)
    got = read(cinema, "unmask.readCanvas(found[0])")
    shown = cinema.locator("#own").screenshot()
    assert (got["width"], got["height"], got["type"]) == (320, 180, "image/png")
    assert np.abs(decode(got["data"]) - decode(shown)).mean() < 2


def test_a_streamed_video_has_no_address_and_still_gives_its_frame(cinema: Any) -> None:
    cinema.evaluate("document.querySelector('#streamed').play()")
    cinema.wait_for_function("document.querySelector('#streamed').currentTime > 0")
    hover(cinema, "#streamed")
    [target] = find(cinema, srcUrl="")
    assert (target["kind"], target["url"], target["playing"], target["live"]) == ("video", None, True, True)
    assert names(find(cinema, srcUrl=cinema.evaluate("document.querySelector('#streamed').src"))) == ["video -"]
    assert read(cinema, "unmask.readCanvas(found[0])")["width"] == 320


def test_a_video_of_another_site_is_captured_from_the_screen(cinema: Any) -> None:
    answer = sample(cinema, "other", capture="always", count=3)
    assert answer["ended"] == "done"
    assert [(one["type"], one["width"], one["height"]) for one in answer["frames"]] == [("image/jpeg", 1280, 720)] * 3
    assert sample(cinema, "other") == {"obstacle": "tainted"}
    assert sample(cinema, "other", capture="never") == {"obstacle": "unreachable"}
    once = sample(cinema, "other", capture="once")
    assert (once["ended"], len(once["frames"])) == ("refused", 1)


# What happens after the second frame, how the sampling ends.
ENDINGS = [
    ("video.pause()", "paused", 2),
    ("stop.abort()", "stopped", 2),
    ("video.remove()", "gone", 2),
    ("video.src = '/short.webm'", "gone", 2),
]


@pytest.mark.parametrize(("during", "ended", "count"), ENDINGS, ids=[during for during, *_ in ENDINGS])
def test_sampling_ends_when_the_video_does_not_go_on(cinema: Any, during: str, ended: str, count: int) -> None:
    answer = sample(cinema, "own", during)
    assert (answer["ended"], len(answer["frames"])) == (ended, count)


def test_the_end_of_a_film_ends_the_sampling(cinema: Any) -> None:
    cinema.evaluate(
        """() => {
            const video = document.querySelector("#own");
            video.currentTime = video.duration - 0.5;
            return new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
        }"""
    )
    answer = sample(cinema, "own", count=50, seconds=60)
    assert answer["ended"] == "ended"
    assert len(answer["frames"]) >= 1
    # A film that is over shows its last frame.
    assert len(sample(cinema, "own")["frames"]) == 1


def test_a_paused_video_gives_the_frame_that_it_shows_and_stays_paused(cinema: Any) -> None:
    cinema.evaluate("document.querySelector('#own').pause()")
    before = cinema.evaluate("document.querySelector('#own').currentTime")
    answer = sample(cinema, "own")
    assert (answer["ended"], len(answer["frames"]), answer["paused"]) == ("paused", 1, True)
    assert answer["time"] == before


def test_a_short_film_that_goes_round_is_sampled_once_round(cinema: Any) -> None:
    answer = sample(cinema, "round", count=200, seconds=6)
    assert answer["ended"] == "looped"
    assert len(answer["frames"]) >= 2
    assert all(0 <= one["time"] <= 1 for one in answer["frames"])


def start_area(page: Any, container: str = "html") -> Any:
    """Begin to mark an area; return the frame that the layer is in."""
    page.evaluate(
        """([words, container]) => {
            const types = ["pointerdown", "pointermove", "pointerup", "mousedown", "click", "keydown", "keyup"];
            if (!globalThis.heard) {
                for (const type of types) addEventListener(type, () => heard.push(type), true);
            }
            globalThis.heard = [];
            const strings = { card: { area: words }, locale: "en", direction: "ltr" };
            const options = { strings, container: document.querySelector(container) };
            globalThis.area = unmask.selectArea(options).then((rect) => rect?.toJSON() ?? null);
        }""",
        [WORDS, container],
    )
    page.wait_for_selector("[data-unmask]", state="attached")
    frame = page.frames[-1]
    frame.wait_for_selector(".mark:focus")
    return frame


def end_area(page: Any) -> Any:
    rect = page.evaluate("area")
    assert page.locator("[data-unmask]").count() == 0
    return rect and [rect[side] for side in ("x", "y", "width", "height")]


@pytest.fixture(scope="module", params=["blank.html", "blank.html?strict", "quirks.html"])
def paper(request: pytest.FixtureRequest, open_page: Open) -> Any:
    page = open_page(request.param)
    page.evaluate("scrollTo(0, 0)")
    return page


def drag(page: Any, *points: tuple[int, int]) -> None:
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=3)
    page.mouse.up()


def test_an_area_is_dragged_in_any_direction(paper: Any) -> None:
    start_area(paper)
    drag(paper, (500, 400), (200, 150))
    assert end_area(paper) == [200, 150, 300, 250]
    assert paper.evaluate("heard") == []


def test_an_area_is_set_by_two_clicks(paper: Any) -> None:
    start_area(paper)
    paper.mouse.click(100, 120)
    paper.mouse.click(260, 300)
    assert end_area(paper) == [100, 120, 160, 180]
    assert paper.evaluate("heard") == []


def test_an_area_that_is_too_small_is_not_taken(paper: Any) -> None:
    frame = start_area(paper)
    drag(paper, (100, 100), (300, 120))
    sync_api.expect(frame.get_by_role("status")).to_have_text("At least 32 by 32")
    drag(paper, (100, 100), (300, 200))
    assert end_area(paper) == [100, 100, 200, 100]


def test_an_area_is_marked_with_the_keyboard(paper: Any) -> None:
    frame = start_area(paper)
    # It begins with two fifths of 800, at 480, 168.
    for key in ["ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown"]:
        paper.keyboard.press(key)
    words = "336 by 352, 464 from the left, 152 from the top"
    sync_api.expect(frame.get_by_role("status")).to_have_text(words)
    paper.keyboard.press("Enter")
    assert end_area(paper) == [464, 152, 336, 352]
    assert paper.evaluate("heard") == []


def test_the_area_can_be_given_up(paper: Any) -> None:
    start_area(paper)
    paper.keyboard.press("Escape")
    assert end_area(paper) is None
    frame = start_area(paper)
    frame.get_by_role("button", name="Cancel").click()
    assert end_area(paper) is None
    # Tab goes round within the layer.
    frame = start_area(paper)
    for role, name in [("button", "Check this area"), ("button", "Cancel"), ("application", "Select an area")]:
        paper.keyboard.press("Tab")
        sync_api.expect(frame.get_by_role(role, name=name)).to_be_focused()
    frame.get_by_role("button", name="Check this area").click()
    assert end_area(paper) == [480, 168, 320, 320]


def test_a_page_that_takes_the_layer_away_ends_the_marking(paper: Any) -> None:
    start_area(paper)
    paper.evaluate("document.querySelector('[data-unmask]').remove()")
    assert end_area(paper) is None


def test_the_focus_goes_back_to_where_it_was(paper: Any) -> None:
    paper.evaluate(
        """() => {
            const button = document.createElement("button");
            button.id = "mine";
            document.body.append(button);
            button.focus({ preventScroll: true });
        }"""
    )
    start_area(paper)
    paper.keyboard.press("Escape")
    end_area(paper)
    assert paper.evaluate("document.activeElement.id") == "mine"
    paper.evaluate("document.activeElement.remove()")


def test_an_area_is_marked_with_a_finger(open_page: Open) -> None:
    page = open_page("blank.html", has_touch=True)
    start_area(page)
    page.touchscreen.tap(100, 100)
    page.touchscreen.tap(300, 240)
    assert end_area(page) == [100, 100, 200, 140]
    assert page.evaluate("heard") == []


def test_over_a_modal_dialog_the_layer_is_alive(open_page: Open) -> None:
    page = open_page("blank.html")
    page.evaluate(
        """() => {
            const dialog = document.createElement("dialog");
            dialog.style.transform = "scale(.5)";
            document.body.append(dialog);
            dialog.showModal();
        }"""
    )
    start_area(page, "dialog")
    drag(page, (50, 60), (250, 160))
    assert end_area(page) == [50, 60, 200, 100]
    assert page.evaluate("document.querySelector('dialog').open")


def test_a_page_in_a_sandbox_gets_a_layer_as_well(open_page: Open) -> None:
    page = open_page("blank.html?sandboxed")
    page.evaluate(
        """(words) => {
            const options = { strings: { card: { area: words } } };
            globalThis.area = unmask.selectArea(options).then((rect) => rect?.toJSON());
        }""",
        WORDS,
    )
    page.wait_for_selector("[data-unmask]:focus", state="attached")
    drag(page, (50, 60), (250, 160))
    assert end_area(page) == [50, 60, 200, 100]


@pytest.mark.parametrize("forced", ["none", "active"])
def test_the_layer_stands_out_from_any_page(open_page: Open, forced: str) -> None:
    """A line of the frame is light and one is dark, whatever lies below."""
    page = open_page("blank.html", forced_colors=forced, color_scheme="dark")
    for colour in ("#fff", "#000", "#808080"):
        page.evaluate("(colour) => { document.body.style.background = colour }", colour)
        frame = start_area(page)
        frame.wait_for_function("innerWidth > 0")
        shot = decode(page.screenshot())
        # Across the left edge of the first frame, at the middle of its height.
        edge = shot[400, 472:492].mean(axis=1)
        assert edge.max() - edge.min() > 120, (colour, forced)
        page.keyboard.press("Escape")
        end_area(page)


def test_among_thousands_of_pictures_the_right_one_is_found(open_page: Open, web: Web) -> None:
    page = open_page("blank.html")
    page.evaluate(
        """(base) => {
            for (let row = 0; row < 2000; row += 1) {
                const card = document.createElement("article");
                card.style.cssText = "position: relative; overflow: hidden; height: 120px";
                const depth = Array.from({ length: 8 }, () => document.createElement("div"));
                depth.reduce((outer, inner) => (outer.append(inner), inner), card).append(
                    Object.assign(new Image(180, 120), { src: `${base}/p/many-180x120.jpg` }));
                const cover = document.createElement("a");
                cover.style.cssText = "position: absolute; inset: 0";
                card.append(cover);
                document.body.append(card);
            }
        }""",
        web.origin(),
    )
    page.mouse.move(90, 300)
    assert names(find(page)) == ["image many-180x120.jpg"]

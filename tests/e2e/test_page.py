"""The page in a real browser: what a person sees, hears and presses."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend import clips
from tests.e2e.page_server import MODEL, Answer, PageServer

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install unmask[dev]")
expect = sync_api.expect

AXE = Path(__file__).parents[2] / "extension" / "node_modules" / "axe-core" / "axe.min.js"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CHECK_ID = "0123456789abcdef0123456789abcdef"
FACE_BOX = [178.0, 62.0, 92.0, 118.0]
CROP_BOX = [130.0, 27.0, 189.0, 189.0]
# Raised at the upper left, lowered at the bottom.
GRID = [
    [3.6, 2.0, 0.4, 0.1, 0.0],
    [2.6, 1.4, 0.3, 0.1, 0.0],
    [0.4, 0.3, 0.1, 0.0, -0.2],
    [0.1, -0.3, -0.6, -0.3, -0.2],
    [0.0, -0.8, -2.4, -0.9, 0.0],
]


def face(probability: float, verdict: str, shift: float = 0, **changes: Any) -> dict[str, Any]:
    """Return one face of an answer, moved to the right by `shift` px."""
    return {
        "box": [FACE_BOX[0] + shift, *FACE_BOX[1:]],
        "detection_confidence": 0.99,
        "fake_probability": probability,
        "verdict": verdict,
        "evidence": {"grid": GRID, "box": [CROP_BOX[0] + shift, *CROP_BOX[1:]]},
        **changes,
    }


def check(*faces: dict[str, Any], width: int = 512, **changes: Any) -> Answer:
    """Return an answer whose verdict is that of the first face."""
    return Answer(
        {
            "id": CHECK_ID,
            "verdict": faces[0]["verdict"] if faces else "no_face",
            "fake_probability": faces[0]["fake_probability"] if faces else None,
            "reasons": [],
            "faces": list(faces),
            "media": {
                "kind": "image",
                "sha256": SHA256,
                "width": width,
                "height": 512,
                "format": "png",
                "frames": 1,
            },
            "model": {"name": MODEL["name"], "version": MODEL["version"]},
            "checked_at": "2025-03-04T05:06:07Z",
            "cached": False,
            "timing_ms": {"decode": 4.0, "faces": 30.0, "detector": 3.0},
            **changes,
        }
    )


FAKE = check(face(0.93, "likely_fake"))
REAL = check(face(0.04, "no_traces"))
TINY = check(face(0.97, "uncertain"), reasons=["face_too_small", "solar_flare"])
NO_FACE = check()
CACHED = check(face(0.04, "no_traces"), cached=True)
PAIR = check(face(0.93, "likely_fake"), face(0.46, "uncertain", 564), width=1024)


def refusal(status: int, message: str = "", **headers: str) -> Answer:
    """Return an answer that is a failure."""
    return Answer({"error": {"code": "some_code", "message": message}} if message else None, status, headers)


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, server: PageServer) -> Iterator[Open]:
    """Opens the page; at the end nothing may have broken the content policy or left the origin."""
    contexts, complaints, strangers = [], [], []

    def hear(message: Any) -> None:
        # A refused check is reported by the browser itself.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def watch(request: Any) -> None:
        if not request.url.startswith((server.address, f"blob:{server.origin}/")):
            strangers.append(request.url)

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        context.on("request", watch)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.expose_function("complain", lambda words: complaints.append(words))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => complain(e.violatedDirective + e.blockedURI))"
        )
        page.goto(server.address)
        expect(page.locator("#covers li")).to_have_count(len(MODEL["covers"]))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert strangers == []


@pytest.fixture
def page(open_page: Open) -> Any:
    return open_page()


def choose(page: Any, data: bytes, *names: str) -> None:
    """Choose pictures as a person does: press the button, answer the dialogue."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    files = [{"name": name, "mimeType": "image/png", "buffer": data} for name in names or ("portrait.png",)]
    chooser.value.set_files(files)


def drop(page: Any, files: list[tuple[str, str, bytes]]) -> None:
    """Drop files, each (name, media type, bytes), on the heading: anywhere on the page will do."""
    parcels = [[name, media_type, base64.b64encode(data).decode()] for name, media_type, data in files]
    page.evaluate(
        """parcels => {
            const dataTransfer = new DataTransfer();
            for (const [name, type, text] of parcels) {
                const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
                dataTransfer.items.add(new File([bytes], name, { type }));
            }
            const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
            document.querySelector("h1").dispatchEvent(event);
            if (!event.defaultPrevented) throw new Error("the browser would leave the page");
        }""",
        parcels,
    )


def point(frame: int, probability: float) -> dict[str, Any]:
    verdict = "likely_fake" if probability > 0.8 else "uncertain"
    told = face(probability, verdict, 10 * frame)
    return {key: told[key] for key in ("box", "fake_probability", "verdict", "evidence")} | {
        "frame": frame,
        "time": frame / 25,
    }


def test_of_a_video_a_chosen_point_shows_its_frame_and_map(page: Any, server: PageServer, tmp_path: Path) -> None:
    frames = (np.full((512, 512, 3), (8 * n, 90, 60), np.uint8) for n in range(25))
    film = clips.write_clip(tmp_path / "film.mp4", frames)
    clips.ffmpeg("-i", film, "-c:v", "libx264", "-pix_fmt", "yuv420p", tmp_path / "clip.mp4")
    points = [point(frame, probability) for frame, probability in ((0, 0.5), (10, 0.9), (20, 0.97))]
    told = check(face(0.93, "likely_fake")).body
    track = {"fake_probability": 0.93, "verdict": "likely_fake", "reasons": [], "worst": 2, "best": 0, "points": points}
    media = {**told["media"], "kind": "video", "format": "mp4", "frames": 25}
    server.answers = [Answer({**told, "media": media, "tracks": [track], "coverage": {"frames": 25, "usable": 3}})]
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files(tmp_path / "clip.mp4")
    card = page.get_by_role("article", name="clip.mp4")
    expect(card.locator(".unmask-headline")).to_have_text("Likely fake")
    (sent,) = checks(server)
    assert (sent.path.endswith("v2/checks/video"), sent.media_type) == (True, "video/mp4")
    assert sent.body == (tmp_path / "clip.mp4").read_bytes()

    video, buttons = card.locator("video"), card.locator(".unmask-point")
    expect(card).to_contain_text("A face could be judged in 3 of 25 frames.")
    # The highest one first, then the one that is pressed: its frame, its face, its map.
    for index in (2, 1):
        if index == 1:
            buttons.nth(1).click()
        expect(buttons.nth(index)).to_have_attribute("aria-pressed", "true")
        page.wait_for_function("v => !v.seeking && v.readyState >= 2", arg=video.element_handle())
        assert video.evaluate("v => Math.floor(v.currentTime * 25)") == points[index]["frame"]
        expect(card.locator(".unmask-face")).to_have_count(1)
        left = card.locator(".unmask-face").evaluate("b => parseFloat(b.style.left)")
        assert left == pytest.approx(points[index]["box"][0] / 5.12)
        expect(card.locator(".unmask-map canvas")).to_be_visible()


def test_a_moving_picture_can_be_checked_as_a_clip(page: Any, server: PageServer) -> None:
    still = check(face(0.93, "likely_fake")).body
    server.answers = [Answer({**still, "media": {**still["media"], "format": "gif", "frames": 9}})]
    drop(page, [("wave.gif", "image/gif", b"GIF89a")])
    card = page.get_by_role("article", name="wave.gif")
    expect(card).to_contain_text("only its first frame was judged")
    card.get_by_role("button", name="Check the clip").click()
    expect(card.locator(".unmask-headline")).to_be_visible()
    assert [asked.path.rpartition("/")[2] for asked in checks(server)] == ["image", "video"]


def checks(server: PageServer) -> list[Any]:
    return [asked for asked in server.asked if asked.method == "POST"]


@pytest.mark.parametrize(
    ("answer", "headline", "figure", "also"),
    [
        (
            FAKE,
            "Likely fake",
            "93% estimated probability that it is fake",
            "looks machine-made or manipulated",
        ),
        (
            REAL,
            "No traces found",
            "4% estimated probability that it is fake, by a model that misses what it does not know",
            "Nothing that this model knows. That does not make it genuine.",
        ),
        (TINY, "Uncertain", "97% estimated probability that it is fake", "The face is very small"),
        (NO_FACE, "No face found", None, "has no opinion on this picture"),
        (CACHED, "No traces found", "4%", "This exact file was checked before."),
        (TINY, "Uncertain", "97%", "solar_flare"),
        (
            PAIR,
            "Likely fake",
            "93% estimated probability that face 1, which decided the verdict, is fake",
            "Face 2",
        ),
    ],
    ids=["fake", "real", "tiny face", "no face", "cached", "unknown reason", "two faces"],
)
def test_a_chosen_picture_gets_its_verdict_in_words(
    page: Any,
    server: PageServer,
    portrait_file: bytes,
    answer: Answer,
    headline: str,
    figure: str | None,
    also: str,
) -> None:
    server.answers = [answer]
    choose(page, portrait_file)
    card = page.get_by_role("article", name="portrait.png")
    expect(card.get_by_role("heading", level=3)).to_have_text(headline)
    expect(card).to_contain_text(also)
    if figure is None:
        expect(card.locator(".unmask-probability, .unmask-scale")).to_have_count(0)
    else:
        expect(card.locator(".unmask-probability")).to_contain_text(figure)
    expect(card).to_contain_text(SHA256)
    expect(card).to_contain_text(f"{MODEL['name']} {MODEL['version']}")
    expect(card.locator("time")).to_have_attribute("datetime", "2025-03-04T05:06:07Z")


def test_the_file_is_sent_byte_for_byte(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [REAL]
    choose(page, portrait_file)
    expect(page.locator("[data-state=verdict]")).to_have_count(1)
    (asked,) = checks(server)
    assert (asked.path, asked.media_type, asked.body) == (
        "/stage/v2/checks/image",
        "image/png",
        portrait_file,
    )


def test_dropped_pictures_are_checked(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [FAKE, REAL]
    drop(page, [("one.png", "image/png", portrait_file), ("two.png", "image/png", portrait_file)])
    expect(page.get_by_role("article", name="one.png")).to_contain_text("Likely fake")
    expect(page.get_by_role("article", name="two.png")).to_contain_text("No traces found")


def test_a_drop_without_a_picture_is_explained(page: Any, server: PageServer) -> None:
    drop(page, [])
    expect(page.get_by_role("alert")).to_contain_text("Save the picture or video first")
    assert checks(server) == []


def test_a_document_is_refused_without_being_sent(page: Any, server: PageServer) -> None:
    drop(page, [("letter.pdf", "application/pdf", b"%PDF-1.7")])
    expect(page.get_by_role("article", name="letter.pdf")).to_contain_text("Nothing that can be opened")
    assert checks(server) == []


def test_a_pasted_picture_is_checked(open_page: Open, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [REAL]
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async text => {
            const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
            const picture = new Blob([bytes], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
        }""",
        base64.b64encode(portrait_file).decode(),
    )
    page.keyboard.press("Control+V")
    expect(page.get_by_role("article", name="Pasted picture")).to_contain_text("No traces found")


def test_pasted_words_are_explained(open_page: Open, server: PageServer) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('a picture, in words')")
    page.keyboard.press("Control+V")
    expect(page.get_by_role("alert")).to_contain_text("The clipboard holds no picture.")


def test_pictures_are_checked_one_after_another(page: Any, server: PageServer, portrait_file: bytes) -> None:
    gates = [threading.Event(), threading.Event()]
    server.answers = [Answer(FAKE.body, gate=gates[0]), Answer(REAL.body, gate=gates[1])]
    choose(page, portrait_file, "one.png", "two.png")
    one, two = (page.get_by_role("article", name=name) for name in ("one.png", "two.png"))
    expect(one).to_contain_text("Checking …")
    expect(two).to_contain_text("Waiting for its turn")
    while not checks(server):  # said before it is sent
        page.wait_for_timeout(20)
    assert len(checks(server)) == 1
    gates[0].set()
    expect(one).to_contain_text("Likely fake")
    expect(two).to_contain_text("Checking …")
    gates[1].set()
    expect(two).to_contain_text("No traces found")


def test_no_more_pictures_than_promised_are_taken(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [NO_FACE]
    choose(page, portrait_file, *(f"{number}.png" for number in range(12)))
    expect(page.get_by_role("alert")).to_contain_text("Only the first 10 of 12 files were taken")
    expect(page.locator("[data-state=verdict]")).to_have_count(10)
    assert len(checks(server)) == 10


def test_progress_and_verdict_are_announced(page: Any, server: PageServer, portrait_file: bytes) -> None:
    gate = threading.Event()
    server.answers = [Answer(FAKE.body, gate=gate)]
    status = page.locator("#status")
    expect(status).to_have_attribute("role", "status")
    choose(page, portrait_file)
    expect(status).to_have_text("Checking portrait.png.")
    gate.set()
    expect(status).to_have_text("portrait.png: Likely fake. Estimated probability that it is fake: 93 percent.")


def test_a_slow_check_says_that_it_goes_on_and_can_be_stopped(
    open_page: Open, server: PageServer, portrait_file: bytes
) -> None:
    gate = threading.Event()
    server.answers = [Answer(FAKE.body, gate=gate)]
    page = open_page()
    page.clock.install()
    choose(page, portrait_file)
    card = page.get_by_role("article")
    expect(card).to_contain_text("Checking …")
    page.clock.run_for(6000)
    expect(card).to_contain_text("Still checking.")
    card.get_by_role("button", name="Stop").click()
    expect(card).to_contain_text("You stopped this check")
    gate.set()


def test_boxes_lie_on_the_faces(page: Any, server: PageServer, pair_file: bytes) -> None:
    server.answers = [PAIR]
    choose(page, pair_file)
    labels = ["Face 1 of 2, Likely fake · 93% fake", "Face 2 of 2, Uncertain · 46% fake"]
    image = page.locator(".unmask-stage img")
    expect(image).to_be_visible()
    frame = image.bounding_box()
    for label, left in zip(labels, (178, 178 + 564), strict=True):
        box = page.get_by_role("button", name=label).bounding_box()
        scale = frame["width"] / 1024
        assert frame["height"] / 512 == pytest.approx(scale, rel=0.01)
        found = [
            (box["x"] - frame["x"]) / scale,
            (box["y"] - frame["y"]) / scale,
            box["width"] / scale,
            box["height"] / scale,
        ]
        assert found == pytest.approx([left, 62, 92, 118], abs=1)


@pytest.mark.parametrize(
    ("shift", "shown"),
    [
        (None, ["Likely fake · 93% fake"]),
        (564, ["93% fake", "46% fake"]),
        (60, ["", ""]),
    ],
    ids=["alone", "close", "crowded"],
)
def test_words_on_the_faces_give_way_before_they_cover_each_other(
    page: Any, server: PageServer, pair_file: bytes, shift: float | None, shown: list[str]
) -> None:
    others = [] if shift is None else [face(0.46, "uncertain", shift)]
    server.answers = [check(face(0.93, "likely_fake"), *others, width=1024)]
    choose(page, pair_file)
    chips = page.locator(".unmask-chip")
    for number, words in enumerate(shown, start=1):
        chip = chips.nth(number - 1)
        expect(chip).to_have_text(words, use_inner_text=True)
        content = "none" if shift is None else f'"{number}"'
        assert chip.evaluate("chip => getComputedStyle(chip, '::before').content") == content
    rows = ["Likely fake93% fake", "Uncertain46% fake"] if others else []
    expect(page.locator(".unmask-faces li")).to_contain_text(rows)


def test_faces_can_be_reached_and_mapped_by_keyboard_alone(
    page: Any, server: PageServer, portrait_file: bytes, tmp_path: Path
) -> None:
    server.answers = [FAKE]
    path = tmp_path / "portrait.png"
    path.write_bytes(portrait_file)
    # The browser starts to listen for the dialogue in the background; a press at once can come too early.
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Choose pictures")).to_be_focused()
        page.keyboard.press("Enter")
    chooser.value.set_files(path)
    button = page.get_by_role("button", name="Face 1 of 1, Likely fake · 93% fake")
    canvas = page.locator(".unmask-layer canvas")
    expect(button).to_be_visible()
    expect(canvas).to_be_hidden()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    expect(canvas).to_be_visible()
    words = "Areas that raised the score: most at the upper left. Areas that lowered the score: most at the bottom."
    expect(button).to_have_accessible_description(words)
    expect(page.locator(".unmask-caption")).to_have_text(f"Face 1. {words}")
    page.keyboard.press("Escape")
    expect(canvas).to_be_hidden()
    page.keyboard.press("Enter")
    expect(canvas).to_be_visible()
    page.keyboard.press("Tab")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(canvas).to_be_visible()


def test_the_map_covers_the_crop_and_is_orange_where_the_score_was_raised(
    page: Any, server: PageServer, portrait_file: bytes
) -> None:
    server.answers = [FAKE]
    choose(page, portrait_file)
    page.get_by_role("button", name="Face 1").hover()
    canvas = page.locator(".unmask-layer canvas")
    frame, box = page.locator(".unmask-stage img").bounding_box(), canvas.bounding_box()
    scale = frame["width"] / 512
    found = [(box["x"] - frame["x"]) / scale, (box["y"] - frame["y"]) / scale, box["width"] / scale]
    assert found == pytest.approx([130, 27, 189], abs=1)
    raised, lowered = canvas.evaluate(
        """canvas => [[8, 8], [80, 152]].map(([x, y]) =>
            [...canvas.getContext("2d").getImageData(x, y, 1, 1).data])"""
    )
    assert raised[0] > raised[2] and raised[3] > 100
    assert lowered[2] > lowered[0] and lowered[3] > 60
    page.mouse.move(1, 1)
    expect(canvas).to_be_hidden()


def test_a_tap_shows_the_map_and_another_takes_it_away(
    open_page: Open, server: PageServer, portrait_file: bytes
) -> None:
    server.answers = [FAKE]
    page = open_page(has_touch=True, viewport={"width": 390, "height": 800})
    choose(page, portrait_file)
    canvas = page.locator(".unmask-layer canvas")
    button = page.get_by_role("button", name="Face 1")
    button.tap()
    expect(canvas).to_be_visible()
    button.tap()
    expect(canvas).to_be_hidden()


@pytest.mark.parametrize(
    ("answer", "title", "explanation"),
    [
        (Answer(hang_up=True), "No connection", "could not be reached"),
        (refusal(429, **{"Retry-After": "7"}), "The service is busy", "wait 7 s"),
        (refusal(503, "The store does not answer."), "The service is busy", "The store does not answer."),
        (refusal(413, "The picture is larger than 20 MB."), "The file is too large", "larger than 20 MB"),
        (refusal(415), "Nothing that can be opened", "JPEG, PNG or WebP"),
        (refusal(422, "The picture is empty."), "The file cannot be read", "The picture is empty."),
        (refusal(500), "The service failed", "not with the picture"),
        (refusal(504), "No answer in time", "took too long"),
        (Answer({"hello": "I am a proxy"}), "The service failed", "not with the picture"),
    ],
    ids=["offline", "429", "503", "413", "415", "422", "500", "504", "no verdict"],
)
def test_a_failure_says_what_happened_and_retry_checks_again(
    page: Any, server: PageServer, portrait_file: bytes, answer: Answer, title: str, explanation: str
) -> None:
    server.answers = [answer]
    choose(page, portrait_file)
    card = page.get_by_role("article", name="portrait.png")
    expect(card.get_by_role("heading", level=3)).to_have_text(title)
    expect(card).to_contain_text(explanation)
    expect(card).to_contain_text("this says nothing about it")
    expect(card.locator(".unmask")).to_have_count(0)
    expect(page.locator("#status")).to_contain_text("Not a verdict.")
    server.answers = [REAL]
    card.get_by_role("button", name="Retry").click()
    expect(card.get_by_role("heading", level=3)).to_have_text("No traces found")
    assert checks(server)[-1].body == portrait_file


def test_retry_keeps_the_focus_on_its_card(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [refusal(500), REAL]
    choose(page, portrait_file)
    page.get_by_role("button", name="Retry").press("Enter")
    expect(page.get_by_role("heading", level=2, name="portrait.png")).to_be_focused()
    expect(page.get_by_role("article")).to_contain_text("No traces found")


def test_a_failed_picture_can_be_removed(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [refusal(500)]
    choose(page, portrait_file)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("article")).to_have_count(0)


def test_a_check_is_forgotten(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [FAKE]
    choose(page, portrait_file)
    page.get_by_role("button", name="Forget this check").click()
    farewell = page.get_by_text("portrait.png: forgotten.")
    expect(farewell).to_be_focused()
    expect(page.get_by_role("article")).to_have_count(0)
    assert [(asked.method, asked.path) for asked in server.asked][-1] == (
        "DELETE",
        f"/stage/v2/checks/{CHECK_ID}",
    )


def test_a_check_that_cannot_be_forgotten_stays(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers, server.forget = [FAKE], refusal(503)
    choose(page, portrait_file)
    page.get_by_role("button", name="Forget this check").click()
    expect(page.get_by_role("article")).to_contain_text("This check could not be forgotten.")


def test_what_needs_a_sign_in_is_left_to_the_extension(page: Any, server: PageServer, portrait_file: bytes) -> None:
    place = {"endpoint": "https://cognito-idp.eu-central-1.amazonaws.com/", "client_id": "c1"}
    server.answers, server.health = [FAKE], {"flags": True, "sign_in": place}
    choose(page, portrait_file)
    article = page.get_by_role("article")
    expect(article).to_contain_text("asks for a sign-in, which the extension has")
    expect(article.get_by_role("button", name="Copy report")).to_be_visible()
    for name in ("Flag for re-check", "Forget this check"):
        expect(article.get_by_role("button", name=name)).to_have_count(0)


def test_the_report_can_be_copied(open_page: Open, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [FAKE]
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    choose(page, portrait_file)
    page.get_by_role("button", name="Copy report").click()
    expect(page.get_by_text("Report copied.")).to_be_visible()
    report = page.evaluate("navigator.clipboard.readText()")
    for part in ("Likely fake", "93%", SHA256, "2025-03-04T05:06:07Z", MODEL["version"], *MODEL["limits"]):
        assert part in report
    # Whoever holds the id can delete the check.
    assert CHECK_ID not in report


def test_the_report_can_be_taken_where_copying_is_not_allowed(
    page: Any, server: PageServer, portrait_file: bytes
) -> None:
    server.answers = [FAKE]
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    choose(page, portrait_file)
    page.get_by_role("button", name="Copy report").click()
    text = page.get_by_role("textbox")
    expect(text).to_be_focused()
    assert SHA256 in text.input_value()


def test_names_and_sentences_from_outside_are_text_not_markup(
    page: Any, server: PageServer, portrait_file: bytes
) -> None:
    markup = "<img src=x onerror=complain('ran')>"
    model = {"name": markup, "version": markup}
    server.answers = [check(face(0.9, "likely_fake"), reasons=[markup], model=model)]
    drop(page, [(f"{markup}.png", "image/png", portrait_file)])
    expect(page.locator(".unmask-reasons li")).to_have_text(markup)
    expect(page.locator("#results img")).to_have_count(1)


def test_a_verdict_is_drawn_even_when_the_bands_are_unknown(
    open_page: Open, server: PageServer, portrait_file: bytes
) -> None:
    page = open_page()
    server.model, server.answers = Answer(status=500), [FAKE]
    page.reload()
    expect(page.locator("#model-state")).to_contain_text("could not be loaded")
    choose(page, portrait_file)
    expect(page.get_by_role("article")).to_contain_text("Likely fake")
    expect(page.get_by_role("img", name="Scale from 0 to 100 percent fake. This picture: 93 percent.")).to_be_visible()
    server.model = Answer(MODEL)
    page.locator("#model-state").get_by_role("button", name="Retry").click()
    expect(page.locator("#limits li")).to_have_count(len(MODEL["limits"]))


def test_a_picture_that_the_browser_cannot_show_still_has_its_verdict(page: Any, server: PageServer) -> None:
    server.answers = [FAKE]
    choose(page, b"a format of tomorrow")
    expect(page.get_by_role("article")).to_contain_text("This browser cannot show this picture.")
    expect(page.get_by_role("button", name="Face 1")).to_be_visible()


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_a_narrow_screen_needs_no_sideways_scrolling(
    open_page: Open, server: PageServer, pair_file: bytes, direction: str
) -> None:
    server.answers = [PAIR, TINY, refusal(503, "x" * 90)]
    page = open_page(viewport={"width": 320, "height": 640})
    page.evaluate("direction => document.documentElement.dir = direction", direction)
    choose(page, pair_file, "one.png", "two.png", f"{'long' * 30}.png")
    expect(page.locator("[data-state=failure]")).to_have_count(1)
    page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
    wide = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .map(element => [element.getBoundingClientRect(), element.outerHTML.slice(0, 120)])
            .filter(([box]) => box.right > innerWidth + 1 || box.left < -1)"""
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier_is_found(open_page: Open, server: PageServer, pair_file: bytes, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core (npm ci in extension/)")
    gate = threading.Event()
    server.answers = [PAIR, CACHED, TINY, NO_FACE, refusal(503), Answer(FAKE.body, gate=gate)]
    page = open_page(color_scheme=scheme)
    choose(page, pair_file, *(f"{number}.png" for number in range(7)))
    expect(page.locator("[data-state=failure]")).to_have_count(1)
    expect(page.locator("[data-state=checking]")).to_have_count(1)
    page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
    page.get_by_role("button", name="Face 1 of 2").focus()
    # Run as the debugger does, past the page's own policy.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    gate.set()
    grave = [
        (found["id"], found["impact"], [node["target"] for node in found["nodes"]])
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]
    assert grave == [], json.dumps(grave, indent=1)


@pytest.mark.parametrize(("motion", "name"), [("reduce", "none"), ("no-preference", "slide")])
def test_nothing_moves_for_those_who_ask_for_it(
    open_page: Open, server: PageServer, portrait_file: bytes, motion: str, name: str
) -> None:
    gate = threading.Event()
    server.answers = [Answer(FAKE.body, gate=gate)]
    page = open_page(reduced_motion=motion)
    choose(page, portrait_file)
    bar = page.locator(".bar")
    expect(bar).to_be_visible()
    assert bar.evaluate("bar => getComputedStyle(bar, '::before').animationName") == name
    gate.set()


def test_nothing_is_stored_in_the_browser(page: Any, server: PageServer, portrait_file: bytes) -> None:
    server.answers = [FAKE]
    choose(page, portrait_file)
    expect(page.get_by_role("article")).to_contain_text("Likely fake")
    state = page.context.storage_state(indexed_db=True)
    assert state == {"cookies": [], "origins": []}
    assert page.evaluate("caches.keys()") == []


def test_a_verdict_can_be_drawn_into_a_closed_shadow_root(page: Any) -> None:
    words = page.evaluate(
        """async verdict => {
            const [{ drawVerdict }, { english: strings }] =
                await Promise.all([import("./assets/verdict_view.js"), import("./assets/strings.js")]);
            const host = document.body.appendChild(document.createElement("div"));
            const root = host.attachShadow({ mode: "closed" });
            const sheet = new CSSStyleSheet();
            sheet.replaceSync(await (await fetch("assets/verdict_view.css")).text());
            root.adoptedStyleSheets = [sheet];
            const options = { verdict, picture: null, source: "poster", strings, thresholds: null };
            const view = drawVerdict(root, options);
            const words = view.element.querySelector("h3").textContent;
            const id = root.querySelector("button").getAttribute("aria-describedby");
            const described = root.getElementById(id) !== null;
            view.destroy();
            return [words, described, root.childElementCount, document.querySelectorAll(".unmask").length];
        }""",
        FAKE.body,
    )
    assert words == ["Likely fake", True, 0, 0]

"""The card beside a picture, drawn on a page of its own without the extension: what is seen, heard and pressed."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.card.server import CardServer
from tests.e2e.conftest import encode

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install unmask[dev]")
expect = sync_api.expect

AXE = Path(__file__).parents[2] / "extension" / "node_modules" / "axe-core" / "axe.min.js"
ARABIC = json.loads((Path(__file__).parents[2] / "extension" / "languages" / "ar.json").read_text(encoding="utf-8"))

# The card keeps its inside to itself; the tests look in all the same.
OPEN_ROOTS = """
    const attach = Element.prototype.attachShadow;
    Element.prototype.attachShadow = function (init) { return attach.call(this, { ...init, mode: "open" }); };
"""
FACE_BOX = [178.0, 62.0, 92.0, 118.0]
GRID = [[3.6, 2.0, 0.4], [0.4, 0.1, 0.0], [0.0, -2.4, -0.2]]
NOTICE = {"host": "unmask.example", "bytes": 238_000, "reached": "original"}
BUSY = {"kind": "busy", "explanation": "Too many checks from your address.", "retryAfter": 3}
CANDIDATES = [
    {"label": "An astronaut", "thumbnail": "/portrait.png", "width": 512, "height": 512},
    {"label": "Background", "thumbnail": None, "width": 300, "height": 200},
]
WAYS = ["onForget", "flagging", "onAgain", "onBetter", "onVideo", "onDetails"]


def face(probability: float = 0.97, verdict: str = "likely_fake", box: list[float] = FACE_BOX) -> dict[str, Any]:
    """Return one face of a verdict."""
    x, y, width, height = box
    evidence = {"grid": GRID, "box": [x - width / 2, y - height / 2, width * 2, height * 2]}
    return {"box": box, "fake_probability": probability, "verdict": verdict, "evidence": evidence}


MODEL = {
    "name": "unmask-student",
    "version": "2025.11-0f3c9a51",
    "covers": ["Whole faces by GANs."],
    "limits": ["Kinds of generator that it never met."],
    "metrics": {
        "generators": [
            {"name": "StyleGAN", "seen": True, "fakes": 1234, "auc": 0.98, "called_fake": 0.91, "no_traces": 0.02},
            {"name": "Next", "seen": False, "fakes": 40, "auc": 0.6, "called_fake": 0.1, "no_traces": 0.725},
        ]
    },
}


def outcome(*faces: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return what the card is told about a picture; its verdict is that of the first face."""
    verdict = {
        "id": "0" * 32,
        "verdict": faces[0]["verdict"] if faces else "no_face",
        "fake_probability": faces[0]["fake_probability"] if faces else None,
        "reasons": [],
        "faces": list(faces),
        "media": {"kind": "image", "sha256": "9f" * 32, "width": 512, "height": 512, "format": "png", "frames": 1},
        "model": {"name": "unmask-student", "version": "2025.11-0f3c9a51"},
        "checked_at": "2025-03-04T05:06:07Z",
        "cached": False,
    }
    return {
        "verdict": verdict | changes.pop("verdict", {}),
        "picture": "/portrait.png",
        "source": "Original file, 512 × 512",
        "thresholds": {"no_traces_below": 0.26, "fake_above": 0.94},
        "model": MODEL,
        "before": None,
        "better": None,
        "flags": True,
        "video": False,
        "still": False,
        **changes,
    }


def clip(frames: bool = True) -> dict[str, Any]:
    """Return what the card is told about a video with two faces; the second one comes in late."""

    def track(left: float, figures: dict[int, float]) -> dict[str, Any]:
        points = [
            {**face(figure, "likely_fake" if figure > 0.94 else "uncertain", [left, 62, 92, 118]), "frame": frame}
            | {"time": 2.0 * frame}
            for frame, figure in figures.items()
        ]
        values = list(figures.values())
        return {
            "fake_probability": max(values),
            "verdict": "likely_fake" if max(values) > 0.94 else "uncertain",
            "reasons": [],
            "worst": values.index(max(values)),
            "best": values.index(min(values)),
            "points": points,
        }

    tracks = [track(178, {0: 0.4, 1: 0.97, 2: 0.6}), track(20, {2: 0.3, 3: 0.5})]
    faces = [{**one["points"][one["worst"]], "verdict": one["verdict"]} for one in tracks]
    told = outcome(*faces, picture=None, source="4 frames of the video")
    told["verdict"] |= {"tracks": tracks, "coverage": {"frames": 4, "usable": 4}}
    told["verdict"]["media"] |= {"kind": "video", "frames": 4, "format": "frames"}
    return told | ({"frames": [f"/frame{frame}.png" for frame in range(4)]} if frames else {})


FAKE = outcome(face())


@pytest.fixture(scope="module")
def card_server(portrait: np.ndarray) -> Iterator[CardServer]:
    """The page and its pictures."""
    frames = {f"/frame{frame}.png": encode(np.roll(portrait, 8 * frame, axis=1)) for frame in range(4)}
    server = CardServer({"/portrait.png": encode(portrait), **frames})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, card_server: CardServer) -> Iterator[Open]:
    """Opens the page with a card at hand; at the end nothing may have broken the page's content policy."""
    contexts, complaints = [], []

    def open_page(clock: bool = False, card: dict[str, Any] | None = None, style: str = "", **options: Any) -> Any:
        context = browser.new_context(
            **{"viewport": {"width": 1200, "height": 860}, "reduced_motion": "reduce", **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.add_init_script(OPEN_ROOTS)
        if clock:
            page.clock.install()
        page.goto(card_server.address)
        page.wait_for_function("() => !!window.makeCard && document.querySelector('#picture').naturalWidth > 0")
        if style:
            page.evaluate(
                """style => {
                    const sheet = new CSSStyleSheet();
                    sheet.replaceSync(style);
                    document.adoptedStyleSheets = [sheet];
                }""",
                style,
            )
        page.evaluate("card => makeCard(card)", card or {})
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: Open) -> Any:
    return open_page()


def show(page: Any, state: str, **given: Any) -> None:
    """Have the card show a state."""
    page.evaluate("([state, given]) => showCard(state, given)", [state, given])


def done(page: Any) -> list[str]:
    """Return what a person did with the card so far."""
    return page.evaluate("done")


def card_of(page: Any) -> Any:
    return page.get_by_role("dialog", name="Unmask")


def box_on(page: Any, locator: Any, picture: str = "#picture") -> list[float]:
    """Return where something lies, in the picture's own pixels if it is shown whole."""
    found, frame = locator.bounding_box(), page.locator(picture).bounding_box()
    scale = frame["width"] / 512
    return [
        (found["x"] - frame["x"]) / scale,
        (found["y"] - frame["y"]) / scale,
        found["width"] / scale,
        found["height"] / scale,
    ]


@pytest.mark.parametrize(
    ("state", "given", "status", "words", "buttons"),
    [
        ("progress", {"step": "sending"}, "Checking", "Checking the picture", ["Close", "Stop"]),
        (
            "progress",
            {"step": "sampling", "count": {"done": 5, "of": 12}},
            "Checking",
            "Taking frames from the video … Frame 5 of 12",
            ["Close", "Stop"],
        ),
        (
            "choice",
            {"candidates": CANDIDATES},
            "Which one?",
            "512 × 512 px",
            ["Close", "An astronaut512 × 512 px", "Background300 × 200 px"],
        ),
        (
            "consent",
            {"notice": NOTICE},
            "Before sending",
            "The original file, 238 kB",
            ["Close", "Send and check", "Do not send"],
        ),
        (
            "verdict",
            {"outcome": outcome(), "ways": ["onForget", "flagging", "onDetails"]},
            "Result",
            "has no opinion on this picture",
            ["Close", "Open in the side panel", "Copy report", "Flag for re-check", "Forget this check"],
        ),
        ("verdict", {"outcome": outcome()}, "Result", "Checked: Original file, 512 × 512", ["Close", "Copy report"]),
        (
            "failure",
            {"failure": {"kind": "unreachable"}, "ways": ["retry", "area", "allow", "settings", "shown"]},
            "Not checked",
            "this says nothing about it",
            [
                "Close",
                "Try again",
                "Allow cdn.example",
                "Check what is shown instead",
                "Select an area",
                "Open settings",
            ],
        ),
    ],
    ids=["progress", "sampling", "choice", "consent", "no face", "verdict without ways", "failure"],
)
def test_each_state_has_its_words_and_buttons(
    page: Any, state: str, given: dict[str, Any], status: str, words: str, buttons: list[str]
) -> None:
    show(page, state, **given)
    card = page.get_by_role("dialog", name=f"Unmask · {status}")
    expect(card).to_contain_text(words)
    names = card.get_by_role("button").evaluate_all("all => all.map(one => one.ariaLabel ?? one.textContent)")
    assert names == buttons


def test_every_way_out_of_a_failure_is_taken_once_pressed(page: Any) -> None:
    ways = ["retry", "area", "allow", "settings", "shown"]
    show(page, "failure", failure={"kind": "too_large", "explanation": "Over 20 MB."}, ways=ways)
    card = card_of(page)
    expect(card).to_contain_text("The service says: Over 20 MB.")
    for name in ("Try again", "Select an area", "Allow cdn.example", "Open settings", "Check what is shown instead"):
        card.get_by_role("button", name=name).click()
    assert done(page) == ways


def test_each_failure_has_words_of_its_own(page: Any) -> None:
    kinds = list(ARABIC["failures"])
    titles = set()
    for kind in kinds:
        show(page, "failure", failure={"kind": kind})
        titles.add(card_of(page).get_by_role("heading", level=3).inner_text())
    assert len(titles) == len(kinds) > 0


@pytest.mark.parametrize(
    ("changes", "ways", "words", "button", "deed"),
    [
        (
            {"before": "2025-03-01T10:00:00Z"},
            ["onAgain"],
            "You checked this picture on Mar 1, 2025",
            "Check again",
            "onAgain",
        ),
        ({"better": {"host": "cdn.example"}}, ["onBetter"], "from a screenshot", "Allow cdn.example", "onBetter"),
        ({"video": True}, ["onVideo"], "This is one frame.", "Check this video", "onVideo"),
        ({}, ["onDetails"], "Likely fake", "Open in the side panel", "onDetails"),
    ],
    ids=["checked before", "better to be had", "video", "details"],
)
def test_a_verdict_offers_what_can_be_done_next(
    page: Any, changes: dict[str, Any], ways: list[str], words: str, button: str, deed: str
) -> None:
    show(page, "verdict", outcome=outcome(face(), **changes), ways=ways)
    expect(card_of(page)).to_contain_text(words)
    card_of(page).get_by_role("button", name=button).click()
    assert done(page) == [deed]


def test_a_verdict_says_what_it_is_about(page: Any) -> None:
    told = outcome(face(), still=True, showBand=False, verdict={"reasons": ["face_too_small"], "cached": True})
    show(page, "verdict", outcome=told | {"flags": False}, ways=WAYS)
    card = card_of(page)
    expect(card.get_by_role("heading", level=3)).to_have_text("Likely fake")
    for words in ("97% estimated probability", "The face is very small", "nothing is playing", "checked before"):
        expect(card).to_contain_text(words)
    expect(card.get_by_role("img", name="Scale from 0 to 100")).to_have_count(0)
    expect(card.get_by_role("button", name="Flag for re-check")).to_have_count(0)
    expect(card.get_by_text("Kinds of generator that it never met.")).to_be_hidden()
    card.get_by_text("What the model knows").click()
    expect(card.get_by_text("Kinds of generator that it never met.")).to_be_visible()
    expect(card.get_by_text("Whole faces by GANs.")).to_be_visible()
    assert [text.strip() for text in card.locator(".unmask-generators tbody").all_inner_texts()] == [
        "Known: the model was trained on fakes of it\nStyleGAN\t1,234\t91%\t2%",
        "Never seen by the model\nNext\t40\t10%\t73%",
    ]
    card.get_by_text("Details", exact=True).click()
    expect(card.get_by_text("9f" * 32)).to_be_visible()


def test_no_traces_found_is_no_praise(page: Any) -> None:
    show(page, "verdict", outcome=outcome(face(0.04, "no_traces")))
    card = card_of(page)
    expect(card.get_by_role("heading", level=3)).to_have_text("No traces found")
    meaning = card.locator(".unmask-meaning")
    expect(meaning).to_have_text("Nothing that this model knows. That does not make it genuine.")
    # What it is worth stands before the figure, and the colour is that of plain words: hardly any at all.
    order = (
        "[...document.querySelector('[popover]').shadowRoot.querySelectorAll('.unmask-meaning, .unmask-probability')]"
    )
    assert page.evaluate(f"{order}.map(({{ className }}) => className)") == ["unmask-meaning", "unmask-probability"]
    red, green, blue = map(
        int, re.findall(r"\d+", card.locator(".unmask-headline").evaluate("e => getComputedStyle(e).color"))[:3]
    )
    assert max(red, green, blue) - min(red, green, blue) < 30, "neither green nor any colour of its own"
    expect(card).not_to_contain_text("4% fake")
    # Opened without a mouse.
    card.get_by_text("What the model knows").focus()
    page.keyboard.press("Enter")
    expect(card.get_by_text("Kinds of generator that it never met.")).to_be_visible()


def test_a_forgotten_check_is_no_longer_shown(page: Any) -> None:
    show(page, "verdict", outcome=FAKE, ways=["onForget"])
    card_of(page).get_by_role("button", name="Forget this check").click()
    card = page.get_by_role("dialog", name="Unmask · Forgotten")
    expect(card).to_contain_text("Neither the service nor this browser")
    expect(page.locator(".unmask")).to_have_count(0)
    expect(card.get_by_role("heading", level=2)).to_be_focused()


def test_progress_verdict_and_failure_are_announced(page: Any) -> None:
    show(page, "progress", step="sending")
    said = page.locator(".panel > [role=status]")
    expect(said).to_have_text("Checking the picture …")
    show(page, "verdict", outcome=FAKE)
    expect(said).to_have_text("Likely fake. Estimated probability that it is fake: 97 percent.")
    show(page, "verdict", outcome=outcome())
    expect(said).to_have_text("No face found.")
    show(page, "failure", failure={"kind": "offline"})
    expect(said).to_have_text("No connection. Not a verdict.")


def test_a_step_that_takes_long_says_that_it_goes_on(open_page: Open) -> None:
    page = open_page(clock=True)
    show(page, "progress", step="sampling", count={"done": 1, "of": 12})
    bar = card_of(page).get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", "1")
    page.clock.fast_forward(3000)
    show(page, "progress", step="sampling", count={"done": 2, "of": 12})
    page.clock.fast_forward(3000)
    expect(card_of(page)).to_contain_text("This takes longer than usual")
    show(page, "progress", step="sending")
    expect(bar).not_to_have_attribute("aria-valuenow", "1")
    # At once, and not only when the next such sentence takes its place.
    old = card_of(page).get_by_text("longer than usual").filter(visible=True)
    expect(old).to_have_count(0, timeout=2000)
    page.clock.fast_forward(6000)
    expect(card_of(page)).to_contain_text("A service that was asleep")
    card_of(page).get_by_role("button", name="Stop").click()
    assert done(page) == ["stop"]


def test_a_busy_service_is_counted_down_to(open_page: Open) -> None:
    page = open_page(clock=True)
    show(page, "failure", failure=BUSY, ways=["retry"])
    retry = card_of(page).get_by_role("button", name="Try again")
    expect(card_of(page)).to_contain_text("3 s to go")
    expect(retry).to_be_disabled()
    page.clock.run_for(2000)
    expect(card_of(page)).to_contain_text("1 s to go")
    page.clock.run_for(1000)
    expect(card_of(page)).to_contain_text("You can try again now.")
    expect(page.locator(".panel > [role=status]")).to_have_text("You can try again now.")
    retry.click()
    assert done(page) == ["retry"]


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (NOTICE, ["Send this picture to unmask.example?", "The original file, 238 kB", "What unmask.example keeps"]),
        ({"host": "a.example", "bytes": 2_345_000}, ["The picture, 2.3 MB", "has to leave this browser"]),
        ({"host": "127.0.0.1:8000", "bytes": 100}, ["on this computer?", "so the picture stays on it", "1 kB"]),
        ({"host": "localhost:80", "bytes": 9000, "frames": 12}, ["Check this video on this computer?", "12 frames"]),
        ({"host": "127.0.0.1.example", "bytes": 9000}, ["Send this picture to 127.0.0.1.example?"]),
    ],
    ids=["host", "megabytes", "this computer", "video", "a host that only looks like this computer"],
)
def test_consent_names_host_and_size_and_what_is_kept(page: Any, notice: dict[str, Any], words: list[str]) -> None:
    show(page, "consent", notice=notice)
    for part in (*words, "SHA-256", "Not the picture.", "small thumbnail", "asked once for each service"):
        expect(card_of(page)).to_contain_text(part)
    card_of(page).get_by_role("button", name="Do not send").click()
    card_of(page).get_by_role("button", name="Send and check").click()
    assert done(page) == ["answer false", "answer true"]


def test_what_is_asked_takes_the_focus_and_gives_it_back(page: Any) -> None:
    page.locator("#before").focus()
    show(page, "progress", step="sending")
    expect(page.locator("#before")).to_be_focused()
    show(page, "consent", notice=NOTICE)
    expect(page.get_by_role("heading", name="Send this picture to unmask.example?")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert done(page) == ["answer true"]
    show(page, "progress", step="sending")
    expect(card_of(page).get_by_role("heading", level=2)).to_be_focused()
    page.keyboard.press("Escape")
    expect(card_of(page)).to_have_count(0)
    expect(page.locator("#before")).to_be_focused()
    assert done(page) == ["answer true", "close"]


def test_a_focus_that_never_was_in_the_card_is_left_alone(page: Any) -> None:
    page.locator("#before").focus()
    show(page, "verdict", outcome=FAKE)
    page.get_by_role("link", name="A link").focus()
    page.keyboard.press("Escape")
    expect(card_of(page)).to_have_count(0)
    expect(page.get_by_role("link", name="A link")).to_be_focused()


def test_a_choice_is_made_by_keyboard_alone(page: Any) -> None:
    show(page, "choice", candidates=CANDIDATES)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert done(page) == ["pick 1"]


def test_tab_leads_from_the_close_button_through_the_card_to_the_faces(page: Any) -> None:
    show(page, "verdict", outcome=FAKE, ways=["onForget"])
    page.evaluate("card.focus()")
    stops = []
    for _ in range(6):
        page.keyboard.press("Tab")
        focused = "document.querySelector('[popover]').shadowRoot.activeElement"
        stops.append(page.evaluate(f"{focused}.ariaLabel ?? {focused}.textContent"))
    assert stops == [
        "Close",
        "What the model knows",
        "Copy report",
        "Forget this check",
        "Details",
        "Face 1 of 1, Likely fake · 97% fake",
    ]
    expect(page.locator(".over canvas")).to_be_visible()
    expect(page.locator(".unmask-caption")).to_contain_text("Face 1. Areas that raised the score")


def test_escape_closes_and_the_page_hears_nothing_of_it(page: Any) -> None:
    page.evaluate(
        """() => {
            window.heard = [];
            for (const type of ["keydown", "keyup"])
                document.addEventListener(type, (event) => heard.push(`${type} ${event.key}`), true);
        }"""
    )
    show(page, "verdict", outcome=FAKE)
    page.locator("#before").focus()
    page.keyboard.press("Escape")
    assert done(page) == ["close"]
    assert page.evaluate("heard") == []
    page.keyboard.press("Escape")
    assert page.evaluate("heard") == ["keydown Escape", "keyup Escape"]


def test_nothing_that_happens_in_the_card_reaches_the_page(page: Any) -> None:
    page.evaluate(
        """() => {
            window.heard = [];
            for (const type of ["click", "mousedown", "mouseup", "pointerdown", "pointermove", "mouseover", "wheel",
                "keydown", "keyup", "keypress", "focusin", "contextmenu", "touchstart"])
                for (const place of [document.body, document, window])
                    place.addEventListener(type, () => heard.push(type));
        }"""
    )
    show(page, "verdict", outcome=FAKE, ways=["flagging"])
    card = card_of(page)
    before = len(page.evaluate("heard"))
    card.get_by_role("button", name="Copy report").hover()
    before = len(page.evaluate("heard"))
    card.get_by_role("button", name="Flag for re-check").click()
    card.get_by_role("heading", level=3).click(button="right")
    page.mouse.wheel(0, 10)
    card.get_by_label("Note (optional)").press_sequentially("a")
    card.get_by_role("button", name="Send").click()
    expect(card.get_by_role("button", name="Undo")).to_be_visible()
    page.locator(".over .unmask-face").click()
    between = page.evaluate("heard")[before:]
    # On its way from the card to the face the pointer crosses the page.
    assert set(between) <= {"pointermove", "mouseover"}
    assert done(page) == ['flagging {"note":"a","keep":false,"address":false}']


def test_a_verdict_is_flagged_and_taken_back_by_keyboard_alone(page: Any) -> None:
    offer = {"host": "cdn.example", "picture": True}
    show(page, "verdict", outcome=FAKE, ways=["flagging"], offer=offer)
    card = card_of(page)
    card.get_by_role("button", name="Flag for re-check").focus()
    page.keyboard.press("Enter")
    expect(card.get_by_label("Note (optional)")).to_be_focused()
    page.keyboard.type("odd ear")
    form = card.get_by_role("group", name="Flag for re-check")
    expect(form).to_contain_text("The verdict, your note and the picture’s address at cdn.example are sent.")
    page.keyboard.press("Tab")
    expect(card.get_by_role("checkbox", name="Keep the picture for the re-check")).not_to_be_checked()
    page.keyboard.press("Space")
    expect(form).to_contain_text("the picture and its address at cdn.example are sent")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card.get_by_role("button", name="Undo")).to_be_focused()
    expect(card.locator(".unmask-state")).to_have_text("Flagged. It will be looked at again.")
    page.keyboard.press("Enter")
    expect(card.get_by_role("button", name="Flag for re-check")).to_be_focused()
    expect(card.locator(".unmask-state")).to_have_text("The flag was taken back.")
    assert done(page) == ['flagging {"note":"odd ear","keep":true,"address":true}', "flagging undo f1"]


def test_without_the_bytes_at_hand_the_form_asks_for_no_picture(page: Any) -> None:
    show(page, "verdict", outcome=FAKE, ways=["flagging"])
    card_of(page).get_by_role("button", name="Flag for re-check").click()
    expect(card_of(page)).to_contain_text("Only the verdict is sent, with your note.")
    expect(card_of(page).get_by_role("checkbox")).to_have_count(0)


def test_a_flag_that_fails_can_be_sent_again_as_it_was(page: Any) -> None:
    page.evaluate("window.refusals = ['offline']")
    show(page, "verdict", outcome=FAKE, ways=["flagging"])
    card = card_of(page)
    card.get_by_role("button", name="Flag for re-check").click()
    card.get_by_label("Note (optional)").fill("odd ear")
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".unmask-state")).to_have_text("This could not be flagged. Try again.")
    expect(card.get_by_role("button", name="Send")).to_be_focused()
    card.get_by_role("button", name="Send").click()
    expect(card.get_by_role("button", name="Undo")).to_be_visible()
    assert done(page) == ['flagging {"note":"odd ear","keep":false,"address":false}']


def test_who_has_to_sign_in_is_led_there_by_keyboard_and_finds_what_was_written(page: Any) -> None:
    offer = {"host": None, "picture": False, "signedOut": True}
    show(page, "verdict", outcome=FAKE, ways=["flagging"], offer=offer)
    card = card_of(page)
    card.get_by_role("button", name="Flag for re-check").focus()
    page.keyboard.press("Enter")
    expect(card.get_by_role("button", name="Sign in")).to_be_focused()
    expect(card.get_by_role("button", name="Sign in")).to_have_accessible_description(
        "This service takes flags only from people who are signed in. What you write stays here meanwhile."
    )
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("odd ear")
    page.evaluate("window.refusals = ['sign_in']")
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".unmask-state")).to_contain_text("Nothing was sent: you are not signed in.")
    expect(card.get_by_label("Note (optional)")).to_have_value("odd ear")
    card.get_by_role("button", name="Send").click()
    expect(card.get_by_role("button", name="Undo")).to_be_visible()
    expect(card.get_by_role("button", name="Sign in")).to_have_count(0)
    assert done(page) == ["flagging sign in", 'flagging {"note":"odd ear","keep":false,"address":false}']


def test_who_has_signed_in_elsewhere_comes_back_to_a_form_that_knows(page: Any) -> None:
    offer = {"host": None, "picture": False, "signedOut": True}
    show(page, "verdict", outcome=FAKE, ways=["flagging"], offer=offer)
    card = card_of(page)
    card.get_by_role("button", name="Flag for re-check").click()
    card.get_by_label("Note (optional)").fill("odd ear")
    expect(card.get_by_role("button", name="Sign in")).to_be_visible()
    page.evaluate("window.signedIn = true")
    card.get_by_role("button", name="Cancel").focus()
    expect(card.get_by_role("button", name="Sign in")).to_have_count(0)
    expect(card.get_by_label("Note (optional)")).to_have_value("odd ear")


def test_escape_puts_the_form_away_before_the_card(page: Any) -> None:
    show(page, "verdict", outcome=FAKE, ways=["flagging"])
    card_of(page).get_by_role("button", name="Flag for re-check").click()
    expect(card_of(page).get_by_label("Note (optional)")).to_be_focused()
    page.keyboard.press("Escape")
    expect(card_of(page).get_by_role("button", name="Flag for re-check")).to_be_focused()
    assert done(page) == []
    page.keyboard.press("Escape")
    assert done(page) == ["close"]


def test_what_is_written_outlives_the_faces_moving_into_the_card(page: Any) -> None:
    show(page, "verdict", outcome=FAKE, ways=["flagging"])
    card = card_of(page)
    card.get_by_role("button", name="Flag for re-check").click()
    card.get_by_label("Note (optional)").fill("odd ear")
    page.set_viewport_size({"width": 360, "height": 700})
    expect(card.locator(".unmask-stage")).to_be_visible()
    expect(card.get_by_label("Note (optional)")).to_have_value("odd ear")


def test_the_page_can_still_be_used_beside_the_card(page: Any) -> None:
    show(page, "verdict", outcome=FAKE)
    page.evaluate("document.addEventListener('click', (event) => done.push(event.target.id))")
    page.locator("#before").click()
    page.locator("#picture").click(position={"x": 10, "y": 300})
    assert done(page) == ["before", "picture"]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("", FACE_BOX),
        ("#picture { inline-size: 400px; block-size: 300px; object-fit: cover }", [178, 62 - 64, 92, 118]),
        (
            "#picture { inline-size: 600px; max-inline-size: none; block-size: 300px; object-fit: contain }",
            [128 + 178 / 2, 62 / 2, 92 / 2, 118 / 2],
        ),
        (
            "#picture { inline-size: 400px; block-size: 300px; object-fit: cover; object-position: 0 0 }",
            FACE_BOX,
        ),
    ],
    ids=["whole", "cover", "contain", "cover from the top"],
)
def test_boxes_lie_on_the_faces_of_the_pages_own_picture(open_page: Open, style: str, expected: list[float]) -> None:
    page = open_page(style=style)
    show(page, "verdict", outcome=FAKE)
    button = page.get_by_role("button", name="Face 1 of 1, Likely fake · 97% fake")
    found = button.bounding_box()
    frame = page.locator("#picture").bounding_box()
    scale = 600 / 512 if "contain" in style else frame["width"] / 512
    at = [found["x"] - frame["x"], found["y"] - frame["y"], found["width"], found["height"]]
    assert [value / scale for value in at] == pytest.approx(expected, abs=2)
    expect(page.locator(".unmask-stage")).to_have_count(0)
    chip = page.locator(".unmask-chip").bounding_box()
    assert chip["y"] >= frame["y"] and chip["x"] >= frame["x"]


@pytest.mark.parametrize(
    ("style", "changes"),
    [
        ("#picture { inline-size: 150px; block-size: 150px }", {}),
        ("#picture { inline-size: 400px; block-size: 100px; object-fit: cover; object-position: 0 100% }", {}),
        ("", {"video": True}),
    ],
    ids=["small", "faces cropped away", "moving"],
)
def test_the_card_has_a_copy_where_the_pages_picture_will_not_do(
    open_page: Open, style: str, changes: dict[str, Any]
) -> None:
    page = open_page(style=style)
    show(page, "verdict", outcome=outcome(face(), **changes))
    expect(page.locator(".over .unmask-face")).to_have_count(0)
    stage = card_of(page).locator(".unmask-stage img")
    expect(stage).to_be_visible()
    button = card_of(page).get_by_role("button", name="Face 1 of 1")
    assert box_on(page, button, ".unmask-stage img") == pytest.approx(FACE_BOX, abs=2)


def test_boxes_and_card_follow_the_picture(open_page: Open) -> None:
    page = open_page(style="#scroller { block-size: 350px; overflow: auto }")
    show(page, "verdict", outcome=FAKE)
    button = page.get_by_role("button", name="Face 1 of 1")
    for move in (
        "scrollTo(0, 120)",
        "document.querySelector('#scroller').scrollTop = 30",
        "document.querySelector('main').style.transform = 'translateX(60px)'",
        "document.querySelector('h1').style.paddingTop = '90px'",
        "document.querySelector('#picture').style.cssText = 'inline-size: 300px; block-size: 300px'",
    ):
        page.evaluate(f"() => {{ {move} }}")
        page.wait_for_function(
            """box => {
                const face = document.querySelector("[popover]").shadowRoot.querySelector(".over .unmask-face");
                const picture = document.querySelector("#picture").getBoundingClientRect();
                const place = face.getBoundingClientRect();
                const scale = picture.width / 512;
                return Math.abs(place.x - picture.x - box[0] * scale) <= 2 &&
                    Math.abs(place.y - picture.y - box[1] * scale) <= 2 &&
                    Math.abs(place.width - box[2] * scale) <= 2;
            }""",
            arg=FACE_BOX,
        )
    panel, picture = page.locator(".panel").bounding_box(), page.locator("#picture").bounding_box()
    assert panel["x"] == pytest.approx(picture["x"] + picture["width"] + 12, abs=2)
    expect(button).to_be_visible()


def test_a_picture_that_shrinks_gives_its_boxes_to_a_copy(page: Any) -> None:
    show(page, "verdict", outcome=FAKE)
    expect(page.locator(".over .unmask-face")).to_be_visible()
    page.evaluate("document.querySelector('#picture').style.width = '100px'")
    expect(card_of(page).locator(".unmask-stage .unmask-face")).to_be_visible()
    expect(page.locator(".over .unmask-face")).to_have_count(0)


def test_a_picture_that_leaves_the_page_leaves_the_card_where_it_was(page: Any) -> None:
    show(page, "verdict", outcome=FAKE)
    expect(page.locator(".over .unmask-face")).to_be_visible()
    before = page.locator(".panel").bounding_box()
    page.evaluate("document.querySelector('#scroller').replaceChildren()")
    expect(card_of(page)).to_contain_text("no longer where it was on the page")
    expect(page.locator(".over")).to_be_hidden()
    expect(card_of(page).locator(".unmask-stage .unmask-face")).to_be_visible()
    assert page.locator(".panel").bounding_box()["x"] == before["x"]


def test_a_page_that_takes_the_card_away_gets_it_back_a_few_times_only(page: Any) -> None:
    show(page, "verdict", outcome=FAKE)
    for _ in range(5):
        page.evaluate("document.querySelector('[popover]').remove()")
        expect(card_of(page).get_by_role("heading", level=3)).to_be_visible()
    assert page.evaluate("document.querySelector('[popover]').matches(':popover-open')")
    page.evaluate("document.querySelector('[popover]').remove()")
    page.wait_for_function("() => done.includes('close')")
    expect(card_of(page)).to_have_count(0)


@pytest.mark.parametrize(
    "style",
    [
        "* { display: none !important } html, body, main, #scroller, img { display: block !important }",
        "div { all: unset !important; position: static !important; opacity: 0 !important; color: red !important }",
        "html > div { transform: scale(0) !important; visibility: hidden !important; top: -9999px !important }",
        "[popover], :popover-open { display: none !important; filter: blur(9px) !important } html { font: 4px serif }",
        "@layer x { div:not(#scroller) { display: none !important; pointer-events: none !important } }",
        "::backdrop { background: rgb(255, 0, 0) !important; display: block !important; opacity: 1 !important }",
        ":root { --ink: red; --surface: red; --main: red; --accent: red; --chip: red; --focus: red; --line: red }",
    ],
    ids=["display", "unset", "away", "popover", "layers", "backdrop", "variables"],
)
def test_the_styles_of_a_page_do_not_reach_the_card(open_page: Open, plain_shots: list[np.ndarray], style: str) -> None:
    if not plain_shots:
        plain_shots.append(shoot_verdict(open_page()))
    assert np.abs(plain_shots[0] - shoot_verdict(open_page(style=style))).max() <= 8


@pytest.fixture(scope="module")
def plain_shots() -> list[np.ndarray]:
    """Takes the picture of a card on a page without styles, which all hostile ones are compared with."""
    return []


def shoot_verdict(page: Any) -> np.ndarray:
    """Return what a card with a verdict looks like, int RGB [400, 354, 3], whose buttons can be pressed."""
    show(page, "verdict", outcome=FAKE, ways=WAYS)
    expect(card_of(page)).to_have_count(1)
    panel = page.locator(".panel").bounding_box()
    # Beside a picture that is not to be seen it stands elsewhere.
    page.mouse.move(5, 800)
    clip = {"x": panel["x"] + 2, "y": panel["y"] + 12, "width": 354, "height": 400}
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).astype(int)
    page.get_by_role("button", name="Copy report").click()
    return shot


def test_the_card_is_alive_inside_a_modal_dialog(open_page: Open) -> None:
    page = open_page(card={"picture": "#dialog img", "container": "dialog"})
    page.evaluate("document.querySelector('#dialog').showModal()")
    show(page, "verdict", outcome=FAKE, ways=["onForget"])
    assert page.evaluate("document.querySelector('[popover]').parentNode.id") == "dialog"
    page.get_by_role("button", name="Face 1 of 1").click()
    expect(page.locator(".over canvas")).to_be_visible()
    page.evaluate("card.focus()")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("summary", has_text="What the model knows")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy report")).to_be_focused()
    page.keyboard.press("Escape")
    expect(card_of(page)).to_have_count(0)
    assert page.evaluate("document.querySelector('#dialog').open")


def test_the_card_leaves_a_dialog_that_closes(open_page: Open) -> None:
    page = open_page(card={"picture": "#dialog img", "container": "dialog"})
    page.evaluate("document.querySelector('#dialog').showModal()")
    show(page, "verdict", outcome=FAKE)
    page.evaluate("document.querySelector('#dialog').close()")
    page.wait_for_function("() => document.querySelector('[popover]').parentNode === document.documentElement")
    expect(card_of(page).get_by_role("heading", level=3)).to_be_visible()


def test_the_card_steps_aside_for_a_screenshot(page: Any) -> None:
    bare = page.screenshot()
    show(page, "consent", notice=NOTICE)
    page.evaluate("card.hide()")
    assert page.screenshot() == bare
    page.evaluate("card.show()")
    assert page.screenshot() != bare
    expect(page.get_by_role("heading", name="Send this picture to unmask.example?")).to_be_focused()


def test_the_card_can_be_dragged_by_its_head_and_stays_there(page: Any) -> None:
    show(page, "progress", step="sending")
    start = page.locator(".panel").bounding_box()
    page.mouse.move(start["x"] + 100, start["y"] + 20)
    page.mouse.down()
    page.mouse.move(start["x"] + 250, start["y"] + 220, steps=3)
    page.mouse.up()
    page.mouse.move(10, 10)
    page.evaluate("scrollTo(0, 100)")
    show(page, "failure", failure={"kind": "offline"})
    moved = page.locator(".panel").bounding_box()
    assert [moved["x"] - start["x"], moved["y"] - start["y"]] == pytest.approx([150, 200], abs=1)
    page.mouse.move(moved["x"] + 100, moved["y"] + 20)
    page.mouse.down()
    page.mouse.move(5000, 5000, steps=3)
    page.mouse.up()
    end = page.locator(".panel").bounding_box()
    assert end["x"] + end["width"] <= 1200 and end["y"] + end["height"] <= 860


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_narrow_screen_gets_a_sheet_without_sideways_scrolling(open_page: Open, language: str) -> None:
    page = open_page(viewport={"width": 320, "height": 640}, card={"language": language})
    for state, given in [
        ("consent", {"notice": {**NOTICE, "host": f"{'long' * 20}.example"}}),
        ("failure", {"failure": {**BUSY, "explanation": "x" * 90}, "ways": ["retry", "allow", "settings"]}),
        ("verdict", {"outcome": clip(), "ways": WAYS}),
        (
            "verdict",
            {
                "outcome": outcome(face(), face(0.4, "uncertain", [20, 62, 92, 118])),
                "ways": WAYS,
                "offer": {"host": f"{'long' * 20}.example", "picture": True},
            },
        ),
    ]:
        show(page, state, **given)
        page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
        if state == "verdict":
            page.locator(".unmask-flag button").click()
            page.locator(".unmask-flag textarea").wait_for()
        panel = page.locator(".panel").bounding_box()
        assert [panel["x"], panel["width"], panel["y"] + panel["height"]] == pytest.approx([0, 320, 640], abs=1)
        wide = page.locator(".panel .body").evaluate(
            """body => [body, ...body.querySelectorAll("*")]
                .filter(element => !element.closest(".unmask-unseen"))
                .map(element => [element.getBoundingClientRect(), element.className])
                .filter(([box]) => box.right > innerWidth + 1 || box.left < -1)"""
        )
        assert wide == []
        assert page.locator(".body").evaluate("body => body.scrollWidth <= body.clientWidth")
    expect(page.locator(".over .unmask-face")).to_have_count(0)
    expect(page.locator(".unmask-stage .unmask-face")).to_have_count(2)


def test_arabic_is_written_from_right_to_left_and_leaves_no_english(open_page: Open) -> None:
    page = open_page(card={"language": "ar"}, style="main { margin-inline-start: 700px }")
    show(page, "consent", notice=NOTICE)
    card = page.get_by_role("dialog")
    expect(card).to_have_attribute("dir", "rtl")
    expect(card).to_have_attribute("lang", "ar")
    panel, picture = page.locator(".panel").bounding_box(), page.locator("#picture").bounding_box()
    assert panel["x"] + panel["width"] < picture["x"]
    allowed = ("Unmask", "SHA-256", "unmask.example")
    for state, given in [
        ("consent", {"notice": NOTICE}),
        ("choice", {"candidates": []}),
        ("progress", {"step": "sampling", "count": {"done": 1, "of": 2}}),
        ("failure", {"failure": {"kind": "busy", "retryAfter": 9}, "ways": ["retry", "settings", "area", "shown"]}),
        ("verdict", {"outcome": outcome(face(), source="-", model=None, verdict={"reasons": ["too_few_frames"]})}),
    ]:
        show(page, state, **given)
        words = page.locator(".panel").inner_text()
        for word in (*allowed, "Tab"):
            words = words.replace(word, "")
        assert not any("a" <= letter.lower() <= "z" for letter in words), words


def test_a_video_is_read_off_a_timeline(page: Any) -> None:
    show(page, "verdict", outcome=clip())
    card = card_of(page)
    expect(card).to_contain_text("A face could be judged in 4 of 4 frames.")
    chart = card.get_by_role("group", name="Estimated probability that a face is fake")
    expect(chart).to_have_accessible_description(
        "Face 1: seen from 0:00 to 0:04. Lowest 40 percent fake at 0:00, highest 97 percent fake at 0:02. "
        "Face 2: seen from 0:04 to 0:06. Lowest 30 percent fake at 0:04, highest 50 percent fake at 0:06."
    )
    points = chart.get_by_role("button")
    expect(points).to_have_count(5)
    # The worst moment of the face that decided comes first.
    worst = chart.get_by_role("button", name="0:02, face 1, 97% fake, Likely fake")
    expect(worst).to_have_attribute("aria-pressed", "true")
    stage = card.locator(".unmask-stage img")
    expect(stage).to_have_attribute("src", "/frame1.png")
    expect(card.get_by_role("button", name="Face 1 of 2, Likely fake · 97% fake")).to_be_visible()
    expect(card.locator(".unmask-stage canvas")).to_be_visible()
    expect(page.locator(".over .unmask-face")).to_have_count(0)

    worst.focus()
    page.keyboard.press("ArrowRight")
    later = chart.get_by_role("button", name="0:04, face 1, 60% fake, Uncertain")
    expect(later).to_be_focused()
    expect(stage).to_have_attribute("src", "/frame2.png")
    expect(card.locator(".unmask-caption")).to_contain_text("0:04, face 1, 60% fake, Uncertain. Areas that raised")
    expect(card.locator(".unmask-stage .unmask-face")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(chart.get_by_role("button", name="0:04, face 2, 30% fake, Uncertain")).to_be_focused()
    pressed = card.locator(".unmask-stage .unmask-face[aria-pressed=true]")
    expect(pressed).to_have_attribute("aria-label", "Face 2 of 2, Uncertain · 30% fake")
    card.get_by_role("button", name="Face 1 of 2, Uncertain · 60% fake").click()
    expect(later).to_have_attribute("aria-pressed", "true")
    chart.get_by_role("button", name="0:04, face 2, 30% fake, Uncertain").focus()
    page.keyboard.press("ArrowRight")
    expect(stage).to_have_attribute("src", "/frame3.png")
    assert points.evaluate_all("all => all.filter(one => one.tabIndex === 0).length") == 1

    plot = card.locator(".unmask-plot").bounding_box()
    page.mouse.click(plot["x"] + 8, plot["y"] + plot["height"] * 0.4)
    expect(stage).to_have_attribute("src", "/frame0.png")


def test_a_video_whose_frames_are_gone_still_has_its_timeline(page: Any) -> None:
    show(page, "verdict", outcome=clip(frames=False))
    expect(card_of(page).locator(".unmask-stage")).to_have_count(0)
    card_of(page).get_by_role("button", name="0:06, face 2, 50% fake, Uncertain").click()
    expect(card_of(page).locator(".unmask-caption")).to_contain_text("0:06, face 2, 50% fake, Uncertain. Areas that")


def test_time_runs_from_left_to_right_in_every_language(open_page: Open) -> None:
    page = open_page(card={"language": "ar"})
    show(page, "verdict", outcome=clip())
    lefts = page.locator(".unmask-point").evaluate_all("all => all.map(one => one.getBoundingClientRect().x)")
    assert lefts[:3] == sorted(lefts[:3]) and lefts[0] < lefts[1]
    page.locator(".unmask-point").nth(1).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".unmask-point").nth(2)).to_be_focused()


@pytest.mark.parametrize(
    ("theme", "language", "forced"),
    [("light", "en", "none"), ("dark", "en", "none"), ("light", "ar", "none"), ("dark", "ar", "active")],
)
def test_no_barrier_is_found(open_page: Open, theme: str, language: str, forced: str) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core (npm ci in extension/)")
    page = open_page(card={"theme": theme, "language": language}, forced_colors=forced)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    pair = outcome(face(), face(0.4, "uncertain", [20, 62, 92, 118]), better={"host": "cdn.example"}, video=True)
    for state, given in [
        ("choice", {"candidates": CANDIDATES}),
        ("progress", {"step": "sending"}),
        ("progress", {"step": "sampling", "count": {"done": 1, "of": 2}}),
        ("consent", {"notice": NOTICE}),
        ("failure", {"failure": BUSY, "ways": ["retry", "settings", "area", "shown", "allow"]}),
        ("verdict", {"outcome": outcome(face(0.4, "uncertain"), before="2025-03-01T10:00:00Z"), "ways": WAYS}),
        ("verdict", {"outcome": pair, "ways": WAYS}),
        ("verdict", {"outcome": clip(), "ways": WAYS}),
    ]:
        given |= {"offer": {"host": "cdn.example", "picture": True}}
        show(page, state, **given)
        page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
        if state == "verdict":
            page.locator(".unmask-flag button").click()
            page.locator(".unmask-flag input").wait_for()
            page.locator(".unmask-face").first.focus()
        result = page.evaluate("axe.run(document.querySelector('[popover]'), { resultTypes: ['violations'] })")
        found = [(one["id"], [node["target"] for node in one["nodes"]]) for one in result["violations"]]
        assert found == [], (state, json.dumps(found, indent=1))


@pytest.mark.parametrize(("motion", "name"), [("reduce", "none"), ("no-preference", "appear")])
def test_nothing_moves_for_those_who_ask_for_it(open_page: Open, motion: str, name: str) -> None:
    page = open_page(reduced_motion=motion)
    show(page, "progress", step="sending")
    assert page.locator(".panel").evaluate("panel => getComputedStyle(panel).animationName") == name


def test_a_closed_card_leaves_nothing_behind_and_stays_closed(page: Any) -> None:
    before = page.evaluate("document.documentElement.outerHTML")
    show(page, "verdict", outcome=FAKE)
    card_of(page).get_by_role("button", name="Close").click()
    show(page, "progress", step="sending")
    show(page, "verdict", outcome=FAKE)
    show(page, "failure", failure=BUSY, ways=["retry"])
    assert page.evaluate("document.documentElement.outerHTML") == before
    assert done(page) == ["close"]

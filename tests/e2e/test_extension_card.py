"""The card in pages that do not make room for it: where it stands, what it hears, what it leaves alone."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import FLAGS
from tests.e2e.extension_browser import ENGLISH, Card, Extension, launch
from tests.e2e.test_extension_service import show
from tests.e2e.test_extension_sources import TOLERANCE, decode, measure_difference, take_shot, wait_until_shown
from tests.e2e.test_page import check as make_answer
from tests.e2e.test_page import face
from tests.e2e.web.pictures import make_picture
from tests.e2e.web.service import Answer, Proxy
from tests.e2e.web.site import Site

WORDS = ENGLISH["card"]
DETAILS = "Details"


def sha256_of(path: str) -> str:
    return hashlib.sha256(make_picture(f"/pictures/{path}")).hexdigest()


def answer_with(*faces: dict[str, Any], width: int, height: int) -> Answer:
    """Return a verdict on a picture of the given size."""
    body = make_answer(*faces).body
    return Answer(200, body | {"media": body["media"] | {"width": width, "height": height}})


def assert_within(card: Card, page: Any) -> None:
    """All of the card can be seen."""
    width, height = page.evaluate("[document.documentElement.clientWidth, innerHeight]")
    box = card.box
    assert box["x"] >= 0 and box["x"] + box["width"] <= width + 1, box
    assert box["y"] >= 0 and box["y"] + box["height"] <= height + 1, box


def wait_until_still(extension: Extension, page: Any, frame: Any = None) -> Card:
    """Wait until the card does not move any more."""
    last = None
    for _ in range(200):
        card = extension.read_card(page, frame)
        if last and card and card.box == last.box and card.faces == last.faces:
            return card
        last = card
        page.wait_for_timeout(60)
    raise AssertionError(last)


# Where it stands


def test_it_stands_beside_the_picture_with_the_faces_on_it(extension: Extension, service: Proxy, site: Site) -> None:
    service.answers = [answer_with(face(0.93, "likely_fake"), width=600, height=750)]
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "verdict")
    card = wait_until_still(extension, page)
    assert "Likely fake" in card.text and "93%" in card.text
    assert_within(card, page)
    picture = page.locator("#target").bounding_box()
    assert card.box["x"] >= picture["x"] + picture["width"]
    (box,) = card.faces
    scale = picture["width"] / 600
    found = [(box["x"] - picture["x"]) / scale, (box["y"] - picture["y"]) / scale, box["width"] / scale]
    # The box that `face` tells.
    assert found == pytest.approx([178, 62, 92], abs=4)


def test_it_follows_the_picture(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "long")
    extension.wait_for_card(page, "verdict")
    before = wait_until_still(extension, page)
    page.mouse.wheel(0, 120)
    page.wait_for_function("scrollY === 120")
    after = wait_until_still(extension, page)
    assert before.faces and [one["y"] for one in after.faces] == pytest.approx(
        [one["y"] - 120 for one in before.faces], abs=2
    )
    assert_within(after, page)


def test_it_fits_into_a_narrow_window(extension: Extension, service: Proxy, site: Site) -> None:
    page = extension.context.pages[0]
    usual = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 700})
    show(extension, site, "cross-origin")
    extension.wait_for_card(page, "verdict")
    card = wait_until_still(extension, page)
    assert_within(card, page)
    page.set_viewport_size(usual)


def test_it_speaks_arabic_from_right_to_left(extension: Extension, service: Proxy, site: Site) -> None:
    extension.change_settings(language="ar")
    service.answers = [answer_with(face(0.93, "likely_fake"), width=600, height=750)]
    page = show(extension, site, "rtl")
    extension.wait_for_card(page, "verdict")
    card = wait_until_still(extension, page)
    assert card.direction == "rtl"
    assert "مزيّف على الأرجح" in card.text
    assert "Likely" not in card.text
    assert_within(card, page)


def test_it_hangs_where_a_modal_dialog_leaves_it_alive(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "dialog")
    assert extension.wait_for_card(page, "verdict").parent == "dialog"
    extension.press(page, WORDS["close"])
    extension.wait_for_no_card(page)
    assert page.evaluate("document.getElementById('box').open")


def test_it_is_seen_over_a_full_screen(extension: Extension, service: Proxy, site: Site) -> None:
    page = extension.open(site.page("fullscreen"))
    page.locator("#fill").click()
    page.wait_for_function("document.fullscreenElement")
    target = page.locator("#target")
    extension.click(page, target, mediaType="image", srcUrl=target.evaluate("(element) => element.currentSrc"))
    assert extension.wait_for_card(page, "verdict").parent == "div"
    extension.press(page, WORDS["close"])
    extension.wait_for_no_card(page)
    assert page.evaluate("document.fullscreenElement?.id") == "box"


def test_it_outlives_a_page_that_renders_itself_anew(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "restless")
    extension.wait_for_card(page, "verdict")
    # Twice as long as the page leaves its picture alone.
    page.wait_for_timeout(800)
    assert extension.wait_for_card(page, "verdict").count == 1
    assert [sent.sha256 for sent in service.checks] == [sha256_of("restless-600x750.jpg")]


@pytest.mark.slow
def test_a_page_that_lets_nothing_in_leaves_an_answer_elsewhere(
    extension: Extension, service: Proxy, site: Site
) -> None:
    page = show(extension, site, "jealous")
    page.wait_for_timeout(3000)
    assert extension.read_card(page) is None
    (address,) = extension.ask(
        """async () => {
            const own = await chrome.runtime.getContexts({ contextTypes: ["SIDE_PANEL", "TAB", "POPUP"] });
            return own.map(({ documentUrl }) => documentUrl);
        }"""
    )
    assert "jealous-600x750.jpg" in address or "history?id=" in address


@pytest.mark.parametrize("name", ["strict", "sandboxed"])
def test_the_rules_of_a_page_are_not_broken(extension: Extension, service: Proxy, site: Site, name: str) -> None:
    complaints: list[str] = []
    page = extension.context.pages[0]
    page.on("console", lambda message: complaints.append(message.text))
    show(extension, site, name)
    extension.wait_for_card(page, "verdict")
    extension.press(page, DETAILS)
    page.wait_for_timeout(100)
    assert [text for text in complaints if "Content Security Policy" in text or "Trusted" in text] == []


# What it hears


def test_escape_closes_it_and_the_focus_returns(extension: Extension, service: Proxy, site: Site) -> None:
    page = extension.open(site.page("keys"))
    page.locator("#first").focus()
    target = page.locator("#second img")
    extension.click(page, target, mediaType="image", srcUrl=target.evaluate("(element) => element.currentSrc"))
    extension.wait_for_card(page, "verdict")
    extension.press(page, DETAILS)
    assert extension.read_card(page).focus
    page.keyboard.press("Escape")
    extension.wait_for_no_card(page)
    assert page.evaluate("document.activeElement.id") == "first"


def test_a_lightbox_hears_nothing_of_it(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "lightbox")
    extension.wait_for_card(page, "verdict")
    extension.press(page, DETAILS)
    for key in ("Tab", "Enter", "Escape"):
        page.keyboard.press(key)
    extension.wait_for_no_card(page)
    assert page.locator("#box").count() == 1


def test_it_is_reached_and_left_by_the_keyboard(extension: Extension, service: Proxy, site: Site) -> None:
    page = extension.open(site.page("keys"))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "second"
    extension.press_command(page)
    extension.wait_for_card(page, "verdict")
    assert [sent.sha256 for sent in service.checks] == [sha256_of("keys-second-400x500.jpg")]
    # The same key again leads into the card.
    extension.press_command(page)
    for _ in range(100):
        if extension.read_card(page).focus:
            break
        page.wait_for_timeout(30)
    visited = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        visited.add(extension.read_card(page).focus)
    assert {WORDS["close"], DETAILS} <= visited
    page.keyboard.press("Escape")
    extension.wait_for_no_card(page)
    assert page.evaluate("document.activeElement.id") == "second"


def test_the_key_takes_what_is_under_the_pointer(extension: Extension, service: Proxy, site: Site) -> None:
    page = extension.open(site.page("cross-origin"))
    wait_until_shown(page.locator("#target"))
    page.locator("#target").hover()
    extension.press_command(page)
    extension.wait_for_card(page, "verdict")
    assert [sent.sha256 for sent in service.checks] == [sha256_of("cross-origin-600x750.jpg")]


def test_the_verdict_is_spoken(extension: Extension, service: Proxy, site: Site) -> None:
    gate = threading.Event()
    service.always["POST", "/v2/checks/image"] = held = answer_with(face(0.93, "likely_fake"), width=600, height=750)
    held.gate = gate
    page = show(extension, site, "cross-origin")
    card = extension.wait_for_card(page, "progress", until=lambda card: WORDS["steps"]["sending"] in card.said)
    assert WORDS["stop"] in card.buttons
    gate.set()
    card = extension.wait_for_card(page, "verdict")
    assert "Likely fake" in card.said and "93" in card.said


# What it asks


def test_several_pictures_are_asked_about(extension: Extension, service: Proxy, site: Site) -> None:
    page = extension.open(site.page("several"))
    page.wait_for_load_state("load")
    extension.click(page, page.locator("#target"))
    card = extension.wait_for_card(page, "choice")
    assert service.asked == []
    assert card.focus
    choices = [name for name in card.buttons if name != WORDS["close"]]
    assert len(choices) == 2
    second = next(name for name in choices if "Two" in name)
    extension.press(page, second)
    extension.wait_for_card(page, "verdict")
    assert [sent.sha256 for sent in service.checks] == [sha256_of("several-two-400x500.jpg")]


def test_an_area_can_be_selected_where_nothing_is_found(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "canvas-tainted")
    extension.wait_for_card(page, "verdict")
    page.keyboard.press("Escape")
    extension.wait_for_no_card(page)
    before = take_shot(page, page.locator("#target"))
    box = page.locator("#target").bounding_box()
    # Beside the picture lies nothing but the page.
    page.evaluate("document.getElementById('target').style.pointerEvents = 'none'")
    page.mouse.move(900, 650)
    page.evaluate("document.getElementById('target').style.opacity = '0'")
    extension.click(page)
    assert extension.wait_for_card(page).failure == "nothing_found"
    page.evaluate("document.getElementById('target').style.opacity = ''")
    extension.press(page, WORDS["failure"]["area"])
    extension.wait_for_area(page)
    page.mouse.move(box["x"], box["y"])
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 90, steps=4)
    page.mouse.move(box["x"] + box["width"], box["y"] + box["height"], steps=4)
    page.mouse.up()
    card = extension.wait_for_card(page, "verdict")
    assert "Screenshot" in card.text
    sent = decode(service.checks[-1].body)
    assert measure_difference(sent, before) <= TOLERANCE
    # The layer itself is not in the picture, nor left on the page.
    assert np.abs(sent.mean() - before.mean()) < 1
    assert extension.count_layers(page) == 1


@pytest.mark.slow
def test_a_screenshot_has_every_pixel_of_a_dense_screen(
    playwright: Any, chromium: str, built: Path, service: Proxy, site: Site, tmp_path: Path
) -> None:
    flags = [*FLAGS, "--force-device-scale-factor=2", "--window-size=900,900"]
    with launch(playwright, chromium, built, tmp_path, *flags, viewport=None, no_viewport=True) as extension:
        extension.reset(backend=service.url, agreedHost=service.host)
        page = extension.open(site.page("cross-origin"))
        target = page.locator("#target")
        wait_until_shown(target)
        target.hover()
        x, y, width, height = (round(2 * value) for value in target.bounding_box().values())
        before = decode(page.screenshot())[y : y + height, x : x + width]
        show(extension, site, "cross-origin")
        extension.wait_for_card(page, "verdict")
    sent = decode(service.checks[-1].body)
    assert sent.shape == (800, 640, 3)
    assert measure_difference(sent, before) <= TOLERANCE


@pytest.mark.parametrize("extension", ["this tab"], indirect=True)
def test_a_screenshot_names_the_site_that_has_the_original(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "cross-origin")
    card = extension.wait_for_card(page, "verdict")
    host = site.origins["cdn"].removeprefix("http://")
    assert WORDS["verdict"]["allow"].format(host=host) in card.buttons


def test_what_the_service_cannot_open_is_checked_as_shown(extension: Extension, service: Proxy, site: Site) -> None:
    service.answers = [Answer(415)]
    page = show(extension, site, "cross-origin")
    assert extension.wait_for_card(page).failure == "unsupported"
    extension.press(page, WORDS["failure"]["shown"])
    extension.wait_for_card(page, "verdict")
    page.keyboard.press("Escape")
    extension.wait_for_no_card(page)
    before = take_shot(page, page.locator("#target"))
    assert measure_difference(decode(service.checks[-1].body), before) <= TOLERANCE


def test_a_page_that_is_left_takes_its_card_along(extension: Extension, service: Proxy, site: Site) -> None:
    gate = threading.Event()
    service.answers = [Answer(500, gate=gate)]
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "progress", until=lambda card: len(service.checks) == 1)
    extension.open(site.page("same-origin"))
    gate.set()
    assert extension.read_card(page) is None
    show(extension, site, "same-origin")
    assert extension.wait_for_card(page, "verdict").count == 1
    assert len(service.checks) == 2

"""The extension and its service: what is sent, when, to whom, how often; and every trouble in plain words."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.extension_browser import ENGLISH, Extension, launch
from tests.e2e.test_extension_sources import (
    TOLERANCE,
    decode,
    decode_clip,
    measure_difference,
    wait_until_shown,
)
from tests.e2e.web.pictures import make_picture
from tests.e2e.web.service import Answer, Proxy, free_port
from tests.e2e.web.site import Site

WORDS = ENGLISH["card"]
VERDICTS = ("Likely fake", "No traces found", "Uncertain", "No face found")


def show(extension: Extension, site: Site, name: str, **info: Any) -> Any:
    """Open a page and click on what it shows; returns the page."""
    page = extension.open(site.page(name))
    target = page.locator("#target")
    wait_until_shown(target)
    if target.evaluate("(element) => element.matches('img')"):
        info = {"mediaType": "image", "srcUrl": target.evaluate("(element) => element.currentSrc"), **info}
    extension.click(page, target, **info)
    return page


def sha256_of(path: str) -> str:
    return hashlib.sha256(make_picture(f"/pictures/{path}")).hexdigest()


# Consent


def test_nothing_is_sent_before_the_person_agrees(extension: Extension, service: Proxy, site: Site) -> None:
    extension.reset(backend=service.url)
    page = show(extension, site, "cross-origin")
    card = extension.wait_for_card(page, "consent")
    size = len(make_picture("/pictures/cross-origin-600x750.jpg"))
    assert service.host in card.text
    assert re.search(rf"\b{size / 1000:.0f} kB", card.text), card.text
    assert service.asked == []
    assert card.focus
    extension.press(page, WORDS["consent"]["agree"])
    assert extension.wait_for_card(page).state == "verdict"
    assert [sent.sha256 for sent in service.checks] == [sha256_of("cross-origin-600x750.jpg")]


def test_who_agreed_is_not_asked_again_until_the_host_changes(extension: Extension, service: Proxy, site: Site) -> None:
    extension.reset(backend=service.url)
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "consent")
    extension.press(page, WORDS["consent"]["agree"])
    extension.wait_for_card(page, "verdict")
    page = show(extension, site, "same-origin")
    extension.wait_for_card(page, "verdict")
    assert len(service.checks) == 2
    settings = {"backend": service.url.replace("127.0.0.1", "localhost")}
    extension.change_settings(**settings)
    page = show(extension, site, "srcset")
    card = extension.wait_for_card(page, "consent", "verdict", "failure")
    assert card.state == "consent"
    assert "localhost" in card.text
    assert len(service.checks) == 2


def test_who_does_not_agree_sends_nothing(extension: Extension, service: Proxy, site: Site) -> None:
    extension.reset(backend=service.url)
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "consent")
    extension.press(page, WORDS["consent"]["decline"])
    assert extension.wait_for_card(page).failure == "declined"
    assert service.asked == []
    # And is asked again the next time.
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "consent")


# Once and not twice


def test_the_same_picture_is_sent_once(extension: Extension, service: Proxy, site: Site) -> None:
    for _ in range(2):
        page = show(extension, site, "cross-origin")
        card = extension.wait_for_card(page, "verdict")
    assert len(service.checks) == 1
    assert "nothing was sent" in card.text
    extension.press(page, WORDS["verdict"]["again"])
    extension.wait_for_card(page, "verdict", until=lambda card: len(service.checks) == 2)
    assert {sent.sha256 for sent in service.checks} == {sha256_of("cross-origin-600x750.jpg")}


def test_a_second_click_during_a_check_sends_nothing_more(extension: Extension, service: Proxy, site: Site) -> None:
    gate = threading.Event()
    service.always["POST", "/v2/checks/image"] = held = Answer(gate=gate)
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "progress", until=lambda card: len(service.checks) == 1)
    target = page.locator("#target")
    extension.click(page, target, mediaType="image", srcUrl=target.evaluate("(element) => element.currentSrc"))
    page.wait_for_timeout(300)
    assert (len(service.checks), extension.read_card(page).count) == (1, 1)
    held.status = 500
    gate.set()
    extension.wait_for_card(page, "failure")


# Trouble


def refusal(status: int, message: str = "", **headers: str) -> Answer:
    return Answer(status, {"error": {"code": "some_code", "message": message}} if message else None, headers)


@pytest.mark.parametrize(
    ("answer", "failure", "also"),
    [
        (Answer(hang_up=True), "offline", ""),
        (refusal(413, "The picture is larger than 20 MB."), "too_large", "larger than 20 MB"),
        (refusal(415), "unsupported", ""),
        (refusal(422, "The picture is empty."), "unreadable", "The picture is empty."),
        (refusal(500), "server", ""),
        (refusal(401), "forbidden", ""),
        (refusal(403), "forbidden", ""),
        (refusal(404), "too_old", ""),
        (refusal(503, "The store does not answer."), "busy", "The store does not answer."),
        (refusal(504), "waking", ""),
        (Answer(200, "<!doctype html><title>Sign in</title>"), "server", ""),
        (Answer(200, {"hello": "I am a proxy"}), "server", ""),
    ],
    ids=["hang up", "413", "415", "422", "500", "401", "403", "404", "503", "504", "HTML", "no verdict"],
)
def test_trouble_is_told_in_plain_words_with_a_way_out(
    extension: Extension, service: Proxy, site: Site, answer: Answer, failure: str, also: str
) -> None:
    service.always["POST", "/v2/checks/image"] = answer
    page = show(extension, site, "cross-origin")
    card = extension.wait_for_card(page)
    assert card.failure == failure
    assert also in card.text
    assert ENGLISH["failures"][failure]["title"] in card.said
    assert "this says nothing about it" in card.text
    assert not any(word in card.text for word in VERDICTS)
    service.always.clear()
    extension.press(page, WORDS["failure"]["retry"])
    extension.wait_for_card(page, "verdict")


def test_a_busy_service_is_waited_for(extension: Extension, service: Proxy, site: Site) -> None:
    service.answers = [refusal(429, **{"Retry-After": "2"})]
    page = show(extension, site, "cross-origin")
    card = extension.wait_for_card(page)
    assert card.failure == "busy"
    assert re.search(r"\b[12] s to go", card.text), card.text
    assert card.buttons[WORDS["failure"]["retry"]]["disabled"]
    # Waits until the button can be pressed.
    extension.press(page, WORDS["failure"]["retry"])
    extension.wait_for_card(page, "verdict")
    assert len(service.checks) == 2


def test_a_service_that_does_not_run_is_offline(extension: Extension, service: Proxy, site: Site) -> None:
    host = f"127.0.0.1:{free_port()}"
    extension.change_settings(backend=f"http://{host}", agreedHost=host)
    page = show(extension, site, "cross-origin")
    card = extension.wait_for_card(page)
    assert card.failure == "offline"
    assert {WORDS["failure"]["retry"], WORDS["failure"]["settings"]} <= set(card.buttons)
    extension.change_settings(backend=service.url, agreedHost=service.host)
    extension.press(page, WORDS["failure"]["retry"])
    extension.wait_for_card(page, "verdict")


@pytest.mark.parametrize(("level", "failure"), [(0, "too_old"), (99, "too_new"), (None, "too_old")])
def test_a_service_that_does_not_fit_is_sent_nothing(
    extension: Extension, service: Proxy, site: Site, level: int | None, failure: str
) -> None:
    health = {"status": "ok", "model": {"name": "m", "version": "1"}, "flags": False, "api": level}
    service.always["GET", "/v2/health"] = Answer(200, {k: v for k, v in health.items() if v is not None})
    # Another key is another service, of which nothing is known yet.
    extension.change_settings(key=f"fits-{level}")
    page = show(extension, site, "cross-origin")
    assert extension.wait_for_card(page).failure == failure
    assert service.checks == []


def test_a_check_can_be_stopped(extension: Extension, service: Proxy, site: Site) -> None:
    gate = threading.Event()
    service.answers = [Answer(500, gate=gate)]
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "progress", until=lambda card: len(service.checks) == 1)
    extension.press(page, WORDS["stop"])
    assert extension.wait_for_card(page).failure == "stopped"
    gate.set()
    # The answer that comes too late changes nothing.
    page.wait_for_timeout(200)
    assert extension.read_card(page).failure == "stopped"
    extension.press(page, WORDS["failure"]["retry"])
    extension.wait_for_card(page, "verdict")


@pytest.mark.slow
def test_a_long_check_says_that_it_goes_on(extension: Extension, service: Proxy, site: Site) -> None:
    gate = threading.Event()
    service.answers = [Answer(500, gate=gate)]
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "progress", until=lambda card: WORDS["longSending"] in card.text)
    gate.set()
    extension.wait_for_card(page, "failure")


# What cannot be checked


@pytest.mark.parametrize(
    ("name", "info", "failures"),
    [
        ("empty", {}, {"nothing_found"}),
        ("text", {"linkUrl": "{cdn}/pictures/text.jpg"}, {"unreachable", "unsupported"}),
        ("missing", {}, {"nothing_found", "unreachable"}),
    ],
)
def test_what_is_no_picture_is_not_sent(
    extension: Extension, service: Proxy, site: Site, name: str, info: dict[str, str], failures: set[str]
) -> None:
    page = extension.open(site.page(name))
    target = page.locator("#target")
    if name == "missing":
        info = {"mediaType": "image", "srcUrl": target.evaluate("(element) => element.src")}
    told = {key: value.format(**site.origins) for key, value in info.items()}
    extension.click(page, target, **told)
    card = extension.wait_for_card(page)
    assert card.failure in failures
    assert WORDS["failure"]["area"] in card.buttons
    assert service.checks == []


def test_a_picture_beyond_every_limit_is_not_sent(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "huge")
    card = extension.wait_for_card(page)
    sizes = [len(sent.body) for sent in service.checks]
    assert card.failure == "too_large" or (card.state == "verdict" and max(sizes) < 20_000_000), card
    if card.failure:
        assert sizes == []
        extension.press(page, WORDS["failure"]["shown"])
        extension.wait_for_card(page, "verdict")


def test_a_picture_without_a_face_is_not_called_real(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "cat")
    card = extension.wait_for_card(page)
    assert card.state == "verdict"
    assert "No face found" in card.text
    assert "No traces found" not in card.text


# The worker


def test_a_stopped_worker_wakes_for_the_click(extension: Extension, service: Proxy, site: Site) -> None:
    page = extension.open(site.page("cross-origin"))
    wait_until_shown(page.locator("#target"))
    extension.stop_worker(page)
    # The press on the button only wakes it: a headless browser has no menu.
    extension.wake(page)
    target = page.locator("#target")
    extension.click(page, target, mediaType="image", srcUrl=target.evaluate("(element) => element.currentSrc"))
    assert extension.wait_for_card(page).state == "verdict"
    assert len(service.checks) == 1


def test_a_check_whose_worker_dies_says_so_and_can_be_tried_again(
    extension: Extension, service: Proxy, site: Site
) -> None:
    gate = threading.Event()
    service.answers = [Answer(500, gate=gate)]
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "progress", until=lambda card: len(service.checks) == 1)
    extension.stop_worker(page)
    card = extension.wait_for_card(page)
    gate.set()
    assert card.failure == "interrupted"
    extension.press(page, WORDS["failure"]["retry"])
    assert extension.wait_for_card(page, "verdict")
    assert len(service.checks) == 2


@pytest.mark.parametrize("checks", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_many_checks_leave_nothing_behind(extension: Extension, service: Proxy, site: Site, checks: int) -> None:
    page = extension.open(site.page("gallery"))
    pictures = page.locator("#gallery img")
    page.wait_for_function("[...document.images].every((image) => image.naturalWidth)")
    count_elements = "document.querySelectorAll('*').length"
    before = page.evaluate(count_elements)

    def check(index: int) -> None:
        picture = pictures.nth(index)
        source = picture.evaluate("(element) => element.currentSrc")
        extension.click(page, picture, mediaType="image", srcUrl=source)
        extension.wait_for_card(page, "verdict")
        page.keyboard.press("Escape")
        extension.wait_for_no_card(page)

    check(0)
    check(1)
    extension.evaluate(COUNT_ADDRESSES, page)
    nodes, heap = extension.count_nodes(page), extension.measure_heap()
    for index in range(2, 2 + checks):
        check(index)
    assert len({sent.sha256 for sent in service.checks}) == 2 + checks
    assert page.evaluate(count_elements) == before
    assert extension.evaluate("globalThis.openAddresses", page) == 0
    assert extension.ask("() => chrome.declarativeNetRequest.getSessionRules()") == []
    # A card that stayed would be 60 nodes a check. Collectors take their time, so what is left is waited for.
    extension.wait_until_below(lambda: extension.count_nodes(page) - nodes, 200 + 10 * checks)
    extension.wait_until_below(lambda: extension.measure_heap() - heap, 3_000_000 + 60_000 * checks)


COUNT_ADDRESSES = """(() => {
    globalThis.openAddresses = 0;
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (blob) => { globalThis.openAddresses += 1; return createObjectURL.call(URL, blob); };
    URL.revokeObjectURL = (address) => { globalThis.openAddresses -= 1; revokeObjectURL.call(URL, address); };
})()"""


# Video


def test_a_playing_video_is_checked_over_some_seconds(extension: Extension, service: Proxy, site: Site) -> None:
    if site.clip is None:
        pytest.skip("needs ffmpeg to make a clip")
    page = extension.open(site.page("video"))
    target = page.locator("#target")
    wait_until_shown(target)
    extension.click(page, target, mediaType="video", srcUrl=target.evaluate("(element) => element.currentSrc"))
    extension.wait_for_card(page, "verdict")
    extension.press(page, WORDS["verdict"]["video"])
    extension.wait_for_card(page, "progress", until=lambda card: re.search(r"Frame \d+ of \d+", card.text) is not None)
    card = extension.wait_for_card(page)
    assert card.state == "verdict", card
    still, film = service.checks
    assert (still.path, film.path) == ("/v2/checks/image", "/v2/checks/frames")
    frames = json.loads(film.body)["frames"]
    times = [frame["time"] for frame in frames]
    assert 4 <= len(frames) <= 12
    assert times == sorted(set(times))
    clip = decode_clip(site.clip)
    pictures = [decode(base64.b64decode(frame["image"])) for frame in frames]
    assert max(min(measure_difference(picture, other) for other in clip) for picture in pictures) <= TOLERANCE
    assert extension.evaluate(HAS_TIMELINE, page), card.text


HAS_TIMELINE = """[...document.querySelectorAll("[popover]")]
    .map((host) => chrome.dom.openOrClosedShadowRoot(host))
    .some((root) => root?.querySelector("[class*=timeline]")?.checkVisibility())"""


def test_a_still_player_is_checked_as_a_picture_and_says_so(extension: Extension, service: Proxy, site: Site) -> None:
    if site.clip is None:
        pytest.skip("needs ffmpeg to make a clip")
    page = extension.open(site.page("video"))
    target = page.locator("#target")
    wait_until_shown(target)
    target.evaluate("(video) => video.pause()")
    extension.click(page, target, mediaType="video", srcUrl=target.evaluate("(element) => element.currentSrc"))
    card = extension.wait_for_card(page, "verdict")
    assert WORDS["verdict"]["still"] in card.text
    assert WORDS["verdict"]["video"] not in card.buttons
    assert [sent.path for sent in service.checks] == ["/v2/checks/image"]


# Forgetting


def test_a_check_is_forgotten_there_and_here(extension: Extension, service: Proxy, site: Site) -> None:
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "verdict")
    extension.press(page, "Forget this check")
    extension.wait_for_card(page, "forgotten")
    methods = [asked.method for asked in service.asked if asked.method in ("POST", "DELETE")]
    assert methods == ["POST", "DELETE"]
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "verdict")
    assert len(service.checks) == 2


# Nobody else


def test_the_browser_talks_to_the_page_and_the_service_only(
    playwright: Any, chromium: str, built: Path, service: Proxy, site: Site, tmp_path: Path
) -> None:
    log = tmp_path / "net.json"
    flags = ["--no-sandbox", f"--log-net-log={log}"]
    with launch(playwright, chromium, built, tmp_path / "profile", *flags, all_sites=True) as extension:
        extension.reset(backend=service.url)
        for name in ("cross-origin", "referer", "canvas-tainted"):
            page = show(extension, site, name)
            if name == "cross-origin":
                extension.wait_for_card(page, "consent")
                extension.press(page, WORDS["consent"]["agree"])
            extension.wait_for_card(page, "verdict")
        panel = extension.context.new_page()
        panel.goto(f"chrome-extension://{extension.id}/panel/panel.html")
        panel.wait_for_load_state("networkidle")
    asked = read_net_log(log)
    by_worker = [(method, url) for who, method, url in asked if who == f"chrome-extension://{extension.id}"]
    by_pages = [(method, url) for who, method, url in asked if who in site.origins.values()]
    to_service = {(method, url) for method, url in by_worker if url.startswith(f"{service.url}/")}
    assert ("POST", f"{service.url}/v2/checks/image") in to_service
    elsewhere = {*by_worker, *by_pages} - to_service
    assert elsewhere
    assert [url for _, url in elsewhere if not url.startswith(tuple(site.origins.values()))] == []
    assert {method for method, _ in elsewhere} == {"GET"}


def read_net_log(log: Path) -> list[tuple[str, str, str]]:
    """Return who began each request that left the browser, its method and its address."""
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
    return [(one["initiator"], one["method"], one["url"]) for one in asked]

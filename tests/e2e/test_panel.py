"""The side panel of the real extension: what a person sees, hears, presses, keeps and takes along."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.extension_browser import ENGLISH, PATIENCE, Extension, build_extension
from tests.e2e.firefox_browser import launch_firefox
from tests.e2e.web.pictures import make_picture
from tests.e2e.web.service import Answer, Proxy, free_port
from tests.e2e.web.site import Site

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install unmask[dev]")
expect = sync_api.expect

EXTENSION = Path(__file__).parents[2] / "extension"
AXE = EXTENSION / "node_modules" / "axe-core" / "axe.min.js"
ARABIC = json.loads((EXTENSION / "languages" / "ar.json").read_text(encoding="utf-8"))
WORDS = ENGLISH["panel"]
CONSENT = ENGLISH["card"]["consent"]
VIEWS = ("check", "history", "model", "questions", "settings")
PORTRAIT, BLENDED = ((EXTENSION / "samples" / f"{name}.jpg").read_bytes() for name in ("portrait", "blended"))
PATH = "/v2/checks/image"

# Runs in a page of the extension; takes [number of entries, what differs].
ADD_ENTRIES = """async ([count, changes]) => {
    const { openHistory } = await import("/common/history.js");
    const history = await openHistory();
    const canvas = new OffscreenCanvas(160, 120);
    canvas.getContext("2d").fillRect(0, 0, 160, 120);
    const thumbnail = await canvas.convertToBlob({ type: "image/jpeg" });
    for (let number = 0; number < count; number += 1) {
        const id = `entry-${number}`;
        const time = new Date(Date.UTC(2025, 2, 4, 5, 0, number)).toISOString();
        const verdict = {
            id, verdict: "likely_fake", fake_probability: 0.97, reasons: [],
            faces: [{ box: [10, 20, 30, 40], fake_probability: 0.97, verdict: "likely_fake" }],
            media: { kind: "image", sha256: "0f".repeat(32), width: 1440, height: 1800, format: "jpeg", frames: 1 },
            model: { name: "unmask-student", version: "v-7" }, checked_at: time, cached: false,
        };
        const page = { url: `https://news.example/story?id=${number}`, title: `Story (${number})` };
        await history.add({
            id, sha256: verdict.media.sha256, backend: "http://127.0.0.1:9", time, page,
            source: "original 1440 × 1800", thumbnail, bytes: 52345, verdict, ...changes,
        });
    }
    history.close();
}"""

Open = Callable[..., Any]


@pytest.fixture
def open_panel(extension: Extension, service: Proxy, site: Site) -> Iterator[Open]:
    """Opens the panel; at the end nothing may have gone wrong in it, or gone anywhere but to the service."""
    complaints: list[str] = []
    strangers: list[str] = []
    fine = (f"chrome-extension://{extension.id}/", f"blob:chrome-extension://{extension.id}/", "data:")

    def hear(message: Any) -> None:
        # A refused check is reported by the browser itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def watch(request: Any) -> None:
        if not request.url.startswith((*fine, service.url, site.origins["cdn"], "http://127.0.0.1:")):
            strangers.append(request.url)

    def open_panel(address: str = "", *, page: str = "panel.html", width: int = 360, **settings: Any) -> Any:
        if settings:
            extension.reset(**{"backend": service.url, "agreedHost": service.host, **settings})
        panel = extension.context.new_page()
        panel.set_viewport_size({"width": width, "height": 800})
        panel.on("console", hear)
        panel.on("pageerror", lambda error: complaints.append(str(error)))
        panel.on("request", watch)
        panel.goto(f"chrome-extension://{extension.id}/panel/{page}{address}")
        expect(panel.locator("h1:visible")).not_to_be_empty()
        return panel

    yield open_panel
    assert complaints == []
    assert strangers == []


def choose(panel: Any, *files: tuple[str, bytes]) -> None:
    """Choose pictures as a person does: press the button, answer the dialogue."""
    with panel.expect_file_chooser() as chooser:
        panel.get_by_role("button", name=WORDS["check"]["choose"]).click()
    chooser.value.set_files([{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in files])


def card(panel: Any, name: str) -> Any:
    return panel.get_by_role("article", name=name)


def show(panel: Any, view: str) -> Any:
    """Press a tab; returns its view."""
    panel.get_by_role("tab", name=WORDS["tabs"][view]).click()
    return panel.locator(f"#view-{view}")


def stored(panel: Any) -> dict[str, Any]:
    kept: dict[str, Any] = panel.evaluate("async () => (await chrome.storage.local.get()).settings")
    assert kept.get("key", "") == "", "scripts in pages could read it"
    read = "async () => (await (await import('/common/settings.js')).readSettings())"
    settings: dict[str, Any] = panel.evaluate(read)
    return settings


def refusal(status: int, message: str = "", **headers: str) -> Answer:
    return Answer(status, {"error": {"code": "some_code", "message": message}} if message else None, headers)


# Check


def test_a_chosen_picture_is_sent_as_it_is_and_its_verdict_drawn(open_panel: Open, service: Proxy) -> None:
    panel = open_panel()
    choose(panel, ("portrait.jpg", PORTRAIT))
    found = card(panel, "portrait.jpg")
    expect(found.get_by_role("heading", level=3)).to_have_text("No traces found")
    expect(found.get_by_role("button", name="Face 1 of 1")).to_be_visible()
    assert [sent.body for sent in service.checks] == [PORTRAIT]
    expect(panel.locator("#status")).to_contain_text(
        "portrait.jpg: No traces found: nothing that this model knows. That does not make it genuine. Estimated prob"
    )


@pytest.mark.parametrize(
    ("sample", "headline"),
    [("portrait", "No traces found"), ("blended", "Likely fake"), ("small", "Uncertain"), ("cat", "No face found")],
)
def test_a_sample_shows_what_it_is_meant_to_show(open_panel: Open, sample: str, headline: str) -> None:
    panel = open_panel()
    name = WORDS["check"]["samples"][sample]["name"]
    panel.locator(".samples").get_by_role("button", name=name).click()
    expect(card(panel, name).get_by_role("heading", level=3)).to_have_text(headline)


def test_nothing_is_sent_before_the_person_agrees_and_one_answer_holds_for_all(
    open_panel: Open, service: Proxy
) -> None:
    panel = open_panel(agreedHost="")
    choose(panel, ("one.jpg", PORTRAIT), ("two.jpg", BLENDED))
    question = card(panel, "one.jpg")
    expect(question).to_contain_text(service.host)
    expect(question).to_contain_text("55 kB")
    expect(question.locator(".title")).to_be_focused()
    expect(card(panel, "two.jpg")).to_contain_text(WORDS["card"]["waiting"])
    assert service.asked == []
    question.get_by_role("button", name=CONSENT["agree"]).click()
    expect(card(panel, "one.jpg").get_by_role("heading", level=3)).to_have_text("No traces found")
    expect(card(panel, "two.jpg").get_by_role("heading", level=3)).to_have_text("Likely fake")
    assert len(service.checks) == 2
    assert stored(panel)["agreedHost"] == service.host


def test_who_does_not_agree_sends_nothing_and_is_not_asked_for_each_picture(open_panel: Open, service: Proxy) -> None:
    panel = open_panel(agreedHost="")
    choose(panel, ("one.jpg", PORTRAIT), ("two.jpg", BLENDED))
    card(panel, "one.jpg").get_by_role("button", name=CONSENT["decline"]).click()
    for name in ("one.jpg", "two.jpg"):
        expect(card(panel, name)).to_contain_text(WORDS["card"]["declined"])
    assert service.asked == []
    assert stored(panel).get("agreedHost") == ""
    card(panel, "two.jpg").get_by_role("button", name=WORDS["retry"]).click()
    expect(card(panel, "two.jpg").get_by_role("button", name=CONSENT["agree"])).to_be_visible()


def test_a_picture_that_was_checked_before_is_not_sent_again_unless_asked_for(open_panel: Open, service: Proxy) -> None:
    panel = open_panel()
    choose(panel, ("first.jpg", PORTRAIT))
    expect(card(panel, "first.jpg").get_by_role("heading", level=3)).to_be_visible()
    choose(panel, ("second.jpg", PORTRAIT))
    again = card(panel, "second.jpg")
    expect(again).to_contain_text("nothing was sent")
    assert len(service.checks) == 1
    again.get_by_role("button", name=ENGLISH["card"]["verdict"]["again"]).click()
    expect(again.locator(".unmask")).to_be_visible()
    expect(again).not_to_contain_text("nothing was sent")
    assert len(service.checks) == 2


@pytest.mark.parametrize(
    ("answer", "failure", "settings"),
    [
        (Answer(hang_up=True), "offline", True),
        (refusal(401), "forbidden", True),
        (refusal(413, "The picture is larger than 20 MB."), "too_large", False),
        (refusal(422, "The picture is empty."), "unreadable", False),
        (refusal(500), "server", False),
        (Answer(200, {"hello": "I am a proxy"}), "server", False),
    ],
    ids=["hang up", "401", "413", "422", "500", "no verdict"],
)
def test_a_failure_says_what_happened_and_offers_the_way_out(
    open_panel: Open, service: Proxy, answer: Answer, failure: str, settings: bool
) -> None:
    service.always["POST", PATH] = answer
    panel = open_panel()
    choose(panel, ("x.jpg", PORTRAIT))
    failed = card(panel, "x.jpg")
    expect(failed.get_by_role("heading", level=3)).to_have_text(ENGLISH["failures"][failure]["title"])
    expect(failed).to_contain_text("this says nothing about it")
    expect(failed).to_contain_text((answer.body or {}).get("error", {}).get("message", ""))
    expect(failed.locator(".unmask")).to_have_count(0)
    expect(panel.locator("#status")).to_contain_text(ENGLISH["failures"][failure]["title"])
    way = failed.get_by_role("button", name=ENGLISH["card"]["failure"]["settings"])
    expect(way).to_have_count(int(settings))
    service.always.clear()
    failed.get_by_role("button", name=ENGLISH["card"]["failure"]["retry"]).click()
    expect(card(panel, "x.jpg").get_by_role("heading", level=3)).to_have_text("No traces found")


def test_the_way_to_the_settings_leads_there(open_panel: Open, service: Proxy) -> None:
    service.always["POST", PATH] = refusal(401)
    panel = open_panel()
    choose(panel, ("x.jpg", PORTRAIT))
    panel.get_by_role("button", name=ENGLISH["card"]["failure"]["settings"]).click()
    expect(panel.get_by_role("tab", name="Settings")).to_have_attribute("aria-selected", "true")
    expect(panel.get_by_label(WORDS["settings"]["key"], exact=True)).to_be_visible()


def test_a_busy_service_is_not_asked_before_it_wants_to_be(open_panel: Open, service: Proxy) -> None:
    service.answers = [refusal(429, **{"Retry-After": "2"})]
    panel = open_panel()
    choose(panel, ("x.jpg", PORTRAIT))
    retry = card(panel, "x.jpg").get_by_role("button", name=ENGLISH["card"]["failure"]["retry"])
    expect(retry).to_be_disabled()
    expect(retry).to_be_enabled()
    retry.click()
    expect(card(panel, "x.jpg").get_by_role("heading", level=3)).to_have_text("No traces found")
    assert len(service.checks) == 2


def test_a_check_can_be_stopped(open_panel: Open, service: Proxy) -> None:
    gate = threading.Event()
    service.always["POST", PATH] = Answer(500, gate=gate)
    panel = open_panel()
    choose(panel, ("x.jpg", PORTRAIT), ("y.jpg", BLENDED))
    checking = card(panel, "x.jpg")
    expect(checking).to_have_attribute("aria-busy", "true")
    card(panel, "y.jpg").get_by_role("button", name=WORDS["card"]["remove"]).click()
    expect(card(panel, "y.jpg")).to_have_count(0)
    checking.get_by_role("button", name=ENGLISH["card"]["stop"]).click()
    expect(checking.get_by_role("heading", level=3)).to_have_text(ENGLISH["failures"]["stopped"]["title"])
    gate.set()


def test_a_check_is_forgotten_by_the_service_and_by_the_browser(open_panel: Open, service: Proxy) -> None:
    panel = open_panel()
    choose(panel, ("x.jpg", PORTRAIT))
    card(panel, "x.jpg").get_by_role("button", name="Forget this check").click()
    expect(panel.locator(".farewell")).to_be_focused()
    expect(panel.locator(".farewell")).to_contain_text("x.jpg: deleted")
    assert [asked.method for asked in service.asked][-1] == "DELETE"
    expect(show(panel, "history")).to_contain_text(WORDS["history"]["empty"])


def drop(panel: Any, fill: str, value: Any) -> None:
    """Drop on the heading: anywhere in the panel will do. `fill` puts `value` into `data`."""
    panel.evaluate(
        f"""value => {{
            const data = new DataTransfer();
            ({fill})(data, value);
            const event = new DragEvent("drop", {{ dataTransfer: data, bubbles: true, cancelable: true }});
            document.querySelector("h1").dispatchEvent(event);
            if (!event.defaultPrevented) throw new Error("the browser would leave the panel");
        }}""",
        value,
    )


ADD_FILE = """(data, text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
}"""


def test_a_dropped_picture_is_checked_from_every_view(open_panel: Open) -> None:
    panel = open_panel("#questions")
    drop(panel, ADD_FILE, base64.b64encode(PORTRAIT).decode())
    expect(card(panel, "dropped.jpg").get_by_role("heading", level=3)).to_have_text("No traces found")


def test_what_holds_no_picture_is_said_to(open_panel: Open) -> None:
    panel = open_panel()
    drop(panel, "(data, text) => data.setData('text/plain', text)", "words")
    expect(panel.get_by_role("alert")).to_have_text(WORDS["check"]["nothingDropped"])


def test_a_pasted_picture_is_checked_but_typing_is_left_alone(open_panel: Open, service: Proxy) -> None:
    panel = open_panel()
    paste = f"""([target, text]) => {{
        const clipboardData = new DataTransfer();
        ({ADD_FILE})(clipboardData, text);
        document.querySelector(target).dispatchEvent(new ClipboardEvent("paste", {{ clipboardData, bubbles: true }}));
    }}"""
    data = base64.b64encode(PORTRAIT).decode()
    panel.evaluate(paste, ["#backend", data])
    expect(panel.get_by_role("article")).to_have_count(0)
    panel.evaluate(paste, ["body", data])
    expect(card(panel, WORDS["check"]["pasted"]).get_by_role("heading", level=3)).to_have_text("No traces found")


def test_more_pictures_than_are_checked_at_once_are_left_out(open_panel: Open, service: Proxy) -> None:
    service.always["POST", PATH] = refusal(500)
    panel = open_panel()
    choose(panel, *[(f"{number}.jpg", PORTRAIT) for number in range(12)])
    expect(panel.get_by_role("alert")).to_contain_text("Only the first 10 of 12")
    expect(panel.locator("[data-state=failure]")).to_have_count(10)


# A page that lets no extension in


def test_an_address_is_fetched_only_when_the_button_is_pressed(open_panel: Open, site: Site, service: Proxy) -> None:
    address = f"{site.origins['cdn']}/pictures/cross-origin-600x750.jpg?x=1&y=2#z"
    panel = open_panel(f"#check?src={address.replace('&', '%26').replace('#', '%23')}")
    advice = panel.get_by_role("region", name=WORDS["blocked"]["title"])
    expect(advice).to_contain_text(address)
    expect(advice).to_be_focused()
    panel.wait_for_timeout(300)
    assert site.visits == []
    advice.get_by_role("button", name=WORDS["blocked"]["fetchIt"]).click()
    expect(card(panel, "cross-origin-600x750.jpg").locator(".unmask")).to_be_visible()
    assert [sent.body for sent in service.checks] == [make_picture("/pictures/cross-origin-600x750.jpg")]
    expect(advice).to_be_hidden()


@pytest.mark.parametrize("name", ["text.jpg", "nowhere.jpg"])
def test_an_address_without_a_picture_is_told(open_panel: Open, site: Site, service: Proxy, name: str) -> None:
    panel = open_panel(f"#check?src={site.origins['cdn']}/pictures/{name}")
    panel.get_by_role("button", name=WORDS["blocked"]["fetchIt"]).click()
    expect(panel.locator(".advice [role=status]")).to_contain_text("did not give a picture")
    assert service.checks == []


def test_a_refused_permission_fetches_nothing(open_panel: Open, site: Site) -> None:
    panel = open_panel(f"#check?src={site.origins['cdn']}/pictures/cross-origin-600x750.jpg")
    panel.evaluate("() => { chrome.permissions.request = async () => false; }")
    panel.get_by_role("button", name=WORDS["blocked"]["fetchIt"]).click()
    expect(panel.locator(".advice [role=status]")).to_contain_text("Nothing was fetched.")
    assert site.visits == []


@pytest.mark.parametrize("query", ["?blocked", "?src=blob:https://site.test/1", "?src=javascript:alert(1)", "?src="])
def test_what_cannot_be_fetched_is_not_offered(open_panel: Open, query: str) -> None:
    panel = open_panel(f"#check{query}")
    expect(panel.get_by_role("region", name=WORDS["blocked"]["title"])).to_contain_text(WORDS["blocked"]["save"])
    expect(panel.get_by_role("button", name=WORDS["blocked"]["fetchIt"])).to_have_count(0)
    panel.get_by_role("button", name=WORDS["close"]).click()
    expect(panel.locator(".advice")).to_be_hidden()


def test_a_dropped_address_is_offered_to_be_fetched(open_panel: Open, site: Site) -> None:
    panel = open_panel()
    address = f"{site.origins['cdn']}/pictures/cross-origin-600x750.jpg"
    drop(panel, "(data, text) => data.setData('text/uri-list', text)", address)
    expect(panel.get_by_role("region", name=WORDS["blocked"]["dropped"])).to_contain_text(address)
    assert site.visits == []


# History


def test_a_check_is_remembered_with_a_small_picture_and_without_the_large_one(open_panel: Open) -> None:
    panel = open_panel()
    choose(panel, ("portrait.jpg", PORTRAIT))
    expect(card(panel, "portrait.jpg").get_by_role("heading", level=3)).to_be_visible()
    entry = panel.evaluate(
        """async () => {
            const { openHistory } = await import("/common/history.js");
            const [{ thumbnail, ...rest }] = await (await openHistory()).list();
            const bytes = new Uint8Array(await thumbnail.arrayBuffer());
            return { ...rest, thumbnail: btoa(String.fromCharCode(...bytes)) };
        }"""
    )
    with Image.open(io.BytesIO(base64.b64decode(entry["thumbnail"]))) as thumbnail:
        assert (thumbnail.format, max(thumbnail.size)) == ("JPEG", 160)
    assert (entry["page"], entry["source"], entry["bytes"]) == (None, "portrait.jpg", len(PORTRAIT))
    history = show(panel, "history")
    row = history.get_by_role("listitem")
    expect(row).to_contain_text("No traces found")
    expect(row).to_contain_text("portrait.jpg")
    expect(row).to_contain_text(entry["verdict"]["model"]["version"])
    expect(history).to_contain_text("Checks kept: 1")


def test_the_history_keeps_finds_and_forgets(open_panel: Open) -> None:
    panel = open_panel()
    panel.evaluate(ADD_ENTRIES, [3, {}])
    found = panel.evaluate(
        """async () => {
            const { openHistory } = await import("/common/history.js");
            const history = await openHistory();
            const ids = (entries) => entries.map(({ id }) => id);
            const [entry] = await history.list({ limit: 1 });
            const before = await history.measure();
            const elsewhere = { id: "elsewhere", backend: "http://127.0.0.1:8", time: "2030-01-01T00:00:00Z" };
            await history.add({ ...entry, ...elsewhere });
            await history.add({ ...entry, source: "in its place" });
            const result = {
                all: ids(await history.list()),
                some: ids(await history.list({ limit: 2, offset: 1 })),
                none: ids(await history.list({ limit: 0 })),
                searched: ids(await history.list({ query: "STORY (1)" })),
                newest: (await history.find(entry.sha256, entry.backend)).source,
                elsewhere: (await history.find(entry.sha256, "http://127.0.0.1:8")).id,
                unknown: (await history.find("00", entry.backend)) === undefined,
                before,
            };
            await history.remove("entry-0");
            result.left = ids(await history.list());
            await history.clear();
            result.after = await history.measure();
            history.close();
            return result;
        }"""
    )
    assert found["all"] == ["elsewhere", "entry-2", "entry-1", "entry-0"]
    assert found["some"] == ["entry-2", "entry-1"]
    assert found["none"] == []
    assert found["searched"] == ["entry-1"]
    assert (found["newest"], found["elsewhere"], found["unknown"]) == ("in its place", "elsewhere", True)
    assert found["before"]["entries"] == 3
    assert found["before"]["bytes"] > 3 * 500
    assert found["left"] == ["elsewhere", "entry-2", "entry-1"]
    assert found["after"] == {"entries": 0, "bytes": 0}


def test_beyond_the_limit_the_oldest_are_dropped_and_long_lists_come_in_parts(open_panel: Open) -> None:
    # From a window without the list, which would be drawn anew for each.
    window = open_panel("?origin=https://cdn.example/*", page="allow.html")
    window.evaluate(ADD_ENTRIES, [503, {"thumbnail": None}])
    panel = open_panel("#history")
    history = panel.locator("#view-history")
    expect(history).to_contain_text("Checks kept: 500")
    rows = history.get_by_role("listitem")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("Story (502)")
    history.get_by_role("button", name=WORDS["history"]["more"]).click()
    expect(rows).to_have_count(100)
    history.get_by_label(WORDS["history"]["search"]).fill("(2)")
    expect(history).to_contain_text("Nothing in the history matches")
    history.get_by_label(WORDS["history"]["search"]).fill("(3)")
    expect(history).to_contain_text("Checks found: 1.")


def test_a_check_made_elsewhere_appears_at_once_and_the_focus_stays(open_panel: Open) -> None:
    panel, other = open_panel("#history"), open_panel()
    panel.evaluate(ADD_ENTRIES, [1, {}])
    link = panel.get_by_role("link", name="Likely fake · 97% fake")
    link.focus()
    choose(other, ("elsewhere.jpg", PORTRAIT))
    expect(panel.get_by_role("listitem")).to_have_count(2)
    expect(panel.get_by_role("listitem").first).to_contain_text("elsewhere.jpg")
    expect(panel.get_by_role("link", name="Likely fake · 97% fake")).to_be_focused()


def test_an_entry_opens_with_its_verdict_and_the_way_back_leads_to_its_place(open_panel: Open) -> None:
    panel = open_panel("#history")
    panel.evaluate(ADD_ENTRIES, [3, {}])
    link = panel.get_by_role("listitem").nth(1).get_by_role("link", name="Likely fake")
    expect(link).to_have_accessible_description("Story (1) Mar 4, 2025, 5:00 AM Model v-7")
    link.click()
    expect(panel.get_by_role("heading", level=1)).to_have_text("Story (1)")
    expect(panel.get_by_role("heading", level=1)).to_be_focused()
    expect(panel.get_by_role("heading", level=3)).to_have_text("Likely fake")
    page_link = panel.get_by_role("link", name="Story (1)")
    assert page_link.get_attribute("href") == "https://news.example/story?id=1"
    assert page_link.get_attribute("rel") == "noreferrer"
    # The picture is the thumbnail, and the face lies where it lay in the original.
    stage = panel.locator(".unmask-stage").bounding_box()
    face = panel.get_by_role("button", name="Face 1 of 1").bounding_box()
    assert (face["x"] - stage["x"]) / stage["width"] == pytest.approx(10 / 1440, abs=0.005)
    panel.get_by_role("button", name=WORDS["history"]["back"]).click()
    expect(panel.get_by_role("listitem").nth(1).get_by_role("link", name="Likely fake")).to_be_focused()


def test_what_an_older_extension_called_real_is_listed_and_opened_as_no_traces_found(open_panel: Open) -> None:
    panel = open_panel("#history")
    # As version 1 of the API answered, and the extension kept it.
    old = {
        "id": "entry-0",
        "verdict": "likely_real",
        "fake_probability": 0.04,
        "reasons": [],
        "faces": [{"box": [10, 20, 30, 40], "fake_probability": 0.04, "verdict": "likely_real"}],
        "media": {"kind": "image", "sha256": "0f" * 32, "width": 1440, "height": 1800, "format": "jpeg", "frames": 1},
        "model": {"name": "unmask-student", "version": "v-7"},
        "checked_at": "2025-03-04T05:06:07Z",
        "cached": False,
    }
    panel.evaluate(ADD_ENTRIES, [1, {"verdict": old}])
    panel.get_by_role("link", name="No traces found · 4%, no proof").click()
    expect(panel.get_by_role("heading", level=3)).to_have_text("No traces found")
    expect(panel.locator(".detail")).to_contain_text("That does not make it genuine.")


def test_the_bands_of_another_model_are_not_drawn(open_panel: Open, service: Proxy) -> None:
    panel = open_panel("#history")
    panel.evaluate(ADD_ENTRIES, [1, {}])
    panel.get_by_role("link", name="Likely fake").click()
    expect(panel.locator(".detail .unmask")).to_be_visible()
    expect(panel.locator(".detail .unmask-track")).to_have_count(0)
    choose_view = show(panel, "check")
    expect(choose_view).to_be_visible()
    choose(panel, ("own.jpg", PORTRAIT))
    expect(card(panel, "own.jpg").locator(".unmask-band")).to_have_count(3)
    show(panel, "history").get_by_role("link", name="No traces found").click()
    expect(panel.locator(".detail .unmask-band")).to_have_count(3)


def test_an_entry_is_deleted_here_only(open_panel: Open, service: Proxy) -> None:
    panel = open_panel("#history")
    panel.evaluate(ADD_ENTRIES, [2, {"backend": service.url}])
    panel.get_by_role("link", name="Likely fake").first.click()
    panel.get_by_role("button", name=WORDS["history"]["remove"], exact=True).click()
    expect(panel.get_by_role("listitem")).to_have_count(1)
    expect(panel.locator(".note")).to_contain_text("may still keep the answer")
    assert not [asked for asked in service.asked if asked.method == "DELETE"]


def test_an_entry_is_deleted_at_the_service_that_judged_it_and_no_other_gets_the_key(
    open_panel: Open, service: Proxy
) -> None:
    panel = open_panel("#history", backend=f"http://127.0.0.1:{free_port()}", key="secret")
    panel.evaluate(ADD_ENTRIES, [1, {"backend": service.url}])
    panel.get_by_role("link", name="Likely fake").click()
    service.always["DELETE", "/v2/checks/entry-0"] = refusal(503, "The store does not answer.")
    both = panel.get_by_role("button", name="Delete here and at")
    both.click()
    expect(panel.locator("#view-history")).to_contain_text("did not delete it")
    service.always["DELETE", "/v2/checks/entry-0"] = Answer(204)
    both.click()
    expect(panel.locator(".note")).to_contain_text("no longer holds the answer")
    expect(panel.get_by_role("listitem")).to_have_count(0)
    deletions = [asked for asked in service.asked if asked.method == "DELETE"]
    assert len(deletions) == 2
    assert not any("secret" in value for asked in deletions for value in asked.headers.values())


def test_all_is_deleted_after_one_question_only(open_panel: Open) -> None:
    panel = open_panel("#history")
    panel.evaluate(ADD_ENTRIES, [4, {}])
    clear = panel.get_by_role("button", name=WORDS["history"]["clear"])
    clear.click()
    dialog = panel.get_by_role("dialog")
    expect(dialog).to_contain_text("4")
    expect(dialog.get_by_role("button", name=WORDS["history"]["keep"])).to_be_focused()
    panel.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(panel.get_by_role("listitem")).to_have_count(4)
    clear.click()
    dialog.get_by_role("button", name=WORDS["history"]["clearYes"]).click()
    expect(panel.get_by_role("listitem")).to_have_count(0)
    expect(panel.locator("#view-history")).to_contain_text(WORDS["history"]["empty"])


def test_the_history_is_taken_along_as_a_table_and_as_json(open_panel: Open) -> None:
    panel = open_panel("#history")
    panel.evaluate(ADD_ENTRIES, [2, {"page": {"url": "https://x.example/", "title": '=1+1, "صفحة"'}}])
    files = {}
    for name in ("csv", "json"):
        with panel.expect_download() as download:
            panel.get_by_role("button", name=WORDS["history"][name]).click()
        assert download.value.suggested_filename.endswith(f".{name}")
        files[name] = Path(download.value.path()).read_bytes()
    rows = list(csv.DictReader(io.StringIO(files["csv"].decode("utf-8-sig"), newline="")))
    assert [row["page_title"] for row in rows] == ['\'=1+1, "صفحة"'] * 2
    assert rows[0]["fake_probability"] == "0.97"
    checks = json.loads(files["json"])["checks"]
    assert [check["page"]["title"] for check in checks] == ['=1+1, "صفحة"'] * 2


def test_what_a_page_calls_itself_is_text_and_only_web_addresses_are_links(open_panel: Open) -> None:
    markup = "<img src=x onerror=alert(1)>"
    panel = open_panel("#history")
    panel.evaluate(ADD_ENTRIES, [1, {"page": {"url": "javascript:alert(1)", "title": markup}, "source": markup}])
    row = panel.get_by_role("listitem")
    expect(row).to_contain_text(markup)
    expect(row.get_by_role("link")).to_have_count(1)
    row.get_by_role("link").click()
    expect(panel.get_by_role("heading", level=1)).to_have_text(markup)
    expect(panel.get_by_role("heading", level=1).get_by_role("link")).to_have_count(0)


# Model and questions


def test_the_model_tells_what_it_covers_and_how_often_it_is_right(open_panel: Open) -> None:
    shipped = json.loads((EXTENSION.parent / "backend/chalicelib/models/model_card.json").read_text(encoding="utf-8"))
    panel = open_panel("#model")
    view = panel.locator("#view-model")
    for sentence in (*shipped["covers"], *shipped["limits"], shipped["version"], shipped["terms"]):
        expect(view).to_contain_text(sentence)
    overall = shipped["metrics"]["overall"]
    figure = view.get_by_text(WORDS["model"]["realAccused"]).locator("..")
    expect(figure).to_contain_text(f"{overall['real_called_fake']:.1%}")
    generators, sources = view.get_by_role("table").all()
    expect(generators.get_by_role("row").filter(has_text="flux1-schnell")).to_have_count(1)
    row = sources.get_by_role("row").filter(has_text=WORDS["model"]["sources"]["sd21"])
    found = shipped["metrics"]["sources"]["sd21"]
    expect(row.get_by_role("cell").first).to_have_text(f"{found['fake_called_fake']:.0%}")
    # Both kinds of pictures in one source make two rows.
    expect(sources.get_by_role("row").filter(has_text=WORDS["model"]["sources"]["ffpp"])).to_have_count(2)


def test_a_model_that_cannot_be_asked_can_be_asked_again(open_panel: Open, service: Proxy) -> None:
    service.always["GET", "/v2/model"] = Answer(500)
    panel = open_panel("#model")
    view = panel.locator("#view-model")
    expect(view).to_contain_text(WORDS["model"]["failed"])
    service.always.clear()
    view.get_by_role("button", name=WORDS["retry"]).click()
    expect(view).to_contain_text(WORDS["model"]["limits"])


def test_a_model_without_figures_is_shown_without_them(open_panel: Open, service: Proxy) -> None:
    thresholds = {"no_traces_below": 0.2, "fake_above": 0.8}
    model = {"name": "m", "version": "1", "covers": ["a"], "limits": ["b"], "terms": "c", "thresholds": thresholds}
    service.always["GET", "/v2/model"] = Answer(200, model)
    view = open_panel("#model").locator("#view-model")
    expect(view).to_contain_text(WORDS["model"]["noFigures"])
    expect(view.get_by_role("table")).to_have_count(0)


def test_every_question_has_its_answer(open_panel: Open) -> None:
    panel = open_panel("#questions")
    for item in WORDS["questions"]["list"]:
        panel.locator("summary").filter(has_text=item["question"]).click()
        for paragraph in item["answer"]:
            expect(panel.get_by_text(paragraph)).to_be_visible()


# Settings


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("", "empty"),
        ("hello world", "not_an_address"),
        ("https://user:word@unmask.example", "not_an_address"),
        ("http://unmask.example", "not_secure"),
    ],
)
def test_a_wrong_address_is_explained_and_not_saved(open_panel: Open, service: Proxy, typed: str, error: str) -> None:
    panel = open_panel("#settings")
    address = panel.get_by_label(WORDS["settings"]["backend"])
    address.fill(typed)
    address.press("Enter")
    expect(panel.locator("#backend-state")).to_have_text(WORDS["settings"]["backendErrors"][error])
    expect(address).to_have_attribute("aria-invalid", "true")
    assert stored(panel)["backend"] == service.url


def test_an_address_is_saved_in_its_one_form_and_the_key_stays_with_its_service(
    open_panel: Open, service: Proxy
) -> None:
    panel = open_panel("#settings")
    key = panel.get_by_label(WORDS["settings"]["key"], exact=True)
    key.fill("abc-123")
    key.press("Enter")
    expect(panel.locator("#key-state")).to_have_text(WORDS["settings"]["saved"])
    assert stored(panel)["key"] == "abc-123"
    address = panel.get_by_label(WORDS["settings"]["backend"])
    address.fill(f"{service.url}/stage/")
    address.press("Enter")
    expect(panel.locator("#backend-state")).to_have_text(WORDS["settings"]["saved"])
    assert (stored(panel)["backend"], stored(panel)["key"]) == (f"{service.url}/stage", "abc-123")
    address.fill("unmask.example/")
    address.press("Enter")
    expect(panel.locator("#backend-state")).to_have_text(WORDS["settings"]["keyRemoved"])
    expect(address).to_have_value("https://unmask.example")
    expect(key).to_have_value("")
    assert (stored(panel)["backend"], stored(panel)["key"]) == ("https://unmask.example", "")


def test_a_key_is_hidden_until_it_is_asked_for_and_checked_before_it_is_saved(open_panel: Open) -> None:
    panel = open_panel("#settings")
    key = panel.get_by_label(WORDS["settings"]["key"], exact=True)
    expect(key).to_have_attribute("type", "password")
    panel.get_by_label(WORDS["settings"]["showKey"]).check()
    expect(key).to_have_attribute("type", "text")
    key.fill("two words")
    key.press("Enter")
    expect(panel.locator("#key-state")).to_have_text(WORDS["settings"]["keyError"])
    assert stored(panel).get("key", "") == ""


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "answers. Model unmask-student"),
        (refusal(403), "key"),
        (Answer(200, {"status": "ok", "api": 0, "model": {"name": "m", "version": "1"}, "flags": False}), "older"),
        (Answer(200, {"status": "ok", "api": 99, "model": {"name": "m", "version": "1"}, "flags": False}), "too new"),
        (Answer(200, "<!doctype html><title>Sign in</title>"), "service"),
        (Answer(hang_up=True), "connection"),
    ],
    ids=["fits", "forbidden", "too old", "too new", "HTML", "hang up"],
)
def test_the_connection_is_tested_and_the_outcome_told(
    open_panel: Open, service: Proxy, answer: Answer | None, sentence: str
) -> None:
    if answer:
        service.always["GET", "/v2/health"] = answer
    panel = open_panel("#settings")
    panel.get_by_role("button", name=WORDS["settings"]["test"]).click()
    expect(panel.locator("#test-state")).to_contain_text(service.host)
    expect(panel.locator("#test-state")).to_contain_text(sentence, ignore_case=True)


def test_colours_are_applied_at_once_and_to_every_open_panel(open_panel: Open) -> None:
    panel, other = open_panel("#settings"), open_panel()
    panel.emulate_media(color_scheme="light")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = panel.evaluate(ground)
    panel.get_by_label(WORDS["settings"]["themes"]["dark"]).check()
    expect(panel.locator("#theme-state")).to_have_text(WORDS["settings"]["saved"])
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    assert panel.evaluate(ground) == other.evaluate(ground) != light


def test_the_language_changes_at_once_and_what_was_checked_stays(open_panel: Open) -> None:
    panel = open_panel()
    choose(panel, ("portrait.jpg", PORTRAIT))
    expect(card(panel, "portrait.jpg").get_by_role("heading", level=3)).to_have_text("No traces found")
    show(panel, "settings")
    language = panel.locator("#language")
    # What is hidden still takes no focus.
    expect(language).to_be_visible()
    language.focus()
    language.select_option("ar")
    expect(panel.locator("html")).to_have_attribute("dir", "rtl")
    expect(panel.locator("html")).to_have_attribute("lang", "ar")
    expect(panel.get_by_role("heading", level=1)).to_have_text(ARABIC["panel"]["settings"]["title"])
    expect(language).to_be_focused()
    panel.locator("#tab-check").click()
    expect(card(panel, "portrait.jpg").get_by_role("heading", level=3)).to_have_text(
        ARABIC["verdict"]["words"]["no_traces"]
    )
    panel.locator("#tab-settings").click()
    language.select_option("")
    expect(panel.locator("html")).to_have_attribute("dir", "ltr")


def test_the_scale_can_be_left_out_of_verdicts(open_panel: Open) -> None:
    panel = open_panel()
    choose(panel, ("portrait.jpg", PORTRAIT))
    expect(panel.locator(".unmask-scale")).to_have_count(1)
    show(panel, "settings")
    panel.get_by_label(WORDS["settings"]["showBand"]).uncheck()
    expect(panel.locator("#band-state")).to_have_text(WORDS["settings"]["saved"])
    show(panel, "check")
    expect(panel.locator(".unmask-scale")).to_have_count(0)


def test_an_agreement_is_shown_and_can_be_taken_back(open_panel: Open, service: Proxy) -> None:
    panel = open_panel("#settings")
    view = panel.locator("#view-settings")
    expect(view).to_contain_text(f"You agreed to send pictures to {service.host}.")
    view.get_by_role("button", name=WORDS["settings"]["disagree"]).click()
    expect(view).to_contain_text(WORDS["settings"]["disagreed"])
    expect(view).to_contain_text(f"You have not yet agreed to send pictures to {service.host}.")
    show(panel, "check")
    choose(panel, ("portrait.jpg", PORTRAIT))
    expect(panel.get_by_role("button", name=CONSENT["agree"])).to_be_visible()
    assert service.checks == []


@pytest.mark.parametrize("extension", ["this tab"], indirect=True)
def test_the_permission_for_all_sites_is_shown_as_the_browser_has_it(open_panel: Open) -> None:
    panel = open_panel("#settings")
    box = panel.get_by_label(WORDS["settings"]["sites"])
    expect(box).not_to_be_checked()
    asked = """allowed => {
        window.asked = [];
        chrome.permissions.request = async (what) => (window.asked.push(what), allowed);
        chrome.permissions.contains = async () => allowed;
    }"""
    panel.evaluate(asked, False)
    box.click()
    expect(panel.locator("#sites-state")).to_have_text(WORDS["settings"]["sitesRefused"])
    expect(box).not_to_be_checked()
    panel.evaluate(asked, True)
    box.click()
    expect(panel.locator("#sites-state")).to_have_text(WORDS["settings"]["sitesOn"])
    expect(box).to_be_checked()
    assert panel.evaluate("() => window.asked") == [{"origins": ["<all_urls>"]}]


def test_the_keyboard_shortcut_is_told_with_the_way_to_change_it(open_panel: Open) -> None:
    panel = open_panel("#settings")
    expect(panel.locator("#view-settings kbd")).to_have_text("Alt+Shift+U")
    with panel.context.expect_page() as opened:
        panel.get_by_role("button", name=WORDS["settings"]["changeKeys"]).click()
    assert opened.value.url.startswith("chrome://extensions")


# Tabs


def test_tabs_are_steered_by_keys_and_named_by_the_address(open_panel: Open) -> None:
    panel = open_panel()
    tab = panel.get_by_role("tab", name="Check")
    tab.focus()
    for key, name in [
        ("ArrowRight", "history"),
        ("End", "settings"),
        ("ArrowRight", "check"),
        ("ArrowLeft", "settings"),
    ]:
        panel.keyboard.press(key)
        expect(panel.get_by_role("tab", name=WORDS["tabs"][name])).to_be_focused()
        expect(panel.get_by_role("tabpanel")).to_have_attribute("id", f"view-{name}")
        assert panel.url.endswith(f"#{name}")
    panel.go_back()
    expect(panel.get_by_role("tabpanel")).to_have_attribute("id", "view-check")
    panel.keyboard.press("Tab")
    assert panel.evaluate("() => document.activeElement.getAttribute('role')") != "tab"


def test_in_arabic_the_arrow_to_the_left_leads_on(open_panel: Open) -> None:
    panel = open_panel(language="ar")
    panel.get_by_role("tab", name=ARABIC["panel"]["tabs"]["check"]).focus()
    panel.keyboard.press("ArrowLeft")
    expect(panel.get_by_role("tab", name=ARABIC["panel"]["tabs"]["history"])).to_be_focused()


@pytest.mark.parametrize("address", ["", "#", "#nonsense", "#check"])
def test_an_address_that_names_no_view_shows_the_first(open_panel: Open, address: str) -> None:
    panel = open_panel(address)
    expect(panel.get_by_role("tabpanel")).to_have_attribute("id", "view-check")


# The window that asks for a permission


def test_the_window_asks_for_the_named_site_and_closes(open_panel: Open) -> None:
    window = open_panel("?origin=https%3A%2F%2Fcdn.example%2F*&origin=http://b.example/*", page="allow.html")
    expect(window.get_by_role("heading", level=1)).to_have_text("Read from cdn.example and b.example?")
    window.evaluate(
        "() => { chrome.permissions.request = async (what) => void (document.title = JSON.stringify(what)); }"
    )
    window.evaluate("() => { window.close = () => (document.body.dataset.closed = ''); }")
    expect(window.get_by_role("button", name="Allow")).to_be_focused()
    window.get_by_role("button", name="Allow").click()
    expect(window.locator("body[data-closed]")).to_be_visible()
    assert json.loads(window.title()) == {"origins": ["https://cdn.example/*", "http://b.example/*"]}


@pytest.mark.parametrize(
    "query", ["", "?origin=", "?origin=%3Call_urls%3E", "?origin=https://*/*", "?origin=file:///*"]
)
def test_the_window_asks_for_nothing_but_single_sites(open_panel: Open, query: str) -> None:
    window = open_panel(query, page="allow.html")
    expect(window.get_by_role("heading", level=1)).to_have_text(WORDS["allow"]["wrong"])
    expect(window.get_by_role("button")).to_have_count(0)


# Barriers


def fill_panel(panel: Any, service: Proxy) -> None:
    """Bring every state into the panel."""
    panel.evaluate(ADD_ENTRIES, [2, {}])
    service.answers = [refusal(429, "Busy.", **{"Retry-After": "600"})]
    panel.set_input_files("input[type=file]", [{"name": "x.jpg", "mimeType": "image/jpeg", "buffer": PORTRAIT}])
    expect(panel.locator("[data-state=failure]")).to_be_visible()
    panel.set_input_files("input[type=file]", [{"name": f"{'long' * 20}.jpg", "mimeType": "", "buffer": BLENDED}])
    expect(panel.locator("[data-state=verdict]")).to_be_visible()


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "ar")])
def test_no_barrier_is_found_in_any_view(open_panel: Open, service: Proxy, scheme: str, language: str) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core (npm ci in extension/)")
    panel = open_panel("#check?src=https://cdn.example/a.jpg", language=language, theme=scheme)
    fill_panel(panel, service)
    found = {}
    for view in VIEWS:
        panel.locator(f"#tab-{view}").click()
        expect(panel.locator(f"#view-{view} h1:visible")).to_be_visible()
        if view == "model":
            expect(panel.get_by_role("table").last).to_be_visible()
        if view == "questions":
            panel.locator("#view-questions summary").evaluate_all("all => all.forEach(one => one.click())")
        if view == "settings":
            panel.locator("#backend").fill("http://unmask.example")
            panel.locator("#backend").press("Enter")
        found[view] = look_for_barriers(panel)
    panel.locator("#tab-history").click()
    panel.locator("#view-history .opens").first.click()
    expect(panel.locator(".detail .unmask")).to_be_visible()
    found["entry"] = look_for_barriers(panel)
    panel.locator("#tab-check").click()
    service.reset()
    window = open_panel("?origin=https://cdn.example/*", page="allow.html")
    found["allow"] = look_for_barriers(window)
    assert found == {name: [] for name in found}, json.dumps(found, indent=1)


def look_for_barriers(page: Any) -> list[Any]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [(found["id"], [node["target"] for node in found["nodes"]]) for found in result["violations"]]


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [300, 480])
def test_a_narrow_panel_needs_no_sideways_scrolling(
    open_panel: Open, service: Proxy, width: int, language: str
) -> None:
    panel = open_panel("#check?src=https://cdn.example/a.jpg", width=width, language=language)
    fill_panel(panel, service)
    for view in VIEWS:
        panel.locator(f"#tab-{view}").click()
        if view == "model":
            expect(panel.get_by_role("table").last).to_be_visible()
        if view == "questions":
            panel.locator("#view-questions summary").evaluate_all("all => all.forEach(one => one.click())")
        wide = panel.evaluate(
            """() => [...document.querySelectorAll("body *")]
                .filter((element) => !element.closest(".wide > *, .unmask-layer"))
                .map((element) => [element.getBoundingClientRect(), element.outerHTML.slice(0, 120)])
                .filter(([box]) => box.width > 1 && (box.right > innerWidth + 1 || box.left < -1))"""
        )
        assert wide == [], view
        assert panel.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("motion", "name"), [("reduce", "none"), ("no-preference", "slide")])
def test_nothing_moves_for_those_who_ask_for_it(open_panel: Open, service: Proxy, motion: str, name: str) -> None:
    gate = threading.Event()
    service.always["POST", PATH] = Answer(500, gate=gate)
    panel = open_panel()
    panel.emulate_media(reduced_motion=motion)
    choose(panel, ("x.jpg", PORTRAIT))
    bar = panel.locator(".bar")
    expect(bar).to_be_visible()
    assert bar.evaluate("bar => getComputedStyle(bar, '::before').animationName") == name
    gate.set()


# Firefox


def test_in_firefox_the_panel_checks_remembers_and_speaks_arabic(built: Path, service: Proxy, tmp_path: Path) -> None:
    pytest.importorskip("marionette_driver", reason="needs marionette_driver: pip install unmask[dev]")
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("needs firefox (Debian: firefox-esr)")
    with launch_firefox(program, build_extension(built, browser="firefox"), tmp_path) as firefox:
        firefox.reset(backend=service.url)
        firefox.driver.refresh()

        def wait_for(look: str) -> Any:
            """Wait until an expression over the panel's document holds."""
            deadline = time.monotonic() + PATIENCE
            while not (found := firefox.driver.execute_script(f"return {look};")):
                assert time.monotonic() < deadline, look
                time.sleep(0.05)
            return found

        wait_for("document.querySelectorAll('.sample').length === 4")
        firefox.find(".sample").click()
        wait_for("document.querySelector('[data-state=asking] .main')")
        assert service.asked == []
        firefox.find("[data-state=asking] .main").click()
        wait_for("document.querySelector('[data-state=verdict] .unmask-headline')?.textContent === 'No traces found'")
        assert [sent.body for sent in service.checks] == [PORTRAIT]
        firefox.find("#tab-history").click()
        wait_for("document.querySelectorAll('.history li img').length === 1")
        firefox.find("#tab-model").click()
        wait_for("document.querySelector('table')")
        firefox.find("#tab-settings").click()
        wait_for("document.querySelectorAll('#language option').length > 2")
        firefox.driver.execute_script(
            """const language = document.querySelector("#language");
            language.value = "ar";
            language.dispatchEvent(new Event("change"));"""
        )
        wait_for("document.documentElement.dir === 'rtl'")
        firefox.find("#tab-check").click()
        words = ARABIC["verdict"]["words"]["no_traces"]
        wait_for(f"document.querySelector('.unmask-headline').textContent === {json.dumps(words)}")

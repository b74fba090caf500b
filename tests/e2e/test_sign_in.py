"""Signing in with the real extension, at a user pool that moto plays: from an account to a flag, and out again."""

from __future__ import annotations

import base64
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.extension_browser import ENGLISH, PATIENCE, Extension, build_extension
from tests.e2e.firefox_browser import launch_firefox
from tests.e2e.test_extension_service import show
from tests.e2e.web.service import Answer, Proxy
from tests.e2e.web.site import Site

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install unmask[dev]")
for module in ("flask_cors", "joserfc"):
    pytest.importorskip(module, reason="needs moto[cognitoidp,server]: pip install unmask[dev]")

from tests.e2e.web.people import UserPool, running_pool  # noqa: E402

expect = sync_api.expect

EXTENSION = Path(__file__).parents[2] / "extension"
AXE = EXTENSION / "node_modules" / "axe-core" / "axe.min.js"
ARABIC = json.loads((EXTENSION / "languages" / "ar.json").read_text(encoding="utf-8"))
PORTRAIT = (EXTENSION / "samples" / "portrait.jpg").read_bytes()
WORDS = ENGLISH["panel"]["account"]
PASSWORD = "Correct-Horse-7"
HEALTH = {"status": "ok", "api": 2, "model": {"name": "unmask-student", "version": "1"}, "flags": True}
SIGN_IN_REQUIRED = Answer(401, {"error": {"code": "sign_in_required", "message": "Sign in first."}})

READ_PASS = "async () => Object.values(await chrome.storage.session.get())[0] ?? null"
# All that the extension keeps, as one text.
READ_STORES = """async () => {
    const kept = [await chrome.storage.local.get(), await chrome.storage.session.get()];
    for (const { name } of await indexedDB.databases()) {
        const database = await new Promise((resolve) => {
            indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result);
        });
        for (const store of database.objectStoreNames)
            kept.push(await new Promise((resolve) => {
                const all = database.transaction(store).objectStore(store).getAll();
                all.onsuccess = () => resolve(all.result);
            }));
        database.close();
    }
    return JSON.stringify(kept);
}"""
SET_KEY = """async () => {
    const { settings } = await chrome.storage.local.get("settings");
    await chrome.storage.local.set({ settings: { ...settings, key: "key-of-the-service" } });
}"""
# What a script of the extension in a page can get hold of, and what it is told when it asks the worker.
LOOK_AROUND = """(async () => {
    const found = [await indexedDB.databases(), Object.keys(chrome.storage)];
    for (const area of ["local", "session"])
        try { found.push(await chrome.storage[area].get()); } catch (error) { found.push(String(error)); }
    for (const kind of ["token", "pass", "account", "signIn", "clicked", "toString", "constructor"])
        found.push(await Promise.race([
            chrome.runtime.sendMessage({ kind }).catch(String),
            new Promise((resolve) => setTimeout(resolve, 300, "no answer")),
        ]));
    return JSON.stringify(found);
})()"""

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def people() -> Iterator[UserPool]:
    """The people of the service."""
    with running_pool() as pool:
        yield pool


@pytest.fixture
def email() -> str:
    """An address that has no account yet."""
    return f"ada-{uuid.uuid4().hex[:8]}@example.org"


@pytest.fixture
def strict(service: Proxy, people: UserPool) -> Proxy:
    """The service, which takes flags only from its people."""
    service.always["GET", "/v2/health"] = Answer(200, HEALTH | {"sign_in": people.place})
    service.always["POST", "/v2/flags"] = Answer(201, {"id": "f1", "state": "waiting"})
    service.always["DELETE", "/v2/flags/f1"] = Answer(204)
    service.always["DELETE", "/v2/flags"] = Answer(204)
    return service


@pytest.fixture
def open_panel(extension: Extension, strict: Proxy, people: UserPool) -> Iterator[Open]:
    """Opens the panel; at the end nothing may have gone wrong in it, nor may a secret have been logged."""
    complaints: list[str] = []

    def hear(message: Any) -> None:
        # A refusal is reported by the browser itself; and moto, which cannot revoke, fails without a word of CORS.
        if not message.text.startswith(("Failed to load resource", f"Access to fetch at '{people.endpoint}'")):
            complaints.append(message.text)

    def open_panel(address: str = "#settings", *, width: int = 360, **settings: Any) -> Any:
        if settings:
            extension.change_settings(**settings)
        panel = extension.context.new_page()
        panel.set_viewport_size({"width": width, "height": 800})
        panel.on("console", hear)
        panel.on("pageerror", lambda error: complaints.append(str(error)))
        panel.goto(f"chrome-extension://{extension.id}/panel/panel.html{address}")
        expect(panel.locator("h1:visible")).not_to_be_empty()
        return panel

    yield open_panel
    assert complaints == []


def fill(panel: Any, **fields: str) -> None:
    for name, value in fields.items():
        panel.locator(f"#account-{name}").fill(value)


def press(panel: Any, name: str) -> None:
    panel.locator("#view-settings").get_by_role("button", name=WORDS[name], exact=True).click()


def sign_in(panel: Any, email: str, password: str = PASSWORD) -> None:
    fill(panel, email=email, password=password)
    press(panel, "signIn")
    expect(panel.locator("#account-state")).to_have_text(WORDS["signedIn"])


def told(panel: Any) -> Any:
    return expect(panel.locator("#account-state"))


def check(panel: Any) -> Any:
    """Check the portrait and open the form of a flag; returns the card."""
    panel.set_input_files("input[type=file]", [{"name": "portrait.jpg", "mimeType": "image/jpeg", "buffer": PORTRAIT}])
    card = panel.get_by_role("article", name="portrait.jpg")
    card.get_by_role("button", name="Flag for re-check").click()
    expect(card.get_by_label("Note (optional)")).to_be_visible()
    return card


def tokens_of(service: Proxy) -> list[str | None]:
    """Return what came with each flag and each deletion."""
    return [
        asked.headers.get("authorization")
        for asked in service.asked
        if (asked.method, asked.path) == ("POST", "/v2/flags") or asked.method == "DELETE"
    ]


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


# Without a permission for any host.
@pytest.mark.parametrize("extension", ["this tab"], indirect=True)
def test_from_an_account_to_a_flag_and_out_again(
    open_panel: Open, extension: Extension, strict: Proxy, people: UserPool, email: str
) -> None:
    panel = open_panel()
    account = panel.get_by_role("region", name=WORDS["title"])
    expect(account).to_contain_text(people.endpoint.split("/")[2])
    assert panel.locator("#account-password").get_attribute("autocomplete") == "current-password"
    press(panel, "signUp")
    assert panel.locator("#account-email").get_attribute("autocomplete") == "username"
    assert panel.locator("#account-password").get_attribute("autocomplete") == "new-password"
    fill(panel, email=email, password="weak")
    press(panel, "signUp")
    told(panel).to_have_text(WORDS["troubles"]["weak_password"])
    expect(panel.locator("#account-password")).to_be_focused()
    fill(panel, password=PASSWORD)
    panel.keyboard.press("Enter")
    told(panel).to_have_text(WORDS["codeSent"].replace("{email}", email))
    expect(panel.locator("#account-code")).to_be_focused()
    assert panel.locator("#account-code").get_attribute("autocomplete") == "one-time-code"
    panel.keyboard.type("123 456")
    panel.keyboard.press("Enter")
    told(panel).to_have_text(WORDS["signedIn"])
    expect(account).to_contain_text(f"Signed in as {email}.")

    first = panel.evaluate(READ_PASS)
    assert claims_of(first["id"])["email"] == email
    assert PASSWORD not in panel.evaluate(READ_STORES)
    panel.locator("#tab-check").click()
    card = check(panel)
    expect(card.get_by_role("button", name="Sign in")).to_have_count(0)
    card.get_by_role("button", name="Send").click()
    expect(card.get_by_role("button", name="Undo")).to_be_visible()
    # As if an hour had gone by.
    panel.evaluate(
        """async () => {
            const [[name, pass]] = Object.entries(await chrome.storage.session.get());
            await chrome.storage.session.set({ [name]: { ...pass, id: "old", until: 0 } });
        }"""
    )
    card.get_by_role("button", name="Undo").click()
    expect(card.locator(".unmask-state")).to_have_text("The flag was taken back.")
    second = panel.evaluate(READ_PASS)["id"]
    assert claims_of(second)["email"] == email
    assert tokens_of(strict) == [first["id"], second]
    assert all("authorization" not in asked.headers for asked in strict.checks if "checks" in asked.path)

    panel.locator("#tab-settings").click()
    press(panel, "signOut")
    told(panel).to_have_text(WORDS["signedOut"])
    kept = panel.evaluate(READ_STORES)
    assert email not in kept and second not in kept and "refresh" not in kept
    press(panel, "forgot")
    fill(panel, email=email)
    press(panel, "sendCode")
    told(panel).to_have_text(WORDS["resetSent"].replace("{email}", email))
    fill(panel, code="654321", password=f"{PASSWORD}!")
    press(panel, "setPassword")
    told(panel).to_have_text(WORDS["signedIn"])
    press(panel, "signOut")
    fill(panel, email=email, password=PASSWORD)
    press(panel, "signIn")
    told(panel).to_have_text(WORDS["troubles"]["wrong_password"])
    sign_in(panel, email, f"{PASSWORD}!")


def test_who_has_not_confirmed_is_asked_for_the_code(open_panel: Open, people: UserPool, email: str) -> None:
    people.admin.sign_up(ClientId=people.client_id, Username=email, Password=PASSWORD)
    panel = open_panel()
    fill(panel, email=email, password=PASSWORD)
    press(panel, "signIn")
    told(panel).to_have_text(WORDS["troubles"]["not_confirmed"])
    fill(panel, code="1")
    press(panel, "confirm")
    told(panel).to_have_text(WORDS["signedIn"])


def test_what_cannot_be_right_is_said_before_it_is_sent(open_panel: Open) -> None:
    panel = open_panel()
    sent: list[str] = []
    panel.on("request", lambda request: sent.append(request.url))
    for fields, trouble, name in (
        ({"email": "ada"}, "bad_email", "email"),
        ({"email": "ada@example.org"}, "no_password", "password"),
    ):
        fill(panel, **fields)
        press(panel, "signIn")
        told(panel).to_have_text(WORDS["troubles"][trouble])
        expect(panel.locator(f"#account-{name}")).to_have_attribute("aria-invalid", "true")
        expect(panel.locator(f"#account-{name}")).to_be_focused()
    assert sent == []


def test_scripts_in_pages_get_hold_of_no_token(
    open_panel: Open, extension: Extension, strict: Proxy, site: Site, people: UserPool, email: str
) -> None:
    people.add(email, PASSWORD)
    panel = open_panel()
    sign_in(panel, email)
    token = panel.evaluate(READ_PASS)["id"]
    kept = json.loads(panel.evaluate(READ_STORES))
    refresh = next(rows[0]["refresh"] for rows in kept if isinstance(rows, list) and rows and "refresh" in rows[0])
    panel.evaluate(SET_KEY)
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "verdict")
    found = extension.evaluate(LOOK_AROUND, page)
    for secret in (token, refresh, email, "unmask-accounts", "key-of-the-service"):
        assert secret not in found
    assert found.count("not allowed") == 2


def test_a_card_offers_to_sign_in_and_keeps_what_was_written(
    open_panel: Open, extension: Extension, strict: Proxy, site: Site, people: UserPool, email: str
) -> None:
    people.add(email, PASSWORD)
    # With another key it is another service: what was learnt of it in the minutes before does not hold.
    extension.ask(SET_KEY)
    page = show(extension, site, "cross-origin")
    extension.wait_for_card(page, "verdict")
    extension.press(page, "Flag for re-check")
    card = extension.wait_for_card_with(page, "Sign in")
    assert "only from people who are signed in" in card.text
    page.keyboard.press("Tab")
    page.keyboard.type("odd ear")
    extension.press(page, "Send")
    extension.wait_for_card(page, "verdict", until=lambda shown: "Nothing was sent" in shown.text)
    # A headless browser has no side, so a window takes the panel.
    extension.ask("() => { chrome.sidePanel.open = async () => { throw new Error('no side'); }; }")
    with extension.context.expect_page() as opened:
        extension.press(page, "Sign in")
    panel = opened.value
    expect(panel.locator("#account-email")).to_be_focused()
    sign_in(panel, email)
    token = panel.evaluate(READ_PASS)["id"]
    panel.close()
    page.bring_to_front()
    extension.press(page, "Send")
    extension.wait_for_card_with(page, "Undo")
    assert tokens_of(strict) == [token]
    (flagged,) = [asked for asked in strict.asked if (asked.method, asked.path) == ("POST", "/v2/flags")]
    assert json.loads(flagged.body)["note"] == "odd ear"


def test_a_check_that_only_its_people_may_delete_leads_to_the_account(
    open_panel: Open, strict: Proxy, people: UserPool, email: str
) -> None:
    people.add(email, PASSWORD)
    panel = open_panel("#check")
    card = check(panel)
    card.get_by_label("Note (optional)").fill("odd ear")
    card.get_by_role("button", name="Forget this check").click()
    expect(card.locator(".unmask-state")).to_contain_text("Not forgotten")
    card.locator(".unmask-state").get_by_role("button", name="Sign in").click()
    expect(panel.locator("#account-email")).to_be_focused()
    sign_in(panel, email)
    token = panel.evaluate(READ_PASS)["id"]
    panel.locator("#tab-check").click()
    expect(card.get_by_label("Note (optional)")).to_have_value("odd ear")
    card.get_by_role("button", name="Forget this check").click()
    expect(panel.locator(".farewell")).to_contain_text("deleted from the service")
    assert tokens_of(strict) == [token]


def test_an_entry_of_the_history_leads_to_the_account_too(open_panel: Open, strict: Proxy) -> None:
    panel = open_panel("#check")
    check(panel)
    panel.locator("#tab-history").click()
    panel.locator("#view-history .opens").first.click()
    panel.get_by_role("button", name="Delete here and at").click()
    expect(panel.locator("#view-history")).to_contain_text("You are not signed in")
    panel.locator("#view-history").get_by_role("button", name="Sign in").click()
    expect(panel.locator("#account-email")).to_be_focused()
    assert tokens_of(strict) == []


def test_a_token_stays_with_its_service(
    open_panel: Open, extension: Extension, strict: Proxy, people: UserPool, email: str
) -> None:
    people.add(email, PASSWORD)
    panel = open_panel()
    sign_in(panel, email)
    strict.always["GET", "/stage/v2/health"] = strict.always["GET", "/v2/health"]
    strict.always["POST", "/stage/v2/checks/image"] = Answer(503, {"error": {"code": "busy", "message": "Busy."}})
    address = panel.get_by_label(ENGLISH["panel"]["settings"]["backend"])
    address.fill(f"{strict.url}/stage")
    address.press("Enter")
    account = panel.get_by_role("region", name=WORDS["title"])
    expect(account).to_have_count(0)
    panel.get_by_role("button", name=ENGLISH["panel"]["settings"]["test"]).click()
    expect(account.get_by_role("button", name=WORDS["signIn"])).to_be_visible()
    address.fill(strict.url)
    address.press("Enter")
    expect(account).to_contain_text(f"Signed in as {email}.")
    assert all("authorization" not in asked.headers for asked in strict.asked)


def test_every_panel_hears_of_it_and_a_restart_of_the_worker_forgets_nobody(
    open_panel: Open, extension: Extension, people: UserPool, email: str
) -> None:
    people.add(email, PASSWORD)
    panel, other = open_panel(), open_panel()
    sign_in(panel, email)
    expect(other.locator("#view-settings")).to_contain_text(f"Signed in as {email}.")
    # As after a restart of the browser: what was in memory is gone.
    panel.evaluate("() => chrome.storage.session.clear()")
    panel.reload()
    expect(panel.locator("#view-settings")).to_contain_text(f"Signed in as {email}.")
    other.get_by_role("button", name=WORDS["signOut"]).click()
    expect(panel.locator("#account-email")).to_be_visible()


def test_an_account_is_deleted_after_a_question_and_its_flags_with_it(
    open_panel: Open, people: UserPool, email: str, strict: Proxy
) -> None:
    people.add(email, PASSWORD)
    panel = open_panel()
    sign_in(panel, email)
    deleted: list[dict[str, Any]] = []

    def delete(route: Any) -> None:
        # moto does not know this action.
        if not route.request.headers.get("x-amz-target", "").endswith(".DeleteUser"):
            route.continue_()
            return
        deleted.append(json.loads(route.request.post_data))
        route.fulfill(status=200, json={}, headers={"Access-Control-Allow-Origin": "*"})

    panel.route(people.endpoint, delete)
    access = panel.evaluate(READ_PASS)["access"]
    press(panel, "remove")
    panel.get_by_role("button", name=WORDS["keep"]).click()
    expect(panel.locator("#view-settings")).to_contain_text(f"Signed in as {email}.")
    # An account whose flags could not be forgotten stays, or nobody could forget them any more.
    strict.always["DELETE", "/v2/flags"] = Answer(503, {"error": {"code": "store_unavailable", "message": "Later."}})
    press(panel, "remove")
    panel.locator("dialog").get_by_role("button", name=WORDS["remove"]).click()
    told(panel).to_have_text(WORDS["troubles"]["server"])
    assert deleted == []
    strict.always["DELETE", "/v2/flags"] = Answer(204)
    strict.asked.clear()
    press(panel, "remove")
    panel.locator("dialog").get_by_role("button", name=WORDS["remove"]).click()
    told(panel).to_have_text(WORDS["removed"])
    assert deleted == [{"AccessToken": access}]
    assert [(asked.method, asked.path) for asked in strict.asked if asked.method == "DELETE"] == [
        ("DELETE", "/v2/flags")
    ]
    assert email not in panel.evaluate(READ_STORES)


@pytest.mark.parametrize("place", [None, {"endpoint": "http://cognito.example/", "client_id": "c1"}])
def test_without_a_safe_place_there_is_nothing_to_sign_in_to(
    open_panel: Open, strict: Proxy, place: dict[str, str] | None
) -> None:
    strict.always["GET", "/v2/health"] = Answer(200, HEALTH | {"sign_in": place})
    panel = open_panel()
    panel.get_by_role("button", name=ENGLISH["panel"]["settings"]["test"]).click()
    expect(panel.locator("#test-state")).to_contain_text("answers")
    expect(panel.locator("#account-email")).to_have_count(0)
    if place:
        expect(panel.locator("#view-settings")).to_contain_text(WORDS["troubles"]["insecure"])
    else:
        expect(panel.get_by_role("region", name=WORDS["title"])).to_have_count(0)


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "ar")])
def test_no_barrier_is_found_in_any_form(
    open_panel: Open, people: UserPool, email: str, scheme: str, language: str, tmp_path: Path
) -> None:
    people.add(email, PASSWORD)
    panel = open_panel(theme=scheme, language=language, width=320)
    words = (ARABIC if language == "ar" else ENGLISH)["panel"]["account"]
    account = panel.locator("section[aria-labelledby=account-title]")
    found = {}

    def look(name: str) -> None:
        if AXE.is_file():
            panel.evaluate(AXE.read_text(encoding="utf-8"))
            violations = panel.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
            found[name] = [(one["id"], [node["target"] for node in one["nodes"]]) for one in violations]
        assert panel.evaluate("document.documentElement.scrollWidth") <= 320
        account.screenshot(path=tmp_path / f"{name}-{language}.png")

    def press_here(name: str) -> None:
        account.get_by_role("button", name=words[name], exact=True).click()

    expect(panel.locator("#account-email")).to_be_visible()
    look("signIn")
    press_here("signUp")
    fill(panel, email="ada")
    press_here("signUp")
    told(panel).to_have_text(words["troubles"]["bad_email"])
    look("signUp")
    press_here("back")
    press_here("forgot")
    fill(panel, email=email)
    press_here("sendCode")
    expect(panel.locator("#account-code")).to_be_visible()
    look("reset")
    fill(panel, code="1", password=PASSWORD)
    press_here("setPassword")
    told(panel).to_have_text(words["signedIn"])
    look("in")
    assert found == {name: [] for name in found}, json.dumps(found, indent=1)


def test_in_firefox_a_person_is_asked_by_the_browser_too_and_signs_in(
    built: Path, strict: Proxy, people: UserPool, email: str, tmp_path: Path
) -> None:
    pytest.importorskip("marionette_driver", reason="needs marionette_driver: pip install unmask[dev]")
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("needs firefox (Debian: firefox-esr)")
    people.add(email, PASSWORD)
    with launch_firefox(program, build_extension(built, browser="firefox"), tmp_path) as firefox:
        firefox.reset(backend=strict.url)
        driver = firefox.driver

        def wait_for(look: str, context: str = "content") -> Any:
            deadline = time.monotonic() + PATIENCE
            with driver.using_context(context):
                while not (found := driver.execute_script(f"return {look};")):
                    assert time.monotonic() < deadline, look
                    time.sleep(0.05)
            return found

        driver.refresh()
        wait_for("document.querySelector('#tab-settings')?.checkVisibility()")
        firefox.find("#tab-settings").click()
        wait_for("document.querySelector('#account-email')?.checkVisibility()")
        for answer, state in (("secondaryButton", WORDS["troubles"]["not_allowed"]), ("button", WORDS["signedIn"])):
            for name, value in (("email", email), ("password", PASSWORD)):
                firefox.find(f"#account-{name}").clear()
                firefox.find(f"#account-{name}").send_keys(value)
            firefox.find("#view-settings form .main").click()
            wait_for("PopupNotifications.isPanelOpen && PopupNotifications.panel.firstElementChild", "chrome")
            with driver.using_context("chrome"):
                driver.execute_script(f"PopupNotifications.panel.firstElementChild.{answer}.click()")
            wait_for(f"document.querySelector('#account-state').textContent === {json.dumps(state)}")
        driver.refresh()
        wait_for(f"document.querySelector('#view-settings')?.textContent.includes({json.dumps(email)})")
        # Firefox lets scripts in pages read what lies in storage.local.
        wait_for("document.querySelector('#key')?.checkVisibility()")
        firefox.find("#key").send_keys("key-of-the-service\ue007")
        saved = json.dumps(ENGLISH["panel"]["settings"]["saved"])
        wait_for(f"document.querySelector('#key-state').textContent === {saved}")
        stored = driver.execute_async_script(
            "const [done] = arguments;"
            "window.wrappedJSObject.chrome.storage.local.get().then((all) => done(JSON.stringify(all)));"
        )
        assert "keyTurns" in stored and "key-of-the-service" not in stored

"""Chromium with the real extension in it: clicks as its menu does, reads its card, presses its buttons."""

from __future__ import annotations

import functools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import extension.bundle

ENGLISH = json.loads((Path(extension.bundle.__file__).parent / "languages" / "en.json").read_text(encoding="utf-8"))
# Nothing but a hang takes so long, seconds.
PATIENCE = 30
# A frame that no extension is let into: the worker finds out as it would with a real one.
CLOSED_FRAME = 2**30
# The local web, and nothing beyond it.
HOSTS = "MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"

# Runs in the extension's own world within the page, which may open closed shadow roots.
READ_CARD = """(() => {
    const cards = [...document.querySelectorAll("[popover]")]
        .map((host) => ({ host, root: chrome.dom.openOrClosedShadowRoot(host) }))
        .map(({ host, root }) => ({ host, root, panel: root?.querySelector(".panel[data-state]") }))
        .filter(({ panel }) => panel);
    if (cards.length === 0) return null;
    const { host, root, panel } = cards.at(-1);
    const box = (element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return { x, y, width, height };
    };
    const name = (element) => (element.getAttribute("aria-label") ?? element.innerText).trim();
    const shown = (element) => element.checkVisibility({ visibilityProperty: true });
    return {
        count: cards.length,
        state: panel.dataset.state,
        text: panel.innerText.trim(),
        said: root.querySelector("[role=status]").textContent,
        buttons: [...root.querySelectorAll("button, summary")].filter(shown).map((button) => ({
            name: name(button),
            disabled: button.disabled || button.ariaDisabled === "true",
            ...box(button),
        })),
        focus: root.activeElement && name(root.activeElement),
        faces: [...root.querySelectorAll(".over .unmask-face")].filter(shown).map(box),
        direction: panel.parentNode.dir,
        box: box(panel),
        parent: host.parentNode.localName,
    };
})()"""


COUNT_LAYERS = """[...document.querySelectorAll("[popover]")]
    .filter((host) => host.localName === "div" && chrome.dom.openOrClosedShadowRoot(host)).length"""


@dataclass(frozen=True)
class Card:
    """What the card showed when it was read; boxes in CSS px of its frame.

    Attributes:
        count: cards in that frame.
        state: "choice", "progress", "consent", "verdict", "forgotten" or "failure".
        text: all that is to be seen in it.
        said: what a screen reader was told last.
        buttons: those to be seen, by name.
        focus: name of the element that has the focus, if the card has it.
        faces: boxes over the page's own picture.
        parent: name of the element that it hangs in.
    """

    count: int
    state: str
    text: str
    said: str
    buttons: dict[str, dict[str, Any]]
    focus: str | None
    faces: list[dict[str, float]]
    direction: str
    box: dict[str, float]
    parent: str

    @property
    def failure(self) -> str | None:
        """Kind of the failure that is told in words; None where there is none."""
        if self.state != "failure":
            return None
        return next(kind for kind, words in ENGLISH["failures"].items() if words["title"] in self.text.splitlines())


class Worlds:
    """The JavaScript worlds of one frame, as they come and go.

    Attributes:
        session: CDP session that sees the frame.
        own: number of the extension's own world there, None where it has none.
    """

    def __init__(self, session: Any, frame_id: str, extension_id: str) -> None:
        self.session = session
        self.own: int | None = None

        def create(event: dict[str, Any]) -> None:
            world = event["context"]
            if world["origin"].endswith(extension_id) and world["auxData"]["frameId"] == frame_id:
                self.own = world["id"]

        def destroy(event: dict[str, Any]) -> None:
            if event["executionContextId"] == self.own:
                self.own = None

        def clear(_: Any) -> None:
            self.own = None

        session.on("Runtime.executionContextCreated", create)
        session.on("Runtime.executionContextDestroyed", destroy)
        session.on("Runtime.executionContextsCleared", clear)
        session.send("Runtime.enable")


class Extension:
    """One browser with the extension in it.

    Attributes:
        context: Playwright's persistent context.
        worker: the service worker; the handle outlives a stop, but only an event wakes what it stands for.
        all_sites: whether `<all_urls>` was granted; otherwise a click grants its own tab and no more.
    """

    def __init__(self, context: Any, all_sites: bool) -> None:
        self.context = context
        self.all_sites = all_sites
        self.worker = context.service_workers[0] if context.service_workers else context.wait_for_event("serviceworker")
        self.id = self.worker.url.split("/")[2]
        self._browser = context.browser.new_browser_cdp_session()
        self._worlds: dict[Any, Worlds] = {}
        # The menu and the settings are written once the worker is up.
        self.worker.evaluate("() => chrome.storage.local.get()")

    def ask(self, script: str, value: Any = None) -> Any:
        """Run an async function in the worker."""
        return self.worker.evaluate(script, value)

    def reset(self, **settings: Any) -> None:
        """Close every page but one and the side panel, forget the history and begin with these settings."""
        for page in self.context.pages[1:]:
            page.close()
        # Beside a panel that a test left open, a headless browser draws one frame a second.
        self.ask(
            """async (settings) => {
                for (const { id } of await chrome.windows.getAll())
                    await chrome.sidePanel.close?.({ windowId: id }).catch(() => {});
                await chrome.storage.local.clear();
                await chrome.storage.session.clear();
                for (const { name } of await indexedDB.databases())
                    await new Promise((resolve) => {
                        Object.assign(indexedDB.deleteDatabase(name), { onsuccess: resolve, onerror: resolve });
                    });
                // Last, since a key among them is put into a database as soon as it is seen.
                await chrome.storage.local.set({ settings });
            }""",
            settings,
        )

    def change_settings(self, **settings: Any) -> None:
        """Change some settings, as the panel does."""
        self.ask(
            """async (changes) => {
                const { settings } = await chrome.storage.local.get("settings");
                await chrome.storage.local.set({ settings: { ...settings, ...changes } });
            }""",
            settings,
        )

    def open(self, url: str) -> Any:
        """Show a page in front, with everything in it loaded."""
        page = self.context.pages[0]
        page.goto(url)
        page.bring_to_front()
        return page

    def click(self, page: Any, locator: Any = None, **info: Any) -> None:
        """Point at an element with the mouse and choose the extension's entry in the browser's menu.

        A headless browser shows no menu, so its event is dispatched in the worker; test_native_menu.py does
        the same by hand. Without permission for all sites the tab is granted first, by the action's button.
        """
        if locator is not None:
            locator.hover(force=True)
        if not self.all_sites:
            self.grant(page)
        self.ask(
            """async (info) => {
                const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
                const common = { menuItemId: "check", editable: false, frameId: 0, pageUrl: tab.url };
                chrome.contextMenus.onClicked.dispatch({ ...common, ...info }, tab);
            }""",
            info,
        )

    def press_command(self, page: Any) -> None:
        """Press the extension's keys; a headless browser hears no keys of its own, so the event is dispatched."""
        if not self.all_sites:
            self.grant(page)
        self.ask(
            """async () => {
                const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
                chrome.commands.onCommand.dispatch("check", tab);
            }"""
        )

    def grant(self, page: Any) -> None:
        """Press the action's button, which lets the extension into the tab; its panel stays closed."""
        self.ask("() => { chrome.sidePanel.open = async () => {}; }")
        self.wake(page)

    def wake(self, page: Any) -> None:
        """Press the action's button."""
        targets = self._browser.send("Target.getTargets", {"filter": [{"type": "tab"}]})["targetInfos"]
        (target,) = [target["targetId"] for target in targets if target["url"] == page.url]
        self._browser.send("Extensions.triggerAction", {"id": self.id, "targetId": target})

    def stop_worker(self, page: Any) -> None:
        """Stop the worker, as the browser does after half a minute without events."""
        session = self.context.new_cdp_session(page)
        session.send("ServiceWorker.enable")
        session.send("ServiceWorker.stopAllWorkers")
        session.detach()

    def frame_id(self, page: Any, url: str) -> int:
        """Return the number that the browser gives to the frame with this address."""
        if not self.all_sites:
            self.grant(page)
        frames = self.ask(
            """async () => {
                const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
                const func = () => location.href;
                return chrome.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, func });
            }"""
        )
        return next((frame["frameId"] for frame in frames if frame["result"] == url), CLOSED_FRAME)

    def measure_heap(self) -> int:
        """Return how much the worker's objects take after a collection, bytes."""
        targets = self._browser.send("Target.getTargets")["targetInfos"]
        (target,) = [target["targetId"] for target in targets if target["type"] == "service_worker"]
        session = self._browser.send("Target.attachToTarget", {"targetId": target})["sessionId"]
        answers: dict[int, Any] = {}

        def hear(event: dict[str, Any]) -> None:
            message = json.loads(event["message"])
            answers[message.get("id", 0)] = message.get("result")

        self._browser.on("Target.receivedMessageFromTarget", hear)
        methods = ["HeapProfiler.collectGarbage", "HeapProfiler.collectGarbage", "Runtime.getHeapUsage"]
        for number, method in enumerate(methods, start=1):
            message = json.dumps({"id": number, "method": method})
            self._browser.send("Target.sendMessageToTarget", {"sessionId": session, "message": message})
        deadline = time.monotonic() + PATIENCE
        while len(methods) not in answers:
            assert time.monotonic() < deadline
            self.context.pages[0].wait_for_timeout(20)
        self._browser.remove_listener("Target.receivedMessageFromTarget", hear)
        self._browser.send("Target.detachFromTarget", {"sessionId": session})
        return int(answers[len(methods)]["usedSize"])

    def wait_until_below(self, measure: Callable[[], int], limit: int) -> None:
        """Wait until a figure falls below a limit, as one does that a collector has yet to work through."""
        deadline = time.monotonic() + PATIENCE
        while (figure := measure()) >= limit:
            assert time.monotonic() < deadline, f"{figure} is still not below {limit}"
            self.context.pages[0].wait_for_timeout(500)

    def count_nodes(self, page: Any) -> int:
        """Return how many nodes a page's process holds after a collection."""
        session = self.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        counted = session.send("Memory.getDOMCounters")
        session.detach()
        return int(counted["nodes"])

    def read_card(self, page: Any, frame: Any = None) -> Card | None:
        """Return what the card in a frame shows now, None where there is none."""
        found = self.evaluate(READ_CARD, page, frame)
        if found is None:
            return None
        return Card(**{**found, "buttons": {button["name"]: button for button in found["buttons"]}})

    def evaluate(self, script: str, page: Any, frame: Any = None) -> Any:
        """Evaluate an expression in the extension's own world of a frame; None where it has none there."""
        from playwright.sync_api import Error

        worlds = self._find_worlds(page, frame or page.main_frame)
        how = {"expression": script, "contextId": worlds.own, "returnByValue": True, "awaitPromise": True}
        if worlds.own is None:
            return None
        try:
            answer = worlds.session.send("Runtime.evaluate", how)
        except Error:
            # The page was left meanwhile.
            return None
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def _find_worlds(self, page: Any, frame: Any) -> Worlds:
        """A frame in a process of its own has a session of its own; any other is seen through its page's."""
        from playwright.sync_api import Error

        if frame not in self._worlds:
            session = None
            if frame != page.main_frame:
                with suppress(Error):
                    session = self.context.new_cdp_session(frame)
            session = session or self.context.new_cdp_session(page)
            tree = session.send("Page.getFrameTree")["frameTree"]
            self._worlds[frame] = Worlds(session, str(_find_frame(tree, frame.url)), self.id)
        return self._worlds[frame]

    def wait_for_card(
        self, page: Any, *states: str, frame: Any = None, until: Callable[[Card], bool] | None = None
    ) -> Card:
        """Wait until the card is in one of some states (default: it has come to an end), then return it."""
        states = states or ("verdict", "failure")
        deadline = time.monotonic() + PATIENCE
        card = None
        while time.monotonic() < deadline:
            card = self.read_card(page, frame)
            if card and card.state in states and (until is None or until(card)):
                return card
            page.wait_for_timeout(20)
        raise AssertionError(f"no card in state {' or '.join(states)}: {card}")

    def wait_for_no_card(self, page: Any, frame: Any = None) -> None:
        """Wait until the card is gone."""
        deadline = time.monotonic() + PATIENCE
        while (card := self.read_card(page, frame)) is not None:
            assert time.monotonic() < deadline, card
            page.wait_for_timeout(20)

    def count_layers(self, page: Any) -> int:
        """Return how many elements the extension has added to a page."""
        return int(self.evaluate(COUNT_LAYERS, page) or 0)

    def wait_for_area(self, page: Any) -> None:
        """Wait until an area of the page can be selected."""
        deadline = time.monotonic() + PATIENCE
        while self.count_layers(page) < 2:
            assert time.monotonic() < deadline
            page.wait_for_timeout(20)
        page.wait_for_timeout(100)

    def press(self, page: Any, name: str, frame: Any = None) -> None:
        """Press a button of the card with the mouse."""
        card = self.wait_for_card_with(page, name, frame)
        button = card.buttons[name]
        x, y = button["x"] + button["width"] / 2, button["y"] + button["height"] / 2
        if frame is not None:
            around = frame.frame_element().bounding_box()
            x, y = x + around["x"], y + around["y"]
        page.mouse.click(x, y)

    def wait_for_card_with(self, page: Any, name: str, frame: Any = None) -> Card:
        """Wait until the card has a button that can be pressed, and stands still."""
        deadline = time.monotonic() + PATIENCE
        last = None
        while time.monotonic() < deadline:
            card = self.read_card(page, frame)
            button = card and card.buttons.get(name)
            if card and button and not button["disabled"] and button == last:
                return card
            last = button
            page.wait_for_timeout(30)
        raise AssertionError(f"no button {name!r}: {card}")


def _find_frame(tree: dict[str, Any], url: str) -> str | None:
    if tree["frame"]["url"] + tree["frame"].get("urlFragment", "") == url:
        return str(tree["frame"]["id"])
    return next(filter(None, (_find_frame(child, url) for child in tree.get("childFrames", []))), None)


_build = functools.cache(extension.bundle.build)


def build_extension(folder: Path, all_sites: bool = False, browser: str = "chromium") -> Path:
    """Build the extension into a folder, once, and return where it can be loaded from.

    Args:
        folder: takes what is built.
        all_sites: grant `<all_urls>` at install, as if the person had allowed it.
        browser: "chromium" or "firefox".
    """
    source = _build(folder)[browser]
    if not all_sites:
        return source
    copy = folder / f"{browser}-all-sites"
    shutil.copytree(source, copy, dirs_exist_ok=True)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["host_permissions"] = manifest.pop("optional_host_permissions")
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return copy


@contextmanager
def launch(
    playwright: Any, chromium: str, folder: Path, profile: Path, *flags: str, all_sites: bool = False, **options: Any
) -> Iterator[Extension]:
    """Start a browser with the extension in it.

    Args:
        chromium: path of the program.
        folder: where the extension is built.
        profile: an empty folder.
        flags, options: more for the browser and for Playwright.
    """
    built = build_extension(folder, all_sites)
    context = playwright.chromium.launch_persistent_context(
        profile,
        executable_path=chromium,
        args=[
            f"--disable-extensions-except={built}",
            f"--load-extension={built}",
            f"--host-resolver-rules={HOSTS}",
            "--autoplay-policy=no-user-gesture-required",
            *flags,
        ],
        **{"headless": True, "viewport": {"width": 960, "height": 720}, **options},
    )
    try:
        yield Extension(context, all_sites)
    finally:
        context.close()

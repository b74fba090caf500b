"""Firefox with the real extension in it, driven through Marionette: its real menu, its real card."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.extension_browser import PATIENCE, READ_CARD, Card
from tests.e2e.web.service import free_port
from tests.e2e.web.site import HOSTS

# With the rights of the browser itself a script sees closed shadow roots; here they are an attribute.
READ = "return " + READ_CARD.replace("chrome.dom.openOrClosedShadowRoot(host)", "host.openOrClosedShadowRoot")

EXTENSION = "unmask@unmask.invalid"

IS_SHOWN = """const target = document.getElementById("target");
    if (target.matches("img")) return target.complete && target.naturalWidth > 0;
    if (target.matches("canvas")) return "ready" in target.dataset;
    if (target.matches("video") && !target.poster) return target.currentTime > 0.2;
    return document.readyState === "complete";"""

RESET = """const [settings, done] = arguments;
    const { chrome } = window.wrappedJSObject;
    const forget = () => new Promise((resolve) => {
        Object.assign(indexedDB.deleteDatabase("unmask"), { onsuccess: resolve, onerror: resolve });
    });
    chrome.storage.local.set({ settings }).then(forget).then(done);"""

ALLOW = """const [id, allowed, done] = arguments;
    const { ExtensionPermissions } = ChromeUtils.importESModule(
        "resource://gre/modules/ExtensionPermissions.sys.mjs");
    const { extension } = WebExtensionPolicy.getByID(id);
    const change = allowed ? ExtensionPermissions.add : ExtensionPermissions.remove;
    change.call(ExtensionPermissions, id, { permissions: [], origins: ["<all_urls>"] }, extension).then(done);"""


class Firefox:
    """One running Firefox.

    Attributes:
        driver: the Marionette session.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str, *frames: str) -> None:
        """Show a page and look into its frames from then on."""
        self.driver.navigate(url)
        for _ in frames:
            self.driver.switch_to_frame(self.find("#frame"))

    def find(self, selector: str) -> Any:
        """Return the first element that matches."""
        return self.driver.find_element("css selector", selector)

    def wait_until_shown(self) -> None:
        """Wait until the picture is there in full, or the clip runs."""
        self._until(lambda: self.driver.execute_script(IS_SHOWN))

    def click(self, label: str, selector: str = "#target") -> None:
        """Open the menu on an element with the right mouse button and choose an entry."""
        from marionette_driver.marionette import ActionSequence

        mouse = ActionSequence(self.driver, "pointer", "mouse", {"pointerType": "mouse"})
        # Up and to the left of the middle, where nothing lies over it.
        mouse.pointer_move(0, 0, origin=self.find(selector)).pointer_down(2).pointer_up(2).perform()
        with self.driver.using_context("chrome"):
            chosen = self._until(
                lambda: self.driver.execute_script(
                    """const menu = document.getElementById("contentAreaContextMenu");
                    if (menu.state !== "open") return false;
                    const item = [...menu.querySelectorAll("menuitem")]
                        .find((item) => !item.hidden && item.label === arguments[0]);
                    if (item) menu.activateItem(item);
                    else menu.hidePopup();
                    return item ? "chosen" : "missing";""",
                    [label],
                )
            )
        assert chosen == "chosen", f"no entry {label!r}"

    def read_card(self) -> Card | None:
        """Return what the card in the current frame shows now."""
        found = self.driver.execute_script(READ, sandbox="system")
        if found is None:
            return None
        return Card(**{**found, "buttons": {button["name"]: button for button in found["buttons"]}})

    def wait_for_card(self, *states: str) -> Card:
        """Wait until the card is in one of some states (default: it has come to an end), then return it."""
        states = states or ("verdict", "failure")

        def look() -> Card | None:
            card = self.read_card()
            return card if card and card.state in states else None

        return self._until(look)

    def press(self, name: str) -> None:
        """Press a button of the card with the mouse."""
        from marionette_driver.marionette import ActionSequence

        button = self._until(lambda: (card := self.read_card()) and card.buttons.get(name))
        x, y = round(button["x"] + button["width"] / 2), round(button["y"] + button["height"] / 2)
        mouse = ActionSequence(self.driver, "pointer", "mouse", {"pointerType": "mouse"})
        mouse.pointer_move(x, y).pointer_down(0).pointer_up(0).perform()

    def reset(self, **settings: Any) -> None:
        """Forget the history and begin with these settings."""
        with self.driver.using_context("chrome"):
            host = self.driver.execute_script(
                "return WebExtensionPolicy.getByID(arguments[0]).mozExtensionHostname;", [EXTENSION]
            )
        self.driver.navigate(f"moz-extension://{host}/panel/panel.html")
        self.driver.execute_async_script(RESET, [settings])

    def allow_all_sites(self, allowed: bool) -> None:
        """Grant `<all_urls>` as if the person had allowed it, or take it back."""
        with self.driver.using_context("chrome"):
            self.driver.execute_async_script(ALLOW, [EXTENSION, allowed])

    def _until(self, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            assert time.monotonic() < deadline, self.read_card()
            time.sleep(0.05)
        return found


@contextmanager
def launch_firefox(program: str, folder: Path, profile: Path) -> Iterator[Firefox]:
    """Start a headless Firefox and load the extension from a folder, for this session only."""
    from marionette_driver.addons import Addons
    from marionette_driver.marionette import Marionette

    driver = Marionette(
        bin=program,
        headless=True,
        # The usual one may be taken by another run.
        port=free_port(),
        app_args=["--remote-allow-system-access"],
        gecko_log=str(profile / "gecko.log"),
        prefs={
            "network.dns.localDomains": ",".join(HOSTS),
            "media.autoplay.default": 0,
        },
    )
    try:
        driver.start_session()
        driver.timeout.script = PATIENCE
        Addons(driver).install(str(folder), temp=True)
        yield Firefox(driver)
    finally:
        driver.quit()
        # What is left to the end of Python is cleaned away too late, and complains.
        driver.cleanup()

"""What a picture states of itself, in the real extension: read before anything is sent, told beside the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL.PngImagePlugin import PngInfo

from extension import bundle
from tests.backend.pictures import encode
from tests.e2e.extension_browser import ENGLISH, Card, Extension
from tests.e2e.test_extension_sources import wait_until_shown
from tests.e2e.test_page import check as make_answer
from tests.e2e.test_page import face
from tests.e2e.web.service import Answer, Proxy
from tests.e2e.web.site import Site
from tests.signed import CAPTURED, EDITED, MADE_BY_AI, Authority, sign, tamper_pixels

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install unmask[dev]")
expect = sync_api.expect

pytestmark = pytest.mark.skipif(not bundle.READER.is_dir(), reason="needs the reader: npm --prefix extension ci")

AXE = Path(bundle.__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SETTINGS = ENGLISH["panel"]["settings"]
NOT_TRUSTED = "the signer is not on a trust list here"
# Counts, in the worker, how often an unseen document is opened.
COUNT_DOCUMENTS = """() => {
    globalThis.opened = 0;
    const create = chrome.offscreen.createDocument.bind(chrome.offscreen);
    chrome.offscreen.createDocument = (...given) => { globalThis.opened += 1; return create(...given); };
}"""
LIST_DOCUMENTS = """async () =>
    (await chrome.runtime.getContexts({ contextTypes: ["OFFSCREEN_DOCUMENT"] })).length"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def pictures(authority: Authority, portrait: np.ndarray) -> dict[str, bytes]:
    signer = authority.make_signer()
    jpeg = encode(portrait, "JPEG", quality=90)
    info = PngInfo()
    info.add_text("Software", "NovelAI <b>\u202e</b>")
    valid = sign(jpeg, signer=signer, actions=[CAPTURED, EDITED])
    return {
        "silent.jpg": jpeg,
        "tagged.png": encode(portrait, "PNG", pnginfo=info),
        "valid.jpg": valid,
        "tampered.jpg": tamper_pixels(valid),
        "ai.webp": sign(encode(portrait, "WEBP"), "WEBP", signer=signer, actions=[MADE_BY_AI]),
        "remote.jpg": sign(jpeg, signer=signer, remote="https://cdn.test/manifest.c2pa"),
        "two.jpg": sign(jpeg, signer=signer, ingredients=[("one.jpg", jpeg), ("two.jpg", valid)]),
    }


Check = Callable[..., Card]


@pytest.fixture
def check(extension: Extension, service: Proxy, site: Site, pictures: dict[str, bytes]) -> Any:
    """Shows a picture on a page, checks it by the menu, returns the card."""
    site.pictures = pictures

    def check(name: str, answer: Answer | None = None, **settings: Any) -> Card:
        if settings:
            extension.change_settings(**settings)
        service.answers = [answer] if answer else []
        page = extension.open(f"{site.page('signed')}?{name}")
        target = page.locator("#target")
        wait_until_shown(target)
        extension.click(page, target, mediaType="image", srcUrl=target.evaluate("(element) => element.currentSrc"))
        return extension.wait_for_card(page)

    yield check
    site.pictures = {}


def test_a_valid_signature_is_told_with_its_signer_and_its_chain(
    check: Check, service: Proxy, authority: Authority, pictures: dict[str, bytes]
) -> None:
    card = check("valid.jpg", trustList=authority.pem)
    assert "Content Credentials: valid, unchanged since signing" in card.text
    for words in ("Signed by Test Newsroom.", "Captured by a camera", "Colours adjusted, with Test Editor"):
        assert words in card.text
    assert "Content Credentials: valid" in card.said
    assert service.checks[-1].body == pictures["valid.jpg"]


def test_without_a_trust_list_the_signer_is_no_more_than_a_name(check: Check) -> None:
    card = check("valid.jpg")
    assert NOT_TRUSTED in card.text
    assert "Signed under the name Test Newsroom." in card.text


def test_a_change_after_signing_is_told_and_what_it_states_is_folded_away(check: Check, authority: Authority) -> None:
    card = check("tampered.jpg", make_answer(face(0.97, "likely_fake")), trustList=authority.pem)
    assert "Content Credentials: changed after signing" in card.text
    assert "Captured by a camera" not in card.text
    # What does not hold disagrees with nobody.
    assert "The file says that a camera took it" not in card.text
    assert "What they state, unproven" in card.buttons


def test_where_a_signed_claim_and_the_network_disagree_both_are_told(check: Check, authority: Authority) -> None:
    card = check("ai.webp", make_answer(face(0.04, "no_traces")), trustList=authority.pem)
    assert card.text.index("No traces found") < card.text.index("The file says that a machine made it")
    assert "Made by an AI model, with Test Image Model" in card.text
    assert "Weigh the signer’s word first" in card.text
    assert "The file says: Made by a machine." in card.said


def test_ingredients_are_told_with_what_their_own_credentials_are_worth(check: Check, authority: Authority) -> None:
    card = check("two.jpg", trustList=authority.pem)
    assert "one.jpg, without credentials" in card.text
    assert "two.jpg, with credentials of an unknown signer" in card.text


def test_a_tag_is_told_as_text_and_without_characters_that_steer(check: Check) -> None:
    card = check("tagged.png")
    assert "Made by a machine (declared): the name of a generator, in Software" in card.text
    assert "NovelAI <b> </b>" in card.text


def test_without_a_manifest_no_document_is_opened_and_no_reader_loaded(check: Check, extension: Extension) -> None:
    extension.ask(COUNT_DOCUMENTS)
    assert check("silent.jpg").state == "verdict"
    assert extension.ask("() => globalThis.opened") == 0
    assert check("valid.jpg").state == "verdict"
    assert extension.ask("() => globalThis.opened") == 1
    # It is gone again, and the reader's memory with it.
    assert extension.ask(LIST_DOCUMENTS) == 0


def test_a_manifest_elsewhere_is_not_fetched(check: Check, site: Site) -> None:
    card = check("remote.jpg")
    assert "Content Credentials: said to lie at cdn.test, not fetched" in card.text
    assert [visit for visit in site.visits if "manifest" in visit.path] == []


def test_a_check_from_the_history_tells_it_again(check: Check, service: Proxy, authority: Authority) -> None:
    check("valid.jpg", trustList=authority.pem)
    card = check("valid.jpg")
    assert len(service.checks) == 1
    assert "Content Credentials: valid" in card.text


def open_panel(extension: Extension, view: str, width: int = 420) -> Any:
    panel = extension.context.new_page()
    panel.set_viewport_size({"width": width, "height": 900})
    panel.goto(f"chrome-extension://{extension.id}/panel/panel.html#{view}")
    expect(panel.locator("h1:visible")).not_to_be_empty()
    return panel


def test_the_panel_reads_files_of_ones_own(
    extension: Extension, authority: Authority, pictures: dict[str, bytes]
) -> None:
    extension.change_settings(trustList=authority.pem)
    panel = open_panel(extension, "check")
    for name, words in {"ai.webp": "Made by an AI model", "tampered.jpg": "changed after signing"}.items():
        with panel.expect_file_chooser() as chooser:
            panel.get_by_role("button", name=ENGLISH["panel"]["check"]["choose"]).click()
        chooser.value.set_files([{"name": name, "mimeType": "image/jpeg", "buffer": pictures[name]}])
        expect(panel.get_by_role("article", name=name).locator(".unmask-declared")).to_contain_text(words)
    panel.get_by_role("tab", name=ENGLISH["panel"]["tabs"]["history"]).click()
    panel.locator("#view-history").get_by_role("link").first.click()
    expect(panel.locator("#view-history .unmask-declared")).to_contain_text("changed after signing")


def test_a_trust_list_is_pasted_counted_refused_and_emptied(extension: Extension, authority: Authority) -> None:
    panel = open_panel(extension, "settings")
    field, state = panel.locator("#trust"), panel.locator("#trust-state")
    expect(state).to_have_text(SETTINGS["trustListNone"])
    field.fill(f"# ours\n{authority.pem}")
    field.press("Tab")
    expect(state).to_have_text("Certificates: 1.")
    field.fill("https://example.org/list.pem")
    field.press("Tab")
    expect(state).to_have_text(SETTINGS["trustListErrors"]["not_pem"])
    assert extension.ask("async () => (await chrome.storage.local.get()).settings.trustList").count("BEGIN") == 1
    field.fill("")
    field.press("Tab")
    expect(state).to_have_text(SETTINGS["trustListNone"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_the_file_says_has_no_serious_barrier(
    extension: Extension, authority: Authority, pictures: dict[str, bytes], service: Proxy, scheme: str, language: str
) -> None:
    extension.change_settings(trustList=authority.pem, theme=scheme, language=language)
    service.answers = [make_answer(face(0.04, "no_traces"))]
    panel = open_panel(extension, "check")
    panel.locator("input[type=file]").set_input_files(
        [{"name": "ai.webp", "mimeType": "image/webp", "buffer": pictures["ai.webp"]}]
    )
    expect(panel.locator(".unmask-credentials")).to_be_visible()
    panel.evaluate(AXE.read_text(encoding="utf-8"))
    found = json.loads(panel.evaluate("async () => JSON.stringify((await axe.run('.unmask-declared')).violations)"))
    assert [(one["id"], one["impact"]) for one in found if one["impact"] in ("serious", "critical")] == []

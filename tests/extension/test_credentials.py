"""Content Credentials by the real reader: pictures that are signed here, and what becomes of them afterwards."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chalicelib.images import decode
from chalicelib.settings import Settings
from chalicelib.signals import SOURCE_TYPES, find_signals
from extension import bundle
from tests.backend.pictures import encode, jpeg_segment, scene, with_segments
from tests.conftest import ROOT
from tests.signed import (
    CAPTURED,
    COMBINED,
    EDITED,
    MADE_BY_AI,
    Authority,
    sign,
    sign_and_expire,
    tamper_manifest,
    tamper_pixels,
)

READER = Path(__file__).parent / "reader.js"
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
Told = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Authority, dict[str, bytes]], Told]:
    """Read pictures with the extension as it is put together, trusting one authority."""
    if shutil.which("node") is None or not bundle.READER.is_dir():
        pytest.skip("needs node and the reader: npm --prefix extension ci")
    folder = bundle.build(tmp_path_factory.mktemp("extension"))["chromium"]
    (folder / "package.json").write_text('{"type": "module"}')

    def read(authority: Authority, pictures: dict[str, bytes]) -> Told:
        place = tmp_path_factory.mktemp("pictures")
        (place / "trust.pem").write_text(authority.pem)
        for name, data in pictures.items():
            (place / name).write_bytes(data)
        command = ["node", READER, folder, place / "trust.pem", *(place / name for name in pictures)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return read


@pytest.fixture(scope="module")
def pictures(portrait: np.ndarray) -> tuple[Authority, dict[str, bytes]]:
    """Every kind of signed picture, and the authority that signed most of them."""
    authority = Authority()
    signer = authority.make_signer()
    plain = {kind: encode(portrait, kind) for kind in SUFFIXES}
    made: dict[str, bytes] = {}
    for kind, suffix in SUFFIXES.items():
        signed = sign(plain[kind], kind, signer=signer)
        made |= {
            f"silent.{suffix}": plain[kind],
            f"valid.{suffix}": signed,
            f"pixels.{suffix}": tamper_pixels(signed, kind),
            f"manifest.{suffix}": tamper_manifest(signed),
            f"ai.{suffix}": sign(plain[kind], kind, signer=signer, actions=[MADE_BY_AI]),
            f"unknown.{suffix}": sign(plain[kind], kind, actions=[CAPTURED, EDITED]),
        }
    jpeg = plain["JPEG"]
    made["expired.jpg"] = sign_and_expire(jpeg, authority)
    made["two.jpg"] = sign(
        jpeg,
        signer=signer,
        actions=[COMBINED],
        ingredients=[("one.jpg", jpeg), ("made\u202e.jpg", made["ai.jpg"])],
    )
    made["remote.jpg"] = sign(jpeg, signer=signer, remote="https://manifests.example/secret?id=1")
    return authority, made


@pytest.fixture(scope="module")
def told(read: Callable[..., Told], pictures: tuple[Authority, dict[str, bytes]]) -> Told:
    return read(*pictures)


@pytest.mark.parametrize("suffix", SUFFIXES.values())
@pytest.mark.parametrize(
    ("name", "state", "declares"),
    [
        ("valid", "valid", "camera"),
        ("ai", "valid", "machine_made"),
        ("unknown", "untrusted", "edited"),
        ("pixels", "changed", "camera"),
        ("manifest", "changed", "camera"),
    ],
)
def test_a_signed_picture_is_known_for_what_it_is(
    told: Told, name: str, state: str, declares: str, suffix: str
) -> None:
    said = told[f"{name}.{suffix}"]["credentials"]
    assert (said["state"], said["declares"]) == (state, declares)
    assert said["signer"] == "Test Newsroom"
    # No time stamp stands behind any of these.
    assert said["time"] is None


@pytest.mark.parametrize("suffix", SUFFIXES.values())
def test_an_ai_model_is_named_as_the_maker(told: Told, suffix: str) -> None:
    [action] = told[f"ai.{suffix}"]["credentials"]["actions"]
    assert action == {"action": "created", "source": "trainedAlgorithmicMedia", "tool": "Test Image Model"}


def test_a_certificate_that_has_run_out_is_told_before_anything_else(told: Told) -> None:
    said = told["expired.jpg"]["credentials"]
    assert (said["state"], said["signer"]) == ("expired", "Test Old Newsroom")


def test_of_two_ingredients_it_is_told_which_has_credentials_of_its_own(told: Told) -> None:
    said = told["two.jpg"]["credentials"]
    assert (said["state"], said["declares"]) == ("valid", "edited")
    assert said["ingredients"] == [
        {"title": "one.jpg", "state": "none"},
        # Whoever took it in trusted nobody; the title is one that turns letters around.
        {"title": "made .jpg", "state": "untrusted"},
    ]


def test_row_53_a_manifest_elsewhere_is_told_by_its_host_and_not_fetched(told: Told) -> None:
    said = told["remote.jpg"]["credentials"]
    assert (said["state"], said["host"]) == ("remote", "manifests.example")


def test_nothing_but_the_reader_is_loaded_and_that_only_where_a_manifest_is(
    read: Callable[..., Told], pictures: tuple[Authority, dict[str, bytes]]
) -> None:
    authority, made = pictures
    names = ["silent.jpg", "silent.png", "silent.webp", "remote.jpg", "valid.jpg", "two.jpg"]
    told = read(authority, {name: made[name] for name in names})
    assert [told[name]["credentials"] for name in names[:3]] == [None] * 3
    assert [told[name]["loaded"] for name in names] == [[]] * 4 + [["c2pa_bg.wasm"]] * 2


def test_row_53_no_damage_to_a_manifest_makes_it_trusted(
    read: Callable[..., Told], pictures: tuple[Authority, dict[str, bytes]]
) -> None:
    authority, made = pictures
    signed = made["valid.jpg"]
    head = b"JP" + struct.pack(">HLL", 1, 1, 60) + b"jumb" + struct.pack(">L", 40) + b"jumd" + b"c2pa"
    broken = {
        "head-only.jpg": with_segments(encode(scene(), "JPEG"), jpeg_segment(0xEB, head)),
        "noise.jpg": with_segments(encode(scene(), "JPEG"), jpeg_segment(0xEB, head + b"\xff" * 3000)),
    }
    boxes = [at for at in range(len(signed)) if signed.startswith(b"cbor", at)]
    assert len(boxes) >= 3
    for number, at in enumerate(boxes):
        for filler in (b"\xff", b"\x9f", b"\x00"):
            broken[f"cbor-{number}-{filler.hex()}.jpg"] = signed[: at + 4] + filler * 24 + signed[at + 28 :]
    told = read(authority, broken)
    assert {name: one["credentials"]["state"] for name, one in told.items()}.keys() == broken.keys()
    assert {one["credentials"]["state"] for one in told.values()} <= {"unreadable", "invalid", "changed"}


@pytest.mark.parametrize("suffix", SUFFIXES.values())
def test_the_service_sees_that_a_manifest_is_there_and_says_no_more(
    pictures: tuple[Authority, dict[str, bytes]], suffix: str
) -> None:
    for name in ("valid", "ai", "manifest"):
        signals = find_signals(decode(pictures[1][f"{name}.{suffix}"], Settings()).blocks)
        assert [(s["found"], s["declares"], s["strength"]) for s in signals] == [("manifest", None, "signed")]


def test_the_service_names_the_host_of_a_manifest_elsewhere(pictures: tuple[Authority, dict[str, bytes]]) -> None:
    signals = find_signals(decode(pictures[1]["remote.jpg"], Settings()).blocks)
    assert [(s["found"], s["value"]) for s in signals] == [("remote_manifest", "manifests.example")]


def test_browser_and_service_read_source_types_alike() -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    module = ROOT / "backend" / "chalicelib" / "page" / "declared.js"
    script = f'import {{ SOURCE_TYPES }} from "{module.as_uri()}"; console.log(JSON.stringify(SOURCE_TYPES))'
    done = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    assert {name.lower(): declares for name, declares in json.loads(done.stdout).items()} == SOURCE_TYPES

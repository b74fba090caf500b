"""Rows 31 to 47 of the table of untrusted input as a stranger meets them: files sent over HTTP to a real service.

How each answer comes about is proven beside the part that gives it; here it is the answer that counts: status, code,
and that nothing but a sentence comes with a refusal.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from tests.backend import pictures
from tests.backend.pictures import SIGNATURE, chunk, encode, png, scene
from tests.load.service import PROC, Answer, Service, serving

SCENE = scene()
FILES = pictures.every_format(SCENE)
ROWS = pictures.plain_rows(SCENE.reshape(48, -1))
CUT, DAMAGED = "image_cut_off", "unreadable_image"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers") / "checks.sqlite3"


@pytest.fixture(scope="module")
def service(store: Path, models: Path) -> Iterator[Service]:
    """A service with stand-in weights and the limits that it comes with."""
    with serving(store, store.with_name("log"), {"UNMASK_MODELS": str(models)}) as made:
        yield made
        assert made.peak() < 600


def send(service: Service, data: bytes) -> Answer:
    """Check a picture under a type that says nothing."""
    return service.ask("POST", "/v2/checks/image", data, "application/octet-stream")


def send_clip(service: Service, frames: list[dict[str, Any]]) -> Answer:
    """Check the frames of a clip."""
    return service.ask("POST", "/v2/checks/frames", json.dumps({"frames": frames}).encode(), "application/json")


def frame(time: float, data: bytes) -> dict[str, Any]:
    return {"time": time, "image": base64.b64encode(data).decode()}


def _one_bit_bomb() -> bytes:
    rows = zlib.compress(bytes((16384 // 8 + 1) * 16384), 9)
    header = struct.pack(">LLBBBBB", 16384, 16384, 1, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _text_bomb() -> bytes:
    return png(64, 48, 8, 2, ROWS, before=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000), 9)))


REFUSED = [
    pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media", id="row_31 SVG"),
    pytest.param(b"%PDF-1.7\n", 415, "unsupported_media", id="row_31 PDF"),
    pytest.param(encode(SCENE, "EPS"), 415, "unsupported_media", id="row_31 EPS"),
    pytest.param(b"8BPS\0\1" + bytes(40), 415, "unsupported_media", id="row_31 PSD"),
    pytest.param(encode(SCENE, "ICO"), 415, "unsupported_media", id="row_31 ICO"),
    pytest.param(encode(SCENE, "TIFF"), 415, "unsupported_media", id="row_31 TIFF"),
    pytest.param(b"", 422, "image_empty", id="row_33 zero bytes"),
    pytest.param(FILES["jpeg"][:20], 422, CUT, id="row_33 header only"),
    pytest.param(png(0, 0, 8, 2, b""), 422, "image_too_small", id="row_33 no side"),
    pytest.param(FILES["jpeg"][:-200], 422, CUT, id="row_34 truncated JPEG"),
    pytest.param(FILES["png"][:-200], 422, CUT, id="row_34 truncated PNG"),
    pytest.param(_one_bit_bomb(), 422, "image_too_large", id="row_35 16384 squared in 32 KB"),
    pytest.param(encode(Pillow.new("1", (20_000, 1)), "PNG"), 422, "image_too_small", id="row_36 a strip"),
    pytest.param(encode(Pillow.new("1", (20_000, 40)), "PNG"), 422, "image_too_narrow", id="row_36 a wider strip"),
    pytest.param(encode(Pillow.new("1", (1, 1)), "PNG"), 422, "image_too_small", id="row_36 a speck"),
    pytest.param(png(4000, 4000, 8, 2, b""), 422, CUT, id="row_37 a PNG's header alone"),
    pytest.param(pictures.resize_jpeg_header(FILES["jpeg"], 4000, 4000), 422, CUT, id="row_37 a JPEG's"),
    pytest.param(_text_bomb(), 422, "text_too_large", id="row_38 text that swells"),
    pytest.param(FILES["png"][:60] + b"??" + FILES["png"][62:], 422, DAMAGED, id="row_38 damage"),
    pytest.param(
        pictures.gif_header(9000, 4400) + pictures.gif_frame(9000, 4400) * 11 + b";",
        422,
        "animation_too_long",
        id="row_39 frames times area",
    ),
    pytest.param(pictures.riff((b"VP8L", b"\x2f" + bytes(20))), 422, None, id="row_44 WebP of nothing"),
    pytest.param(FILES["avif"].replace(b"av01", b"av99"), 422, DAMAGED, id="row_44 AVIF of another codec"),
    pytest.param(FILES["avif"][:200] + bytes(len(FILES["avif"]) - 200), 422, DAMAGED, id="row_44 AVIF of zeros"),
    pytest.param(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100), 415, "unsupported_media", id="row_47 video file"),
]


@pytest.mark.parametrize(("data", "status", "code"), REFUSED)
def test_a_file_that_is_no_honest_picture_is_refused(
    service: Service, data: bytes, status: int, code: str | None
) -> None:
    answer = send(service, data)
    assert (answer.status, set(answer.told)) == (status, {"error"})
    assert answer.code == code or code is None
    assert answer.told["error"]["message"].endswith(".")


@pytest.mark.skipif(not PROC.exists(), reason="peak memory of a process is read from /proc")
def test_row_35_the_largest_pictures_at_once_fit_their_memory(models: Path, tmp_path: Path) -> None:
    see_through = png(8000, 5000, 8, 6, bytes((4 * 8000 + 1) * 5000))
    webp = encode(Pillow.new("RGBA", (5000, 4000), (200, 30, 40, 128)), "WEBP", lossless=True)
    turned = pictures.exif([(0x0112, 3, 1, 6)])
    jpeg = encode(Pillow.new("RGB", (8000, 5000)), "JPEG", progressive=True, subsampling=0, exif=turned)
    log = tmp_path / "log"
    with (
        serving(tmp_path / "checks.sqlite3", log, {"UNMASK_MODELS": str(models)}) as service,
        ThreadPoolExecutor(6) as pool,
    ):
        sent = [data + tail for tail in (b"", b"x") for data in (see_through, webp, jpeg)]
        answers = list(pool.map(lambda data: send(service, data), sent))
        assert [answer.told.get("verdict") for answer in answers] == ["no_face"] * 6
        assert 400 < service.peak() < 600
        assert service.memory() < 300, "what was freed goes back to the system"


def test_row_32_a_tail_behind_a_picture_changes_no_verdict_and_is_kept_nowhere(
    service: Service, store: Path, portrait: np.ndarray
) -> None:
    plain = encode(portrait, "PNG")
    tail = b"PK\x03\x04" + b"secret-payload" * 50 + b"PK\x05\x06" + bytes(18)
    first, second = send(service, plain).told, send(service, plain + tail).told
    assert first["media"]["sha256"] != second["media"]["sha256"], "it is known by all its bytes"
    assert (first["verdict"], first["faces"]) == (second["verdict"], second["faces"])
    assert len(first["faces"]) == 1
    kept = b"".join(path.read_bytes() for path in store.parent.iterdir())
    assert second["id"].encode() in kept
    assert b"secret-payload" not in kept


def _turned(pixels: np.ndarray) -> bytes:
    return encode(np.rot90(pixels).copy(), "PNG", exif=pictures.exif([(0x0112, 3, 1, 6)]))


def _sixteen_bits(pixels: np.ndarray) -> bytes:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    samples = (grey.astype(">u2") * 257).view(np.uint8).reshape(len(grey), -1)
    return png(grey.shape[1], grey.shape[0], 16, 0, pictures.plain_rows(samples))


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def _two_colours(pixels: np.ndarray) -> Pillow.Image:
    return Pillow.fromarray(pixels).convert("1")


TWINS = {
    "row_40 held upright": (_turned, lambda p: encode(p, "PNG")),
    "row_40 broken EXIF": (
        lambda p: encode(p, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        lambda p: encode(p, "PNG"),
    ),
    "row_41 CMYK": (
        lambda p: encode(Pillow.fromarray(p).convert("CMYK"), "JPEG", quality=95),
        lambda p: encode(p, "JPEG", quality=95, subsampling=0),
    ),
    "row_41 palette": (
        lambda p: encode(Pillow.fromarray(p).quantize(256), "PNG"),
        lambda p: encode(Pillow.fromarray(p).quantize(256).convert("RGB"), "PNG"),
    ),
    "row_41 1-bit": (lambda p: encode(_two_colours(p), "PNG"), lambda p: encode(_two_colours(p).convert("RGB"), "PNG")),
    "row_41 grey": (lambda p: encode(_grey(p)[..., 0], "PNG"), lambda p: encode(_grey(p), "PNG")),
    "row_42 opaque": (lambda p: encode(Pillow.fromarray(p).convert("RGBA"), "PNG"), lambda p: encode(p, "PNG")),
    "row_43 16 bits": (_sixteen_bits, lambda p: encode(_grey(p), "PNG")),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_picture_and_its_plain_twin_get_the_same_verdict(service: Service, portrait: np.ndarray, name: str) -> None:
    odd, plain = (send(service, make(portrait)) for make in TWINS[name])
    assert (odd.status, plain.status) == (200, 200)
    assert odd.told["verdict"] == plain.told["verdict"]
    assert len(odd.told["faces"]) == len(plain.told["faces"])
    assert "1-bit" in name or len(odd.told["faces"]) == 1
    for a, b in zip(odd.told["faces"], plain.told["faces"], strict=True):
        # CMYK is stored with losses of its own.
        assert a["fake_probability"] == pytest.approx(b["fake_probability"], abs=0.03 if "CMYK" in name else 1e-6)
        assert a["box"] == pytest.approx(b["box"], abs=2)


def test_row_42_a_face_behind_alpha_zero_is_not_there(service: Service, portrait: np.ndarray) -> None:
    hidden = np.dstack([portrait, np.zeros(portrait.shape[:2], np.uint8)])
    answer = send(service, encode(hidden, "PNG"))
    assert (answer.status, answer.told["verdict"]) == (200, "no_face")


def test_row_39_an_animation_is_judged_by_its_first_frame(service: Service, portrait: np.ndarray) -> None:
    blank = Pillow.new("RGB", portrait.shape[1::-1])
    shown = encode(Pillow.fromarray(portrait), "PNG", save_all=True, append_images=[blank])
    hidden = encode(blank, "PNG", save_all=True, append_images=[Pillow.fromarray(portrait)])
    answers = send(service, shown).told, send(service, hidden).told
    assert [(answer["media"]["frames"], len(answer["faces"])) for answer in answers] == [(2, 1), (2, 0)]


def test_row_45_of_five_hundred_faces_the_largest_are_judged_and_the_rest_are_told(
    tmp_path: Path, models: Path, portrait: np.ndarray
) -> None:
    tile = cv2.resize(portrait[0:240, 110:350], (140, 140), interpolation=cv2.INTER_AREA)
    crowd = np.tile(tile, (20, 25, 1))
    crowd[1400:1820, 700:1120] = cv2.resize(portrait[0:240, 110:350], (420, 420), interpolation=cv2.INTER_LINEAR)
    # Searched at its full size, or most of the faces would be too small to be found beside the large one.
    limits = {"UNMASK_MODELS": str(models), "UNMASK_SEARCH_SIDE": "3500"}
    with serving(tmp_path / "checks.sqlite3", tmp_path / "log", limits) as service:
        check = send(service, encode(crowd, "JPEG", quality=90)).told
    sides = [max(face["box"][2:]) for face in check["faces"]]
    areas = [face["box"][2] * face["box"][3] for face in check["faces"]]
    assert len(sides) == 16
    assert "more_faces_than_checked" in check["reasons"]
    # Told are rounded boxes.
    assert all(after < 1.01 * before for before, after in pairwise(areas))
    assert sides[0] > 2 * sides[1], "the one that is larger than all others is among them"


def test_row_45_no_face_and_a_small_one_are_answers_of_their_own(
    service: Service, portrait: np.ndarray, cat: np.ndarray
) -> None:
    nobody = send(service, encode(cat, "PNG")).told
    assert (nobody["verdict"], nobody["fake_probability"], nobody["faces"]) == ("no_face", None, [])
    small = np.full((400, 400, 3), 128, np.uint8)
    small[100:240, 100:240] = cv2.resize(portrait[0:400, 50:450], (140, 140), interpolation=cv2.INTER_AREA)
    check = send(service, encode(small, "PNG")).told
    assert (check["verdict"], check["reasons"]) == ("uncertain", ["face_too_small"])
    assert max(check["faces"][0]["box"][2:]) < 48


def test_row_47_one_frame_is_scored_with_a_warning(service: Service, portrait: np.ndarray) -> None:
    # Ten hours into a clip: its time is what the sender says, and costs nothing.
    check = send_clip(service, [frame(36_000, encode(portrait, "JPEG"))]).told
    assert (check["verdict"], check["reasons"]) == ("uncertain", ["too_few_frames"])
    assert check["coverage"] == {"frames": 1, "usable": 1}


@pytest.mark.parametrize(
    ("frames", "status", "code"),
    [
        pytest.param([], 400, "bad_request", id="none"),
        pytest.param([frame(n, FILES["jpeg"]) for n in range(33)], 413, "too_many_frames", id="too many"),
        pytest.param(
            [frame(n, encode(Pillow.new("L", (8000, 4000)), "PNG")) for n in range(4)],
            413,
            "too_large",
            id="too much area",
        ),
        pytest.param([frame(1, FILES["jpeg"]), frame(1, FILES["png"])], 400, "bad_request", id="at one time"),
        pytest.param([frame(0, FILES["jpeg"]), frame(1, FILES["jpeg"][:-100])], 422, CUT, id="one truncated"),
        pytest.param([frame(0, b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")], 415, "unsupported_media", id="a video in one"),
    ],
)
def test_row_47_frames_that_are_no_honest_clip_are_refused(
    service: Service, frames: list[dict[str, Any]], status: int, code: str
) -> None:
    answer = send_clip(service, frames)
    assert (answer.status, answer.code, set(answer.told)) == (status, code, {"error"})

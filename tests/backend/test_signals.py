"""What a file says of itself: every tag that is known, in every format that carries it, and what attackers write."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from chalicelib import containers
from chalicelib.containers import MAX_BLOCK, MAX_BLOCKS, Block, unpack
from chalicelib.errors import UnmaskError
from chalicelib.images import decode
from chalicelib.settings import Settings
from chalicelib.signals import MAX_SIGNALS, MAX_VALUE, SOURCE_TYPES, clean, find_signals
from tests.backend.pictures import (
    chunk,
    encode,
    every_format,
    exif,
    jpeg_segment,
    plain_rows,
    png,
    riff,
    scene,
    with_segments,
)

PIXELS = scene()
SETTINGS = (
    "a portrait of a woman, photo\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: sd15"
)
WORKFLOW = '{"last_node_id": 9, "nodes": [{"id": 1, "type": "KSampler"}]}'
GRAPH = '{"3": {"inputs": {"seed": 1, "steps": 20}, "class_type": "KSampler"}}'
XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
 {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TEXT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131)


def xmp(attributes: str = "", elements: str = "") -> bytes:
    return XMP.format(attributes=attributes, elements=elements).encode()


def png_with(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    return encode(PIXELS, "PNG", pnginfo=info)


def exif_of(**texts: str) -> Pillow.Exif:
    tags = {"ImageDescription": 0x010E, "Make": 0x010F, "Model": 0x0110, "Software": 0x0131}
    block = Pillow.Exif()
    for name, text in texts.items():
        if name == "UserComment":
            block.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
        else:
            block[tags[name]] = text
    return block


def with_xmp(packet: bytes, kind: str) -> bytes:
    if kind == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        return encode(PIXELS, "PNG", pnginfo=info)
    return encode(PIXELS, kind, xmp=packet)


def gif_with_xmp(packet: bytes) -> bytes:
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    gif = encode(PIXELS, "GIF")
    return gif[:-1] + b"\x21\xff\x0bXMP DataXMP" + packet + trailer + b";"


def photoshop(*resources: tuple[int, bytes]) -> bytes:
    body = b"".join(
        b"8BIM" + struct.pack(">HHL", number, 0, len(data)) + data + b"\0" * (len(data) & 1)
        for number, data in resources
    )
    return with_segments(encode(PIXELS, "JPEG"), jpeg_segment(0xED, b"Photoshop 3.0\0" + body))


def jumbf(kind: bytes = b"c2pa") -> bytes:
    return b"JP" + struct.pack(">HLL", 1, 1, 60) + b"jumb" + struct.pack(">L", 40) + b"jumd" + kind + bytes(28)


def read(data: bytes) -> list[dict[str, Any]]:
    """Signals of a file, which has to be one that is checked, not refused."""
    return [dict(signal) for signal in find_signals(decode(data, Settings()).blocks)]


def brief(data: bytes) -> list[tuple[str, str, str | None, str]]:
    return [(s["found"], s["field"], s["declares"], s["strength"]) for s in read(data)]


MACHINE, EDITED, CAMERA = "machine_made", "edited", "camera"
TRACES: dict[str, tuple[bytes, tuple[str, str, str | None, str]]] = {
    "AUTOMATIC1111 in PNG": (
        png_with(parameters=SETTINGS),
        ("generator_settings", "parameters", MACHINE, "trace"),
    ),
    "Fooocus in PNG": (
        png_with(parameters='{"prompt": "a woman", "steps": 30, "sampler": "dpmpp_2m"}'),
        ("generator_settings", "parameters", MACHINE, "trace"),
    ),
    "ComfyUI's graph in PNG": (png_with(prompt=GRAPH), ("generator_workflow", "prompt", MACHINE, "trace")),
    "ComfyUI's workflow in PNG": (png_with(workflow=WORKFLOW), ("generator_workflow", "workflow", MACHINE, "trace")),
    "InvokeAI in PNG": (
        png_with(invokeai_metadata='{"app_version": "4.2"}'),
        ("generator_settings", "invokeai_metadata", MACHINE, "trace"),
    ),
    "NovelAI's settings in PNG": (
        png_with(Comment='{"steps": 28, "sampler": "k_euler"}'),
        ("generator_settings", "Comment", MACHINE, "trace"),
    ),
    "NovelAI's name in PNG": (png_with(Software="NovelAI"), ("generator", "Software", MACHINE, "declared")),
    "Midjourney in PNG": (
        png_with(Description="a woman --v 6 Job ID: 0a1b2c3d-0000-4000-8000-0123456789ab"),
        ("generator_settings", "Description", MACHINE, "trace"),
    ),
    "AUTOMATIC1111 in a JPEG's EXIF": (
        encode(PIXELS, "JPEG", exif=exif_of(UserComment=SETTINGS)),
        ("generator_settings", "UserComment", MACHINE, "trace"),
    ),
    "AUTOMATIC1111 in a WebP's EXIF": (
        encode(PIXELS, "WEBP", exif=exif_of(UserComment=SETTINGS)),
        ("generator_settings", "UserComment", MACHINE, "trace"),
    ),
    "AUTOMATIC1111 in a GIF's comment": (
        encode(PIXELS, "GIF", comment=SETTINGS.encode()),
        ("generator_settings", "comment", MACHINE, "trace"),
    ),
    "ComfyUI in a WebP's EXIF": (
        encode(PIXELS, "WEBP", exif=exif_of(Make=f"workflow:{WORKFLOW}")),
        ("generator_workflow", "Make", MACHINE, "trace"),
    ),
    "a generator as EXIF software": (
        encode(PIXELS, "JPEG", exif=exif_of(Software="Stable Diffusion XL")),
        ("generator", "Software", MACHINE, "declared"),
    ),
    "settings as EXIF description": (
        encode(PIXELS, "JPEG", exif=exif_of(ImageDescription=SETTINGS)),
        ("generator_settings", "ImageDescription", MACHINE, "trace"),
    ),
    "a credit in XMP": (
        with_xmp(xmp('photoshop:Credit="Made with Google AI"'), "JPEG"),
        ("generator", "Credit", MACHINE, "declared"),
    ),
    "a system by its IPTC property": (
        with_xmp(xmp(elements="<Iptc4xmpExt:AISystemUsed>Some Model</Iptc4xmpExt:AISystemUsed>"), "WEBP"),
        ("generator", "AISystemUsed", MACHINE, "declared"),
    ),
    "a credit in IPTC": (
        photoshop((0x0404, b"\x1c\x02\x6e" + struct.pack(">H", 19) + b"Made with Google AI")),
        ("generator", "Credit", MACHINE, "declared"),
    ),
    "an editor in IPTC": (
        photoshop((0x0404, b"\x1c\x02\x41" + struct.pack(">H", 15) + b"Adobe Photoshop")),
        ("editor", "Originating Program", EDITED, "trace"),
    ),
    "an editor as EXIF software": (
        encode(PIXELS, "JPEG", exif=exif_of(Software="Adobe Photoshop 25.0 (Windows)")),
        ("editor", "Software", EDITED, "trace"),
    ),
    "an editor in XMP": (
        with_xmp(xmp('xmp:CreatorTool="Adobe Lightroom 7.0"'), "PNG"),
        ("editor", "CreatorTool", EDITED, "trace"),
    ),
    "an editor in XMP's history": (
        with_xmp(
            xmp(
                elements='<xmpMM:History><rdf:Seq><rdf:li stEvt:action="saved" stEvt:softwareAgent="GIMP 2.10"/>'
                "</rdf:Seq></xmpMM:History>"
            ),
            "JPEG",
        ),
        ("editor", "softwareAgent", EDITED, "trace"),
    ),
    "an editor in a comment": (
        encode(PIXELS, "JPEG", comment=b"Created with GIMP"),
        ("editor", "comment", EDITED, "trace"),
    ),
    "Photoshop's own resource": (photoshop((0x0406, b"\0\5\0\1\0\1\0")), ("editor", "JPEG quality", EDITED, "trace")),
    "Photoshop's files for the web": (
        with_segments(encode(PIXELS, "JPEG"), jpeg_segment(0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\0")),
        ("editor", "Ducky", EDITED, "trace"),
    ),
    "a camera": (
        encode(PIXELS, "JPEG", exif=exif_of(Make="FUJIFILM", Model="X-T5")),
        ("camera", "Make, Model", CAMERA, "declared"),
    ),
    "a manifest in JPEG": (
        with_segments(encode(PIXELS, "JPEG"), jpeg_segment(0xEB, jumbf())),
        ("manifest", "manifest", None, "signed"),
    ),
    "a manifest in PNG": (
        png(64, 48, 8, 2, plain_rows(PIXELS.reshape(48, -1)), before=chunk(b"caBX", jumbf()[8:])),
        ("manifest", "manifest", None, "signed"),
    ),
    "a manifest elsewhere": (
        with_xmp(xmp('dcterms:provenance="https://manifests.example/secret/path?id=1"'), "JPEG"),
        ("remote_manifest", "provenance", None, "trace"),
    ),
    "a source type in a GIF": (
        gif_with_xmp(xmp(f'Iptc4xmpExt:DigitalSourceType="{TERM}trainedAlgorithmicMedia"')),
        ("digital_source_type", "DigitalSourceType", MACHINE, "declared"),
    ),
    "a source type in an AVIF": (
        with_xmp(xmp(f'Iptc4xmpExt:DigitalSourceType="{TERM}trainedAlgorithmicMedia"'), "AVIF"),
        ("digital_source_type", "DigitalSourceType", MACHINE, "declared"),
    ),
}


@pytest.mark.parametrize("name", TRACES)
def test_each_trace_is_found_and_tells_what_it_declares_and_how_strongly(name: str) -> None:
    data, signal = TRACES[name]
    assert brief(data) == [signal]


@pytest.mark.parametrize("term", [*SOURCE_TYPES])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_digital_source_type_is_read(term: str, kind: str) -> None:
    [signal] = read(with_xmp(xmp(f'Iptc4xmpExt:DigitalSourceType="{TERM}{term}"'), kind))
    assert (signal["found"], signal["value"], signal["strength"]) == ("digital_source_type", term, "declared")
    assert signal["declares"] == SOURCE_TYPES[term]


@pytest.mark.parametrize(
    "elements",
    [
        f"<Iptc4xmpExt:DigitalSourceType>{TERM}trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>",
        f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{TERM}trainedAlgorithmicMedia"/>',
        f"<Iptc4xmpExt:DigitalSourceType><rdf:Bag><rdf:li>{TERM}trainedAlgorithmicMedia</rdf:li></rdf:Bag>"
        "</Iptc4xmpExt:DigitalSourceType>",
        "<Iptc4xmpExt:DigitalSourceType> trainedAlgorithmicMedia </Iptc4xmpExt:DigitalSourceType>",
    ],
)
def test_xmp_may_be_written_in_every_way_that_rdf_knows(elements: str) -> None:
    [signal] = read(with_xmp(xmp(elements=elements), "JPEG"))
    assert (signal["declares"], signal["value"]) == (MACHINE, "trainedAlgorithmicMedia")


@pytest.mark.parametrize(
    "data",
    [
        png_with(parameters="width and height of the sheet", prompt="Smile!", workflow="approved by Ann"),
        png_with(Comment="This reminds me of Midjourney", Title="Firefly", Author="Gemini"),
        encode(PIXELS, "JPEG", exif=exif_of(ImageDescription="Fireflies over Canva Street, Krita Jones")),
        encode(PIXELS, "JPEG", exif=exif_of(Software="17.1.2")),
        encode(PIXELS, "JPEG", comment=b"CREATOR: gd-jpeg v1.0, quality = 90"),
        with_xmp(xmp('photoshop:Credit="NASA"'), "JPEG"),
        with_xmp(xmp('dcterms:provenance="self#jumbf=/c2pa/1"'), "JPEG"),
        with_xmp(xmp('Iptc4xmpExt:DigitalSourceType="somethingElse"'), "JPEG"),
        with_segments(encode(PIXELS, "JPEG"), jpeg_segment(0xEB, jumbf(b"jpgt"))),
        photoshop((0x0404, b"\x1c\x02\x6e" + struct.pack(">H", 4) + b"NASA"), (0x03ED, bytes(16))),
        *every_format(PIXELS).values(),
    ],
)
def test_what_says_nothing_of_the_making_is_no_signal(data: bytes) -> None:
    assert read(data) == []


def test_what_speaks_of_a_machine_comes_first() -> None:
    block = exif_of(Make="Canon", Model="Canon EOS R5", Software="Photoshop", UserComment=SETTINGS)
    signals = read(encode(PIXELS, "JPEG", exif=block))
    assert [signal["declares"] for signal in signals] == [MACHINE, EDITED, CAMERA]
    assert signals[-1]["value"] == "Canon EOS R5"


def test_row_53_of_a_remote_manifest_only_the_host_is_told() -> None:
    data, _ = TRACES["a manifest elsewhere"]
    assert [signal["value"] for signal in read(data)] == ["manifests.example"]


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_a_comment_in_sixteen_bits_is_read_in_either_order(order: str) -> None:
    block = Pillow.Exif()
    block.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + SETTINGS.encode(order)
    [signal] = read(encode(PIXELS, "JPEG", exif=block))
    assert signal["value"].startswith("a portrait of a woman, photo Negative prompt")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a\n\tb  ", "a b"),
        ("a\0b\x1b[31mc\x7fd", "a b [31mc d"),
        ("safe\u202egnp.exe", "safe gnp.exe"),
        ("a\u200bb\ufeffc\u2066d", "a b c d"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("صورة من آلة", "صورة من آلة"),
        ("x" * 10_000, "x" * (MAX_VALUE - 1) + "…"),
        ("\ud800", ""),
    ],
)
def test_a_value_is_one_short_line_without_characters_that_steer(text: str, line: str) -> None:
    assert clean(text) == line


def test_row_50_a_text_of_a_hundred_megabytes_is_refused_or_cut() -> None:
    rows = plain_rows(PIXELS.reshape(48, -1))
    whole = png(64, 48, 8, 2, rows, before=chunk(b"tEXt", b"parameters\0" + b"x" * 100_000_000))
    with pytest.raises(UnmaskError) as error:
        decode(whole, Settings())
    assert error.value.code == "too_large"
    packed = zlib.compress(b"x" * 100_000_000, 9)
    with pytest.raises(UnmaskError) as error:
        decode(png(64, 48, 8, 2, rows, before=chunk(b"zTXt", b"prompt\0\0" + packed)), Settings())
    assert error.value.code == "text_too_large"
    # What the limit on files lets in is walked past, and little of it is kept.
    blocks = decode(whole, Settings(max_bytes=200_000_000, max_bytes_in_flight=200_000_000)).blocks
    assert [(len(block.data), block.whole) for block in blocks] == [(MAX_BLOCK, False)]
    assert find_signals(blocks) == []


def test_row_50_endless_blocks_are_counted_and_the_rest_is_left() -> None:
    rows = plain_rows(PIXELS.reshape(48, -1))
    texts = b"".join(chunk(b"tEXt", f"parameters\0{i} {SETTINGS}".encode()) for i in range(5_000))
    container = unpack(png(64, 48, 8, 2, rows, before=texts))
    assert len(container.blocks) == MAX_BLOCKS
    assert len(find_signals(container.blocks)) == MAX_SIGNALS


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<",
        b"no xml at all",
        b"\xff\xfe\x00\xd8" * 50,
        xmp()[:-60],
        xmp(elements="<photoshop:Credit>&nbsp;</photoshop:Credit>"),
        b"<a>" * 80_000,
    ],
)
def test_row_51_malformed_xmp_is_told_as_unreadable(packet: bytes) -> None:
    signals = find_signals([Block("xmp", packet)])
    assert [(s["found"], s["declares"], s["value"]) for s in signals] == [("unreadable", None, "")]


@pytest.mark.parametrize("encoding", ["klingon", "utf-7", "zlib_codec", "idna"])
def test_row_51_the_encoding_that_a_packet_declares_is_not_asked(encoding: str) -> None:
    body = xmp('xmp:CreatorTool="GIMP"').decode()
    packet = f"<?xml version='1.0' encoding='{encoding}'?>{body[body.index('<x:xmpmeta') :]}"
    assert [s["found"] for s in find_signals([Block("xmp", packet.encode())])] == ["editor"]


def test_row_51_what_stands_before_the_damage_is_told_with_it() -> None:
    packet = xmp('xmp:CreatorTool="Adobe Photoshop"')[:-40]
    assert [s["found"] for s in find_signals([Block("xmp", packet)])] == ["editor", "unreadable"]


def test_row_51_a_packet_that_we_cut_is_not_called_unreadable() -> None:
    packet = xmp('xmp:CreatorTool="Adobe Photoshop"')[:-40]
    assert [s["found"] for s in find_signals([Block("xmp", packet, whole=False)])] == ["editor"]


@pytest.mark.parametrize(
    "block",
    [
        Block("exif", b"Exif\0\0"),
        Block("exif", exif([(tag, 2, 4_000_000_000, 4_000_000_000) for tag in TEXT_TAGS])),
        Block("exif", exif([(tag, 99, 40, 8) for tag in TEXT_TAGS])),
        Block("exif", exif([(0x8769, 4, 1, 8)] * 50)),
        Block("photoshop", b"8BIM"),
        Block("photoshop", b"8BIM\x04\x04\xff\xff\xff\xff\xff\xff\xff\xff"),
        Block("photoshop", b"8BIM\x04\x04\0\0" + struct.pack(">L", 9) + b"\x1c\x02\x6e\xff\xffabcd\0"),
        Block("text", b"\xff\xfe\xfd", b"parameters"),
        Block("text", b"", b""),
        Block("comment", b"\0" * 100),
    ],
)
def test_row_51_broken_exif_iptc_and_text_say_nothing(block: Block) -> None:
    assert find_signals([block]) == []


BOMB = (
    '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)).replace("&a0;", "&a;")
    + "]>"
)


@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        f'<!DOCTYPE a [<!ENTITY x "{"x" * 60_000}">]>',
    ],
)
def test_row_52_a_packet_with_entities_is_believed_nothing(head: str) -> None:
    body = xmp('xmp:CreatorTool="Midjourney"', "<photoshop:Credit>&a9;&x;</photoshop:Credit>").decode()
    packet = head + body[body.index("<x:xmpmeta") :]
    assert [s["found"] for s in find_signals([Block("xmp", packet.encode())])] == ["unreadable"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Block("text", b"steps: 1, " * 20_000, b"parameters"),
        lambda: Block("text", b"{" + b'"a": ' * 40_000, b"workflow"),
        lambda: Block("text", b'"' * 200_000, b"dream"),
        lambda: Block("comment", b"created with " * 20_000),
        lambda: Block("xmp", xmp(" ".join(f'photoshop:a{i}="1"' for i in range(12_000)))),
        lambda: Block("xmp", xmp(elements="<photoshop:Credit>x</photoshop:Credit>" * 5_000)),
        lambda: Block("exif", exif([(0x9286, 7, 60_000, 8)] * 5_000)),
    ],
)
def test_row_52_nothing_that_is_written_to_be_slow_is(make: Callable[[], Block]) -> None:
    block = make()
    started = time.process_time()
    find_signals([block] * 3)
    # A hundred times what they take; what grows with a square would take minutes.
    assert time.process_time() - started < 3


@pytest.mark.parametrize("cbor", [b"", b"\xff" * 300, b"\x9f" * 300, b"\x5b" + b"\xff" * 8])
def test_row_53_a_manifest_is_told_as_present_and_never_opened(cbor: bytes) -> None:
    jpeg = with_segments(encode(PIXELS, "JPEG"), jpeg_segment(0xEB, jumbf() + cbor))
    webp = encode(PIXELS, "WEBP")
    vp8 = webp[12:]
    kind, size = vp8[:4], struct.unpack_from("<L", vp8, 4)[0]
    for data in (jpeg, riff((kind, vp8[8 : 8 + size]), (b"C2PA", cbor))):
        [signal] = read(data)
        assert (signal["found"], signal["declares"], signal["strength"]) == ("manifest", None, "signed")


def test_signals_come_from_the_walk_that_is_made_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []
    sniff = containers._sniff
    monkeypatch.setattr(containers, "_sniff", lambda data: walks.append(1) or sniff(data))
    assert np.array_equal(decode(png_with(parameters=SETTINGS), Settings()).pixels, PIXELS)
    assert walks == [1]

"""What a file itself says of how it was made: metadata → signals. Pure; it sees no pixel and moves no score.

A tag can be removed, and anybody can write one: a signal is what is stated, never what is so. The rules are tables,
so that a new generator is a line. Names are looked for only in fields in which programs sign; a caption may mention
any of them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from chalicelib.containers import Block
from chalicelib.exif import read_texts
from chalicelib.schema import Declares, Found, Signal, SignalPlace, Strength
from chalicelib.xmp import Malformed, read_properties

# Characters of a value that are shown, and signals that are told, of one picture.
MAX_VALUE = 160
MAX_SIGNALS = 24
# Bytes of a text that rules look at: what they look for stands at the beginning, or soon after a prompt.
_LOOKED_AT = 32_768

# What programs that make pictures sign with.
_GENERATORS = re.compile(
    r"\b(midjourney|dall[·•.\- ]?e|stable[ _-]?diffusion|sdxl|novelai|invokeai|comfyui|automatic1111|fooocus|swarmui"
    r"|adobe firefly|google ai|google imagen|google gemini|chatgpt|openai|gpt-4o|leonardo\.?ai|ideogram"
    r"|black forest labs|flux\.1|draw things|dreamstudio|stability ai|meta ai|grok|bing image creator|stylegan"
    r"|thispersondoesnotexist)\b",
    re.IGNORECASE,
)
# What programs that change pictures sign with.
_EDITORS = re.compile(
    r"\b(photoshop|lightroom|camera raw|gimp|affinity photo|pixelmator|snapseed|facetune|faceapp|picsart|luminar"
    r"|capture one|canva|paint\.net|krita|darktable|rawtherapee|topaz labs|gigapixel|remini|meitu|beautyplus"
    r"|imagemagick|pixlr|photopea|acdsee|photoscape|vsco|reface|faceswap|deepfacelab|facefusion)\b",
    re.IGNORECASE,
)
# The settings that AUTOMATIC1111 and its descendants write behind a prompt.
_PARAMETERS = re.compile(r"\bsteps: \d{1,5}, [^\n]{0,300}\b(sampler|cfg scale|seed|model)\b", re.IGNORECASE)
_PARAMETERS_AS_JSON = re.compile(
    r'^\s*\{.*"(sampler|sampler_name|steps|cfg_scale|seed)"\s*:', re.IGNORECASE | re.DOTALL
)
_JOB_ID = re.compile(r"\bjob id: [0-9a-f-]{36}\b", re.IGNORECASE)
_GRAPH = re.compile(r'^\s*\{.*"(class_type|nodes|last_node_id)"\s*:', re.DOTALL)

# Keywords of PNG text that generators write, and what their text then looks like. A keyword alone is no sign: anybody
# may call a note "parameters".
_PNG_TEXTS: dict[str, tuple[Found, Sequence[re.Pattern[str]]]] = {
    "parameters": ("generator_settings", (_PARAMETERS, _PARAMETERS_AS_JSON)),
    "prompt": ("generator_workflow", (_GRAPH,)),
    "workflow": ("generator_workflow", (_GRAPH,)),
    "comment": ("generator_settings", (_PARAMETERS_AS_JSON,)),
    "description": ("generator_settings", (_JOB_ID,)),
    "invokeai_metadata": ("generator_settings", (re.compile(r"^\s*\{"),)),
    "sd-metadata": ("generator_settings", (re.compile(r"^\s*\{"),)),
    "generation_data": ("generator_settings", (re.compile(r"^\s*\{"),)),
    "dream": ("generator_settings", (re.compile(r'^\s*".*" -'),)),
}
# In which a program signs.
_SIGNED = {"software", "creator", "creatortool", "source", "generator", "credit", "softwareagent", "aisystemused"}

# https://cv.iptc.org/newscodes/digitalsourcetype/, retired terms included. What it says of drawings and screenshots
# is none of the three.
SOURCE_TYPES: dict[str, Declares | None] = {
    "trainedalgorithmicmedia": "machine_made",
    "compositewithtrainedalgorithmicmedia": "machine_made",
    "compositesynthetic": "machine_made",
    "algorithmicmedia": "machine_made",
    "datadrivenmedia": "machine_made",
    "virtualrecording": "machine_made",
    "humanedits": "edited",
    "minorhumanedits": "edited",
    "algorithmicallyenhanced": "edited",
    "composite": "edited",
    "compositecapture": "edited",
    "digitalcapture": "camera",
    "computationalcapture": "camera",
    "negativefilm": "camera",
    "positivefilm": "camera",
    "print": "camera",
    "digitalart": None,
    "digitalcreation": None,
    "softwareimage": None,
    "screencapture": None,
}
_ORDER: tuple[Declares | None, ...] = ("machine_made", "edited", "camera", None)


def find_signals(blocks: Sequence[Block]) -> list[Signal]:
    """Tell what a picture's metadata states of how it was made.

    Args:
        blocks: as `containers.unpack` keeps them, of any content.

    Returns:
        At most `MAX_SIGNALS`: what speaks of a machine first, then of an editor, of a camera, and the rest. None is
        no statement about the picture: most pictures on the web have lost all metadata.
    """
    found: list[Signal] = []
    for block in blocks:
        for signal in _READERS[block.kind](block):
            if signal not in found:
                found.append(signal)
    return sorted(found, key=lambda signal: _ORDER.index(signal["declares"]))[:MAX_SIGNALS]


def disagrees(signal: Signal, verdict: str) -> bool:
    """Tell whether a signal states the opposite of what the network says; an edit is neither."""
    return (signal["declares"], verdict) in {("machine_made", "no_traces"), ("camera", "likely_fake")}


def clean(text: str) -> str:
    """Return a stranger's text as one short line that can be shown: no control, joining or turning characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_VALUE]).split())
    return line if len(line) <= MAX_VALUE else f"{line[: MAX_VALUE - 1]}…"


def _read_text(block: Block) -> Iterator[Signal]:
    name, text = block.name.decode("latin-1"), _decode(block.data[:_LOOKED_AT])
    found, patterns = _PNG_TEXTS.get(name.lower(), ("generator_settings", ()))
    if any(pattern.search(text) for pattern in patterns):
        yield _signal(found, "png", name, text, "machine_made", "trace")
    elif name.lower() in _SIGNED:
        yield from _read_signature("png", name, text)
    elif name.lower() in ("comment", "description"):
        yield from _read_remark("png", name, text)


def _read_comment(block: Block) -> Iterator[Signal]:
    yield from _read_remark("comment", "comment", _decode(block.data[:_LOOKED_AT]))


def _read_exif(block: Block) -> Iterator[Signal]:
    texts = read_texts(block.data)
    make, model = texts.get("Make", ""), texts.get("Model", "")
    # ComfyUI stores its graph where a camera's name belongs, behind the keyword that it has in a PNG.
    graphs = [field for field in ("Make", "Model") if re.match(r"(prompt|workflow):\s*\{", texts.get(field, ""))]
    for field in graphs:
        yield _signal("generator_workflow", "exif", field, texts[field], "machine_made", "trace")
    if not graphs and (make or model):
        # Models often begin with the maker's name.
        name = model if make and model.lower().startswith(make.lower()) else f"{make} {model}"
        yield _signal("camera", "exif", "Make, Model", name, "camera", "declared")
    if "Software" in texts:
        yield from _read_signature("exif", "Software", texts["Software"])
    for field in ("ImageDescription", "UserComment"):
        if field in texts:
            yield from _read_remark("exif", field, texts[field])


def _read_xmp(block: Block) -> Iterator[Signal]:
    try:
        properties = read_properties(block.data)
    except Malformed as error:
        properties = error.found
        # What was cut by us ends in the middle, and that is no fault of the file.
        if block.whole:
            yield _signal("unreadable", "xmp", "XMP", "", None, "trace")
    for value in properties.pop("DigitalSourceType", []):
        term = value.rstrip("/").rpartition("/")[2]
        if term.lower() in SOURCE_TYPES:
            yield _signal(
                "digital_source_type", "xmp", "DigitalSourceType", term, SOURCE_TYPES[term.lower()], "declared"
            )
    for value in properties.pop("provenance", []):
        host = _host_of(value)
        if host:
            yield _signal("remote_manifest", "c2pa", "provenance", host, None, "trace")
    for value in properties.pop("AISystemUsed", []):
        yield _signal("generator", "xmp", "AISystemUsed", value, "machine_made", "declared")
    for field, values in properties.items():
        for value in values:
            yield from _read_signature("xmp", field, value)


def _read_photoshop(block: Block) -> Iterator[Signal]:
    if block.data.startswith(b"Ducky"):
        yield _signal("editor", "photoshop", "Ducky", "Photoshop", "edited", "trace")
        return
    for number, body in _resources(block.data):
        # Others write the container for its captions; the quality of a JPEG is a note of the program to itself.
        if number == _JPEG_QUALITY:
            yield _signal("editor", "photoshop", "JPEG quality", "Photoshop", "edited", "trace")
        elif number == _IPTC:
            for dataset, value in _datasets(body):
                if dataset in _IPTC_FIELDS:
                    yield from _read_signature("iptc", _IPTC_FIELDS[dataset], _decode(value))


def _read_manifest(_: Block) -> Iterator[Signal]:
    yield _signal("manifest", "c2pa", "manifest", "", None, "signed")


_READERS: dict[str, Callable[[Block], Iterator[Signal]]] = {
    "text": _read_text,
    "comment": _read_comment,
    "exif": _read_exif,
    "xmp": _read_xmp,
    "photoshop": _read_photoshop,
    "manifest": _read_manifest,
}


def _read_signature(where: SignalPlace, field: str, text: str) -> Iterator[Signal]:
    """Read a field in which a program gives its name."""
    if _GENERATORS.search(text):
        yield _signal("generator", where, field, text, "machine_made", "declared")
    elif _EDITORS.search(text):
        yield _signal("editor", where, field, text, "edited", "trace")


def _read_remark(where: SignalPlace, field: str, text: str) -> Iterator[Signal]:
    """Read a field in which anything may stand: only what no person writes counts."""
    if any(pattern.search(text) for pattern in (_PARAMETERS, _PARAMETERS_AS_JSON, _JOB_ID)):
        yield _signal("generator_settings", where, field, text, "machine_made", "trace")
    elif re.match(r"(created|made|edited|generated) (with|by) ", text, re.IGNORECASE):
        yield from _read_signature(where, field, text)


def _signal(
    found: Found, where: SignalPlace, field: str, value: str, declares: Declares | None, strength: Strength
) -> Signal:
    return {
        "found": found,
        "where": where,
        "field": clean(field),
        "value": clean(value),
        "declares": declares,
        "strength": strength,
    }


def _decode(data: bytes) -> str:
    # Latin-1 is what the standard says of PNG's plain text, and UTF-8 what generators write.
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _host_of(address: str) -> str:
    """Return the host of an address on the web, empty for anything else: a path within the file, as for one."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


_IPTC, _JPEG_QUALITY = 0x0404, 0x0406
# IPTC-IIM 4.2, record 2.
_IPTC_FIELDS = {65: "Originating Program", 110: "Credit"}


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of Photoshop's resources, up to the first that makes no sense."""
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        (number,) = struct.unpack_from(">H", data, at + 4)
        # The name's length and letters are padded to an even number of bytes.
        at += 6 + (data[at + 6] + 2) // 2 * 2
        if at + 4 > len(data):
            return
        (length,) = struct.unpack_from(">L", data, at)
        yield number, data[at + 4 : at + 4 + length]
        at += 4 + length + (length & 1)


def _datasets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the datasets of IPTC's record 2, up to the first that makes no sense."""
    at = 0
    while at + 5 <= len(data) and data[at] == 0x1C:
        record, dataset, length = struct.unpack_from(">BBH", data, at + 1)
        if length & 0x8000:
            return
        if record == 2:
            yield dataset, data[at + 5 : at + 5 + length]
        at += 5 + length

"""XMP packets, read for a few properties without building a tree.

A document type is refused at its first word: XMP has none (ISO 16684-1, 7.3.2), and without one there are no entities
to expand and nothing to fetch.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.parsers import expat

# Longest value that is taken, characters, and most values of one property.
MAX_VALUE = 2_000
MAX_VALUES = 8

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# Namespace and name, as expat joins them, of what tells how a picture came about.
PROPERTIES: Mapping[str, str] = {
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ DigitalSourceType": "DigitalSourceType",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ AISystemUsed": "AISystemUsed",
    "http://ns.adobe.com/xap/1.0/ CreatorTool": "CreatorTool",
    "http://ns.adobe.com/photoshop/1.0/ Credit": "Credit",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent# softwareAgent": "softwareAgent",
    "http://purl.org/dc/terms/ provenance": "provenance",
}


class Malformed(Exception):
    """The packet is no XML that XMP allows; `found` is what stood before that place."""

    def __init__(self, found: dict[str, list[str]]) -> None:
        super().__init__()
        self.found = found


class _Forbidden(Exception):
    """The packet declares a document type."""


def read_properties(packet: bytes) -> dict[str, list[str]]:
    """Find the values of `PROPERTIES`, written as attributes, as elements or as lists.

    Args:
        packet: the XML, with or without its wrapping; the caller has capped its size.

    Returns:
        Values by the property's short name, in the order of the packet, not cleaned.

    Raises:
        Malformed: it is no XML, or it declares a document type; of the latter nothing is believed.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(packet.strip(b"\0 \r\n\t"), True)
    except _Forbidden:
        raise Malformed({}) from None
    except expat.ExpatError:
        raise Malformed(reader.found) from None
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._name: str | None = None  # the property that is open
        self._depth = 0  # of elements within it
        self._text = ""
        # What a declaration calls the encoding is not asked: it may name any codec that Python knows.
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add

    def _refuse(self, *_: object) -> None:
        raise _Forbidden

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        for attribute, value in attributes.items():
            if attribute in PROPERTIES:
                self._keep(PROPERTIES[attribute], value)
        if self._name is not None:
            self._depth += 1
        elif name in PROPERTIES:
            self._name, self._depth, self._text = PROPERTIES[name], 0, ""
        if self._name is not None and f"{_RDF} resource" in attributes:
            self._keep(self._name, attributes[f"{_RDF} resource"])

    def _add(self, text: str) -> None:
        if self._name is not None and len(self._text) < MAX_VALUE:
            self._text += text

    def _end(self, _: str) -> None:
        if self._name is None:
            return
        # Each item of a list is a value of its own.
        self._keep(self._name, self._text)
        self._text = ""
        if self._depth == 0:
            self._name = None
        self._depth -= 1

    def _keep(self, name: str, value: str) -> None:
        values = self.found.setdefault(name, [])
        if value.strip() and len(values) < MAX_VALUES:
            values.append(value.strip()[:MAX_VALUE])

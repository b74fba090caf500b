"""Pictures with Content Credentials, signed by authorities that live no longer than the tests.

c2pa-python writes the manifests; `cryptography` makes the certificates, of the profile that C2PA 2.1 asks for in 14.5.
"""

from __future__ import annotations

import io
import json
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

c2pa = pytest.importorskip("c2pa", reason="needs c2pa-python: pip install unmask[dev]")

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
CAPTURED = {"action": "c2pa.created", "digitalSourceType": f"{SOURCE_TYPES}digitalCapture"}
MADE_BY_AI = {
    "action": "c2pa.created",
    "digitalSourceType": f"{SOURCE_TYPES}trainedAlgorithmicMedia",
    "softwareAgent": {"name": "Test Image Model"},
}
EDITED = {"action": "c2pa.color_adjustments", "softwareAgent": {"name": "Test Editor"}}
COMBINED = {"action": "c2pa.created", "digitalSourceType": f"{SOURCE_TYPES}composite"}
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True)
class Authority:
    """A root certificate of its own, and what it signs with."""

    name: str = "Test Authority"

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def root(self) -> x509.Certificate:
        return _build(self.name, self._key.public_key(), self.name, self._key, ca=True, lasts=timedelta(days=4000))

    @property
    def pem(self) -> str:
        """The root, as a trust list holds it."""
        return self.root.public_bytes(serialization.Encoding.PEM).decode()

    def make_signer(self, name: str = "Test Newsroom", lasts: timedelta = timedelta(days=300)) -> Any:
        """Return a signer whose certificate is valid from yesterday and for so long from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _build(name, key.public_key(), self.name, self._key, ca=False, lasts=lasts)
        chain = b"".join(cert.public_bytes(serialization.Encoding.PEM) for cert in (leaf, self.root))

        def sign(data: bytes) -> bytes:
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        return c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, chain.decode(), None)


def sign(
    picture: bytes,
    kind: str = "JPEG",
    *,
    signer: Any = None,
    actions: Sequence[dict[str, Any]] = (CAPTURED,),
    ingredients: Sequence[tuple[str, bytes]] = (),
    remote: str | None = None,
) -> bytes:
    """Return the picture with a manifest in it.

    Args:
        kind: "JPEG", "PNG" or "WEBP".
        signer: by an authority that nobody knows where none is given.
        actions: as of C2PA 2.1, 18.15.
        ingredients: title and file of each, JPEGs.
        remote: address to point to instead of keeping the manifest in the file.
    """
    definition = {
        "title": "portrait",
        "claim_generator_info": [{"name": "Test Camera", "version": "1.0"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }
    context = c2pa.Context(c2pa.Settings.from_dict({"verify": {"verify_after_sign": False}}))
    builder = c2pa.Builder(json.dumps(definition), context)
    for title, data in ingredients:
        given = {"title": title, "relationship": "componentOf"}
        builder.add_ingredient(given, "image/jpeg", io.BytesIO(data))
    if remote is not None:
        builder.set_no_embed()
        builder.set_remote_url(remote)
    target = io.BytesIO()
    builder.sign(signer or Authority().make_signer(), MEDIA_TYPES[kind], io.BytesIO(picture), target)
    return target.getvalue()


def sign_and_expire(picture: bytes, authority: Authority) -> bytes:
    """Return a JPEG whose signer's certificate is over; nothing is signed with one that already is."""
    for seconds in (2, 10, 60):
        signer = authority.make_signer("Test Old Newsroom", timedelta(seconds=seconds))
        with suppress(c2pa.C2paError):
            signed = sign(picture, signer=signer)
            time.sleep(seconds + 1)
            return signed
    raise TimeoutError("signing took longer than a certificate of a minute lasts")


def tamper_pixels(signed: bytes, kind: str = "JPEG") -> bytes:
    """Change one bit of the picture's own data, and nothing else; of a PNG its chunk's sum as well."""
    changed = bytearray(signed)
    if kind == "WEBP":
        changed[signed.index(b"VP8 ") + 2000] ^= 0x01
        return bytes(changed)
    if kind == "PNG":
        start = signed.rindex(b"IDAT")
        end = start + 4 + int.from_bytes(signed[start - 4 : start], "big")
        # The last byte belongs to the sum over the pixels, which viewers pass over.
        changed[end - 1] ^= 0x01
        changed[end : end + 4] = zlib.crc32(changed[start:end]).to_bytes(4, "big")
        return bytes(changed)
    changed[-40] ^= 0x01
    return bytes(changed)


def tamper_manifest(signed: bytes, old: bytes = b"Test Camera", new: bytes = b"Test Hacker") -> bytes:
    """Change letters within the signed claim."""
    assert signed.count(old) and len(old) == len(new)
    return signed.replace(old, new)


def _build(
    name: str, public: Any, issuer: str, key: ec.EllipticCurvePrivateKey, *, ca: bool, lasts: timedelta
) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]
    )
    signed_by = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, issuer), x509.NameAttribute(NameOID.ORGANIZATION_NAME, issuer)]
    )
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signed_by)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lasts)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(key, hashes.SHA256())

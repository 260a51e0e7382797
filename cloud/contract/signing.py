"""Ed25519 over canonical bytes, and the keyed hash that stands for a card. Nothing is read from disk here."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cloud.contract.canonical import canonical_bytes
from cloud.contract.errors import SignatureInvalidError


def sign(document: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """Base64 signature over the canonical bytes of the document without its own `sig`."""
    return sign_bytes(_signed_bytes(document), key)


def sign_bytes(data: bytes, key: Ed25519PrivateKey) -> str:
    """Base64 signature over the canonical bytes of a document that has no `sig` yet."""
    return base64.b64encode(key.sign(data)).decode("ascii")


def verify(document: Mapping[str, Any], keys: Sequence[Ed25519PublicKey]) -> None:
    """Raise SignatureInvalidError unless one of the keys made the document's `sig`. Any key may: keys rotate."""
    text = document.get("sig")
    try:
        signature = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalidError("sig is not base64") from None
    # The last digit has spare bits: one signature must have one text only.
    if base64.b64encode(signature).decode("ascii") != text:
        raise SignatureInvalidError("sig is not base64 in its one form")
    signed = _signed_bytes(document)
    for key in keys:
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            continue
        return
    raise SignatureInvalidError("sig was made by no trusted key")


def _signed_bytes(document: Mapping[str, Any]) -> bytes:
    return canonical_bytes({name: value for name, value in document.items() if name != "sig"})


def credential_hash(site_key: bytes, uid: bytes) -> str:
    """What stands for a card everywhere but in the reader path: HMAC-SHA256 with the site key, 16 bytes, hex."""
    return hmac.new(site_key, uid, hashlib.sha256).hexdigest()[:32]

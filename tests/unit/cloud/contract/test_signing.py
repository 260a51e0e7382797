"""Signatures over canonical bytes, and the keyed hash of a card."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.errors import SignatureInvalidError
from cloud.contract.signing import credential_hash, sign, verify
from tests.rigs.wire import KEY, OTHER_KEY, json_values

DOCUMENT: dict[str, Any] = {"v": 1, "device": "d-1"}
KEYS = [OTHER_KEY.public_key(), KEY.public_key()]


def signed(**changes: Any) -> dict[str, Any]:
    return {**DOCUMENT, "sig": sign(DOCUMENT, KEY), **changes}


def test_any_trusted_key_may_have_signed() -> None:
    """Two keys are trusted while keys rotate."""
    verify(signed(), KEYS)
    verify(signed(), KEYS[::-1])


def test_signature_covers_all_but_itself() -> None:
    """Signing a signed document gives the same signature."""
    assert sign(signed(), KEY) == sign(DOCUMENT, KEY)


@pytest.mark.parametrize("changes", [{"v": 2}, {"device": "d-2"}, {"more": None}, {"v": True}, {"v": 1.0}])
def test_a_changed_document_is_refused(changes: dict[str, Any]) -> None:
    """True and 1.0 are not 1 here, though Python thinks so."""
    with pytest.raises(SignatureInvalidError, match="no trusted key"):
        verify(signed(**changes), KEYS)


def test_a_stranger_is_refused() -> None:
    """And so is everybody where no key is trusted."""
    for keys in ([OTHER_KEY.public_key()], []):
        with pytest.raises(SignatureInvalidError):
            verify(signed(), keys)


@given(sig=json_values)
def test_a_signature_can_be_any_junk(sig: Any) -> None:
    """Whatever stands in `sig`, the answer is that it is not valid."""
    with pytest.raises(SignatureInvalidError):
        verify(signed(sig=sig), KEYS)


def test_a_missing_signature_is_refused() -> None:
    """Unsigned is not the same as signed by nobody in particular."""
    with pytest.raises(SignatureInvalidError):
        verify(DOCUMENT, KEYS)


@given(place=st.integers(0, 87), digit=st.sampled_from("ABCDwxyz019+/="))
def test_a_signature_has_one_text_only(place: int, digit: str) -> None:
    """Not even the spare bits of the last base64 digit can be changed."""
    text = sign(DOCUMENT, KEY)
    changed = text[:place] + digit + text[place + 1 :]
    if changed != text:
        with pytest.raises(SignatureInvalidError):
            verify(signed(sig=changed), KEYS)


def test_the_spare_bits_of_base64_are_refused() -> None:
    """The case that a lenient decoder lets through."""
    text = sign(DOCUMENT, KEY)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = text[:85] + alphabet[alphabet.index(text[85]) ^ 1] + text[86:]
    assert base64.b64decode(twin, validate=True) == base64.b64decode(text)
    with pytest.raises(SignatureInvalidError, match="one form"):
        verify(signed(sig=twin), KEYS)


def test_credential_hash_is_half_an_hmac_sha256() -> None:
    """RFC 4231, test case 2, cut to 16 bytes; every component must agree on it for ever."""
    assert credential_hash(b"Jefe", b"what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"
    assert credential_hash(b"k" * 32, b"\x04") == hmac.new(b"k" * 32, b"\x04", hashlib.sha256).hexdigest()[:32]

"""Where a list goes on, as text that only we can make: signed, and of use in the list alone that it came from.

A cursor that anybody could make would be a key into the table. It says nothing that its list did not show.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Final

from cloud.contract.canonical import canonical_bytes
from cloud.contract.errors import ContractError

_TAG_BYTES: Final = 16
"""Of HMAC-SHA256: 128 bits can't be guessed, and a cursor stays short."""

Scope = Sequence[str]
"""What the cursor is for: the operation, what its path names, and its other parameters."""


class CursorError(ValueError):
    """This is no cursor of this list."""


def seal(position: Mapping[str, str], scope: Scope, key: bytes) -> str:
    """The cursor that leads on from a position."""
    body = canonical_bytes(position)
    return base64.urlsafe_b64encode(_tag(body, scope, key) + body).decode("ascii").rstrip("=")


def unseal(cursor: str, scope: Scope, key: bytes) -> Mapping[str, str]:
    """The position that `seal` was given; raises CursorError for anything that it did not make for this scope."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CursorError("not a cursor") from None
    tag, body = data[:_TAG_BYTES], data[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(body, scope, key)):
        raise CursorError("not a cursor of this list")
    position: Mapping[str, str] = json.loads(body)
    return position


def _tag(body: bytes, scope: Scope, key: bytes) -> bytes:
    try:
        # As a list in JSON: no two scopes come to the same bytes.
        signed = canonical_bytes({"scope": list(scope)})
    except ContractError:
        raise CursorError("not a cursor of this list") from None
    return hmac.new(key, len(signed).to_bytes(4, "big") + signed + body, hashlib.sha256).digest()[:_TAG_BYTES]

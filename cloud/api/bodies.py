"""Bodies of calls: read as JSON within bounds, and checked against what a request must hold.

Whatever is wrong is told with a pointer to where; never with what stood there, which may be a card's number.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from cloud.api.problems import Fault, Problem
from cloud.contract.canonical import parse_json
from cloud.contract.errors import ContractError
from cloud.domain.fields import Fields
from cloud.domain.payloads import PAYLOADS, RequestType

MAX_BODY_BYTES: Final = 1 << 20
MAX_IMPORT_BYTES: Final = 5 << 20
"""A function is handed 6 MB at most, in which each quotation mark of this takes two bytes."""
MAX_FAULTS: Final = 50
"""That are told at once; an import may have thousands."""
_JSON: Final = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)
_FIELD: Final = re.compile(r"[a-z][a-z_]{0,39}")
"""A name that may be told back: no number of a card looks like this."""


def max_bytes(kind: RequestType | None) -> int:
    """How long the body of a request of this type may be."""
    return MAX_IMPORT_BYTES if kind is RequestType.PEOPLE_IMPORT else MAX_BODY_BYTES


def read_body(event: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The JSON object that was sent; an empty one for nothing. Raises Problem."""
    data = _sent(event)
    if len(data) > limit:
        raise Problem("body-too-large", f"At most {limit} bytes are taken.")
    if not data:
        return {}
    if not _JSON.fullmatch(_header(event, "content-type").strip()):
        raise Problem("media-type-unsupported")
    try:
        body = parse_json(data, "body")
    except ContractError:
        raise Problem("body-malformed") from None
    if not isinstance(body, dict):
        raise Problem("body-malformed")
    return body


def refuse_body(event: Mapping[str, Any]) -> None:
    """Raise Problem if anything was sent."""
    if _sent(event):
        raise Problem("body-malformed", "This takes no body.")


def checked(kind: RequestType, body: Mapping[str, Any]) -> Fields:
    """What a request of this type holds, from the body and from what its path says; raises Problem."""
    try:
        return PAYLOADS[kind].model_validate(dict(body))
    except ValidationError as error:
        raise Problem("body-invalid", faults=_faults(error)) from None


def merged(body: Mapping[str, Any], bound: Mapping[str, str]) -> dict[str, Any]:
    """The body with what the path says; raises Problem when the body says it too."""
    twice = sorted(set(body) & set(bound))
    if twice:
        raise Problem("body-invalid", faults=[Fault(f"/{name}", "is said by the path") for name in twice])
    return {**body, **bound}


def _faults(error: ValidationError) -> Sequence[Fault]:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    faults = [_fault(each["type"], each["loc"], each["msg"]) for each in found[:MAX_FAULTS]]
    if len(found) > MAX_FAULTS:
        faults.append(Fault("", f"{len(found) - MAX_FAULTS} more like these"))
    return faults


def _fault(kind: str, place: Sequence[str | int], message: str) -> Fault:
    # A message of ours comes as "Value error, ..."; one of pydantic's own says what it wants, never what it got.
    message = message.removeprefix("Value error, ")
    if kind == "extra_forbidden" and not _FIELD.fullmatch(str(place[-1])):
        return Fault(_pointer(place[:-1]), "holds a field that is not known")
    return Fault(_pointer(place), message)


def _pointer(place: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def _sent(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        try:
            return str(body).encode("utf-8")
        except UnicodeEncodeError:
            raise Problem("body-malformed") from None
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Problem("body-malformed") from None


def _header(event: Mapping[str, Any], name: str) -> str:
    """A header; HTTP APIs give their names in small letters."""
    return str((event.get("headers") or {}).get(name, ""))

"""A card's number as people type it and readers print it: bytes in hex. Must never stand in a message or a file."""

import re
from typing import Final

from agent.office.errors import BadInput

_SEPARATORS: Final = re.compile(r"[\s:.-]")
_NUMBER: Final = re.compile(r"([0-9A-F]{2}){4,16}", re.ASCII)


def card_number(text: str) -> str:
    """Upper-case hex without separators; raises BadInput, without the text, for what is no number of 4 to 16 bytes."""
    number = _SEPARATORS.sub("", text).upper()
    if not _NUMBER.fullmatch(number):
        raise BadInput("a card number is 4 to 16 bytes in hex, such as 04A1C3D2E45F80 or 04:A1:C3:D2")
    return number

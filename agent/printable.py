"""Text of strangers made safe for a terminal, a log and an event: one line, printable, of bounded length."""

from typing import Final

MAX_CHARS: Final = 300


def one_line(text: str, most: int = MAX_CHARS) -> str:
    """The text with everything that is not printable escaped, cut after `most` characters."""
    begun = text[: most + 1]
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in begun)
    return safe if len(safe) <= most else f"{safe[: most - 3]}..."

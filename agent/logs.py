"""Logging: one JSON object per line on stdout, which journald carries. Never a card number, key or APDU.

Our own modules log through structlog; drivers and vendor libraries, which know only the standard library, come out in
the same form.
"""

import logging
import sys
from typing import Final, Protocol, TextIO, cast

import structlog

_SHARED: Final = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    # Without locals, which are what a log must never hold: the site's key, a card's number.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> int:
        """Take one line, with its end."""

    def flush(self) -> None:
        """Let nothing wait."""


def configure(level: str, stream: Stream | None = None) -> None:
    """Set up logging for this process, to stdout or `stream`; may be called again to change the level."""
    lines = cast("TextIO", sys.stdout if stream is None else stream)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, _TRACEBACKS, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _TRACEBACKS,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Below warnings, vendor libraries tell their bytes: APDUs and requests have no place in a log.
    root.setLevel(max(number, logging.WARNING))
    logging.getLogger("hardware").setLevel(number)

"""Logging: one JSON object per line on stdout, which journald carries. Never a card number, key or APDU.

Our own modules log through structlog; drivers and vendor libraries, which know only the standard library, come out in
the same form.
"""

import logging
import sys
from typing import Final

import structlog

_SHARED: Final = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(level: str) -> None:
    """Set up logging for this process; may be called again to change the level."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Below warnings, vendor libraries tell their bytes: APDUs and requests have no place in a log.
    root.setLevel(max(number, logging.WARNING))
    logging.getLogger("hardware").setLevel(number)

"""JSON logs on standard error, one object a line."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog


def _line(_: Any, __: str, event: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def set_up(level: str) -> None:
    """Configure logging of the whole process once."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.dict_tracebacks,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"level":"%(levelname)s","event":"%(message)s"}'
    )


log = structlog.get_logger()

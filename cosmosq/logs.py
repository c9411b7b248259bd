"""What a worker logs: one JSON object a line, with the job and the session as fields."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from concurrent_log_handler import ConcurrentRotatingFileHandler

from cosmosq.files import writing

FIELDS = ("job", "attempt", "session", "host", "schedule")
MAX_BYTES = 10 << 20
KEPT = 5


class JsonFormatter(logging.Formatter):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Meanwhile, send what cosmosq and Huey log to a file that is rotated at 10 MiB.

    Workers of several hosts share it: with the standard library's handler each would go on in a file that another one
    has put away.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The handler opens it later, and tells nobody when it cannot.
        path.open("a", encoding="utf-8").close()
    handler = ConcurrentRotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    loggers = {logging.getLogger("cosmosq"): logging.INFO, logging.getLogger("huey"): logging.WARNING}
    for logger, level in loggers.items():
        logger.setLevel(level)
        logger.addHandler(handler)
        logger.propagate = logging.getLogger().handlers != []
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()

"""What a worker logs: one JSON object a line, with the job and the session as fields."""

import json
import logging
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


def log_to(path: Path) -> None:
    """Send what cosmosq and Huey log to a file that is rotated at 10 MiB.

    Workers of several hosts share it: with the standard library's handler each would go on in a file that another one
    has put away.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The handler opens it later, and tells nobody when it cannot.
        path.open("a", encoding="utf-8").close()
    handler = ConcurrentRotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    for name, level in (("cosmosq", logging.INFO), ("huey", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.addHandler(handler)
        logger.propagate = logging.getLogger().handlers != []

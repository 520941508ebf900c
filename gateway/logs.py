"""Logs as JSON lines on standard error, without prompts, answers or keys."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from ledger.redaction import redact

_FIELDS = ("request_id", "method", "path", "status", "milliseconds", "actor", "tenant")


class JsonLines(logging.Formatter):
    """One JSON object per record; secrets are taken out, also from tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()).text,
        }
        line |= {name: getattr(record, name) for name in _FIELDS if getattr(record, name, None) is not None}
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info)).text
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str) -> None:
    """Send the process's logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The envelope writes one line per request; the server's and the HTTP client's own would double it.
    for name in ("uvicorn.access", "httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)

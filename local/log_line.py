"""Log records as lines of JSON, each with what it is about: event, correlation, agent and trace."""

import json
import logging
from datetime import UTC, datetime

OF_THE_WORK = ("event", "correlation", "agent", "trace")
OF_THE_INVOCATION = ("function_name", "invocation_id")


class JsonLine(logging.Formatter):
    """Writes a record as one line of JSON; what is not known is left out."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = {name: getattr(record, name, "") for name in (*OF_THE_WORK, *OF_THE_INVOCATION)}
        line |= {name: str(value) for name, value in known.items() if value}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)

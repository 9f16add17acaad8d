"""Log lines as JSON: each says what it is about, without whoever logs having to."""

import asyncio
import json
import logging

import pytest

from local.invocation import InvocationFilter, invocation
from local.log_line import JsonLine
from shared.bus.port import message_for
from shared.bus.topology import topology
from tests.builders import a_trade_request
from tests.standins.desk import an_agent_desk, received
from tests.unit.telemetry_bench import Watched

REQUEST = a_trade_request()


class Lines(logging.Handler):
    """Keeps the lines as a console would show them."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(InvocationFilter())
        self.setFormatter(JsonLine())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Lines:
    lines, logger = Lines(), logging.getLogger("shared.story")
    monkeypatch.setattr(logger, "handlers", [lines])
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.manager.loggerDict["shared.story"]._cache.clear()  # type: ignore[union-attr]
    return lines


async def test_line_when_a_message_is_handled_says_which_by_whom_and_in_which_trace(log: Lines) -> None:
    telemetry = Watched()
    desk = an_agent_desk(topology(), telemetry=telemetry)

    async def fold(_event: object) -> None:
        await asyncio.create_task(asyncio.to_thread(logging.getLogger("shared.story").info, "weighed\n%s", "twice"))

    with invocation("projector") as invocation_id:
        await desk.runtime.fold(received(message_for(REQUEST)), "projector", fold)
    line = json.loads(log.lines[0])
    assert line.pop("time").endswith("+00:00")
    assert line.pop("trace").split("-")[1] in telemetry.traces
    assert line == {
        "level": "INFO",
        "logger": "shared.story",
        "message": "weighed\ntwice",
        "event": REQUEST.id,
        "correlation": REQUEST.correlationid,
        "agent": "projector",
        "function_name": "projector",
        "invocation_id": invocation_id,
    }
    assert "\n" not in log.lines[0]


def test_line_when_nothing_is_handled_leaves_out_what_is_not_known(log: Lines) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("shared.story").exception("failed", extra={"event": "e-1"})
    line = json.loads(log.lines[0])
    assert line["event"] == "e-1"
    assert "ValueError: odd" in line["exception"]
    assert {"agent", "trace", "function_name"}.isdisjoint(line)

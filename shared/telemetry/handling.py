"""An agent's handling of one message, as telemetry sees it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from shared.telemetry.port import Telemetry, Value
from shared.telemetry.work import Work, working

# Read before the message is decoded, so that what cannot be decoded has its trace, too. A string within a string has
# its quotes escaped, so nothing that somebody wrote is taken for it.
_TRACEPARENT = re.compile(rb'"traceparent":\s?"(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})"')


@dataclass(frozen=True, slots=True)
class Handled:
    """A message that an agent is given."""

    agent: str
    topic: str
    message_id: str
    event_id: str
    event_type: str
    correlation_id: str
    attempt: int
    delivery_count: int
    body: bytes


@contextmanager
def handling(telemetry: Telemetry, message: Handled) -> Iterator[None]:
    """Give what happens within a span in the trace of the message's event, and count how it went."""
    work = Work(message.event_id, message.correlation_id or message.event_id, message.agent)
    if not telemetry.enabled:
        with working(work):
            yield
        return
    began, error = perf_counter(), ""
    name = f"process {message.topic}/{message.agent}"
    try:
        with (
            telemetry.span(name, "consumer", _attributes(message), traceparent_of(message.body)) as span,
            working(work),
        ):
            work.trace = telemetry.traceparent() or ""
            yield
            span.set("finagent.outcome", work.outcome)
    except BaseException as raised:
        error = type(raised).__qualname__
        raise
    finally:
        kind: dict[str, Value] = {"finagent.agent": message.agent, "finagent.event.type": message.event_type}
        telemetry.count("finagent.handled", kind | {"finagent.outcome": "raised" if error else work.outcome})
        kind |= {"messaging.destination.name": message.topic} | ({"error.type": error} if error else {})
        telemetry.record("messaging.process.duration", perf_counter() - began, kind)


def traceparent_of(body: bytes) -> str | None:
    """Give the `traceparent` that an event's JSON carries, or None."""
    found = _TRACEPARENT.search(body)
    return found[1].decode() if found else None


def _attributes(message: Handled) -> dict[str, Value]:
    return {
        "messaging.system": "servicebus",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": message.topic,
        "messaging.destination.subscription.name": message.agent.replace("_", "-"),
        "messaging.message.id": message.message_id,
        "messaging.message.conversation_id": message.correlation_id,
        "messaging.servicebus.message.delivery_count": message.delivery_count,
        "finagent.agent": message.agent,
        "finagent.event.id": message.event_id,
        "finagent.event.type": message.event_type,
        "finagent.attempt": message.attempt,
    }

"""What a receiver sees of a message beside what was sent: the annotations that Service Bus adds."""

from typing import Any

from tests.standins.service_bus.codec import Int, Symbol
from tests.standins.service_bus.message import milliseconds
from tests.standins.service_bus.queue import Entry, Queue


def annotations_of(entry: Entry, queue: Queue) -> dict[Symbol, Any]:
    """Give the annotations of a message in a queue."""
    seen: dict[Symbol, Any] = {
        Symbol("x-opt-sequence-number"): entry.sequence,
        Symbol("x-opt-enqueue-sequence-number"): entry.topic_sequence,
        Symbol("x-opt-enqueued-time"): milliseconds(entry.enqueued_at),
        Symbol("x-opt-message-state"): Int(1 if entry.deferred else 0),
    }
    if entry.token is not None:
        seen[Symbol("x-opt-locked-until")] = milliseconds(entry.locked_until)
    if queue.dead_letters is None:
        seen[Symbol("x-opt-deadletter-source")] = queue.path.removesuffix("/$DeadLetterQueue")
    return seen

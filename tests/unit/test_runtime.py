"""What the runtime does with one message: handle it, try it later, give it up with a reason, or let a bug through."""

import base64
import dataclasses
import json
from collections.abc import Sequence

import pytest
from pydantic import BaseModel, ConfigDict

from shared.agents.decision import Decision, Handler
from shared.bus.port import Message, message_for
from shared.errors import FinAgentError, InvalidError, MissingError, TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.step import StepFailed
from shared.events.trade import TradeDeadlineReached, TradeRequested
from shared.runtime import ATTEMPTS, Received, Role
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit, EventStore
from tests.builders import CLOSE, SECOND, a_deadline, a_headline, a_topic, a_topology, a_trade_request, an_opinion
from tests.standins.desk import MemoryDesk, received

REQUEST = a_trade_request(id="trade-1")
MESSAGE = message_for(REQUEST)
OPINION = an_opinion(REQUEST, agent="voter")
TOPOLOGY = a_topology(a_topic("events", voter=["trade.requested"], clerk=["opinion.formed"]))


class Count(BaseModel):
    """How many events an agent handled."""

    model_config = ConfigDict(frozen=True)

    events: int = 0


async def vote(event: TradeRequested, state: Count, _deps: object) -> Decision[Count]:
    return Decision(Count(events=state.events + 1), (Emit(OPINION),))


async def count(_event: Event, state: Count, _deps: object) -> Decision[Count]:
    return Decision(Count(events=state.events + 1))


def failing(error: Exception) -> Handler:
    """Give a handler that only fails."""

    async def fail(_event: Event, _state: Count, _deps: object) -> Decision[Count]:
        raise error

    return fail


def a_desk(handler: Handler = vote, *, store: EventStore | None = None, pace: float = 1.0) -> MemoryDesk:
    """Give a desk with one agent that handles trade requests and deadlines."""
    role = Role("voter", Count, {TradeRequested: handler, TradeDeadlineReached: count}, None)
    desk = MemoryDesk(TOPOLOGY, {"voter": role}, store=store, pace=pace)
    desk.readers["events/voter"] = lambda message: desk.runtime.handle(message, "voter")
    return desk


async def failures(desk: MemoryDesk) -> list[StepFailed]:
    return [event for event in await desk.log() if isinstance(event, StepFailed)]


async def events_counted(desk: MemoryDesk, stream: str = REQUEST.stream) -> int:
    snapshot = await desk.store.snapshot("voter", stream)
    return 0 if snapshot is None else Count.model_validate_json(snapshot.body).events


def a_received(body: bytes, subject: str = "trade.requested") -> Received:
    return Received("garbage-1:0", subject, body, delivery_count=2)


async def test_message_when_it_is_handled_commits_appends_and_publishes() -> None:
    desk = a_desk()
    await desk.runtime.handle(received(MESSAGE), "voter")
    assert await events_counted(desk) == 1
    assert await desk.log() == [OPINION]
    assert desk.bus.published == [message_for(OPINION)]


async def test_message_when_it_comes_again_emits_the_same_and_counts_once() -> None:
    desk = a_desk()
    for delivery_count in (1, 2):
        await desk.runtime.handle(received(MESSAGE, delivery_count), "voter")
    assert await events_counted(desk) == 1
    assert await desk.log() == [OPINION]
    assert desk.bus.published == [message_for(OPINION)] * 2
    assert await desk.bus.backlog() == {"events/voter": 0, "events/clerk": 1}


async def test_handler_when_something_is_missing_concludes_nothing_for_good() -> None:
    desk = a_desk(failing(MissingError("no history")))
    await desk.runtime.handle(received(MESSAGE), "voter")
    assert (await desk.log(), desk.bus.published) == ([], [])
    assert await desk.store.receipt("voter", REQUEST.stream, REQUEST.id) == ()


async def test_handler_when_it_has_a_bug_raises_and_leaves_nothing() -> None:
    desk = a_desk(failing(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        await desk.runtime.handle(received(MESSAGE), "voter")
    assert (await desk.log(), desk.bus.published) == ([], [])
    assert await desk.store.receipt("voter", REQUEST.stream, REQUEST.id) is None


@pytest.mark.parametrize("pace", [1.0, 86_400.0])
async def test_handler_when_something_is_busy_is_tried_later_and_later_on_the_desk_clock(pace: float) -> None:
    desk = a_desk(failing(TransientError("429")), pace=pace)
    for attempt in range(ATTEMPTS - 1):
        message = desk.bus.published[-1] if attempt else MESSAGE
        await desk.runtime.handle(received(message), "voter")
    copies = desk.bus.published
    assert [copy.message_id for copy in copies] == [f"trade-1:voter:{attempt}" for attempt in range(1, ATTEMPTS)]
    waits = [(copy.deliver_at or CLOSE) - CLOSE for copy in copies]
    assert waits == [wait * pace * SECOND for wait in (0.5, 1, 2, 4, 8, 16, 32, 60, 60)]


async def test_delayed_copy_when_it_is_another_agents_is_left_to_that_one() -> None:
    desk = a_desk()
    copy = dataclasses.replace(MESSAGE, message_id="trade-1:clerk:3")
    await desk.runtime.handle(received(copy), "voter")
    assert (await desk.log(), desk.bus.published) == ([], [])
    await desk.runtime.handle(received(dataclasses.replace(copy, message_id="trade-1:voter:3")), "voter")
    assert await desk.log() == [OPINION]


async def test_failure_when_the_event_was_readable_belongs_to_its_story() -> None:
    desk = a_desk(failing(InvalidError("no such thing")))
    await desk.runtime.handle(received(MESSAGE), "voter")
    (failed,) = await failures(desk)
    assert (failed.correlationid, failed.causationid) == (REQUEST.correlationid, REQUEST.id)


async def test_delayed_copy_when_published_keeps_all_but_the_attempt() -> None:
    desk = a_desk(failing(TransientError("429")))
    first = Message("trade-1:voter:2", "market", "trade.requested", MESSAGE.body, "story-9", "session-9")
    await desk.runtime.handle(received(first), "voter")
    expected = Message(
        "trade-1:voter:3", "market", "trade.requested", MESSAGE.body, "story-9", "session-9", CLOSE + 2 * SECOND
    )
    assert desk.bus.published == [expected]


async def test_handler_when_it_stays_busy_is_given_up_with_the_payload() -> None:
    desk = a_desk(failing(TransientError("429")))
    await desk.bus.publish([MESSAGE])
    await desk.run()
    (failed,) = await failures(desk)
    assert failed.data.payload == MESSAGE.body.decode()
    assert (failed.data.attempts, failed.data.agent, failed.source) == (ATTEMPTS, "voter", "voter")
    assert "429" in failed.data.reason
    assert await desk.bus.dead_letters() == []


async def test_handler_when_it_recovers_is_handled_once() -> None:
    troubles = [TransientError("429"), TransientError("429")]

    async def recover(event: TradeRequested, state: Count, deps: object) -> Decision[Count]:
        if troubles:
            raise troubles.pop()
        return await vote(event, state, deps)

    desk = a_desk(recover)
    await desk.bus.publish([MESSAGE])
    await desk.run()
    assert await events_counted(desk) == 1
    assert await desk.log() == [OPINION]


GARBAGE = {
    "not JSON": (b"{", "trade.requested", "not JSON"),
    "not JSON, no subject": (b"{", "", "not JSON"),
    "empty": (b"", "trade.requested", "not JSON"),
    "not an event": (b"[1, 2]", "", "type"),
    "unknown type": (b'{"type": "trade.dreamt"}', "", "trade.dreamt"),
    "1 MB of an unknown type": (b'{"type": "%s"}' % (b"a" * 1_000_000), "", "no event type"),
    "unknown subject": (MESSAGE.body, "trade.dreamt", "trade.dreamt"),
    "missing field": (b'{"type": "trade.requested"}', "trade.requested", "data"),
    "unknown field": (MESSAGE.body.replace(b'"symbol"', b'"cymbal"'), "trade.requested", "data.cymbal"),
    "subject and body disagree": (MESSAGE.body, "news.received", "type"),
    "not UTF-8": (b'{"type": "\xff\xfe"}', "trade.requested", "not JSON"),
    "not UTF-8, no subject": (b"\xff\xfe\x00", "", "not JSON"),
    "1 MB": (b"x" * 1_000_000, "trade.requested", "not JSON"),
    "1 MB in a field": (MESSAGE.body.replace(b'"AAPL"', b'"%s"' % (b"A" * 1_000_000)), "", "data.symbol"),
    "1 MB of nesting": (b"[" * 1_000_000, "", "not JSON"),
    "a type that the agent does not handle": (a_headline().json_bytes, "news.received", "news.received"),
}


@pytest.mark.parametrize(("body", "subject", "reason"), GARBAGE.values(), ids=GARBAGE)
async def test_message_when_it_is_garbage_is_kept_with_its_reason_and_not_retried(
    body: bytes, subject: str, reason: str
) -> None:
    desk = a_desk()
    for _ in range(2):
        await desk.runtime.handle(a_received(body, subject), "voter")
    (failed,) = await failures(desk)
    kept = failed.data.payload.encode()
    assert (base64.b64decode(kept) if failed.data.encoding == "base64" else kept) == body
    assert reason in failed.data.reason
    assert (failed.data.subject, failed.data.message_id, failed.data.attempts) == (subject, "garbage-1:0", 2)
    assert {message.subject for message in desk.bus.published} == {"step.failed"}
    assert len(json.dumps(failed.data.reason)) < 5_000


async def test_message_when_it_is_not_utf_8_is_kept_in_base64() -> None:
    desk = a_desk()
    await desk.runtime.handle(a_received(b"\xff\x00"), "voter")
    (failed,) = await failures(desk)
    assert (failed.data.encoding, failed.data.payload) == ("base64", base64.b64encode(b"\xff\x00").decode())


async def test_message_when_its_agent_is_unknown_raises() -> None:
    with pytest.raises(KeyError):
        await a_desk().runtime.handle(received(MESSAGE), "oracle")


async def test_message_when_two_agents_give_it_up_is_kept_for_each() -> None:
    desk = a_desk()
    for reader in ("projector", "archive"):
        await desk.runtime.fold(a_received(b"{"), reader, lambda _event: pytest.fail("nothing to fold"))
    assert [failed.data.agent for failed in await failures(desk)] == ["projector", "archive"]


async def test_snapshot_when_it_cannot_be_read_gives_the_message_up_and_stays() -> None:
    desk = a_desk()
    await desk.store.commit(Commit("voter", REQUEST.stream, "earlier", b'{"events": "many"}', None, ()))
    await desk.runtime.handle(received(MESSAGE), "voter")
    (failed,) = await failures(desk)
    assert "snapshot of voter" in failed.data.reason
    assert "many" not in failed.data.reason
    kept = await desk.store.snapshot("voter", REQUEST.stream)
    assert kept is not None
    assert kept.body == b'{"events": "many"}'


@pytest.mark.parametrize("error", [TransientError("429"), InvalidError("never")])
async def test_message_when_neither_retry_nor_failure_can_be_written_goes_back_to_the_bus(error: FinAgentError) -> None:
    class AwayStore(InMemoryEventStore):
        async def append(self, events: Sequence[Event]) -> list[Event]:
            raise TransientError("the store is away")

    desk = a_desk(failing(error), store=AwayStore())
    last = received(message_for(REQUEST, attempt=ATTEMPTS - 1))
    with pytest.raises(TransientError, match="away"):
        await desk.runtime.handle(last, "voter")


async def test_scheduled_event_when_it_happens_enters_the_log() -> None:
    deadline = a_deadline(REQUEST)

    async def schedule(_event: TradeRequested, state: Count, _deps: object) -> Decision[Count]:
        return Decision(state, (Emit(deadline, deliver_at=deadline.time),))

    desk = a_desk(schedule)
    await desk.runtime.handle(received(MESSAGE), "voter")
    assert await desk.log() == []
    await desk.runtime.handle(received(message_for(deadline)), "voter")
    assert await desk.log() == [deadline]
    assert await events_counted(desk) == 1


async def test_events_when_emitted_twice_are_new_once() -> None:
    desk = a_desk()
    other = a_trade_request("IBM", id="trade-2")
    assert await desk.runtime.emit([REQUEST]) == [REQUEST]
    assert await desk.runtime.emit([REQUEST, other]) == [other]
    assert await desk.log() == [REQUEST, other]


@pytest.mark.parametrize(
    ("message_id", "attempt"),
    [("trade-1:0", 0), ("trade-1:3", 3), ("urn:a:2", 2), ("trade-1", 0), ("", 0), ("a:b", 0), ("42", 0)],
)
def test_attempt_when_read_from_a_message_id_is_the_number_after_the_last_colon(message_id: str, attempt: int) -> None:
    assert Received(message_id, "trade.requested", b"").attempt == attempt

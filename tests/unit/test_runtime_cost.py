"""What the runtime puts down of each message: who handled what, for how long, and that twice is twice."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from shared import runtime as module
from shared.agents.decision import Decision, Handler
from shared.bus.port import Message, message_for
from shared.errors import MissingError, TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.trade import TradeRequested
from shared.ledger.book import Book
from shared.ledger.in_memory import InMemoryLedger
from shared.ledger.meter import Metering
from shared.ledger.port import Entry, Span
from shared.runtime import Received, Role, Runtime
from shared.settlement.stepwise import StepwiseSettlement
from tests.builders import a_headline, a_topic, a_topology, a_trade_request, an_opinion
from tests.standins.desk import MemoryDesk, received
from tests.unit.test_runtime import Count

REQUEST = a_trade_request(id="trade-1")
MESSAGE = message_for(REQUEST)
TOPOLOGY = a_topology(a_topic("events", voter=["trade.requested"]))


class Watched:
    """A desk with one agent, and the ledger of its runtime. Seconds pass only where a handler lets them."""

    def __init__(self, handler: Callable[["Watched"], Handler]) -> None:
        self.seconds = 100.0
        self.ledger = InMemoryLedger()
        self.metering = Metering()
        self.book = Book(self.ledger, self.metering, wall_seconds=lambda: self.seconds, monotonic=lambda: self.seconds)
        roles = {"voter": Role("voter", Count, {TradeRequested: handler(self)}, None)}
        desk = MemoryDesk(TOPOLOGY, roles)
        settlement = StepwiseSettlement(desk.store, desk.bus)
        self.runtime = Runtime(desk.store, desk.bus, settlement, desk.clock, roles, self.book)

    async def entries(self) -> list[Entry]:
        """Give what was put down."""
        await self.book.flush()
        return await self.ledger.entries(Span(0, 10**18))


def voting(desk: Watched) -> Handler:
    """Give a handler that works for two seconds and waits for a model for five."""

    async def vote(event: TradeRequested, _state: Count, _deps: object) -> Decision[Count]:
        desk.seconds += 2
        desk.seconds += 5
        desk.metering.model("gpt", 10, 20, 5)
        return Decision(Count(events=1), (Emit(an_opinion(event, agent="voter")),))

    return vote


def failing(error: Exception) -> Callable[[Watched], Handler]:
    """Give a handler that fails after a second."""

    def made(desk: Watched) -> Handler:
        async def fail(_event: Event, _state: Count, _deps: object) -> Decision[Count]:
            desk.seconds += 1
            raise error

        return fail

    return made


def watched(monkeypatch: pytest.MonkeyPatch, handler: Callable[[Watched], Handler] = voting) -> Watched:
    """Give a desk whose runtime lives by the desk's seconds."""
    desk = Watched(handler)
    monkeypatch.setattr(module, "perf_counter", lambda: desk.seconds)
    return desk


async def test_message_when_handled_is_put_down_with_where_its_time_went(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = watched(monkeypatch)
    given = received(MESSAGE)
    enqueued = datetime.fromtimestamp(97.5, UTC)
    await desk.runtime.handle(
        Received(given.message_id, given.subject, given.body, correlation_id="trade-1", enqueued_at=enqueued), "voter"
    )
    (entry,) = await desk.entries()
    assert entry[:6] == (100_000_000, "voter", "trade-1", "trade.requested", "trade-1", "")
    usage = entry.usage
    assert (usage.wait_us, usage.handler_us, usage.model_us) == (2_500_000, 2_000_000, 5_000_000)
    assert (usage.executions, usage.received, usage.settled, usage.billed_us) == (1, 1, 1, 7_000_000)
    assert (entry.model, usage.input_tokens, usage.output_tokens) == ("gpt", 10, 20)


async def test_store_when_it_is_slow_is_put_down_apart_from_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = watched(monkeypatch)
    appending = desk.runtime._settlement.settle

    async def slow(*arguments: object) -> list[Event]:
        desk.seconds += 3
        return await appending(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.runtime._settlement, "settle", slow)
    await desk.runtime.handle(received(MESSAGE), "voter")
    (entry,) = await desk.entries()
    assert (entry.usage.store_us, entry.usage.handler_us) == (3_000_000, 2_000_000)


async def test_message_when_it_comes_twice_costs_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = watched(monkeypatch)
    for _ in range(2):
        await desk.runtime.handle(received(MESSAGE), "voter")
    first, second = await desk.entries()
    assert first.event == second.event == "trade-1"
    assert (first.usage.handler_us, second.usage.handler_us) == (2_000_000, 0), "the receipt answers the second"


@pytest.mark.parametrize("error", [TransientError("busy"), MissingError("no bars"), ZeroDivisionError()])
async def test_message_when_its_handler_fails_is_put_down(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    desk = watched(monkeypatch, failing(error))
    with suppress(ZeroDivisionError):
        await desk.runtime.handle(received(MESSAGE), "voter")
    (entry,) = await desk.entries()
    assert (entry.correlation, entry.usage.handler_us, entry.usage.executions) == ("trade-1", 1_000_000, 1)


@pytest.mark.parametrize(
    "message",
    [
        Message("trade-1:risk:1", "events", "trade.requested", MESSAGE.body, "trade-1"),
        Message("x", "events", "", b"?", ""),
    ],
    ids=["another's", "unreadable"],
)
async def test_message_when_nothing_is_done_with_it_is_paid_for(
    monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    desk = watched(monkeypatch)
    await desk.runtime.handle(received(message), "voter")
    (entry,) = await desk.entries()
    assert (entry.correlation, entry.usage.received) == (received(message).event_id, 1)


async def test_fold_when_done_is_the_readers_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = watched(monkeypatch)

    async def fold(_event: Event) -> None:
        desk.seconds += 4

    await desk.runtime.fold(received(MESSAGE), "projector", fold)
    (entry,) = await desk.entries()
    assert (entry.agent, entry.usage.handler_us) == ("projector", 4_000_000)


async def test_emit_when_an_execution_does_it_gives_it_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = watched(monkeypatch)
    with desk.book.execution("api", "POST /api/trades"):
        await desk.runtime.emit([REQUEST])
    with desk.book.execution("ingest_news", "ingest_news"):
        await desk.runtime.emit([a_headline(headline="One"), a_headline(headline="Two")])
    assert [(entry.agent, entry.event, entry.type, entry.correlation) for entry in await desk.entries()] == [
        ("ingest_news", "", "", ""),
        ("POST /api/trades", "trade-1", "trade.requested", "trade-1"),
    ]

"""The book measures executions, charges the right one, writes in batches, and loses no more than it says."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest

from shared.errors import TransientError
from shared.ledger import book as module
from shared.ledger.book import Book
from shared.ledger.in_memory import InMemoryLedger
from shared.ledger.meter import Metering, operations
from shared.ledger.port import NOTHING, Batch, Entry, Sum, Usage, total

NOON = 1_795_348_800.0
SECOND = 1_000_000


class FullLedger(InMemoryLedger):
    """Can be written to only while it is told so, and counts the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.batches: list[Batch] = []

    async def add(self, batch: Batch) -> None:
        """Keep a batch, or refuse."""
        self.batches.append(batch)
        if self.is_away:
            raise TransientError("the ledger is away")
        await super().add(batch)


class Bench:
    """A book whose clocks move when told."""

    def __init__(self) -> None:
        self.seconds = NOON
        self.ledger = FullLedger()
        self.metering = Metering()
        self.book = Book(
            self.ledger,
            self.metering,
            lock_seconds=60,
            wall_seconds=lambda: self.seconds,
            monotonic=lambda: self.seconds,
        )

    def execute(self, agent: str = "consensus", story: str = "trade-1", seconds: float = 0.0, event: str = "") -> None:
        """Let an agent work for so long."""
        with self.book.execution(agent, agent) as meter:
            meter.correlation, meter.event = story, event
            self.seconds += seconds

    @property
    def written(self) -> list[Entry]:
        """The entries that the ledger keeps, in the order of their writing."""
        return [entry for batch in self.ledger._batches for entry in batch.entries]

    async def entries(self) -> list[Entry]:
        """Give all that was written, once all is written."""
        await self.book.flush()
        return self.written


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.001)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the book does of its own accord."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the book tells nobody
            await asyncio.sleep(0.001)


async def written(bench: Bench, number: int) -> list[Entry]:
    """Wait until the book has written so many entries of its own accord."""
    await until(lambda: len(bench.written) >= number)
    return bench.written


async def test_execution_when_over_is_put_down_with_its_start_and_billed_time(bench: Bench) -> None:
    bench.execute(seconds=1.25, event="event-1")
    assert await bench.entries() == [
        Entry(int(NOON * 1e6), "consensus", "event-1", "", "trade-1", "", "", Usage(1, 1_300_000))
    ]


async def test_execution_when_it_fails_is_put_down_all_the_same(bench: Bench) -> None:
    async def fail() -> None:
        bench.metering.story("trade-1", "trade.requested", "trade-1", "")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await bench.book.tick("sweep", fail)
    assert [entry.usage.executions for entry in await bench.entries()] == [1]


async def test_charges_when_two_execute_at_once_go_to_their_own(bench: Bench) -> None:
    async def work(agent: str, units: float) -> None:
        with bench.book.execution(agent, agent) as meter:
            meter.correlation = "trade-1"
            await asyncio.sleep(0)
            bench.metering.request_units("read", units)
            await asyncio.gather(asyncio.create_task(_charge(units)), asyncio.to_thread(bench.metering.sent, 1))

    async def _charge(units: float) -> None:
        bench.metering.request_units("commit", units)

    await asyncio.gather(work("analyst", 1.5), work("risk", 20.25))
    used = {entry.agent: entry.usage for entry in await bench.entries()}
    assert (used["analyst"].milli_units, used["risk"].milli_units) == (3_000, 40_500)
    assert (used["analyst"].sent, used["risk"].sent) == (1, 1)


async def test_charge_when_no_execution_runs_is_the_desks_own(bench: Bench) -> None:
    bench.metering.request_units("write ledger", 6.1)
    await bench.book.flush()
    assert bench.written == [], "what it costs to write must be no reason to write"
    bench.execute()
    assert [(entry.agent, entry.usage.milli_units) for entry in await bench.entries()] == [
        ("consensus", 0),
        ("desk", 6_100),
    ]


async def test_charge_when_its_execution_is_over_is_the_desks_own(bench: Bench) -> None:
    begin = asyncio.Event()

    async def late() -> None:
        await begin.wait()
        bench.metering.request_units("look", 2)

    with bench.book.execution("api", "api") as meter:
        meter.correlation = "trade-1"
        task = asyncio.create_task(late())
    begin.set()
    await task
    assert {entry.agent: entry.usage.milli_units for entry in await bench.entries()} == {"api": 0, "desk": 2_000}


async def test_charge_when_an_inner_execution_is_over_is_the_outer_s(bench: Bench) -> None:
    with bench.book.execution("api", "outer") as meter:
        bench.execute("inner")
        bench.metering.sent(1)
    assert meter.sent == 1


async def test_message_when_handled_has_its_way_through_the_queue(bench: Bench) -> None:
    enqueued = datetime.fromtimestamp(NOON - 2.5, UTC)
    with bench.book.message("risk", "events", 64 * 1024 + 1, enqueued) as meter:
        meter.correlation = "trade-1"
        bench.seconds += 121
    (entry,) = await bench.entries()
    assert (entry.usage.wait_us, entry.usage.received, entry.usage.settled) == (2_500_000, 2, 1 + 2)


async def test_message_when_the_queues_clock_is_ahead_has_not_waited(bench: Bench) -> None:
    with bench.book.message("risk", "events", 0, datetime.fromtimestamp(NOON + 1, UTC)) as meter:
        meter.correlation = "trade-1"
    assert (await bench.entries())[0].usage.wait_us == 0


@pytest.mark.parametrize(("size", "steps"), [(0, 1), (65_536, 1), (65_537, 2), (200_000, 4)])
def test_operations_when_a_message_is_large_are_steps_of_64_kilobytes(size: int, steps: int) -> None:
    assert operations(size) == steps


async def test_model_when_called_is_charged_by_name_and_the_time_but_once(bench: Bench) -> None:
    with bench.book.execution("research", "research") as meter:
        meter.correlation = "question-1"
        for name in ("gpt-4.1-mini", "gpt-4.1", "gpt-4.1-mini"):
            bench.metering.model(name, 1_000, 50, 0.25)
    first, second = await bench.entries()
    assert (first.model, first.usage.input_tokens, first.usage.output_tokens) == ("gpt-4.1-mini", 2_000, 100)
    assert (first.usage.model_us, first.usage.executions) == (750_000, 1)
    assert second == first._replace(model="gpt-4.1", usage=Usage(input_tokens=1_000, output_tokens=50))


async def test_requests_when_alike_are_one_entry_a_minute(bench: Bench) -> None:
    for route, _ in zip(("GET /a", "GET /a", "GET /b", "GET /a"), range(4), strict=True):
        bench.execute(route, story="")
        bench.seconds += 20
    found = [(entry.started - int(NOON * 1e6), entry.agent, entry.usage.executions) for entry in await bench.entries()]
    assert found == [(0, "GET /a", 2), (0, "GET /b", 1), (60 * SECOND, "GET /a", 1)]


async def test_request_when_it_begins_a_story_belongs_to_it(bench: Bench) -> None:
    with bench.book.execution("api", "POST /api/trades"):
        bench.metering.story("trade-1", "trade.requested", "trade-1", "ann")
    (entry,) = await bench.entries()
    assert entry[1:6] == ("POST /api/trades", "trade-1", "trade.requested", "trade-1", "ann")


async def test_tick_when_it_begins_several_stories_belongs_to_none(bench: Bench) -> None:
    async def work() -> None:
        for story in ("a", "b", "b"):
            bench.metering.story(story, "news.received", story, "")

    await bench.book.tick("ingest_news", work)
    assert [(entry.agent, entry.correlation) for entry in await bench.entries()] == [("ingest_news", "")]


@pytest.mark.usefixtures("soon")
async def test_entries_when_nobody_asks_are_written_in_one_batch(bench: Bench) -> None:
    for _ in range(100):
        bench.execute()
    assert len(await written(bench, 100)) == 100
    assert len(bench.ledger.batches) == 1


@pytest.mark.usefixtures("soon")
async def test_requests_when_their_minute_is_over_are_written(bench: Bench) -> None:
    bench.execute(story="")
    await asyncio.sleep(0.02)
    assert bench.written == []
    bench.seconds += 60
    assert len(await written(bench, 1)) == 1


@pytest.mark.usefixtures("soon")
async def test_entries_when_the_ledger_is_away_are_written_once_it_is_back(bench: Bench) -> None:
    bench.ledger.is_away = True
    bench.execute("first")
    await until(lambda: len(bench.ledger.batches) >= 3)
    bench.execute("second")
    bench.ledger.is_away = False
    assert [entry.agent for entry in await written(bench, 2)] == ["first", "second"]
    assert len({batch.id for batch in bench.ledger.batches}) == 2, "a batch keeps its id until it is written"


@pytest.mark.usefixtures("soon")
async def test_entries_when_too_many_wait_are_lost_from_the_oldest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    monkeypatch.setattr(module, "LONGEST_BATCH", 5)
    bench.ledger.is_away = True
    for number in range(100):
        bench.execute(str(number))
    await until(lambda: bench.book.lost > 0)
    bench.ledger.is_away = False
    kept = [entry.agent for entry in await bench.entries()]
    assert kept == [*map(str, range(5)), *map(str, range(90, 100))]
    assert bench.book.lost == 85


async def test_flush_when_the_ledger_is_away_says_so_and_loses_nothing(bench: Bench) -> None:
    bench.ledger.is_away = True
    bench.execute()
    with pytest.raises(TransientError):
        await bench.book.flush()
    bench.ledger.is_away = False
    assert len(await bench.entries()) == 1


async def test_total_when_asked_for_is_what_the_entries_add_up_to(bench: Bench) -> None:
    steps = count()
    for story in ("", "trade-1", "trade-2", ""):
        bench.metering.request_units("look", next(steps))
        with bench.book.execution("api", "api") as meter:
            meter.correlation = story
            bench.metering.model("gpt", 1, 2, 0)
    entries = await bench.entries()
    parts = [Sum("", entry.model, entry.usage) for entry in entries]
    assert total(parts) == bench.book.total() != []
    assert NOTHING not in [part.usage for part in parts]


async def test_close_when_something_waits_writes_it(bench: Bench) -> None:
    bench.execute(story="")
    await bench.book.close()
    assert len(bench.written) == 1

"""The event store in Cosmos when something goes wrong on the way: nothing is doubled, lost, or waited for too long."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from shared.errors import ConflictError, InvalidError, TransientError
from shared.events.step import Failure, StepFailed
from shared.store.cosmos import CosmosEventStore
from shared.store.cosmos_account import CosmosAccount
from shared.store.port import Commit, Filter
from tests.builders import a_portfolio
from tests.contract.cosmos_bench import Ledger, account, on_the_stand_in, service
from tests.contract.event_store_bench import bodies, read_all
from tests.contract.event_store_commit import OPINION, a_commit, etag_of
from tests.standins.cosmos.fault import Drop, Fault, Refuse, Stall, Through
from tests.standins.cosmos.server import KEY, CosmosStandIn

pytestmark = on_the_stand_in

ITEMS = "colls/events/docs"
STATE = "colls/state/docs"
EVENTS = [a_portfolio(cash=cash) for cash in (1.0, 2.0, 3.0)]
BUSY = Refuse(429, 3200, retry_after_ms=1)
LONG_BUSY = Refuse(429, 3200, retry_after_ms=60_000)


@pytest.fixture
async def cosmos() -> AsyncIterator[CosmosStandIn]:
    async with service() as standin:
        yield standin


@dataclass(frozen=True, slots=True)
class Desk:
    """An account and a store on it that have been used once, so that connections and caches are there."""

    account: CosmosAccount
    store: CosmosEventStore
    ledger: Ledger


@pytest.fixture
async def desk(cosmos: CosmosStandIn) -> AsyncIterator[Desk]:
    ledger = Ledger()
    async with account(cosmos, ledger=ledger, budget_seconds=2) as opened:
        store = CosmosEventStore(opened, pause_seconds=0.05)
        await store.check()
        ledger.clear()
        yield Desk(opened, store, ledger)


@pytest.mark.parametrize("events", [EVENTS[:1], EVENTS], ids=["one", "a batch"])
@pytest.mark.parametrize("fault", [Drop(after_commit=True), Drop(after_commit=False)], ids=["answer", "request"])
async def test_append_when_the_connection_drops_gives_as_fresh_what_it_wrote(
    cosmos: CosmosStandIn, desk: Desk, events: list[object], fault: Fault
) -> None:
    given = EVENTS[: len(events)]
    cosmos.faults.fail("POST", ITEMS, fault)
    assert await desk.store.append(given) == given
    assert cosmos.faults.waiting == 0
    assert await read_all(desk.store) == bodies(given)
    assert await desk.store.append(given) == []


async def test_append_when_some_of_a_batch_are_there_gives_the_others_even_if_an_answer_is_lost(
    cosmos: CosmosStandIn, desk: Desk
) -> None:
    await desk.store.append(EVENTS[1:2])
    # The batch is refused for its conflict, what is there is read, and the answer to the second batch is lost.
    cosmos.faults.fail("POST", ITEMS, Through(), Through(), Drop(after_commit=True))
    assert await desk.store.append(EVENTS) == [EVENTS[0], EVENTS[2]]
    assert sorted(await read_all(desk.store)) == sorted(bodies(EVENTS))


@pytest.mark.parametrize("fault", [Drop(after_commit=True), Drop(after_commit=False)], ids=["answer", "request"])
async def test_commit_when_the_connection_drops_is_made_once(cosmos: CosmosStandIn, desk: Desk, fault: Fault) -> None:
    await desk.store.commit(a_commit("event-0", state=b"0"))
    cosmos.faults.fail("POST", STATE, fault)
    await desk.store.commit(a_commit("event-1", state=b"1", etag=await etag_of(desk.store)))
    assert cosmos.faults.waiting == 0
    snapshot = await desk.store.snapshot("risk-manager", "stream-1")
    assert snapshot is not None
    assert snapshot.body == b"1"
    assert await desk.store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)


async def test_commit_when_another_made_it_meanwhile_conflicts_although_its_own_answer_was_lost(
    cosmos: CosmosStandIn, desk: Desk
) -> None:
    await desk.store.commit(a_commit(outputs=()))
    cosmos.faults.fail("POST", STATE, Drop(after_commit=False))
    with pytest.raises(ConflictError):
        await desk.store.commit(a_commit(etag=await etag_of(desk.store)))
    assert await desk.store.receipt("risk-manager", "stream-1", "event-1") == ()


async def test_commits_when_two_hosts_decide_on_one_snapshot_let_one_win(cosmos: CosmosStandIn, desk: Desk) -> None:
    await desk.store.commit(a_commit("event-0", state=b"0"))
    etag = await etag_of(desk.store)
    async with CosmosAccount(cosmos.url, KEY, desk.account.database) as other:
        rivals = [desk.store, CosmosEventStore(other)]
        commits = [a_commit(f"event-{number}", state=b"%d" % number, etag=etag) for number in (1, 2)]
        pairs = zip(rivals, commits, strict=True)
        results = await asyncio.gather(*(store.commit(commit) for store, commit in pairs), return_exceptions=True)
        assert [type(result) for result in results if result is not None] == [ConflictError]
        winner = commits[results.index(None)]
        for store in rivals:
            snapshot = await store.snapshot("risk-manager", "stream-1")
            assert snapshot is not None
            assert snapshot.body == winner.state


@pytest.mark.parametrize("method", ["append", "commit", "snapshot", "get", "page"])
async def test_call_when_the_service_is_busy_for_a_moment_succeeds(
    cosmos: CosmosStandIn, desk: Desk, method: str
) -> None:
    for verb in ("POST", "GET"):
        cosmos.faults.fail(verb, "docs", BUSY, BUSY)
    await _call(desk.store, method)
    assert cosmos.faults.waiting == 2


@pytest.mark.parametrize(
    "method", ["append", "commit", "snapshot", "receipt", "get", "get in a stream", "latest", "page", "end", "check"]
)
@pytest.mark.parametrize(
    "fault",
    [LONG_BUSY, Refuse(503), Stall(), Stall(after_commit=True), Drop(after_commit=False)],
    ids=["busy", "unavailable", "stalled", "answer stalled", "away"],
)
async def test_call_when_the_service_stays_away_is_transient(cosmos: CosmosStandIn, method: str, fault: Fault) -> None:
    async with account(cosmos) as opened:
        store = CosmosEventStore(opened)
        await store.append(EVENTS[:1])
        await store.snapshot("risk-manager", "stream-1")
        opened._budget_seconds = 0.3
        with cosmos.faults.failing("docs", fault), pytest.raises(TransientError):
            await asyncio.wait_for(_call(store, method), 10)


async def test_append_when_its_answer_came_too_late_and_it_is_done_again_doubles_nothing(
    cosmos: CosmosStandIn,
) -> None:
    async with account(cosmos, budget_seconds=0.3) as opened:
        store = CosmosEventStore(opened)
        await store.check()
        cosmos.faults.fail("POST", ITEMS, Stall(after_commit=True))
        with pytest.raises(TransientError, match="no answer"):
            await store.append(EVENTS)
        assert await store.append(EVENTS) == []
        assert await read_all(store) == bodies(EVENTS)


async def test_commit_when_its_answer_came_too_late_left_the_receipt(cosmos: CosmosStandIn) -> None:
    async with account(cosmos, budget_seconds=0.3) as opened:
        store = CosmosEventStore(opened)
        await store.check()
        cosmos.faults.fail("POST", STATE, Stall(after_commit=True))
        with pytest.raises(TransientError):
            await store.commit(a_commit())
        assert await store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
async def test_append_when_an_event_is_too_large_says_so(desk: Desk) -> None:
    huge = a_failure("huge", 2_100_000)
    with pytest.raises(InvalidError, match="too large"):
        await desk.store.append([huge])
    assert await read_all(desk.store) == []


async def test_append_when_events_are_large_together_writes_several_batches(desk: Desk) -> None:
    events = [a_failure(f"failure-{number}", 400_000) for number in range(4)]
    assert await desk.store.append(events) == events
    assert await read_all(desk.store) == bodies(events)


async def test_append_when_a_stream_has_more_events_than_a_batch_takes_keeps_their_order(desk: Desk) -> None:
    events = [a_portfolio(cash=float(number)) for number in range(250)]
    assert await desk.store.append(events) == events
    assert await read_all(desk.store, limit=90) == bodies(events)
    assert len(desk.ledger.of("append")) == 3


@pytest.mark.parametrize(
    ("key", "database", "says"),
    [("d3Jvbmc=", "", "key"), (KEY, "elsewhere", "no container"), ("not base64", "", "key")],
    ids=["another key", "no database", "no key at all"],
)
async def test_call_when_the_account_is_set_up_wrongly_says_what_is_wrong(
    cosmos: CosmosStandIn, desk: Desk, key: str, database: str, says: str
) -> None:
    async with CosmosAccount(cosmos.url, key, database or desk.account.database) as wrong:
        store = CosmosEventStore(wrong)
        for method in ("append", "get", "check"):
            with pytest.raises(InvalidError, match=says):
                await _call(store, method)


async def test_receipt_when_its_life_is_over_is_gone_and_the_rest_stays(cosmos: CosmosStandIn, desk: Desk) -> None:
    await desk.store.commit(a_commit(state=b"1"))
    await desk.store.append(EVENTS)
    cosmos.service.elapsed_seconds = 89 * 86_400
    assert await desk.store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)
    cosmos.service.elapsed_seconds = 91 * 86_400
    assert await desk.store.receipt("risk-manager", "stream-1", "event-1") is None
    assert await desk.store.snapshot("risk-manager", "stream-1") is not None
    assert await read_all(desk.store) == bodies(EVENTS)


async def test_charge_when_calls_are_made_is_told_of_each(desk: Desk) -> None:
    await desk.store.append(EVENTS[:1])
    await desk.store.append(EVENTS[:1])
    await desk.store.commit(a_commit())
    await desk.store.snapshot("risk-manager", "stream-1")
    assert [operation for operation, _ in desk.ledger] == ["append", "append", "read back", "commit", "snapshot"]
    assert all(units >= 1 for _, units in desk.ledger)
    assert sum(desk.ledger.of("commit")) == 10


def a_failure(name: str, length: int) -> StepFailed:
    """Give an event whose JSON is a bit longer than `length`."""
    data = Failure(
        agent="a", reason="", message_id=name, subject="", payload="x" * length, encoding="utf-8", attempts=1
    )
    return StepFailed.first(id=name, source="a", stream="failure-a", time=EVENTS[0].time, data=data)


async def _call(store: CosmosEventStore, method: str) -> None:
    await {
        "append": lambda: store.append(EVENTS),
        "commit": lambda: store.commit(Commit("risk-manager", "stream-1", "event-1", b"1", None, ())),
        "snapshot": lambda: store.snapshot("risk-manager", "stream-1"),
        "receipt": lambda: store.receipt("risk-manager", "stream-1", "event-1"),
        "get": lambda: store.get("t"),
        "get in a stream": lambda: store.get("t", "trade-t"),
        "latest": lambda: store.latest("portfolio-main", "portfolio.changed", EVENTS[0].time),
        "page": lambda: store.page(Filter(stream="portfolio-main"), "", 10),
        "end": store.end,
        "check": store.check,
    }[method]()

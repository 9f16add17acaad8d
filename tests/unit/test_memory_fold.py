"""Memory is a projection: written after the commit, the same however often and in whatever order, and from the log."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from shared.errors import TransientError
from shared.events.envelope import Event
from shared.events.memory import MemoryRevoked, Revocation
from shared.events.trade import Consensus, ConsensusReached, Evidence, OpinionFormed, TradeRequested, Vote
from shared.memory.memory import Memory, Scope
from shared.memory.port import Entry
from shared.memory.situation import RECALLED
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.memory import MemoryFold
from shared.projections.projector import Projector
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, DAY, a_trade_request, altered, an_opinion, in_run
from tests.chance import seeded
from tests.memories import a_grade, a_memory, with_evidence
from tests.standins.memories import PlainMemories

AGENTS = ("market_analyst", "oracle", "risk_manager", "sentiment_tracker")
LATER = CLOSE + 400 * DAY


class Bench:
    """A log, its projector, and what is remembered of it."""

    def __init__(self, memories: PlainMemories) -> None:
        self.store, self.memories = InMemoryEventStore(), memories
        fold = MemoryFold(memories, self.store)
        self.projector = Projector(InMemoryProjectionStore(), self.store, fold)

    async def happen(self, *events: Event) -> None:
        """Store events, then project each."""
        await self.store.append(events)
        for event in events:
            await self.projector.project(event)

    async def known(self, agent: str = "oracle", owner: str | None = None) -> list[Memory]:
        """Give what an agent remembers."""
        return await self.memories.latest(Scope(agent, owner), LATER, 1_000)

    async def everything(self) -> list[list[Memory]]:
        """Give what all agents remember, in one order."""
        scopes = [(agent, owner) for agent in AGENTS for owner in (None, "anna")]
        return [sorted(await self.known(*scope), key=lambda memory: memory.id) for scope in scopes]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with opened() as made:
        yield made


@asynccontextmanager
async def opened(error: Exception | None = None) -> AsyncIterator[Bench]:
    async with PlainMemories.opened(error) as memories:
        yield Bench(memories)


def a_round(
    number: int = 0, *, owner: str | None = None, recalled: str = "", abstained: str = ""
) -> tuple[TradeRequested, list[OpinionFormed], ConsensusReached]:
    """Give a trade, its opinions and its consensus, which counts all but the last opinion."""
    trade = altered(a_trade_request("IBM", time=CLOSE + number * DAY), owner=owner)
    opinions = [
        with_evidence(
            an_opinion(trade, agent=agent, abstained="no price" if agent == abstained else None),
            Evidence(name="trend", value=float(number), event=f"news-{number}"),
            *([Evidence(name=f"{RECALLED}{recalled}", value="it was so", event="opinion-0")] if recalled else []),
        )
        for agent in AGENTS
    ]
    return trade, opinions, reached(trade, opinions[:-1])


def reached(trade: TradeRequested, opinions: Sequence[OpinionFormed]) -> ConsensusReached:
    """Give the consensus that counts some opinions."""
    votes = tuple(
        Vote(agent=vote.agent, opinion=each.id, stance=0.5, confidence=0.5, weight=1, abstained=vote.abstained)
        for each in opinions
        for vote in (each.data,)
    )
    data = Consensus(
        step="trade",
        trigger=trade.id,
        decision="approved",
        score=0.5,
        dispersion=0.1,
        closed_by="deadline",
        votes=votes,
        vetoes=(),
        dissent=(),
        missing=(AGENTS[-1],),
        explanation="",
        decided_at=trade.time,
    )
    return ConsensusReached.caused_by(trade, source="consensus", data=data)


def a_revocation(source: str, *, owner: str | None = None, everyone: bool = True) -> MemoryRevoked:
    """Give the event by which a source is revoked."""
    data = Revocation(source=source, everyone=everyone)
    return MemoryRevoked.first(id=f"revoke-{source}", source="api", stream="memory", time=LATER, data=data, owner=owner)


async def test_round_when_decided_is_remembered_by_whoever_had_a_view(bench: Bench) -> None:
    trade, opinions, consensus = a_round(abstained="risk_manager")
    await bench.happen(trade, *opinions)
    assert await bench.known() == []
    await bench.happen(consensus)
    [memory] = await bench.known("oracle")
    assert memory.event == opinions[1].id
    assert (memory.symbol, memory.side, memory.outcome) == ("IBM", "buy", None)
    assert {opinions[1].id, trade.id, "news-0"} == set(memory.sources)
    assert await bench.known("risk_manager") == []
    assert await bench.known("sentiment_tracker") == []


async def test_opinion_when_graded_is_completed_or_remembered_late(bench: Bench) -> None:
    trade, opinions, consensus = a_round()
    await bench.happen(trade, *opinions, consensus, a_grade(opinions[1], hit=False), a_grade(opinions[3]))
    [wrong], [late] = await bench.known("oracle"), await bench.known("sentiment_tracker")
    assert wrong.outcome is not None
    assert late.outcome is not None
    assert (wrong.outcome.hit, late.outcome.hit) == (False, True)
    before = await bench.memories.latest(Scope("oracle"), wrong.outcome.at, 5)
    assert [memory.outcome for memory in before] == [None]


async def test_memory_when_an_owner_trades_is_the_owners(bench: Bench) -> None:
    trade, opinions, consensus = a_round(owner="anna")
    await bench.happen(trade, *opinions, consensus)
    assert len(await bench.known("oracle", "anna")) == 1
    assert await bench.known("oracle") == []


async def test_memory_when_it_is_of_a_replay_is_none(bench: Bench) -> None:
    trade, opinions, consensus = a_round()
    await bench.happen(*(in_run(event, "replay-1") for event in (trade, *opinions, consensus)))
    assert await bench.known() == []


def a_story() -> list[Event]:
    """Give rounds of several owners, one on another, graded, and a source revoked in the middle."""
    events = list[Event]()
    for number in range(6):
        trade, opinions, consensus = a_round(number, owner="anna" if number % 3 == 0 else None)
        grades = [a_grade(opinion, hit=number % 2 == 0) for opinion in opinions]
        events += [trade, *opinions, consensus, *(grades if number < 4 else grades[:1])]
        if number == 3:
            events.append(a_revocation("news-1"))
            events.append(a_revocation("news-3", owner="anna", everyone=False))
    return events


async def test_memory_when_rebuilt_from_the_log_is_the_same(bench: Bench) -> None:
    await bench.happen(*a_story())
    before = await bench.everything()
    await bench.memories.remember([a_memory("of no event")])
    assert await bench.projector.rebuild() == len(a_story())
    assert await bench.everything() == before
    # Six rounds of three and four late opinions, less one round for everyone and one of its owner.
    assert sum(map(len, before)) == 14
    assert not any("news-1" in memory.sources for known in before for memory in known)


async def test_memory_when_messages_come_twice_and_in_any_order_is_the_same(bench: Bench) -> None:
    await bench.happen(*a_story())
    async with opened() as other:
        await other.store.append(a_story())
        messages = [*a_story(), *a_story()]
        seeded().shuffle(messages)
        for event in messages:
            await other.projector.project(event)
        assert await other.everything() == await bench.everything()


async def test_memory_when_the_process_died_before_it_is_there_after_the_redelivery(bench: Bench) -> None:
    trade, opinions, consensus = a_round()
    await bench.store.append([trade, *opinions, consensus])
    # The commit was made and the message sent; the projector died over the second memory.
    keep = bench.memories.vectors.keep

    def keep_one(entries: Sequence[Entry]) -> None:
        """Keep the first, as a store may that has no transaction for all."""
        keep(entries[:1])
        raise KeyboardInterrupt

    bench.memories.vectors.keep = keep_one  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await bench.projector.project(consensus)
    assert sum(map(len, await bench.everything())) == 1
    bench.memories.vectors.keep = keep  # type: ignore[method-assign]
    await bench.projector.project(consensus)
    assert sum(map(len, await bench.everything())) == 3


async def test_memory_when_it_cannot_be_written_is_transient_after_the_rest_is_projected() -> None:
    async with opened(TransientError("the disk is full")) as bench:
        trade, opinions, consensus = a_round()
        await bench.store.append([trade, *opinions, consensus])
        with pytest.raises(TransientError):
            await bench.projector.project(consensus)
        bench.memories.error = None
        await bench.projector.project(consensus)
        assert len(await bench.known()) == 1


async def test_memory_when_it_recalled_another_names_it_and_not_its_text(bench: Bench) -> None:
    trade, opinions, consensus = a_round(recalled="m-1")
    await bench.happen(trade, *opinions, consensus)
    [memory] = await bench.known()
    assert memory.recalled == ("m-1",)
    assert "it was so" not in memory.model_dump_json()


async def test_memory_when_folded_at_once_by_many_is_there_once(bench: Bench) -> None:
    trade, opinions, consensus = a_round()
    await bench.store.append([trade, *opinions, consensus])
    await asyncio.gather(*(bench.projector.project(consensus) for _ in range(5)))
    assert len(await bench.known()) == 1

"""The contract of the ledger: rows that only add up, the same on every technology."""

import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import get_args

import pytest

from shared.ledger.port import Batch, Entry, Grouping, Ledger, Span, Sum, Usage, in_order, summed, total

NOON = 1_795_348_800_000_000
"""22 November 2026, noon, UTC."""
SECOND = 1_000_000
HOUR, DAY = 3_600 * SECOND, 86_400 * SECOND
ALWAYS = Span(NOON - 30 * DAY, NOON + 30 * DAY)
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping.__value__)


def an_entry(
    started: int = NOON,
    agent: str = "consensus",
    *,
    event: str = "event-1",
    story: str = "trade-1",
    owner: str = "",
    model: str = "",
    usage: Usage | None = None,
) -> Entry:
    """Give an entry."""
    return Entry(started, agent, event, "opinion.formed", story, owner, model, usage or Usage(1, SECOND))


def many(seed: int, count: int = 60) -> list[Entry]:
    """Give entries of a few days, agents, stories, owners and models."""
    chance = random.Random(seed)
    return [
        an_entry(
            NOON + chance.randrange(-2 * DAY, 2 * DAY),
            chance.choice(["consensus", "risk_manager", "GET /api/events"]),
            event=f"event-{number}",
            story=chance.choice(["", "trade-1", "trade-2", "“é"]),
            owner=chance.choice(["", "ann", "bob"]),
            model=chance.choice(["", "", "gpt"]),
            usage=Usage(*(chance.randrange(10**6) for _ in Usage._fields)),
        )
        for number in range(count)
    ]


class LedgerContract(ABC):
    """What holds for every `Ledger`."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[Ledger]:
        """Open an empty ledger, whose time is about `NOON`."""

    @pytest.fixture
    async def ledger(self) -> AsyncIterator[Ledger]:
        async with self.opened() as ledger:
            yield ledger

    async def test_ledger_when_empty_gives_nothing(self, ledger: Ledger) -> None:
        assert await ledger.sums("agent", ALWAYS) == []
        assert await ledger.entries(Span(0, NOON, "trade-1")) == []

    @pytest.mark.parametrize("by", GROUPINGS)
    async def test_sums_when_entries_are_many_are_those_of_the_entries(self, ledger: Ledger, by: Grouping) -> None:
        seed = random.randrange(10**6)
        entries = many(seed)
        for number in range(3):
            await ledger.add(Batch(f"batch-{number}", tuple(entries[number::3])))
        for span in (
            ALWAYS,
            Span(NOON - DAY, NOON + DAY),
            Span(NOON - HOUR, NOON + HOUR, owner="ann"),
            Span(NOON - DAY, NOON + DAY, "trade-2"),
            Span(NOON - DAY, NOON + DAY, "“é", "bob"),
        ):
            wanted = [entry for entry in entries if span.has(entry)]
            assert await ledger.sums(by, span) == summed(wanted, by), f"seed {seed}"

    async def test_sums_when_added_up_are_the_same_by_any_group(self, ledger: Ledger) -> None:
        await ledger.add(Batch("batch", tuple(many(7))))
        totals = [total(await ledger.sums(by, ALWAYS)) for by in GROUPINGS]
        assert totals.count(totals[0]) == len(GROUPINGS)

    async def test_sums_when_by_day_begin_a_day_at_midnight_utc(self, ledger: Ledger) -> None:
        midnight = NOON + 12 * HOUR
        await ledger.add(Batch("batch", (an_entry(midnight), an_entry(midnight - 1))))
        keys = [part.key for part in await ledger.sums("day", ALWAYS)]
        assert keys == ["2026-11-22", "2026-11-23"]

    async def test_span_when_an_entry_begins_with_it_has_it_but_not_one_at_its_end(self, ledger: Ledger) -> None:
        await ledger.add(Batch("batch", (an_entry(NOON, "first"), an_entry(NOON + 1, "second"))))
        assert [part.key for part in await ledger.sums("agent", Span(NOON, NOON + 1))] == ["first"]
        assert [part.key for part in await ledger.sums("agent", Span(NOON + 1, NOON + 2))] == ["second"]

    async def test_batch_when_added_again_counts_once(self, ledger: Ledger) -> None:
        batch = Batch("batch", (an_entry(), an_entry(NOON + DAY)))
        await ledger.add(batch)
        await ledger.add(batch)
        assert total(await ledger.sums("agent", ALWAYS)) == [Sum("", "", Usage(2, 2 * SECOND))]

    async def test_entries_when_asked_for_a_story_are_in_the_order_of_their_start(self, ledger: Ledger) -> None:
        entries = many(11)
        await ledger.add(Batch("a", tuple(entries[:30])))
        await ledger.add(Batch("b", tuple(entries[30:])))
        found = await ledger.entries(Span(0, ALWAYS.until, "trade-1"))
        assert found == in_order(entry for entry in entries if entry.correlation == "trade-1")

    async def test_entries_when_a_message_came_twice_are_two(self, ledger: Ledger) -> None:
        await ledger.add(Batch("batch", (an_entry(), an_entry(NOON + 5))))
        assert [entry.started for entry in await ledger.entries(Span(0, ALWAYS.until, "trade-1"))] == [NOON, NOON + 5]

"""The budget of language models: several hosts share it, a restart keeps it, and who dies leaves it spent."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TransientError
from shared.llm.budget import Budget, Limits, OverBudgetError
from shared.sqlite import Database
from shared.store import sqlite
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit, EventStore
from shared.store.sqlite import SqliteEventStore
from tests.standins.desk import Faults, FaultyEventStore

DAY_SECONDS = 86_400
LIMITS = Limits(day=1, owner=0.5, call=0.2)


async def most(budget: Budget, owner: str, cost: float) -> int:
    """Reserve until that is refused, and give how often it was not."""
    for count in range(100):
        try:
            await budget.reserve(owner, cost)
        except OverBudgetError:
            return count
    return 100


async def test_budget_when_it_is_reserved_ends_for_the_owner_and_for_all() -> None:
    budget = Budget(InMemoryEventStore(), LIMITS)
    assert [await most(budget, owner, 0.2) for owner in ("alice", "bob", "", "carl")] == [2, 2, 1, 0]


async def test_request_when_it_may_cost_more_than_a_call_is_refused() -> None:
    with pytest.raises(OverBudgetError, match="of a call"):
        await Budget(InMemoryEventStore(), LIMITS).reserve("", 0.21)


async def test_reservation_when_it_is_settled_gives_back_what_was_not_needed() -> None:
    budget = Budget(InMemoryEventStore(), LIMITS)
    for _ in range(20):
        await budget.settle(await budget.reserve("alice", 0.2), 0.01)
    assert await most(budget, "alice", 0.1) == 3


async def test_reservation_when_it_cost_more_counts_in_full() -> None:
    budget = Budget(InMemoryEventStore(), LIMITS)
    await budget.settle(await budget.reserve("alice", 0.01), 0.45)
    assert await most(budget, "alice", 0.1) == 0


async def test_budget_when_a_day_is_over_is_there_again() -> None:
    now = [0.0]
    budget = Budget(InMemoryEventStore(), LIMITS, lambda: now[0])
    late = await budget.reserve("alice", 0.2)
    assert await most(budget, "alice", 0.2) == 1
    now[0] = DAY_SECONDS
    await budget.settle(late, 0.0)  # of yesterday: nothing is given back today
    assert await most(budget, "alice", 0.2) == 2


async def test_budget_when_many_hosts_share_it_is_never_passed() -> None:
    store = InMemoryEventStore()
    hosts = [Budget(store, LIMITS) for _ in range(8)]
    counts = await asyncio.gather(*(most(host, f"owner-{n}", 0.1) for n, host in enumerate(hosts)))
    assert sum(counts) == 10


async def test_budget_when_the_process_restarts_is_as_spent_as_before(tmp_path: Path) -> None:
    counts = list[int]()
    for _ in range(2):
        database = Database(tmp_path / "desk.sqlite", (sqlite.SCHEMA,))
        counts.append(await most(Budget(SqliteEventStore(database), LIMITS), "alice", 0.2))
        database.close()
    assert counts == [2, 0]


class BusyStore(InMemoryEventStore):
    """Never lets anybody commit on what was read."""

    async def snapshot(self, agent: str, stream: str) -> None:
        """Give nothing."""
        return


async def test_budget_when_it_cannot_be_written_lets_nothing_through() -> None:
    store: EventStore = BusyStore()
    await store.commit(Commit("model_budget", "model-budget-1970-01-01", "x", b"{}", None, ()))
    with pytest.raises(TransientError, match="conflicts"):
        await Budget(store, LIMITS, lambda: 0.0).reserve("", 0.1)


async def test_settling_when_the_store_is_away_leaves_it_reserved() -> None:
    faults = Faults()
    store = FaultyEventStore(faults)
    budget = Budget(store, LIMITS)
    reservation = await budget.reserve("alice", 0.2)
    faults.begin({("before commit", 1): TransientError("away")})
    await budget.settle(reservation, 0.0)
    assert await most(budget, "alice", 0.2) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.001, 0.3), st.floats(0, 1)), max_size=30))
async def test_budget_when_costs_keep_to_their_reservations_is_never_passed(
    calls: list[tuple[str, float, float]],
) -> None:
    budget, spent = Budget(InMemoryEventStore(), LIMITS), dict.fromkeys("abc", 0.0)
    for owner, cost, share in calls:
        try:
            reservation = await budget.reserve(owner, cost)
        except OverBudgetError:
            continue
        await budget.settle(reservation, cost * share)
        spent[owner] += cost * share
    assert max(spent.values()) <= LIMITS.owner + 1e-6
    assert sum(spent.values()) <= LIMITS.day + 1e-6

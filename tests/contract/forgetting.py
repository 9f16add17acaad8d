"""The contract of forgetting: nothing of the owner's is left, all of everybody else's is, and readers go on."""

from abc import ABC, abstractmethod
from asyncio import gather
from contextlib import AbstractAsyncContextManager
from io import BytesIO

import pytest

from shared.archive import export_log
from shared.callers.caller import Role
from shared.callers.key import new_key
from shared.clock import wall_seconds
from shared.engine import Engine
from shared.errors import InvalidError
from shared.events.change import Change, ChangeMade, stream_of
from shared.events.emit import Emit
from shared.forget import forget
from shared.ingest import portfolio_event
from shared.ledger.port import Batch, Entry, Span, Usage
from shared.memory.bridge import in_thread
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.store.port import Commit, Filter
from tests.builders import CLOSE, MINUTE, a_deadline, a_portfolio, a_trade_request, altered, an_opinion, market_data
from tests.memories import a_memory, an_entry

OWNERS = ("alice", "alice-2", None)
PLANTED = "planted-by-"
ALARM = market_data()
A_DAY_US = 86_400_000_000
FOUND = {
    "keys": 1,
    "memories": 1,
    "messages": 1,
    "rows of read models": 2,
    "ledger entries": 2,
    "snapshots": 1,
    "receipts": 1,
    "events": 5,
}


def planted(owner: str | None) -> bytes:
    """Give what is written into everything of an owner's, and into nothing else."""
    return f"{PLANTED}{owner}!".encode()


def a_change(owner: str | None) -> ChangeMade:
    """Give the audit of something that was asked for on an owner's behalf."""
    change = Change(caller=f"key:{PLANTED}{owner}!", action="POST /api/trades", made=f"/api/trades/t-{owner}", at=CLOSE)
    name = f"change-{owner}"
    return ChangeMade.first(id=name, source="api", stream=stream_of(owner), time=CLOSE, owner=owner, data=change)


async def things_of(engine: Engine, owner: str | None) -> None:
    """Let an owner have one of everything."""
    name = f"{PLANTED}{owner}!"
    request = altered(a_trade_request(id=f"t-{owner}"), owner=owner)
    vote = an_opinion(request)
    # Who speaks of another owner, even as an event's JSON would, does not become theirs.
    rationale = name if owner == "alice" else f'{name} "owner":"alice"'
    vote = altered(vote, data=vote.data.model_copy(update={"rationale": rationale}))
    held = portfolio_event(a_portfolio().data, CLOSE, after="", source="api", owner=owner)
    alarmed = altered(an_opinion(request), id=f"alarmed-{owner}", stream=held.stream)
    alarmed = altered(alarmed, data=vote.data)
    await engine.store.append([request, held, a_change(owner)])
    commit = Commit("risk_manager", request.stream, request.id, name.encode(), None, (Emit(vote),))
    await engine.store.commit(commit)
    await engine.store.append([vote, alarmed])
    await Projector(engine.projections, engine.store).project(held)
    if engine.database is not None:
        late = altered(a_deadline(request), owner=owner)
        await engine.settlement.settle(None, [Emit(late, engine.clock.now() + 10 * MINUTE)])
    await in_thread(engine.vectors.keep, [an_entry(a_memory(name, owner=owner))])
    await engine.keys.add(new_key(owner, frozenset({Role.OPERATOR}), CLOSE)[0])


async def a_desk(engine: Engine) -> None:
    """Let there be several owners, and a conclusion for each of them from what is everybody's."""
    for owner in OWNERS:
        await things_of(engine, owner)
    found = [altered(an_opinion(a_trade_request(id=f"t-{owner}")), owner=owner) for owner in OWNERS]
    found = [altered(vote, id=f"of-{owner}") for vote, owner in zip(found, OWNERS, strict=True)]
    await engine.store.append([ALARM])
    outputs = tuple(map(Emit, found))
    await engine.store.commit(Commit("risk_manager", ALARM.stream, ALARM.id, b"{}", None, outputs))
    now = int(wall_seconds() * 1e6)
    alone = [Entry(now, "risk_manager", "", f"{PLANTED}{owner}!", "t", owner or "", "", Usage(1)) for owner in OWNERS]
    mixed = Batch("mixed", tuple(entry._replace(agent="api") for entry in alone))
    # All at once, as they are written a second later.
    await gather(*map(engine.ledger.add, [mixed, *(Batch(f"b-{entry.owner}", (entry,)) for entry in alone)]))


async def exported(engine: Engine) -> bytes:
    """Give the desk's export."""
    out = BytesIO()
    await export_log(engine.store, out)
    return out.getvalue()


class ForgettingContract(ABC):
    """What holds for every engine."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[Engine]:
        """Open an engine on which nothing happened yet."""

    @abstractmethod
    def bytes_of(self, engine: Engine) -> bytes:
        """Give all that is stored, as it is stored."""

    def found(self) -> dict[str, int]:
        """Give what there is of an owner's."""
        return FOUND

    async def test_owner_when_forgotten_has_left_nothing_and_the_others_all(self) -> None:
        async with self.opened() as engine:
            await a_desk(engine)
            cursor = await engine.store.end()
            assert planted("alice") in self.bytes_of(engine)
            assert await forget(engine.holders, "alice", is_trial=False) == self.found()
            stored = self.bytes_of(engine)
            assert planted("alice") not in stored
            assert b'"alice"' not in stored
            for other in ("alice-2", None):
                assert planted(other) in stored
            assert b'"owner":"alice"' not in await exported(engine)
            await self._others_are_whole(engine)
            fresh = a_trade_request(id="after")
            await engine.store.append([fresh])
            assert (await engine.store.page(Filter(), cursor, 10)).events == [fresh.json_bytes]

    async def _others_are_whole(self, engine: Engine) -> None:
        portfolios = Portfolios(engine.projections, engine.store)
        assert [held.owner async for held in portfolios.holders((), CLOSE)] == [None, "alice-2"]
        assert await portfolios.get("alice", "main", CLOSE) is None
        for owner in ("alice-2", None):
            assert await engine.store.get(f"t-{owner}") is not None
            assert await engine.store.receipt("risk_manager", f"trade-t-{owner}", f"t-{owner}") is not None
            assert await engine.store.snapshot("risk_manager", f"trade-t-{owner}") is not None
        kept = await engine.store.receipt("risk_manager", ALARM.stream, ALARM.id)
        assert kept is not None
        assert [output.event.owner for output in kept] == ["alice-2", None]
        assert {key.owner for key in await engine.keys.keys()} == {"alice-2", None}
        now = int(wall_seconds() * 1e6)
        sums = await engine.ledger.sums("owner", Span(now - A_DAY_US, now + 1))
        assert {each.key: each.usage.executions for each in sums} == {"": 2, "alice-2": 2}

    async def test_owner_when_only_asked_about_is_counted_and_kept(self) -> None:
        async with self.opened() as engine:
            await a_desk(engine)
            before = await exported(engine)
            assert await forget(engine.holders, "alice", is_trial=True) == self.found()
            assert await forget(engine.holders, "alice", is_trial=True) == self.found()
            assert await exported(engine) == before

    async def test_owner_when_unknown_is_nothing(self) -> None:
        async with self.opened() as engine:
            await a_desk(engine)
            assert not any((await forget(engine.holders, "ali", is_trial=False)).values())
            assert await forget(engine.holders, "alice", is_trial=True) == self.found()

    @pytest.mark.parametrize("owner", ["", "-", "*", "a b", "alice:x", "%", "-a", "a" * 65])
    async def test_owner_when_it_is_none_is_refused(self, owner: str) -> None:
        async with self.opened() as engine:
            with pytest.raises(InvalidError, match="--owner"):
                await forget(engine.holders, owner, is_trial=False)

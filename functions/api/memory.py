"""What agents remember over HTTP: look into it as of a moment, and revoke what it rests on."""

from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import BaseModel

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import documented
from functions.api.request import Moment
from shared.agents.registry import TRADE
from shared.callers.caller import Caller, Role
from shared.errors import MissingError
from shared.events.catalogue import decode
from shared.events.envelope import Share, Token, UtcTime, derive_id
from shared.events.memory import MOST_NAMED, MemoryRevoked, Revocation
from shared.memory.memory import Memory, Recollection, Scope
from shared.wiring import Desk, desk

router = operation.router("/api", "memory")


class Remembered(BaseModel):
    """A memory, and how alike it is to what was asked.

    Attributes
    ----------
    similarity : float
        0 to 1; absent where nothing was asked.
    """

    memory: Memory
    similarity: Share | None = None


class Recall(BaseModel):
    """What an agent remembered at a moment; the most alike first, or, where nothing was asked, the newest."""

    agent: Token
    as_of: UtcTime
    memories: list[Remembered]


class Revoked(BaseModel):
    """What was forgotten, and the events with opinions that it had a part in; these stand.

    Attributes
    ----------
    event : str
        The event that says so for ever: what rests on the source is not remembered again.
    """

    source: Token
    memories: list[Token]
    influenced: list[Token]
    event: Token


@router.get("/agents/{name}/memory", response_model=Recall, responses=documented(404))
async def get_memory(
    caller: Calling,
    name: Annotated[Token, Path(examples=["market_analyst"])],
    q: Annotated[
        str, Query(max_length=500, description="A situation; the newest are given unless one is.", examples=["buy IBM"])
    ] = "",
    as_of: Annotated[Moment | None, Query(description="As it was before then; now, unless given.")] = None,
    limit: Annotated[int, Query(ge=1, le=20)] = 10,
) -> Response:
    """Give what an agent remembers for the caller: what it concluded, on what, and how it turned out."""
    if name not in TRADE.judges:
        raise MissingError(f"there is no agent {name} that remembers")
    current, scope = desk(), Scope(name, caller.owner)
    moment = as_of or current.clock.now()
    if q.strip():
        found = [_recalled(each) for each in await current.memories.recall(scope, q, moment, limit)]
    else:
        found = [Remembered(memory=each) for each in await current.memories.latest(scope, moment, limit)]
    return operation.answer(Recall(agent=name, as_of=moment, memories=found))


@router.delete("/memory", response_model=Revoked)
async def revoke_source(
    caller: Calling,
    source: Annotated[Token, Query(description="Id of an event: a headline, a portfolio, a trade, an opinion.")],
) -> Response:
    """Forget what rests on an event: the caller's own, for an operator everybody's. Nothing that does is kept again."""
    current = desk()
    event = await _revocation(current, caller, source)
    await current.runtime.emit([event])
    stored = decode(await current.queries.event(caller, event.id))
    # Again by the projector, whatever happens here.
    await current.memories.revoke(source, event.owner, everyone=event.data.everyone)
    said = stored.data
    return operation.answer(Revoked(source=source, memories=said.memories, influenced=said.influenced, event=stored.id))


async def _revocation(current: Desk, caller: Caller, source: str) -> MemoryRevoked:
    everyone = caller.may(Role.OPERATOR)
    owner = None if everyone else caller.owner
    found = await current.memories.resting_on(source, owner, everyone=everyone)
    return MemoryRevoked.first(
        id=derive_id(MemoryRevoked.name(), source, "everyone" if everyone else f"owner:{owner or ''}"),
        source="api",
        stream="memory" if owner is None else f"memory:{owner}",
        time=current.clock.now(),
        owner=owner,
        data=Revocation(
            source=source,
            everyone=everyone,
            memories=tuple(each.id for each in found.memories[:MOST_NAMED]),
            influenced=tuple(each.event for each in found.influenced[:MOST_NAMED]),
        ),
    )


def _recalled(found: Recollection) -> Remembered:
    return Remembered(memory=found.memory, similarity=found.similarity)

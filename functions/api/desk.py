"""The desk itself over HTTP: its agents, its topology, its event catalogue, and its health."""

from functools import cache
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import documented
from functions.api.request import Moment
from shared.bus.topology import Topology
from shared.callers.caller import Role
from shared.errors import MissingError
from shared.events.catalogue import schemas
from shared.events.envelope import Event, Token, UtcTime
from shared.wiring import desk

router = operation.router("/api", "desk")

# Neither changes while a process lives, but a new version of it may have others.
_SELDOM = {"Cache-Control": "private, max-age=60"}


class Agent(BaseModel):
    """An agent.

    Attributes
    ----------
    reacts_to : list of str
        Event types.
    votes_in : list of str
        Steps.
    views_on : list of str
        Symbols or portfolios.
    """

    name: Token
    reacts_to: list[str]
    votes_in: list[str]
    views_on: list[str]


class Agents(BaseModel):
    """All agents."""

    agents: list[Agent]


class Schemas(BaseModel):
    """The JSON schema of every event type, by type."""

    schemas: dict[str, dict[str, Any]]


class Tick(BaseModel):
    """How a timer's last ticks went.

    Attributes
    ----------
    succeeded_at : datetime or None
        Desk time of the last tick that worked.
    problem : str or None
        Why the last tick failed, or whose prices are stale and since when; null when all is well.
    """

    succeeded_at: UtcTime | None
    problem: str | None


class Life(BaseModel):
    """That the process answers."""

    status: Literal["alive"]


class Health(BaseModel):
    """Whether the desk should be given work.

    Attributes
    ----------
    status : str
        `ready`; `overloaded` when votes would come after their deadline, so that new trades are turned away; or
        `unavailable`.
    problems : list of str
        What does not answer or is not up to date yet, or who is late with what.
    feed : str
        Where prices come from: `alpaca` or `recorded`.
    pace : float
        Desk seconds per second.
    backlog : dict of str to int
        Messages that wait, by subscription; empty where the desk may not count them.
    waits : dict of str to float
        Seconds that the oldest of them could have been taken, by subscription, where the bus can tell.
    dead_letters : int
        Messages that were given up.
    ticks : dict of str to Tick
        By timer; a failed tick does not make the desk unavailable.
    """

    status: Literal["ready", "overloaded", "unavailable"]
    problems: list[str]
    feed: str
    desk_time: UtcTime
    pace: float
    backlog: dict[str, int]
    waits: dict[str, float]
    dead_letters: int
    ticks: dict[str, Tick]


class Readiness(BaseModel):
    """Whether the desk should be given work, for who is not known to it."""

    status: Literal["ready", "overloaded", "unavailable"]


@router.get("/agents", response_model=Agents)
async def list_agents(caller: Calling) -> Response:
    """Give each agent with what it reacts to, where it votes, and what it has views on."""
    return operation.answer(Agents.model_validate({"agents": await desk().queries.agents(caller)}))


@router.get("/agents/{name}/views/{subject}", response_model=Event, responses=documented(404))
async def get_view(
    caller: Calling,
    name: Annotated[Token, Path(examples=["market_analyst"])],
    subject: Annotated[Token, Path(description="A symbol or a portfolio.", examples=["AAPL"])],
    as_of: Annotated[Moment | None, Query(description="As it was then; now, unless given.")] = None,
) -> Response:
    """Give the event with an agent's latest view of a symbol or portfolio, as of a desk time."""
    current = desk()
    body = await current.queries.view(caller, name, subject, as_of or current.clock.now())
    return Response(body, media_type="application/json")


@router.get("/topology", response_model=Topology)
async def get_topology() -> Response:
    """Give the topics, the subscriptions and what each lets through."""
    return operation.answer(desk().queries.topology, headers=_SELDOM)


@router.get("/schemas", response_model=Schemas)
async def list_schemas() -> Response:
    """Give the JSON schema of every event type."""
    return operation.answer(Schemas(schemas=_schemas()), headers=_SELDOM)


@router.get("/schemas/{event_type}", response_model=dict[str, Any], responses=documented(404))
async def get_schema(event_type: Annotated[Token, Path(examples=["consensus.reached"])]) -> Response:
    """Give the JSON schema of one event type."""
    known = _schemas()
    if event_type not in known:
        raise MissingError(f"there is no event type {event_type}")
    return JSONResponse(known[event_type], headers=_SELDOM)


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return schemas()


@router.get(
    "/health",
    response_model=Health | Readiness,
    responses={503: {"model": Health | Readiness, "description": "Store or bus does not answer, or too much waits."}},
)
async def get_health(caller: Calling) -> Response:
    """Say whether to send the desk work: 200 when store and bus answer, and votes come before their deadline.

    What is behind it is for callers who may read.
    """
    if not caller.may(Role.READER):
        status = await desk().vitals.status()
        return operation.answer(Readiness(status=status), 200 if status == "ready" else 503)
    health = Health.model_validate(await desk().queries.health())
    return operation.answer(health, 200 if health.status == "ready" else 503)


@router.get("/health/live", response_model=Life)
async def get_life() -> Response:
    """Say that the process answers, and ask nothing of store or bus: whoever gets no answer may restart it."""
    return operation.answer(Life(status="alive"))

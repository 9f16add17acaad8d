"""Replays over HTTP: ask for a backtest, follow it, and read its report."""

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import from_json

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import FieldError, ProblemError, documented
from functions.api.request import IdempotencyKey, check_json, check_symbol, own
from shared.agents.registry import check_agents
from shared.callers.caller import Caller
from shared.errors import InvalidError, MissingError
from shared.events.catalogue import decode
from shared.events.envelope import Event, Share, Token, UtcTime, derive_id
from shared.events.replay import Backtest, ReplayCompleted, ReplayRequested
from shared.events.step import StepFailed
from shared.replay.service import MOST_BARS, MOST_OPEN, NAME, bars_of
from shared.store.port import Filter
from shared.wiring import Desk, desk

router = operation.router("/api/replays", "replays")

type Ended = ReplayCompleted | StepFailed

RETRY_SECONDS = 30
_PAGE = 500
_LISTED = 100


class ReplayRequest(Backtest):
    """A backtest: what the desk's agents suggest and approve of a past range is bought and sold at the next bar."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"first_day": "2008-01-01", "last_day": "2008-12-31", "cash": 100000}]}
    )


class ReplaySummary(BaseModel):
    """A replay. Times are the desk's.

    Attributes
    ----------
    state : str
        `open` until it was played, then `completed` or `failed`.
    progress : float
        Share of the time that was played, as far as whoever answers knows.
    problem : str or None
        Why it failed.
    hash : str or None
        Of the run: the same request gives the same on the same data and code.
    """

    id: Token
    state: Literal["open", "completed", "failed"]
    requested_at: UtcTime
    progress: Share
    problem: str | None
    hash: str | None


class ReplayView(ReplaySummary):
    """A replay with what was asked, and its report once it was played."""

    request: Backtest
    report: dict[str, JsonValue] | None


class ReplayList(BaseModel):
    """Replays, the newest first."""

    replays: list[ReplaySummary]


@router.post(
    "",
    status_code=202,
    response_model=ReplayView,
    dependencies=[Depends(check_json)],
    responses=documented(400, 409, 413, 415, 429)
    | {202: {"headers": {"Location": {"description": "Where to follow it.", "schema": {"type": "string"}}}}},
)
async def request_replay(caller: Calling, request: ReplayRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """Ask for a backtest; nothing is bought or sold but in it."""
    current = desk()
    for symbol in request.symbols:
        check_symbol(current, symbol, "symbols")
    try:
        check_agents(request.agents)
    except InvalidError as error:
        raise FieldError("agents", str(error).removeprefix("agents: ")) from error
    if (bars := bars_of(request)) > MOST_BARS:
        raise FieldError("last_day", f"days and history times symbols are {bars:,}, {MOST_BARS:,} at most")
    replay_id = derive_id("replay", *own(caller, idempotency_key)) if idempotency_key else str(uuid4())
    asked = Backtest.model_validate(request.model_dump())
    if await current.store.get(replay_id, f"replay-{replay_id}") is None:
        await _check_open(current, caller)
    await _record(current, caller, replay_id, asked)
    return await _answer(current, caller, replay_id, 202, {"Location": f"/api/replays/{replay_id}"})


@router.get("", response_model=ReplayList)
async def list_replays(caller: Calling) -> Response:
    """Give the caller's latest replays, without their reports."""
    current = desk()
    requested, ended = await _all(current, caller)
    found = [_summary(current, event, ended.get(event.id)) for event in reversed(requested)]
    return operation.answer(ReplayList(replays=[ReplaySummary.model_validate(each) for each in found[:_LISTED]]))


@router.get("/{replay_id}", response_model=ReplayView, responses=documented(404))
async def get_replay(caller: Calling, replay_id: Annotated[Token, Path()]) -> Response:
    """Give a replay's progress, or its report."""
    return await _answer(desk(), caller, replay_id)


async def _answer(
    current: Desk, caller: Caller, replay_id: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    stream = f"replay-{replay_id}"
    event = decode(await current.queries.event(caller, replay_id, stream))
    if not isinstance(event, ReplayRequested):
        raise MissingError(f"there is no replay {replay_id}")
    ended = await _ended(current, caller, replay_id)
    shown = _summary(current, event, ended)
    report = ended.data.report if isinstance(ended, ReplayCompleted) else None
    shown |= {"request": event.data, "report": from_json(report) if report else None}
    return operation.answer(ReplayView.model_validate(shown), status, headers)


async def _ended(current: Desk, caller: Caller, replay_id: str) -> Ended | None:
    """Give how a replay ended; what was given up may still be played to its end by another host, and that counts."""
    places = (ReplayCompleted, f"replay-{replay_id}", ""), (StepFailed, f"failure-{NAME}", replay_id)
    for kind, stream, story in places:
        wanted = Filter((kind.name(),), stream, story, audiences=caller.audiences)
        if page := (await current.store.page(wanted, "", 1)).events:
            ended = decode(page[0])
            assert isinstance(ended, ReplayCompleted | StepFailed)
            return ended
    return None


def _summary(current: Desk, event: ReplayRequested, ended: Ended | None) -> dict[str, Any]:
    completed = ended.data if isinstance(ended, ReplayCompleted) else None
    problem = ended.data.reason if isinstance(ended, StepFailed) else completed.problem if completed else None
    return {
        "id": event.id,
        "state": "open" if ended is None else "failed" if problem else "completed",
        "requested_at": event.time,
        "progress": 1.0 if ended is not None else max(0.0, min(1.0, current.replays.reached.get(event.id, 0.0))),
        "problem": problem,
        "hash": completed.hash if completed else None,
    }


async def _check_open(current: Desk, caller: Caller) -> None:
    requested, ended = await _all(current, caller)
    waiting = sum(event.owner == caller.owner and event.id not in ended for event in requested)
    if waiting >= MOST_OPEN:
        raise ProblemError(429, f"{waiting} replays are not played yet", {"Retry-After": str(RETRY_SECONDS)})


async def _all(current: Desk, caller: Caller) -> tuple[list[ReplayRequested], dict[str, Ended]]:
    """Give what the caller may see: requests in the order of the log, and by request how it ended."""
    kinds = (ReplayRequested.name(), ReplayCompleted.name(), StepFailed.name())
    wanted = Filter(kinds, audiences=caller.audiences)
    events, cursor = list[Event](), ""
    while (page := await current.store.page(wanted, cursor, _PAGE)).events:
        events += map(decode, page.events)
        cursor = page.cursor
    requested = [event for event in events if isinstance(event, ReplayRequested)]
    ended = dict[str, Ended]()
    ended |= {event.correlationid: event for event in events if isinstance(event, StepFailed) and event.source == NAME}
    ended |= {event.correlationid: event for event in events if isinstance(event, ReplayCompleted)}
    return requested, ended


async def _record(current: Desk, caller: Caller, replay_id: str, asked: Backtest) -> None:
    requested = ReplayRequested.first(
        id=replay_id,
        source="api",
        stream=f"replay-{replay_id}",
        time=current.clock.now(),
        data=asked,
        owner=caller.owner,
    )
    if await current.runtime.emit([requested]):
        return
    known = decode(await current.queries.event(caller, replay_id, f"replay-{replay_id}"))
    if known.data != asked:
        raise FieldError("idempotency-key", "it was used for another replay", 409)

"""Options over HTTP: ask for a strategy on a share, and read what is suggested."""

from typing import Annotated, Literal
from uuid import uuid4

from fastapi import Depends, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from functions.api import operation
from functions.api.access import Calling
from functions.api.narrative import NarrativeView
from functions.api.problem import FieldError, documented
from functions.api.request import IdempotencyKey, check_json, check_symbol, own
from shared.callers.caller import Caller
from shared.events.catalogue import decode
from shared.events.envelope import Stance, Token, UtcTime, derive_id
from shared.events.options import Budget, Days, OptionsRequested, OptionsSuggestion, OptionsWish
from shared.wiring import Desk, desk

router = operation.router("/api/options", "options")


def _whole(value: object) -> object:
    # In JSON 30.0 is an integer, too.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class OptionsRequest(OptionsWish):
    """What somebody wants to do with options; nothing is bought or sold by it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"symbol": "AAPL", "risk_budget": 1000, "horizon_days": 45}]}
    )

    view: Annotated[Stance, Field(strict=True)] | None = None
    horizon_days: Annotated[Days, Field(strict=True), BeforeValidator(_whole)] = 30
    risk_budget: Annotated[Budget, Field(strict=True)]


class SuggestionView(OptionsSuggestion):
    """What the options strategist suggests, or why it suggests nothing, and the event that it came as.

    Attributes
    ----------
    event : str
        Id of the `options.suggested`.
    """

    event: Token


class OptionsView(BaseModel):
    """A request for an option strategy and its answer. Times are the desk's.

    Attributes
    ----------
    state : str
        `open` until there is an answer, then `answered`.
    narrative : NarrativeView or None
        What a language model wrote on the suggestion; there is none where the desk has no model.
    """

    id: Token
    state: Literal["open", "answered"]
    requested_at: UtcTime
    request: OptionsWish
    suggestion: SuggestionView | None
    narrative: NarrativeView | None = None


@router.post(
    "",
    status_code=202,
    response_model=OptionsView,
    dependencies=[Depends(check_json)],
    responses=documented(400, 409, 413, 415)
    | {202: {"headers": {"Location": {"description": "Where to follow it.", "schema": {"type": "string"}}}}},
)
async def request_options(caller: Calling, request: OptionsRequest, idempotency_key: IdempotencyKey = None) -> Response:
    """Ask for an option strategy; nothing is bought or sold."""
    current = desk()
    check_symbol(current, request.symbol, "symbol")
    now = current.clock.now()
    if request.portfolio and await current.portfolios.get(caller.owner, request.portfolio, now) is None:
        raise FieldError("portfolio", f"there is no portfolio {request.portfolio}")
    request_id = derive_id("options", *own(caller, idempotency_key)) if idempotency_key else str(uuid4())
    await _record(current, caller, request_id, OptionsWish.model_validate(request.model_dump()))
    return await _answer(current, caller, request_id, 202, {"Location": f"/api/options/{request_id}"})


@router.get("/{request_id}", response_model=OptionsView, responses=documented(404))
async def get_options(caller: Calling, request_id: Annotated[Token, Path()]) -> Response:
    """Give a request for an option strategy, and its answer once there is one."""
    return await _answer(desk(), caller, request_id)


async def _answer(
    current: Desk, caller: Caller, request_id: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    view = OptionsView.model_validate(await current.queries.options(caller, request_id))
    return operation.answer(view, status, headers)


async def _record(current: Desk, caller: Caller, request_id: str, wish: OptionsWish) -> None:
    requested = OptionsRequested.first(
        id=request_id,
        source="api",
        stream=f"options-{request_id}",
        time=current.clock.now(),
        data=wish,
        owner=caller.owner,
    )
    if await current.runtime.emit([requested]):
        return
    known = decode(await current.queries.event(caller, request_id))
    if known.data != wish:
        raise FieldError("idempotency-key", "it was used for another request", 409)

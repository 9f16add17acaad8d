"""Portfolios over HTTP: say what is held, and see the risk in it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from functions.api.problem import FieldError
from shared.events.envelope import Fact, NonNegative, Token, UtcTime
from shared.events.portfolio import Portfolio, PortfolioChanged, Position
from shared.ingest import portfolio_event
from shared.wiring import Desk, desk

router = APIRouter(prefix="/api/portfolios", tags=["portfolios"])

Name = Annotated[Token, Path(max_length=64, description="The portfolio's name.")]


class Holdings(Fact):
    """What a portfolio holds: cash in US dollars, and long positions in shares."""

    cash: NonNegative
    positions: tuple[Position, ...] = Field(default=(), max_length=500)


@router.get("")
async def list_portfolios() -> dict[str, list[str]]:
    """Give the names of all portfolios."""
    return {"portfolios": await desk().portfolios.names()}


@router.put("/{name}")
async def put_portfolio(name: Name, holdings: Holdings) -> dict[str, Any]:
    """Replace a portfolio's content; the same content again changes nothing."""
    current = desk()
    _check(current, holdings)
    portfolio = _portfolio(name, holdings)
    before = await current.portfolios.get(name, current.clock.now())
    if before is None or before.data != portfolio:
        changed = portfolio_event(portfolio, current.clock.now(), after=before.id if before else "", source="api")
        await current.runtime.emit([changed])
    return await _answer(current, name)


@router.get("/{name}")
async def get_portfolio(name: Name, as_of: Annotated[UtcTime | None, Query()] = None) -> dict[str, Any]:
    """Give a portfolio's content and its latest risk assessment, as of a desk time."""
    return await _answer(desk(), name, as_of)


def _check(current: Desk, holdings: Holdings) -> None:
    for index, position in enumerate(holdings.positions):
        if position.symbol not in current.watchlist.symbols:
            raise FieldError(
                f"positions.{index}.symbol",
                f"{position.symbol} is not on the watchlist ({', '.join(current.watchlist.symbols)})",
            )


def _portfolio(name: str, holdings: Holdings) -> Portfolio:
    try:
        return Portfolio(portfolio=name, cash=holdings.cash, positions=holdings.positions)
    except ValueError as error:
        raise FieldError("positions", "a symbol may appear only once") from error


async def _answer(current: Desk, name: str, as_of: UtcTime | None = None) -> dict[str, Any]:
    moment = as_of or current.clock.now()
    changed: PortfolioChanged = await current.queries.portfolio(name, moment)
    return {
        **changed.data.model_dump(mode="json", exclude_none=True),
        "event": changed.id,
        "changed_at": changed.time,
        "risk": await current.queries.risk(name, moment),
    }

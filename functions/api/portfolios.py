"""Portfolios over HTTP: say what is held, and see the risk in it."""

from typing import Annotated

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import FieldError, documented
from functions.api.request import Dollars, DollarsPerShare, Moment, Shares, check_json, check_symbol
from shared.callers.caller import Caller
from shared.events.envelope import Fact, Token, UtcTime
from shared.events.portfolio import Portfolio, Position, RiskAssessment
from shared.ingest import portfolio_event
from shared.wiring import Desk, desk

router = operation.router("/api/portfolios", "portfolios")

Name = Annotated[Token, Path(max_length=64, description="The portfolio's name.", examples=["main"])]


class Holding(Position):
    """A holding of one symbol.

    Attributes
    ----------
    quantity : float
        Shares held; long only.
    average_price : float or None
        What was paid per share in US dollars, where known.
    """

    quantity: Shares
    average_price: DollarsPerShare | None = None


class Holdings(Fact):
    """What a portfolio holds.

    Attributes
    ----------
    cash : float
        US dollars.
    positions : list
        At most one per symbol.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cash": 50_000, "positions": [{"symbol": "IBM", "quantity": 200}]}]}
    )

    cash: Dollars
    positions: tuple[Holding, ...] = Field(default=(), max_length=500)


class RiskView(RiskAssessment):
    """Risk of a portfolio over one trading day, and the event that it came as.

    Attributes
    ----------
    event : str
        Id of the `risk.assessed`.
    """

    event: Token


class PortfolioView(Portfolio):
    """A portfolio's content and its risk.

    Attributes
    ----------
    event : str
        Id of the `portfolio.changed` that gave it this content.
    changed_at : datetime
        Desk time of that event.
    risk : RiskView or None
        The latest assessment; null until there is one. It may be of the content before the last change.
    """

    event: Token
    changed_at: UtcTime
    risk: RiskView | None


class PortfolioNames(BaseModel):
    """The names of all portfolios, sorted."""

    portfolios: list[str]


@router.get("", response_model=PortfolioNames)
async def list_portfolios(caller: Calling) -> Response:
    """Give the names of all portfolios."""
    return operation.answer(PortfolioNames(portfolios=await desk().queries.portfolios_of(caller)))


@router.put(
    "/{name}",
    response_model=PortfolioView,
    dependencies=[Depends(check_json)],
    responses=documented(400, 413, 415),
)
async def put_portfolio(caller: Calling, name: Name, holdings: Holdings) -> Response:
    """Replace a portfolio's content; the same content again changes nothing."""
    current = desk()
    for index, position in enumerate(holdings.positions):
        check_symbol(current, position.symbol, f"positions.{index}.symbol")
    portfolio = _portfolio(name, holdings)
    before = await current.portfolios.get(caller.owner, name, current.clock.now())
    if before is None or before.data != portfolio:
        replaced = before.id if before else ""
        before = portfolio_event(portfolio, current.clock.now(), after=replaced, source="api", owner=caller.owner)
    # An event that is known already is emitted too: whoever asks again may not have seen it published.
    await current.runtime.emit([before])
    return await _answer(current, caller, name)


@router.get("/{name}", response_model=PortfolioView, responses=documented(404))
async def get_portfolio(
    caller: Calling,
    name: Name,
    as_of: Annotated[Moment | None, Query(description="As it was then; now, unless given.")] = None,
) -> Response:
    """Give a portfolio's content and its latest risk assessment, as of a desk time."""
    return await _answer(desk(), caller, name, as_of)


def _portfolio(name: str, holdings: Holdings) -> Portfolio:
    symbols = [position.symbol for position in holdings.positions]
    twice = [index for index, symbol in enumerate(symbols) if symbol in symbols[:index]]
    if twice:
        raise FieldError(f"positions.{twice[0]}.symbol", f"{symbols[twice[0]]} may appear only once")
    return Portfolio.model_validate({"portfolio": name, **holdings.model_dump()})


async def _answer(current: Desk, caller: Caller, name: str, as_of: UtcTime | None = None) -> Response:
    moment = as_of or current.clock.now()
    changed = await current.queries.portfolio(caller, name, moment)
    content = {
        **changed.data.model_dump(mode="json", exclude_none=True),
        "event": changed.id,
        "changed_at": changed.time,
        "risk": await current.queries.risk(changed, moment),
    }
    return operation.answer(PortfolioView.model_validate(content))

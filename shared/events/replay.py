"""Replay events: a backtest that is asked for, what its simulated broker made of a trade, and how a replay ended."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from shared.events.envelope import (
    Event,
    Fact,
    NonNegative,
    Price,
    Quantity,
    Symbol,
    Token,
    UtcTime,
    within_reach,
)
from shared.events.market import Interval

NEW_YORK = ZoneInfo("America/New_York")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Part = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]
Cost = Annotated[float, Field(strict=True, ge=0, lt=0.5, allow_inf_nan=False)]


def _written(value: object) -> object:
    # A number, or digits alone, would be read as seconds since 1970.
    if isinstance(value, int | float) or (isinstance(value, str) and not _DAY.fullmatch(value)):
        raise ValueError("expected a day, for example 2008-01-31")
    return value


def _number(value: object) -> object:
    # JSON's 30.0 is an integer; its true is no number.
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Days = Annotated[int, Field(ge=0, le=5_000), BeforeValidator(_number)]


Day = Annotated[date, BeforeValidator(_written), AfterValidator(within_reach)]
"""A day as RFC 3339 writes it; nothing else is taken for one."""


class Backtest(Fact):
    """The configuration of a backtest.

    Attributes
    ----------
    first_day, last_day : date
        Trading days in New York; the portfolio is worth `cash` before the first one opens.
    lookback_days : int
        Days of history before that the agents know.
    agents : tuple of str
        Names of those that take part, apart from the consensus; empty for all.
    rebalance : str
        How often a suggestion is taken up at most.
    fill_price : str
        The next bar's `open` or `close`.
    slippage, fee : float
        Fractions of what is traded; `fee_per_share` US dollars.
    most_of_volume : float
        Share of a bar's volume that can be had; the rest waits for the next bar.
    benchmark : str
        `buy_and_hold` of equal weights, `equal_weight` brought back every day without cost, or a symbol.
    news : bool
        Whether the source's headlines are played, too.
    max_weight, max_var_95, max_gross, max_drawdown : float
        Risk limits, as in the settings.
    """

    first_day: Day
    last_day: Day
    symbols: tuple[Symbol, ...] = Field(
        default=("AAPL", "GOOG", "IBM", "MSFT"), min_length=1, max_length=50, json_schema_extra={"uniqueItems": True}
    )
    interval: Interval = "1Day"
    lookback_days: Days = 400
    cash: float = Field(default=100_000.0, strict=True, ge=1, le=1e12, allow_inf_nan=False)
    agents: tuple[Token, ...] = Field(default=(), max_length=20, json_schema_extra={"uniqueItems": True})
    rebalance: Literal["daily", "weekly", "monthly"] = "weekly"
    fill_price: Literal["open", "close"] = "open"
    slippage: Cost = 0.0005
    fee: Cost = 0.0005
    fee_per_share: float = Field(default=0.0, strict=True, ge=0, le=1_000, allow_inf_nan=False)
    most_of_volume: Part = 0.1
    benchmark: Symbol | Literal["buy_and_hold", "equal_weight"] = "buy_and_hold"
    news: bool = Field(default=False, strict=True)
    max_weight: Part = 0.4
    max_var_95: Part = 0.05
    max_gross: Part = 1.0
    max_drawdown: Part = 0.35
    portfolio: Annotated[Token, Field(max_length=64)] = "backtest"

    @field_validator("symbols", "agents")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("one is given twice")
        return names

    @model_validator(mode="after")
    def _days_follow(self) -> Self:
        if self.first_day > self.last_day:
            raise ValueError("last_day: before first_day")
        if self.benchmark not in (*self.symbols, "buy_and_hold", "equal_weight"):
            raise ValueError(f"benchmark: {self.benchmark} is not among the symbols")
        return self

    @property
    def opens_at(self) -> datetime:
        """When the first day begins in New York."""
        return datetime.combine(self.first_day, time(), NEW_YORK).astimezone(UTC)

    @property
    def ends_at(self) -> datetime:
        """When the last day ends in New York."""
        return datetime.combine(self.last_day + timedelta(days=1), time(), NEW_YORK).astimezone(UTC)


class TradeFill(Fact):
    """What was bought or sold of a trade at one bar.

    Attributes
    ----------
    trade, consensus : str
        Ids of the `trade.requested` and of the `consensus.reached` that approved it.
    price : float
        US dollars per share, slippage included.
    slippage, fee : float
        US dollars; both are costs.
    remaining : float
        Shares that are still to be filled.
    decided_at, bar_closed_at : datetime
        When it was approved, and the close of the bar that it was filled in, which is later.
    """

    portfolio: Token
    trade: Token
    consensus: Token
    symbol: Symbol
    side: Literal["buy", "sell"]
    quantity: Quantity
    price: Price
    slippage: NonNegative
    fee: NonNegative
    remaining: NonNegative
    decided_at: UtcTime
    bar_closed_at: UtcTime


class TradeFilled(Event):
    """`trade.filled`: a simulated broker bought or sold what was approved."""

    type: Literal["trade.filled"] = "trade.filled"
    data: TradeFill


class Replay(Fact):
    """How a replay ended.

    Attributes
    ----------
    hash, data_hash : str or None
        SHA-256 over all of its events, and over those that were played alone; None where it failed.
    played, emitted : int
        Events that were played, and that came of them.
    problem : str or None
        Why it failed.
    report : str or None
        JSON, of a backtest that was asked for over HTTP.
    """

    played: int = Field(ge=0)
    emitted: int = Field(ge=0)
    hash: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    data_hash: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    problem: str | None = Field(default=None, max_length=2_000)
    report: str | None = None


class ReplayCompleted(Event):
    """`replay.completed`: a replay came to its end, or failed."""

    type: Literal["replay.completed"] = "replay.completed"
    data: Replay


class ReplayRequested(Event):
    """`replay.requested`: somebody asks for a backtest."""

    type: Literal["replay.requested"] = "replay.requested"
    data: Backtest

"""Replay events: a backtest that is asked for, what its simulated broker made of a trade, and how a replay ended."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from shared.events.envelope import Event, Fact, NonNegative, Price, Quantity, Symbol, Token, UtcTime
from shared.events.market import Interval

NEW_YORK = ZoneInfo("America/New_York")
Part = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Backtest(Fact):
    """The configuration of a backtest.

    Attributes
    ----------
    first_day, last_day : date
        Trading days in New York; the portfolio is worth `cash` before the first one opens.
    lookback_days : int
        Days of history before that the agents know.
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

    first_day: date
    last_day: date
    symbols: tuple[Symbol, ...] = Field(default=("AAPL", "GOOG", "IBM", "MSFT"), min_length=1, max_length=50)
    interval: Interval = "1Day"
    lookback_days: int = Field(default=400, ge=0, le=5_000)
    cash: float = Field(default=100_000.0, gt=0, le=1e12, allow_inf_nan=False)
    rebalance: Literal["daily", "weekly", "monthly"] = "weekly"
    fill_price: Literal["open", "close"] = "open"
    slippage: float = Field(default=0.0005, ge=0, lt=0.5, allow_inf_nan=False)
    fee: float = Field(default=0.0005, ge=0, lt=0.5, allow_inf_nan=False)
    fee_per_share: float = Field(default=0.0, ge=0, le=1_000, allow_inf_nan=False)
    most_of_volume: Part = 0.1
    benchmark: Symbol | Literal["buy_and_hold", "equal_weight"] = "buy_and_hold"
    news: bool = False
    max_weight: Part = 0.4
    max_var_95: Part = 0.05
    max_gross: Part = 1.0
    max_drawdown: Part = 0.35
    portfolio: Token = "backtest"

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

"""Market events: prices as they come in, and what the market analyst reads in them."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from shared.events.envelope import Event, Fact, Finite, NonNegative, Price, Share, Stance, Symbol, UtcTime

Interval = Literal["1Min", "5Min", "15Min", "1Hour", "1Day"]


class Bar(Fact):
    """One symbol's trading over one interval, adjusted for splits.

    Attributes
    ----------
    closed_at : datetime
        End of the interval in UTC, the moment when the bar became known; 16:00 New York for a whole trading day.
    open, high, low, close : float
        Prices in US dollars.
    volume : float
        Shares traded.
    """

    symbol: Symbol
    closed_at: UtcTime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: NonNegative

    @model_validator(mode="after")
    def _range_holds(self) -> "Bar":
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(f"{self.symbol}: open and close must lie between low and high")
        return self


class MarketData(Fact):
    """The bars of one interval for one shard of the watchlist, at most one per symbol."""

    interval: Interval
    bars: tuple[Bar, ...] = Field(min_length=1, max_length=50)


class MarketDataReceived(Event):
    """`market.data.received`: an interval closed and its bars are known."""

    topic: ClassVar[str] = "market"
    type: Literal["market.data.received"] = "market.data.received"
    data: MarketData


class Analysis(Fact):
    """The market analyst's view of one symbol.

    Attributes
    ----------
    view : float
        Expected direction, -1 (down) to +1 (up).
    confidence : float
        0 to 1.
    indicators : dict of str to float
        The numbers that the view rests on; names carry units where they have one.
    moved_by : tuple of str
        The indicators whose change made the view change.
    """

    symbol: Symbol
    closed_at: UtcTime
    close: Price
    trend: Literal["up", "down", "sideways"]
    view: Stance
    confidence: Share
    indicators: dict[str, Finite]
    moved_by: tuple[str, ...]


class AnalysisCompleted(Event):
    """`analysis.completed`: the market analyst's view of a symbol changed."""

    type: Literal["analysis.completed"] = "analysis.completed"
    data: Analysis

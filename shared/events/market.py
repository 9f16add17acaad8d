"""Market events: prices as they come in, and what the market analyst reads in them."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from shared.events.envelope import Event, Fact, Finite, NonNegative, Price, Share, Stance, Symbol, UtcTime

Interval = Literal["1Min", "5Min", "15Min", "1Hour", "1Day"]
Regime = Literal["trend", "range", "high_volatility"]
Severity = Literal["moderate", "severe", "extreme"]
MARKET = "MARKET"
"""In the place of a symbol: the market as a whole, as far as the watchlist shows it."""


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
    public: ClassVar[bool] = True
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
    regime : str or None
        Whether the symbol trends, ranges, or moves more than it used to; None until enough bars are known.
    indicators : dict of str to float
        The numbers that the view rests on; names carry units where they have one.
    moved_by : tuple of str
        The indicators whose change made the view change; `regime` where that changed.
    """

    symbol: Symbol
    closed_at: UtcTime
    close: Price
    trend: Literal["up", "down", "sideways"]
    view: Stance
    confidence: Share
    regime: Regime | None = None
    indicators: dict[str, Finite]
    moved_by: tuple[str, ...]


class AnalysisCompleted(Event):
    """`analysis.completed`: the market analyst's view of a symbol changed."""

    public: ClassVar[bool] = True
    type: Literal["analysis.completed"] = "analysis.completed"
    data: Analysis


class Alarm(Fact):
    """What a detector found in bars that closed just now.

    Attributes
    ----------
    symbol : str
        `MARKET` where it concerns many at once.
    """

    symbol: Symbol
    closed_at: UtcTime


class Crash(Alarm):
    """A crash; `shared/detection/crash.py` says by which formula.

    Attributes
    ----------
    kind : str
        `drop` within a bar, `drawdown` from the year's high, `breadth` of the watchlist.
    fall : float
        Fraction lost in the bar, or since the high; of breadth the mean of those that fell.
    threshold : float
        From which it is called one, the same unit.
    symbols : tuple of str
        Those that fell.
    of : int
        Symbols that were looked at.
    """

    kind: Literal["drop", "drawdown", "breadth"]
    severity: Severity
    fall: Share
    threshold: NonNegative
    symbols: tuple[Symbol, ...]
    of: int = Field(ge=1)


class MarketCrashDetected(Event):
    """`market.crash.detected`: a symbol, or many at once, fell out of the ordinary."""

    public: ClassVar[bool] = True
    type: Literal["market.crash.detected"] = "market.crash.detected"
    data: Crash


class Whale(Alarm):
    """A volume far above the usual one; `shared/detection/whale.py` says by which formula.

    Attributes
    ----------
    side : str
        What the price did with it.
    volume, usual_volume : float
        Shares in the bar, and usual in such a bar.
    surprise : float
        How far the volume lies above the usual one, in standard deviations of its logarithm.
    change : float
        The bar's return, a fraction.
    impact : float
        The same in standard deviations of returns.
    """

    side: Literal["buying", "selling", "unclear"]
    volume: NonNegative
    usual_volume: NonNegative
    surprise: NonNegative
    change: Finite
    impact: Finite


class MarketWhaleDetected(Event):
    """`market.whale.detected`: somebody traded far more of a symbol than is usual."""

    public: ClassVar[bool] = True
    type: Literal["market.whale.detected"] = "market.whale.detected"
    data: Whale

"""Forecast events: how likely the oracle thinks what a symbol may do."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Event, Fact, Finite, NonNegative, Positive, Price, Share, Symbol, Token, UtcTime


class HorizonForecast(Fact):
    """The distribution of a symbol's return over a horizon.

    Attributes
    ----------
    days : int
        Trading days ahead.
    mean : float
        Expected return, a fraction.
    deviation : float
        Standard deviation of the return, a fraction.
    quantiles : dict of str to float
        Return by probability, a fraction: with probability `0.05` it is not above the one named so.
    probability_of_loss : float
        Probability of a return below zero.
    expected_shortfall_95 : float
        Mean loss in the worst 5 % of the cases, a fraction; positive for a loss.
    """

    days: int = Field(ge=1)
    mean: Finite
    deviation: Positive
    quantiles: dict[str, Finite]
    probability_of_loss: Share
    expected_shortfall_95: Finite


class ForecastModel(Fact):
    """What the distributions were drawn from.

    Attributes
    ----------
    name : str
        The method.
    alpha, beta : float
        Weights of the last squared return and of the last variance in the next variance.
    drift : float
        Expected log return per day, shrunk towards zero.
    volatility : float
        Standard deviation of the next day's log return.
    long_run_volatility : float
        What it returns to, per day.
    observations : int
        Daily returns that it was estimated from.
    paths : int
        Futures drawn.
    """

    name: Literal["garch_filtered_historical_simulation"] = "garch_filtered_historical_simulation"
    alpha: Share
    beta: Share
    drift: Finite
    volatility: NonNegative
    long_run_volatility: NonNegative
    observations: int = Field(ge=1)
    paths: int = Field(ge=1)


class Forecast(Fact):
    """The oracle's forecast of one symbol.

    Attributes
    ----------
    prices_as_of : datetime
        When the last price that it knows closed, in UTC.
    close : float
        That price, in US dollars.
    horizons : tuple of HorizonForecast
        The nearest first.
    evidence : tuple of str
        Ids of the market events that it was made on.
    """

    symbol: Symbol
    prices_as_of: UtcTime
    close: Price
    horizons: tuple[HorizonForecast, ...] = Field(min_length=1)
    model: ForecastModel
    evidence: tuple[Token, ...]


class Forecasts(Fact):
    """The forecasts of one market day for one shard of the watchlist, at most one per symbol."""

    forecasts: tuple[Forecast, ...] = Field(min_length=1, max_length=50)


class ForecastPublished(Event):
    """`forecast.published`: a market day closed, and the oracle's forecasts from it are known."""

    public: ClassVar[bool] = True
    type: Literal["forecast.published"] = "forecast.published"
    data: Forecasts

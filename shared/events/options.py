"""Options events: somebody asks what to do with options on a share, and what the strategist suggests."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.events.envelope import (
    Event,
    Fact,
    Finite,
    NonNegative,
    Positive,
    Price,
    Share,
    Stance,
    Symbol,
    Token,
    UtcTime,
)
from shared.events.trade import Evidence

LONGEST_HORIZON_DAYS = 365
Days = Annotated[int, Field(ge=5, le=LONGEST_HORIZON_DAYS)]
Budget = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class OptionsWish(Fact):
    """What somebody wants to do with options; nothing is bought or sold by it.

    Attributes
    ----------
    view : float or None
        Expected direction until the horizon, -1 (down) to +1 (up); the market analyst's latest, unless given.
    horizon_days : int
        Calendar days until the options should expire.
    risk_budget : float
        US dollars that may be lost.
    portfolio : str or None
        Whose shares and cash may cover what is sold; without one only strategies that need neither are suggested.
    """

    symbol: Symbol
    view: Stance | None = None
    horizon_days: Days = 30
    risk_budget: Budget
    portfolio: Token | None = None


class OptionsRequested(Event):
    """`options.requested`: somebody asks for an option strategy on a share."""

    type: Literal["options.requested"] = "options.requested"
    data: OptionsWish


class OptionLeg(Fact):
    """One part of a strategy, for all its contracts together.

    Attributes
    ----------
    shares : float
        Shares that it is about, a hundred a contract; above 0 where it is bought or held, below 0 where it is sold.
    price : float
        US dollars per share: the ask where it is bought, the bid where it is sold, the spot for shares that are held.
    strike : float or None
        US dollars per share; none for stock.
    implied_volatility : float or None
        Fraction per year, as the strike's out-of-the-money option implies it; none for stock.
    delta : float or None
        Dollars per dollar of spot, of one share bought.
    early_exercise : float or None
        What the right to exercise before expiry is worth, US dollars per share: where an option is sold, the danger of
        being assigned early.
    """

    kind: Literal["call", "put", "stock"]
    shares: Finite
    price: NonNegative
    strike: Price | None = None
    implied_volatility: Positive | None = None
    delta: Finite | None = None
    early_exercise: NonNegative | None = None


class NetGreeks(Fact):
    """Sensitivities of a whole position, US dollars.

    Attributes
    ----------
    delta : float
        Shares that move as much: dollars per dollar of spot.
    gamma : float
        Change of delta per dollar of spot.
    theta_per_day : float
        Per calendar day that passes.
    vega_per_point : float
        Per percentage point of volatility.
    rho_per_point : float
        Per percentage point of interest.
    """

    delta: Finite
    gamma: Finite
    theta_per_day: Finite
    vega_per_point: Finite
    rho_per_point: Finite


class PayoffPoint(Fact):
    """The profit at expiry at a price of the share, both in US dollars; between two points it is a straight line."""

    price: NonNegative
    profit: Finite


class RejectedStrategy(Fact):
    """A strategy that was considered and why it is not suggested."""

    strategy: Token
    reason: str


class ChainRead(Fact):
    """The option chain that a suggestion rests on.

    Attributes
    ----------
    origin : str
        `synthetic` where the quotes are made from the share's own closes and no market stands behind them.
    quoted_at, expires_at : datetime
        Of the newest quote, and of all the contracts.
    spot : float
        US dollars per share.
    rate, dividend_yield : float
        Fractions per year, continuous.
    quotes, dropped : int
        Contracts that were used, and that were left out for want of a sound quote.
    """

    origin: Literal["alpaca", "synthetic"]
    quoted_at: UtcTime
    expires_at: UtcTime
    spot: Price
    rate: Finite
    dividend_yield: Finite
    quotes: int = Field(ge=0)
    dropped: int = Field(ge=0)


class Climate(Fact):
    """How dear volatility is.

    Attributes
    ----------
    regime : str
        `dear` from the 70th percentile on, `cheap` up to the 30th, `fair` between.
    implied : float
        At the money, fraction per year.
    realised : float
        By weights that decay, fraction per year.
    expected : float
        Realised volatility to expect until the expiry, fraction per year.
    percentile : float
        Share of the past year's realised volatilities that lie below the implied one, 0 to 1.
    """

    regime: Literal["dear", "fair", "cheap"]
    implied: Positive
    realised: NonNegative
    expected: Positive
    percentile: Share


class OptionStrategy(Fact):
    """A strategy with its numbers, in US dollars for all its contracts together, shares that are held included.

    Attributes
    ----------
    contracts : int
        Of each option.
    net_premium : float
        What the options cost; below 0 where they bring something in.
    max_gain, max_loss : float or None
        At expiry; left out where there is no bound.
    risk : float
        What of the budget it uses: the largest loss; of strategies on shares that are held the premium that is paid.
    break_evens : tuple of float
        Prices of the share at expiry at which profit begins or ends.
    probability_of_profit : float
        That it ends with a gain, if the price is lognormal with the chain's volatility at the money and its forward.
    expected_profit : float
        Mean profit of the options, if the price is lognormal with the volatility to expect and drifts with the view.
    payoff : tuple of PayoffPoint
        At expiry, wherever its slope changes, at the break-evens, and three standard deviations to either side.
    """

    strategy: Token
    contracts: int = Field(ge=1)
    legs: tuple[OptionLeg, ...]
    net_premium: Finite
    max_gain: Finite | None = None
    max_loss: Finite | None = None
    risk: NonNegative
    break_evens: tuple[NonNegative, ...]
    probability_of_profit: Share
    expected_profit: Finite
    greeks: NetGreeks
    payoff: tuple[PayoffPoint, ...]


class OptionsSuggestion(Fact):
    """What the options strategist suggests, or why it suggests nothing.

    Attributes
    ----------
    abstained : str or None
        Why nothing is suggested; then there is no `suggested`, and the other way round.
    view : float or None
        The direction that it goes by, -1 to +1, weighed down by its confidence.
    view_of : str or None
        Whose view that is: `request`, or an agent's name.
    rejected : tuple of RejectedStrategy
        Every other strategy, and why not.
    """

    symbol: Symbol
    rationale: str = Field(max_length=2_000)
    abstained: str | None = None
    suggested: OptionStrategy | None = None
    view: Stance | None = None
    view_of: Token | None = None
    climate: Climate | None = None
    chain: ChainRead | None = None
    rejected: tuple[RejectedStrategy, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @model_validator(mode="after")
    def _suggests_or_abstains(self) -> "OptionsSuggestion":
        if (self.abstained is None) == (self.suggested is None):
            raise ValueError("either a strategy is suggested or the reason is given why none is")
        return self


class OptionsSuggested(Event):
    """`options.suggested`: the options strategist answered, if only that it has nothing to suggest."""

    type: Literal["options.suggested"] = "options.suggested"
    data: OptionsSuggestion

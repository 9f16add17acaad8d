"""Rebalance events: which orders would bring a portfolio nearer to what the agents expect."""

from typing import Literal

from pydantic import Field, model_validator

from shared.events.envelope import Event, Fact, Finite, NonNegative, Price, Quantity, Share, Symbol, Token, UtcTime
from shared.events.trade import Evidence


class RebalanceOrder(Fact):
    """One trade of a rebalance; nothing is bought or sold by it.

    Attributes
    ----------
    quantity : float
        Shares, in hundredths, or all of a holding that is sold.
    price : float
        The last known close, US dollars per share.
    weight_before, weight_after : float
        Share of the portfolio's value.
    """

    symbol: Symbol
    side: Literal["buy", "sell"]
    quantity: Quantity
    price: Price
    weight_before: NonNegative
    weight_after: NonNegative


class ViewContribution(Fact):
    """What an agent's latest view of a symbol did.

    Attributes
    ----------
    expected_return : float
        What it says of the symbol, fraction per horizon.
    confidence : float
        How far it may move the expectation alone, 0 to 1.
    contribution : float
        What it added to the symbol's expected return, fraction per horizon.
    event : str
        Id of the event with the view.
    """

    agent: Token
    symbol: Symbol
    expected_return: Finite
    confidence: Share
    contribution: Finite
    event: Token


class Outlook(Fact):
    """What is expected of a portfolio.

    Attributes
    ----------
    expected_return : float
        Fraction of value in `horizon_days` trading days, cash earning nothing.
    volatility : float
        Standard deviation of the same.
    cash : float
        Share of value.
    """

    expected_return: Finite
    volatility: NonNegative
    cash: Finite


class Alternative(Fact):
    """What another objective would hold, investing as much; for comparison, no limit applied."""

    objective: Literal["min_variance", "risk_parity", "hierarchical_risk_parity"]
    weights: dict[Symbol, NonNegative]
    volatility: NonNegative


class Rebalance(Fact):
    """A suggestion how to rebalance, or why there is none.

    Attributes
    ----------
    abstained : str or None
        Why nothing is suggested; then there are no orders, and the other way round.
    value : float
        Cash and positions at the last closes, US dollars.
    cost : float
        What the orders are taken to cost, a fraction of value.
    """

    portfolio: Token
    rationale: str = Field(max_length=2_000)
    abstained: str | None = None
    horizon_days: int = Field(default=21, ge=1)
    value: NonNegative | None = None
    prices_as_of: UtcTime | None = None
    orders: tuple[RebalanceOrder, ...] = ()
    before: Outlook | None = None
    after: Outlook | None = None
    cost: NonNegative | None = None
    views: tuple[ViewContribution, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @model_validator(mode="after")
    def _orders_or_abstains(self) -> "Rebalance":
        if (self.abstained is None) != bool(self.orders):
            raise ValueError("either orders are suggested or the reason is given why none are")
        return self


class RebalanceSuggested(Event):
    """`rebalance.suggested`: the portfolio optimizer would hold something else, or knows too little to say."""

    type: Literal["rebalance.suggested"] = "rebalance.suggested"
    data: Rebalance

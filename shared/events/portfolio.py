"""Portfolio events: what is held, and the risk in it."""

from typing import Literal

from pydantic import Field, field_validator

from shared.events.envelope import Event, Fact, Finite, NonNegative, Positive, Quantity, Symbol, Token, UtcTime


class Position(Fact):
    """A holding of one symbol.

    Attributes
    ----------
    quantity : float
        Shares held; long only.
    average_price : float or None
        What was paid per share in US dollars, where known.
    """

    symbol: Symbol
    quantity: Quantity
    average_price: Positive | None = None


class Portfolio(Fact):
    """A portfolio's whole content; a later event replaces an earlier one.

    Attributes
    ----------
    cash : float
        US dollars.
    """

    portfolio: Token
    cash: NonNegative
    positions: tuple[Position, ...] = Field(default=(), max_length=500)

    @field_validator("positions")
    @classmethod
    def _one_per_symbol(cls, positions: tuple[Position, ...]) -> tuple[Position, ...]:
        symbols = [position.symbol for position in positions]
        if len(set(symbols)) != len(symbols):
            raise ValueError("a symbol may appear only once")
        return positions


class PortfolioChanged(Event):
    """`portfolio.changed`: a portfolio now holds this."""

    type: Literal["portfolio.changed"] = "portfolio.changed"
    data: Portfolio


class RiskBreach(Fact):
    """A limit that is passed: its name, the number, and what is allowed (same unit)."""

    limit: str
    value: Finite
    allowed: Finite


class RiskAssessment(Fact):
    """Risk of a portfolio over one trading day. Losses are positive fractions of its value.

    Attributes
    ----------
    value : float
        Cash and positions at the last known closes, US dollars.
    weights : dict of str to float
        Share of value per symbol.
    measures : dict of str to float
        For example `historical_var_95`, `ewma_es_99`: losses as fractions of value; and `concentration_hhi`, 0 to 1.
    observations : int
        Days of history that the measures rest on.
    unpriced : tuple of str
        Holdings left out because no price is known.
    unmeasured : tuple of str
        Holdings that the measures take for cash, because too little of their history is known.
    marginal_var_95, component_var_95 : dict of str to float
        By holding: change of `ewma_var_95` per weight, and what of it is the holding's; the latter sum to the whole.
    days_to_liquidate : dict of str to float
        By holding: trading days to sell it at a tenth of the usual volume.
    stress : dict of str to float
        By scenario: the loss, a fraction of value.
    """

    portfolio: Token
    value: NonNegative
    weights: dict[Symbol, Finite]
    measures: dict[str, Finite]
    observations: int = Field(ge=0)
    prices_as_of: UtcTime | None = None
    breaches: tuple[RiskBreach, ...]
    unpriced: tuple[Symbol, ...] = ()
    unmeasured: tuple[Symbol, ...] = ()
    marginal_var_95: dict[Symbol, Finite] = Field(default_factory=dict)
    component_var_95: dict[Symbol, Finite] = Field(default_factory=dict)
    days_to_liquidate: dict[Symbol, NonNegative] = Field(default_factory=dict)
    stress: dict[str, Finite] = Field(default_factory=dict)


class RiskAssessed(Event):
    """`risk.assessed`: a portfolio's risk was measured."""

    type: Literal["risk.assessed"] = "risk.assessed"
    data: RiskAssessment

"""How the risk manager measures a portfolio: the numbers of `shared/quant`, and which limits they pass.

Owns which measures there are, on how much history, and what is left out where too little is known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.events.portfolio import Portfolio, RiskAssessment, RiskBreach
from shared.projections.bar import Closes, aligned

if TYPE_CHECKING:
    from shared.quant.risk import Floats

LEAST_RETURNS = 100
VOLUME_BARS = 20
ROUNDING = 1e-9
"""Sums of shares differ by less than this in the last digits of a float."""
_LEVELS = (0.95, 0.99)

type Histories = dict[str, Closes]
"""Closes by symbol."""


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """What a portfolio must stay within, as fractions of its value.

    Attributes
    ----------
    max_weight : float
        Largest share of value in one symbol.
    max_var_95 : float
        Largest one-day EWMA value at risk at 95 %.
    max_gross : float
        Largest share that is invested: long only, so the rest is cash.
    max_drawdown : float
        Fall of today's weights from their highest of the last 250 bars beyond which nothing is bought.
    """

    max_weight: float
    max_var_95: float
    max_gross: float = 1.0
    max_drawdown: float = 1.0


def assess(portfolio: Portfolio, histories: Histories, limits: RiskLimits) -> RiskAssessment:
    """Measure what a trade's judgment needs."""
    held = [position.symbol for position in portfolio.positions]
    priced = {symbol: histories[symbol] for symbol in held if histories[symbol]}
    values = {p.symbol: p.quantity * priced[p.symbol].last for p in portfolio.positions if p.symbol in priced}
    total = portfolio.cash + sum(values.values())
    weights = {symbol: value / total for symbol, value in values.items()} if total else {}
    known = {symbol: closes for symbol, closes in priced.items() if len(closes) > LEAST_RETURNS}
    shares, returns = _history(weights, known)
    measures = _of_weights(weights) | _of_returns(shares, returns)
    marginal = _marginal(shares, returns, tuple(known))
    return RiskAssessment(
        portfolio=portfolio.portfolio,
        value=total,
        weights=weights,
        measures=measures,
        observations=len(returns),
        prices_as_of=max((closes.moments[-1] for closes in priced.values()), default=None),
        breaches=_breaches(weights, measures, limits),
        unpriced=tuple(symbol for symbol in held if symbol not in priced),
        unmeasured=tuple(symbol for symbol in priced if symbol not in known),
        marginal_var_95=marginal,
        component_var_95={symbol: weights[symbol] * each for symbol, each in marginal.items()},
        stress=_autumn_2008(weights),
    )


@lru_cache(maxsize=64)
def assess_once(portfolio: Portfolio, histories: tuple[tuple[str, Closes], ...], limits: RiskLimits) -> RiskAssessment:
    """Measure as `assess` does; most trades find the portfolio and its prices as the trade before did."""
    return assess(portfolio, dict(histories), limits)


def assess_fully(
    portfolio: Portfolio, histories: Histories, market: Iterable[str], limits: RiskLimits
) -> RiskAssessment:
    """Measure all there is: also beta to the market's symbols, the other stresses, and the days to liquidate."""
    from shared.quant import stress

    found = assess(portfolio, histories, limits)
    known = {symbol: histories[symbol] for symbol in found.weights if symbol not in found.unmeasured}
    shares, returns = _history(found.weights, known)
    stresses = dict(found.stress)
    if len(returns):
        stresses["volatility_up_var_95"] = stress.volatility_up_var(returns @ shares, 0.95)
        stresses["correlation_one_var_95"] = stress.correlation_one_var(shares, returns, 0.95)
    days = {p.symbol: days_to_sell(p.quantity, histories[p.symbol]) for p in portfolio.positions}
    return found.model_copy(
        update={
            "measures": found.measures | _beta(found.weights, known, {each: histories[each] for each in market}),
            "stress": stresses,
            "days_to_liquidate": {symbol: each for symbol, each in days.items() if each is not None},
        }
    )


def days_to_sell(quantity: float, closes: Closes) -> float | None:
    """Give the trading days that it takes to sell a holding by its latest volumes; None where none is known."""
    from shared.quant.liquidity import days_to_liquidate

    volume = float(closes.volumes[-VOLUME_BARS:].sum())
    days = len({moment.date() for moment in closes.moments[-VOLUME_BARS:]})
    return days_to_liquidate(quantity, volume / days) if volume else None


def _history(weights: dict[str, float], known: Histories) -> "tuple[Floats, Floats]":
    import numpy as np  # a function that measures no risk need not load it

    from shared.quant.risk import returns_from_closes

    closes = aligned(known) if weights and known else np.empty((0, 0))
    if len(closes) <= LEAST_RETURNS:
        return np.empty(0), np.empty((0, 0))
    return np.array([weights[symbol] for symbol in known]), returns_from_closes(closes)


def _of_weights(weights: dict[str, float]) -> dict[str, float]:
    import numpy as np

    from shared.quant.contribution import concentration_hhi

    if not weights:
        return {}
    # Long only: a sum above one is a rounding error.
    gross = min(1.0, sum(weights.values()))
    return {"concentration_hhi": concentration_hhi(np.array(list(weights.values()))), "gross_exposure": gross}


def _of_returns(shares: "Floats", returns: "Floats") -> dict[str, float]:
    from shared.quant import risk, value_at_risk

    if not len(returns):
        return {}
    whole, measures = risk.portfolio_returns(shares, returns), {}
    today = value_at_risk.rescaled(whole)
    for level in _LEVELS:
        name = f"{level:.0%}".rstrip("%")
        measures[f"historical_var_{name}"] = value_at_risk.historical_var(whole, level)
        measures[f"historical_es_{name}"] = value_at_risk.historical_es(whole, level)
        measures[f"ewma_var_{name}"] = value_at_risk.ewma_var(whole, level)
        measures[f"ewma_es_{name}"] = value_at_risk.ewma_es(whole, level)
        measures[f"filtered_var_{name}"] = value_at_risk.historical_var(today, level)
        measures[f"filtered_es_{name}"] = value_at_risk.historical_es(today, level)
    falls = risk.falls(whole)
    measures["max_drawdown"], measures["drawdown"] = float(falls.max()), float(falls[-1])
    return measures


def _marginal(shares: "Floats", returns: "Floats", symbols: tuple[str, ...]) -> dict[str, float]:
    from shared.quant.contribution import marginal_vars

    if not len(returns):
        return {}
    return dict(zip(symbols, marginal_vars(shares, returns, 0.95).tolist(), strict=True))


def _autumn_2008(weights: dict[str, float]) -> dict[str, float]:
    import numpy as np

    from shared.quant.stress import deepest_loss

    if not weights:
        return {}
    return {"autumn_2008": deepest_loss(np.array(list(weights.values())), _episode(tuple(weights)))}


@lru_cache(maxsize=64)
def _episode(symbols: tuple[str, ...]) -> "Floats":
    import numpy as np

    from shared.quant.stress import autumn_2008

    return np.column_stack([autumn_2008().of(symbol) for symbol in symbols])


def _beta(weights: dict[str, float], known: Histories, market: Histories) -> dict[str, float]:
    """Give the beta to the equal-weighted market, over the moments that all in it and all holdings have in common."""
    from shared.quant.contribution import beta

    index = {symbol: closes for symbol, closes in market.items() if len(closes) > LEAST_RETURNS}
    together = known | index
    if not known or not index:
        return {}
    shares, returns = _history({symbol: weights.get(symbol, 0.0) for symbol in together}, together)
    if not len(returns):
        return {}
    places = [place for place, symbol in enumerate(together) if symbol in index]
    return {"beta": beta(returns @ shares, returns[:, places].mean(axis=1))}


def _breaches(weights: dict[str, float], measures: dict[str, float], limits: RiskLimits) -> tuple[RiskBreach, ...]:
    checks = [(f"max_weight:{symbol}", weight, limits.max_weight) for symbol, weight in weights.items()]
    of_whole = (
        ("max_var_95", "ewma_var_95", limits.max_var_95),
        ("max_gross", "gross_exposure", limits.max_gross),
        ("max_drawdown", "drawdown", limits.max_drawdown),
    )
    checks += [(limit, measures[name], top) for limit, name, top in of_whole if name in measures]
    return tuple(RiskBreach(limit=name, value=value, allowed=top) for name, value, top in checks if value > top)

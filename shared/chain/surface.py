"""What a chain's quotes imply: a volatility for each strike, and with it what each contract is like."""

from dataclasses import dataclass
from datetime import timedelta
from math import exp

import numpy as np

from shared.chain.port import Chain, Quote
from shared.errors import MissingError
from shared.quant.implied_volatility import implied_volatility
from shared.quant.option import CALL, PUT, Terms, value
from shared.quant.strategy import Offer

LEAST_STRIKES = 5


@dataclass(frozen=True, slots=True)
class Surface:
    """A chain, read.

    Attributes
    ----------
    forward : float
        US dollars per share.
    volatility : float
        At the forward, between the two strikes around it; fraction per year.
    offers : tuple of Offer
        Contracts of the strikes that imply a volatility.
    dropped : int
        Quotes that the source dropped, and those of strikes that imply none.
    """

    chain: Chain
    forward: float
    volatility: float
    offers: tuple[Offer, ...]
    dropped: int


def read_surface(chain: Chain) -> Surface:
    """Read a chain.

    Raises
    ------
    MissingError
        It has expired, or fewer than five strikes imply a volatility.

    Notes
    -----
    A strike's volatility is that of its option out of the money, from the middle of bid and ask: there the right to
    exercise early is worth next to nothing and a European formula holds for an American option.
    """
    if chain.expires_at - chain.quoted_at < timedelta(days=1):
        raise MissingError(f"the options of {chain.symbol} expire at {chain.expires_at:%Y-%m-%d %H:%M} UTC")
    forward = chain.spot * exp((chain.rate - chain.dividend_yield) * chain.years)
    volatilities = _volatilities(chain, forward)
    if len(volatilities) < LEAST_STRIKES:
        raise MissingError(
            f"{len(volatilities)} strikes on {chain.symbol} are quoted well enough, {LEAST_STRIKES} are needed"
        )
    offers = _offers(chain, volatilities)
    dropped = chain.dropped + len(chain.quotes) - len(offers)
    return Surface(chain, forward, _at(forward, volatilities), offers, dropped)


def _volatilities(chain: Chain, forward: float) -> dict[float, float]:
    found: dict[float, float] = {}
    for quote in sorted(chain.quotes, key=lambda quote: quote.strike):
        if (quote.kind == "call") == (quote.strike >= forward):
            implied = implied_volatility(
                _sign(quote), quote.middle, chain.spot, quote.strike, chain.years, chain.rate, chain.dividend_yield
            )
            if implied.volatility is not None:
                found[quote.strike] = implied.volatility
    return found


def _offers(chain: Chain, volatilities: dict[float, float]) -> tuple[Offer, ...]:
    quotes = [quote for quote in chain.quotes if quote.strike in volatilities]
    signs, strikes = np.array([_sign(quote) for quote in quotes]), np.array([quote.strike for quote in quotes])
    implied = np.array([volatilities[quote.strike] for quote in quotes])
    deltas = value(Terms(signs, chain.spot, strikes, chain.years, chain.rate, chain.dividend_yield, implied)).delta
    return tuple(
        Offer(quote.kind, quote.strike, quote.bid, quote.ask, volatilities[quote.strike], delta)
        for quote, delta in zip(quotes, deltas.tolist(), strict=True)
    )


def _at(forward: float, volatilities: dict[float, float]) -> float:
    return float(np.interp(forward, list(volatilities), list(volatilities.values())))


def _sign(quote: Quote) -> float:
    return CALL if quote.kind == "call" else PUT

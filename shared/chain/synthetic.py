"""An option chain made from a share's own closes, where no market's is to be had: it says that it is synthetic.

What it assumes: the volatility at the money is the realised one to expect until the expiry, times `PREMIUM`; away from
the money it follows a fixed smile in standard deviations; contracts are European and worth their formula; there are no
dividends, because the recorded closes are adjusted for them; bid and ask lie `HALF_SPREAD` apart from it.

References
----------
.. [1] Carr, Wu, Variance risk premiums (2009): implied variance lies above what is realised.
.. [2] Bakshi, Kapadia, Madan, Stock return characteristics, skew laws, and the differential pricing of individual
   equity options (2003): the slope of single stocks' smiles.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil, exp, floor, sqrt
from typing import TYPE_CHECKING

from shared.chain.expiry import monthly_expiry
from shared.chain.history import HISTORY_BARS, check_closes, span_years
from shared.chain.port import RATE, Chain, Quote
from shared.projections.bar import BarHistory, Closes

if TYPE_CHECKING:
    from shared.quant.option import Floats

PREMIUM = 1.1
SKEW, CURVATURE = -0.06, 0.02
"""Share of the volatility at the money by which it changes per standard deviation, and per its square."""
HALF_SPREAD, HALF_TICK = 0.015, 0.01
"""A share of the price, and US dollars on top of it."""

_WIDTH, _WIDEST, _MOST_STRIKES = 2.5, 2.0, 31
_STEPS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class SyntheticChainSource:
    """A `ChainSource` over the bars that the desk knows, the same for the same bars."""

    bars: BarHistory

    async def read(self, symbol: str, as_of: datetime, horizon_days: int) -> Chain:
        """Give the chain of the monthly expiry nearest to so many days from `as_of`.

        Raises
        ------
        MissingError
            The closes known at `as_of` are too few, too old, of days too close together, or never moved.
        """
        closes = await self.bars.closes(symbol, as_of, limit=HISTORY_BARS)
        check_closes(symbol, closes, as_of)
        expires_at = monthly_expiry(as_of, horizon_days)
        years = Chain(symbol, "synthetic", as_of, expires_at, closes.last, RATE, 0.0, ()).years
        quotes = _quotes(closes.last, years, at_the_money(closes, years))
        return Chain(symbol, "synthetic", as_of, expires_at, closes.last, RATE, 0.0, quotes)


def at_the_money(closes: Closes, years: float) -> float:
    """Give the volatility that the chain has at the forward, a fraction per year."""
    from shared.quant.realised_volatility import expected_volatility, realised

    return PREMIUM * expected_volatility(realised(closes.prices, span_years(closes)), years)


def smile(strikes: "Floats", forward: float, spread: float) -> "Floats":
    """Give each strike's volatility as a multiple of that at the forward; it stays level beyond the chain's ends."""
    import numpy as np

    deviations = np.clip(np.log(strikes / forward) / spread, -_WIDTH, _WIDTH)
    return np.asarray(1.0 + SKEW * deviations + CURVATURE * deviations**2, dtype=np.float64)


def _quotes(spot: float, years: float, volatility: float) -> tuple[Quote, ...]:
    import numpy as np

    from shared.quant.option import CALL, PUT, Terms, value

    spread = volatility * sqrt(years)
    strikes = np.array(_strikes(spot, spread))
    smiled = volatility * smile(strikes, spot * exp(RATE * years), spread)
    priced = [value(Terms(sign, spot, strikes, years, RATE, 0.0, smiled)).price.tolist() for sign in (CALL, PUT)]
    both = zip(strikes.tolist(), *priced, strict=True)
    made = [
        _quote(kind, strike, price) for strike, *pair in both for kind, price in zip(("call", "put"), pair, strict=True)
    ]
    return tuple(quote for quote in made if quote.bid > 0)


def _quote(kind: str, strike: float, price: float) -> Quote:
    half = HALF_SPREAD * price + HALF_TICK
    return Quote(
        "call" if kind == "call" else "put", strike, floor((price - half) * 100) / 100, ceil((price + half) * 100) / 100
    )


def _strikes(spot: float, spread: float) -> list[float]:
    reach = exp(_WIDTH * min(spread, _WIDEST))
    low, high = spot / reach, spot * reach
    step = next((step for step in _STEPS if (high - low) / step < _MOST_STRIKES), (high - low) / _MOST_STRIKES)
    return [round(step * place, 10) for place in range(max(1, ceil(low / step)), floor(high / step) + 1)]

"""QuantLib as an independent oracle of option prices and greeks."""

import QuantLib as ql  # noqa: N813 - as its own examples do

TODAY = ql.Date(2, 1, 2008)
_DAYS = ql.Actual365Fixed()


def european(
    sign: float, spot: float, strike: float, days: int, rate: float, dividend_yield: float, volatility: float
) -> dict[str, float]:
    """Give the price and the greeks that QuantLib has, by name."""
    option = ql.VanillaOption(_payoff(sign, strike), ql.EuropeanExercise(TODAY + days))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(_process(spot, rate, dividend_yield, volatility)))
    return {
        "price": option.NPV(),
        "delta": option.delta(),
        "gamma": option.gamma(),
        "vega": option.vega(),
        "theta": option.theta(),
        "rho": option.rho(),
    }


def american(
    sign: float, spot: float, strike: float, days: int, rate: float, dividend_yield: float, volatility: float
) -> float:
    """Give QuantLib's price by an integral equation, good to some 1e-7 and no tree at all."""
    option = ql.VanillaOption(_payoff(sign, strike), ql.AmericanExercise(TODAY, TODAY + days))
    process = _process(spot, rate, dividend_yield, volatility)
    option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.highPrecisionScheme()))
    return float(option.NPV())


def _payoff(sign: float, strike: float) -> ql.PlainVanillaPayoff:
    return ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)


def _process(spot: float, rate: float, dividend_yield: float, volatility: float) -> ql.BlackScholesMertonProcess:
    ql.Settings.instance().evaluationDate = TODAY
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, dividend_yield, _DAYS)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, rate, _DAYS)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), volatility, _DAYS)),
    )

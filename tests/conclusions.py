"""One example of each event that an agent concludes of prices, news, portfolios and options, with all it can hold."""

from shared.events.envelope import Event
from shared.events.forecast import Forecast, ForecastModel, ForecastPublished, Forecasts, HorizonForecast
from shared.events.market import Analysis, AnalysisCompleted, Crash, MarketCrashDetected, MarketWhaleDetected, Whale
from shared.events.news import HeadlineScore, Regulation, RegulationChanged, Sentiment, SentimentScored
from shared.events.options import (
    ChainRead,
    Climate,
    NetGreeks,
    OptionLeg,
    OptionsSuggested,
    OptionsSuggestion,
    OptionStrategy,
    PayoffPoint,
    RejectedStrategy,
)
from shared.events.portfolio import RiskAssessed, RiskAssessment, RiskBreach
from shared.events.rebalance import (
    Alternative,
    Outlook,
    Rebalance,
    RebalanceOrder,
    RebalanceSuggested,
    ViewContribution,
)
from shared.events.trade import Evidence
from tests.builders import CLOSE, DAY, a_headline, a_portfolio, an_options_request, market_data

EVIDENCE = (Evidence(name="close", value=1.5, unit="USD", event="e-1"), Evidence(name="headline", value="Up"))
CONCLUSIONS: tuple[Event, ...] = (
    AnalysisCompleted.caused_by(
        market_data(),
        source="market_analyst",
        data=Analysis(
            symbol="AAPL",
            closed_at=CLOSE,
            close=1 / 3,
            trend="up",
            view=0.1,
            confidence=0.9,
            regime="high_volatility",
            indicators={"rsi_14": 2 / 3},
            moved_by=("rsi_14",),
        ),
    ),
    MarketCrashDetected.caused_by(
        market_data(),
        source="market_analyst",
        data=Crash(
            symbol="MARKET",
            kind="breadth",
            severity="severe",
            closed_at=CLOSE,
            fall=0.07,
            threshold=0.04,
            symbols=("AAPL", "IBM"),
            of=3,
        ),
    ),
    MarketWhaleDetected.caused_by(
        market_data(),
        source="market_analyst",
        data=Whale(
            symbol="AAPL",
            closed_at=CLOSE,
            side="selling",
            volume=5e9,
            usual_volume=1e9 / 3,
            surprise=4.2,
            change=-0.03,
            impact=-1.5,
        ),
    ),
    RegulationChanged.caused_by(
        a_headline(),
        source="sentiment_tracker",
        data=Regulation(authority="SEC", action="ban", headline="SEC bans ✓", news="n-1", symbols=("AAPL",)),
    ),
    ForecastPublished.caused_by(
        market_data(),
        source="oracle",
        data=Forecasts(
            forecasts=(
                Forecast(
                    symbol="AAPL",
                    prices_as_of=CLOSE,
                    close=1 / 3,
                    horizons=(
                        HorizonForecast(
                            days=21,
                            mean=0.01,
                            deviation=0.08,
                            quantiles={"0.05": -0.11, "0.95": 2 / 15},
                            probability_of_loss=0.4,
                            expected_shortfall_95=0.17,
                        ),
                    ),
                    model=ForecastModel(
                        alpha=0.05,
                        beta=0.93,
                        drift=0.0001,
                        volatility=0.02,
                        long_run_volatility=0.015,
                        observations=250,
                        paths=2_000,
                    ),
                    evidence=("e-1",),
                ),
            )
        ),
    ),
    SentimentScored.caused_by(
        a_headline(),
        source="sentiment_tracker",
        data=Sentiment(
            symbol="AAPL",
            score=-0.1,
            confidence=0.3,
            weight=1.7,
            half_life_hours=72,
            headlines=(HeadlineScore(event="n-1", headline="Up ✓ 😀", score=0.5, weight=0.7, reading="r-1"),),
        ),
    ),
    RiskAssessed.caused_by(
        a_portfolio(),
        source="risk_manager",
        data=RiskAssessment(
            portfolio="main",
            value=1e6 / 7,
            weights={"AAPL": 0.4},
            measures={"ewma_var_95": 1e-300},
            observations=250,
            prices_as_of=CLOSE,
            breaches=(RiskBreach(limit="max_weight:AAPL", value=0.4, allowed=0.3),),
            unpriced=("XYZ",),
            marginal_var_95={"AAPL": -0.01},
            component_var_95={"AAPL": -0.004},
            days_to_liquidate={"AAPL": 0.5},
            stress={"autumn_2008": 0.18},
        ),
    ),
    RebalanceSuggested.caused_by(
        a_portfolio(),
        source="portfolio_optimizer",
        data=Rebalance(
            portfolio="main",
            rationale="1 order.",
            value=1e6 / 7,
            prices_as_of=CLOSE,
            orders=(
                RebalanceOrder(
                    symbol="AAPL", side="sell", quantity=3, price=1 / 3, weight_before=0.5, weight_after=0.4
                ),
            ),
            before=Outlook(expected_return=0.01, volatility=0.05, cash=0),
            after=Outlook(expected_return=-0.01, volatility=0, cash=0.1),
            cost=0.0001,
            views=(
                ViewContribution(
                    agent="oracle", symbol="AAPL", expected_return=0.02, confidence=0.3, contribution=0.006, event="e-1"
                ),
            ),
            alternatives=(Alternative(objective="risk_parity", weights={"AAPL": 0.9}, volatility=0.04),),
            evidence=EVIDENCE,
        ),
    ),
    OptionsSuggested.caused_by(
        an_options_request(),
        source="options_strategist",
        data=OptionsSuggestion(
            symbol="AAPL",
            rationale="Up.",
            suggested=OptionStrategy(
                strategy="covered_call",
                contracts=1,
                legs=(
                    OptionLeg(kind="stock", shares=100, price=100),
                    OptionLeg(
                        kind="call",
                        shares=-100,
                        price=2,
                        strike=105,
                        implied_volatility=0.3,
                        delta=0.3,
                        early_exercise=0,
                    ),
                ),
                net_premium=-200,
                max_gain=700,
                max_loss=9_800,
                risk=0,
                break_evens=(98,),
                probability_of_profit=0.6,
                expected_profit=1 / 3,
                greeks=NetGreeks(delta=70, gamma=-3, theta_per_day=4, vega_per_point=-10, rho_per_point=-3),
                payoff=(PayoffPoint(price=0, profit=-9_800),),
            ),
            view=0.5,
            view_of="request",
            climate=Climate(regime="fair", implied=0.3, realised=0.28, expected=0.27, percentile=0.5),
            chain=ChainRead(
                origin="synthetic",
                quoted_at=CLOSE,
                expires_at=CLOSE + 30 * DAY,
                spot=100,
                rate=0.03,
                dividend_yield=0,
                quotes=40,
                dropped=0,
            ),
            rejected=(RejectedStrategy(strategy="collar", reason="It suits a fall."),),
            evidence=EVIDENCE,
        ),
    ),
)

"""Events in plain sentences made from their numbers, for whoever answers questions or explains a decision.

Foreign text, which is headlines and their kin, is quoted and cut; it never becomes anything but text.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.events.envelope import Event
from shared.events.forecast import Forecast, ForecastPublished
from shared.events.market import MARKET, AnalysisCompleted, MarketCrashDetected, MarketDataReceived, MarketWhaleDetected
from shared.events.news import NewsReceived, RegulationChanged, SentimentScored
from shared.events.options import OptionsSuggested
from shared.events.portfolio import PortfolioChanged, RiskAssessed
from shared.events.rebalance import RebalanceSuggested
from shared.events.trade import (
    ConsensusReached,
    OpinionFormed,
    OpinionGraded,
    TradeDeadlineReached,
    TradeRequested,
    Vote,
)
from shared.memory.memory import Memory

_QUOTED_CHARS = 200
_HARMLESS = str.maketrans('"[]', "'()")
_REASON_CHARS = 600
_SHOWN = 3


def sentence(event: Event, symbol: str | None = None) -> str:
    """Give what an event says in a sentence; of one about many symbols what it says of `symbol`, where that is given.

    An event whose kind has no sentence of its own is told by its type and time.
    """
    told = _SENTENCES.get(type(event))
    return f"{event.type} at {event.time:%Y-%m-%d %H:%M} UTC." if told is None else str(told(event, symbol))


def quoted(text: str) -> str:
    """Give foreign text on one line, between quotation marks, cut to 200 characters."""
    # Nor may it end its own quotation, or look like a number that points to a finding.
    line = " ".join(text.split()).translate(_HARMLESS)
    return f'"{line}"' if len(line) <= _QUOTED_CHARS else f'"{line[: _QUOTED_CHARS - 1]}…"'


def vote(of: Vote) -> str:
    """Give how the consensus counted a vote."""
    if of.abstained is not None:
        return f"{of.agent} abstained: {_clause(of.abstained)}."
    veto = f", and vetoed: {_clause(of.veto)}" if of.veto else ""
    return f"{of.agent} voted {of.stance:+.2f} at confidence {of.confidence:.2f}, weighing {of.weight:.2f}{veto}."


def remembered(memory: Memory) -> str:
    """Give what an agent concluded before, and how it turned out where that was known."""
    outcome = memory.outcome
    turned = f"; after {outcome.horizon_days} days it was {'right' if outcome.hit else 'wrong'}" if outcome else ""
    return (
        f"On {memory.known_at:%Y-%m-%d} {memory.agent} voted {memory.stance:+.2f} on a {memory.side} of {memory.symbol}"
        f" at confidence {memory.confidence:.2f}{turned}."
    )


def _bars(event: MarketDataReceived, symbol: str | None) -> str:
    bars = [bar for bar in event.data.bars if symbol in (None, bar.symbol)]
    closes = ", ".join(f"{bar.symbol} {bar.close:,.2f} USD" for bar in bars[:_SHOWN])
    more = f" and {len(bars) - _SHOWN} more" if len(bars) > _SHOWN else ""
    return f"Closes of {event.time:%Y-%m-%d} ({event.data.interval} bars): {closes or 'of other symbols'}{more}."


def _analysis(event: AnalysisCompleted, _symbol: str | None) -> str:
    said = event.data
    regime = f", in a regime of {said.regime.replace('_', ' ')}" if said.regime else ""
    return (
        f"The market analyst saw {said.symbol} trending {said.trend} on {said.closed_at:%Y-%m-%d} at {said.close:,.2f}"
        f" USD: view {said.view:+.2f} (-1 down, +1 up), confidence {said.confidence:.2f}{regime}."
    )


def _crash(event: MarketCrashDetected, _symbol: str | None) -> str:
    said = event.data
    how = {
        "drop": f"{said.symbol} fell {said.fall:.1%} in one bar",
        "drawdown": f"{said.symbol} stood {said.fall:.1%} under its high of the year",
        "breadth": f"{len(said.symbols)} of {said.of} symbols fell at once, by {said.fall:.1%} on average",
    }[said.kind]
    return f"On {said.closed_at:%Y-%m-%d} {how}: a crash, {said.severity} (from {said.threshold:.1%} on)."


def _whale(event: MarketWhaleDetected, _symbol: str | None) -> str:
    said = event.data
    times = f"{said.volume / said.usual_volume:.1f} times the usual" if said.usual_volume else "with none usual"
    return (
        f"On {said.closed_at:%Y-%m-%d} {said.volume:,.0f} shares of {said.symbol} were traded, {times}; the price moved"
        f" {said.change:+.1%} ({said.side})."
    )


def _forecast(event: ForecastPublished, symbol: str | None) -> str:
    found = [each for each in event.data.forecasts if symbol in (None, each.symbol)]
    told = " ".join(_one_forecast(each) for each in found[:_SHOWN])
    return told or f"The oracle published forecasts on {event.time:%Y-%m-%d}, none of them of {symbol}."


def _one_forecast(said: Forecast) -> str:
    horizons = "; ".join(
        f"over {each.days} trading day{'s' if each.days > 1 else ''} {each.mean:+.1%} expected, a loss with probability"
        f" {each.probability_of_loss:.0%}, {each.expected_shortfall_95:.1%} lost on average in the worst 5 %"
        for each in said.horizons
    )
    start = f"from {said.close:,.2f} USD on {said.prices_as_of:%Y-%m-%d}"
    return f"The oracle's forecast for {said.symbol} {start}: {horizons}."


def _news(event: NewsReceived, _symbol: str | None) -> str:
    said = event.data
    about = ", ".join(said.symbols[:_SHOWN]) or "the market"
    hindsight = ", written in hindsight" if said.origin == "sample" else ""
    return f"Headline on {about} of {said.published_at:%Y-%m-%d} ({said.origin}{hindsight}): {quoted(said.headline)}."


def _sentiment(event: SentimentScored, _symbol: str | None) -> str:
    said = event.data
    about = "the market" if said.symbol == MARKET else said.symbol
    count = f"{len(said.headlines)} headline{'s' if len(said.headlines) != 1 else ''}"
    return (
        f"Sentiment on {about} was {said.score:+.2f} on {event.time:%Y-%m-%d} (-1 bearish, +1 bullish),"
        f" confidence {said.confidence:.2f}, from {count}."
    )


def _regulation(event: RegulationChanged, _symbol: str | None) -> str:
    said = event.data
    about = ", ".join(said.symbols[:_SHOWN]) or "the market"
    action = said.action.replace("_", " ")
    return f"On {event.time:%Y-%m-%d} {said.authority} acted on {about} ({action}): {quoted(said.headline)}."


def _portfolio(event: PortfolioChanged, _symbol: str | None) -> str:
    said = event.data
    held = ", ".join(f"{each.quantity:,.2f} {each.symbol}" for each in said.positions[:_SHOWN])
    more = f" and {len(said.positions) - _SHOWN} more" if len(said.positions) > _SHOWN else ""
    return (
        f"From {event.time:%Y-%m-%d %H:%M} UTC on portfolio {said.portfolio} held {said.cash:,.2f} USD in cash"
        f"{f' and {held}{more}' if held else ''}."
    )


def _risk(event: RiskAssessed, symbol: str | None) -> str:
    said = event.data
    var, shortfall = said.measures.get("ewma_var_95"), said.measures.get("ewma_es_95")
    measured = (
        "its risk could not be measured"
        if var is None
        else f"one day's 95 % value at risk {var:.2%} of {said.value:,.2f} USD"
        + (f", expected shortfall {shortfall:.2%}" if shortfall is not None else "")
    )
    weight = said.weights.get(symbol) if symbol else None
    share = f"; {symbol} was {weight:.1%} of it" if weight is not None else ""
    if symbol and symbol in said.component_var_95 and var:
        share += f" and {said.component_var_95[symbol] / var:.0%} of that risk"
    found = said.breaches[:_SHOWN]
    passed = "; ".join(f"{each.limit} is {each.value:.3f}, allowed {each.allowed:.3f}" for each in found)
    limits = f"over the limit: {passed}" if passed else "within all limits"
    return f"Portfolio {said.portfolio} on {event.time:%Y-%m-%d}: {measured}{share}; {limits}."


def _rebalance(event: RebalanceSuggested, _symbol: str | None) -> str:
    said = event.data
    head = f"The portfolio optimizer on {event.time:%Y-%m-%d} for {said.portfolio}:"
    if said.abstained is not None:
        return f"{head} nothing, since {_clause(said.abstained)}."
    orders = ", ".join(f"{each.side} {each.quantity:,.2f} {each.symbol}" for each in said.orders[:_SHOWN])
    more = f" and {len(said.orders) - _SHOWN} more orders" if len(said.orders) > _SHOWN else ""
    return f"{head} {orders}{more}."


def _options(event: OptionsSuggested, _symbol: str | None) -> str:
    said = event.data
    head = f"The options strategist on {event.time:%Y-%m-%d} for {said.symbol}:"
    if said.suggested is None:
        return f"{head} nothing, since {_clause(said.abstained or '')}."
    return (
        f"{head} {said.suggested.strategy.replace('_', ' ')}, risking {said.suggested.risk:,.2f} USD, with a"
        f" probability of profit of {said.suggested.probability_of_profit:.0%}."
    )


def _request(event: TradeRequested, _symbol: str | None) -> str:
    said = event.data
    place = f" for portfolio {said.portfolio}" if said.portfolio else ""
    return f"Asked on {event.time:%Y-%m-%d %H:%M} UTC: {said.side} {said.quantity:,.2f} {said.symbol}{place}."


def _opinion(event: OpinionFormed, _symbol: str | None) -> str:
    said = event.data
    if said.abstained is not None:
        return f"{said.agent} abstained: {_clause(said.abstained)}."
    veto = f" It vetoed: {_clause(said.veto)}." if said.veto else ""
    return (
        f"{said.agent} voted {said.stance:+.2f} at confidence {said.confidence:.2f}: {_clause(said.rationale)}.{veto}"
    )


def _consensus(event: ConsensusReached, _symbol: str | None) -> str:
    return f"Decided on {event.data.decided_at:%Y-%m-%d %H:%M} UTC. {_clause(event.data.explanation)}."


def _deadline(event: TradeDeadlineReached, _symbol: str | None) -> str:
    return f"The deadline of the {event.data.step} was reached at {event.time:%Y-%m-%d %H:%M} UTC."


def _grade(event: OpinionGraded, _symbol: str | None) -> str:
    said, overall = event.data, event.data.record.overall
    return (
        f"{said.agent}'s vote to {said.side} {said.symbol} was graded on {event.time:%Y-%m-%d} a"
        f" {'hit' if said.hit else 'miss'}: the trade earned {said.trade_return:+.1%} in {said.horizon_days} days."
        f" It was right in {overall.hits} of {overall.count} by then, with a mean Brier score of {overall.brier:.3f}"
        f" (a coin has 0.25)."
    )


def _clause(text: str) -> str:
    return text.rstrip(".") if len(text) <= _REASON_CHARS else f"{text[: _REASON_CHARS - 1]}…"


_SENTENCES: Mapping[type[Event], Callable[[Any, str | None], str]] = {
    MarketDataReceived: _bars,
    AnalysisCompleted: _analysis,
    MarketCrashDetected: _crash,
    MarketWhaleDetected: _whale,
    ForecastPublished: _forecast,
    NewsReceived: _news,
    SentimentScored: _sentiment,
    RegulationChanged: _regulation,
    PortfolioChanged: _portfolio,
    RiskAssessed: _risk,
    RebalanceSuggested: _rebalance,
    OptionsSuggested: _options,
    TradeRequested: _request,
    OpinionFormed: _opinion,
    ConsensusReached: _consensus,
    TradeDeadlineReached: _deadline,
    OpinionGraded: _grade,
}

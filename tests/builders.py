"""Builders: what a test does not care about has a default, and the same arguments always give the same thing.

Ids derive from the arguments as in production, so two calls that differ give two events and the same call twice gives
one. Pass `id` where a test needs to name an event.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.bus.port import Message
from shared.bus.topology import Subscription, Topic, Topology
from shared.events.envelope import Event, derive_id
from shared.events.market import Bar, Interval, MarketData, MarketDataReceived
from shared.events.news import NewsItem, NewsReceived
from shared.events.options import OptionsRequested, OptionsWish
from shared.events.portfolio import Portfolio, PortfolioChanged, Position
from shared.events.question import Question, QuestionAsked
from shared.events.replay import Backtest, ReplayRequested
from shared.events.trade import Deadline, Opinion, OpinionFormed, Trade, TradeDeadlineReached, TradeRequested

CLOSE = datetime(2008, 1, 2, 21, tzinfo=UTC)
"""The first close of 2008 in New York: where a test's desk time begins unless it says otherwise."""

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def a_bar(
    symbol: str = "AAPL",
    *,
    close: float = 100.0,
    closed_at: datetime = CLOSE,
    open: float | None = None,
    high: float | None = None,
    low: float | None = None,
    volume: float = 1_000.0,
) -> Bar:
    """Give a bar; what is left out follows from `open` and `close`."""
    opened = close if open is None else open
    return Bar(
        symbol=symbol,
        closed_at=closed_at,
        open=opened,
        high=max(opened, close) if high is None else high,
        low=min(opened, close) if low is None else low,
        close=close,
        volume=volume,
    )


def market_data(
    *bars: Bar,
    interval: Interval = "1Day",
    stream: str = "market-0",
    time: datetime | None = None,
    id: str | None = None,
    run: str = "",
) -> MarketDataReceived:
    """Give the event of one interval's bars; it happens when the first of them closes."""
    data = MarketData(interval=interval, bars=bars or (a_bar(),))
    event_id = id or derive_id(stream, data.model_dump_json())
    moment = time or data.bars[0].closed_at
    event = MarketDataReceived.first(id=event_id, source="ingest", stream=stream, time=moment, data=data)
    return in_run(event, run)


def a_headline(
    headline: str = "Apple ships more phones than expected",
    *,
    symbols: Iterable[str] = ("AAPL",),
    time: datetime = CLOSE,
    vendor_id: str | None = None,
    summary: str = "",
    origin: str = "sample",
) -> NewsReceived:
    """Give the event of a headline that is published at `time`."""
    item = NewsItem(
        vendor_id=vendor_id or derive_id("headline", headline),
        headline=headline,
        summary=summary,
        symbols=tuple(symbols),
        published_at=time,
        origin=origin,
    )
    event_id = derive_id("news", item.origin, item.vendor_id)
    return NewsReceived.first(id=event_id, source="ingest", stream="news", time=time, data=item)


def a_portfolio(
    name: str = "main",
    holdings: Mapping[str, float] | None = None,
    *,
    cash: float = 10_000.0,
    time: datetime = CLOSE,
    id: str | None = None,
    run: str = "",
) -> PortfolioChanged:
    """Give the event of a portfolio that now holds so many shares of each symbol."""
    held = {"AAPL": 10.0} if holdings is None else holdings
    positions = tuple(Position(symbol=symbol, quantity=quantity) for symbol, quantity in held.items())
    data = Portfolio(portfolio=name, cash=cash, positions=positions)
    stream = f"portfolio-{name}"
    event_id = id or derive_id(stream, data.model_dump_json(), time.isoformat())
    return in_run(PortfolioChanged.first(id=event_id, source="api", stream=stream, time=time, data=data), run)


def a_trade_request(
    symbol: str = "AAPL",
    side: Literal["buy", "sell"] = "buy",
    quantity: float = 10.0,
    *,
    portfolio: str | None = None,
    time: datetime = CLOSE,
    id: str | None = None,
    stream: str | None = None,
    run: str = "",
) -> TradeRequested:
    """Give the event by which somebody asks whether to trade."""
    data = Trade(symbol=symbol, side=side, quantity=quantity, portfolio=portfolio)
    event_id = id or derive_id("trade", data.model_dump_json(), time.isoformat())
    event = TradeRequested.first(id=event_id, source="api", stream=stream or f"trade-{event_id}", time=time, data=data)
    return in_run(event, run)


def an_options_request(
    symbol: str = "AAPL",
    *,
    view: float | None = 0.5,
    horizon_days: int = 30,
    risk_budget: float = 2_000.0,
    portfolio: str | None = None,
    time: datetime = CLOSE,
) -> OptionsRequested:
    """Give the event by which somebody asks for an option strategy."""
    data = OptionsWish(
        symbol=symbol, view=view, horizon_days=horizon_days, risk_budget=risk_budget, portfolio=portfolio
    )
    event_id = derive_id("options", data.model_dump_json(), time.isoformat())
    return OptionsRequested.first(id=event_id, source="api", stream=f"options-{event_id}", time=time, data=data)


def a_question(text: str = "What is the forecast of Apple?", *, time: datetime = CLOSE) -> QuestionAsked:
    """Give the event by which somebody asks the desk something."""
    event_id = derive_id("question", text, time.isoformat())
    return QuestionAsked.first(
        id=event_id, source="api", stream=f"question-{event_id}", time=time, data=Question(text=text)
    )


def an_opinion(
    request: TradeRequested | None = None,
    *,
    agent: str = "market-analyst",
    stance: float = 0.5,
    confidence: float = 0.8,
    rationale: str = "The trend points up.",
    veto: str | None = None,
    abstained: str | None = None,
    time: datetime | None = None,
) -> OpinionFormed:
    """Give an agent's vote on a trade request."""
    cause = request or a_trade_request()
    data = Opinion(
        step="trade",
        trigger=cause.id,
        agent=agent,
        stance=0.0 if abstained else stance,
        confidence=0.0 if abstained else confidence,
        rationale=rationale,
        veto=veto,
        abstained=abstained,
    )
    return OpinionFormed.caused_by(cause, source=agent, data=data, time=time)


def a_deadline(request: TradeRequested | None = None, *, after: timedelta = 30 * SECOND) -> TradeDeadlineReached:
    """Give the event that ends the patience with a trade request."""
    cause = request or a_trade_request()
    data = Deadline(step="trade", trigger=cause.id)
    return TradeDeadlineReached.caused_by(cause, source="consensus", data=data, time=cause.time + after)


def altered[E: Event](event: E, **changes: object) -> E:
    """Give the event with other attributes, validated anew.

    `model_copy` would keep the JSON that an event remembers once it was asked for it.
    """
    return type(event).model_validate({**event.model_dump(), **changes})


def in_run[E: Event](event: E, run: str) -> E:
    """Give the event as one of a replay; an empty `run` leaves it as it is."""
    return altered(event, run=run) if run else event


def a_message(
    id: str = "message-1",
    *,
    attempt: int = 0,
    topic: str = "events",
    subject: str = "trade.requested",
    body: bytes = b"{}",
    session: str | None = None,
    deliver_at: datetime | None = None,
    correlation: str = "story-1",
) -> Message:
    """Give a message whose id is `<id>:<attempt>`."""
    return Message(f"{id}:{attempt}", topic, subject, body, correlation, session, deliver_at)


def a_topic(name: str = "events", *, sessions: bool = False, **subscriptions: Iterable[str]) -> Topic:
    """Give a topic; each further keyword names a subscription and the subjects that it wants."""
    return Topic(
        name=name,
        requires_session=sessions,
        subscriptions=tuple(Subscription(name=name, subjects=tuple(wants)) for name, wants in subscriptions.items()),
    )


def a_topology(
    *topics: Topic, lock_seconds: float = 60.0, max_delivery_count: int = 3, duplicate_detection_seconds: float = 600.0
) -> Topology:
    """Give a topology."""
    return Topology(
        lock_seconds=lock_seconds,
        max_delivery_count=max_delivery_count,
        duplicate_detection_seconds=duplicate_detection_seconds,
        topics=topics,
    )


def a_replay_request(**asked: object) -> ReplayRequested:
    """Give the event by which somebody asks for a backtest: a week of one symbol, unless said otherwise."""
    week = {"symbols": ("AAPL",), "first_day": "2008-01-02", "last_day": "2008-01-08", "lookback_days": 10}
    data = Backtest.model_validate(week | asked)
    event_id = derive_id("replay", data.model_dump_json())
    return ReplayRequested.first(id=event_id, source="api", stream=f"replay-{event_id}", time=CLOSE, data=data)

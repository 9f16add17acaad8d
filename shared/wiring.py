"""The composition root: the only place that names adapters. Everything is built at first use, nothing at import."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from shared.agents import market_analyst, risk_manager, sentiment_tracker
from shared.agents.market_analyst import AnalystDeps, AnalystState
from shared.agents.own_state import OwnState
from shared.agents.registry import STATES, handlers
from shared.agents.risk_manager import RiskDeps, RiskLimits
from shared.agents.sentiment_tracker import SentimentDeps, SentimentState
from shared.agents.step import CONSENSUS, StepDeps
from shared.bus import sqlite as sqlite_bus
from shared.bus.sqlite import SqliteEventBus
from shared.bus.topology import topology
from shared.clock import Clock, FeedClock, WallClock
from shared.errors import InvalidError
from shared.ingest import Ingest
from shared.market.port import MarketSource
from shared.projections import sqlite as sqlite_projections
from shared.projections.bar import BarHistory
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.projections.sqlite import SqliteProjectionStore
from shared.projections.view import Views
from shared.queries import Queries
from shared.runtime import Role, Runtime
from shared.settings import Settings
from shared.settlement.sqlite import SqliteSettlement
from shared.sqlite import Database
from shared.store import sqlite as sqlite_store
from shared.store.sqlite import SqliteEventStore
from shared.sweep import Sweep
from shared.watchlist import Watchlist


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk, put together: what the functions call.

    Attributes
    ----------
    close : callable
        Lets go of what it holds open; called once, when the host stops.
    """

    settings: Settings
    clock: Clock
    watchlist: Watchlist
    store: SqliteEventStore
    bus: SqliteEventBus
    runtime: Runtime
    projector: Projector
    ingest: Ingest
    sweep: Sweep
    portfolios: Portfolios
    queries: Queries
    database: Database
    close: Callable[[], None] = field(repr=False)


@cache
def desk() -> Desk:
    """Give this process's desk, built from the environment at the first call.

    Raises
    ------
    InvalidError
        A setting is malformed, or another host uses the data folder.
    """
    return build(Settings.from_env())


def build(settings: Settings) -> Desk:
    """Put together an embedded desk on the file that the settings name."""
    database = Database(settings.file, (sqlite_store.SCHEMA, sqlite_bus.SCHEMA, sqlite_projections.SCHEMA))
    store = SqliteEventStore(database)
    opened_at = _opening(settings, store)
    clock: Clock = WallClock() if settings.is_live else FeedClock(opened_at, settings.speed)
    bus = SqliteEventBus(database, topology(), clock)
    projections = SqliteProjectionStore(database)
    bars, portfolios = BarHistory(projections, settings.interval), Portfolios(projections, store)
    watchlist = Watchlist(settings.symbols)
    step_deps = StepDeps(pace=clock.pace, patience_seconds=settings.deadline_seconds)
    deps: dict[str, object] = {
        market_analyst.NAME: AnalystDeps(bars, OwnState(store, market_analyst.NAME, AnalystState), watchlist),
        risk_manager.NAME: RiskDeps(bars, portfolios, RiskLimits(settings.max_weight, settings.max_var_95)),
        sentiment_tracker.NAME: SentimentDeps(OwnState(store, sentiment_tracker.NAME, SentimentState)),
        CONSENSUS: step_deps,
    }
    roles = {name: Role(name, state, handlers(name), deps[name]) for name, state in STATES.items()}
    runtime = Runtime(store, bus, SqliteSettlement(database, store, bus), clock, roles)
    ingest = Ingest(
        source=_source(settings),
        clock=clock,
        emit=runtime.emit,
        store=store,
        bars=bars,
        watchlist=watchlist,
        interval=settings.interval,
        opened_at=opened_at,
        lookback=timedelta(days=settings.lookback_days),
    )
    feed = "alpaca" if settings.is_live else "recorded"
    queries = Queries(store, bus, clock, bars, portfolios, Views(projections), ingest, topology(), step_deps, feed)
    return Desk(
        settings=settings,
        clock=clock,
        watchlist=watchlist,
        store=store,
        bus=bus,
        runtime=runtime,
        projector=Projector(projections, store),
        ingest=ingest,
        sweep=Sweep(store, bus, clock, runtime, topology(), step_deps, frozenset(roles)),
        portfolios=portfolios,
        queries=queries,
        database=database,
        close=database.close,
    )


def _opening(settings: Settings, store: SqliteEventStore) -> datetime:
    """The desk time at which this desk opens: now when live, else where the recorded feed starts or was left."""
    if settings.is_live:
        return WallClock().now()
    return max(settings.feed_start, store.last_time() or settings.feed_start)


def _recording(settings: Settings) -> MarketSource:
    from shared.market import recorded  # a deployed desk does not ship the recording

    unknown = [symbol for symbol in settings.symbols if symbol not in recorded.SYMBOLS]
    if unknown:
        raise InvalidError(
            f"FINAGENT_SYMBOLS: {', '.join(unknown)} not in the recording of {', '.join(recorded.SYMBOLS)}"
        )
    if settings.interval != "1Day":
        raise InvalidError("FINAGENT_INTERVAL: the recording has bars of 1Day only")
    if not recorded.FIRST_DAY <= settings.start <= recorded.LAST_DAY:
        raise InvalidError(f"FINAGENT_START: the recording runs from {recorded.FIRST_DAY} to {recorded.LAST_DAY}")
    return recorded.RecordedMarketSource()


def _source(settings: Settings) -> MarketSource:
    if settings.alpaca_api_key is None or settings.alpaca_secret_key is None:
        return _recording(settings)
    from shared.market.alpaca import AlpacaMarketSource

    return AlpacaMarketSource(
        key=settings.alpaca_api_key.get_secret_value(),
        secret=settings.alpaca_secret_key.get_secret_value(),
        feed=settings.alpaca_feed,
        data_url=settings.alpaca_data_url,
        trading_url=settings.alpaca_trading_url,
    )

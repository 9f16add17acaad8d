"""The composition root: the only place that names adapters. Everything is built at first use, nothing at import."""

from collections import ChainMap
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from shared.agents import (
    market_analyst,
    options_strategist,
    oracle,
    portfolio_optimizer,
    risk_manager,
    sentiment_tracker,
)
from shared.agents.market_analyst import AnalystDeps, AnalystState
from shared.agents.options_strategist import OptionsDeps
from shared.agents.oracle import OracleDeps
from shared.agents.own_state import OwnState
from shared.agents.portfolio_optimizer import OptimizerDeps
from shared.agents.rebalance_plan import Limits
from shared.agents.registry import STATES, STEPS, handlers
from shared.agents.risk_manager import RiskDeps
from shared.agents.risk_measure import RiskLimits
from shared.agents.sentiment_tracker import SentimentDeps, SentimentState
from shared.agents.step import CONSENSUS, StepDeps
from shared.bus.port import HostedBus
from shared.bus.topology import agent_of, topology
from shared.callers.authority import Authority, EntraAuthority, KeyAuthority
from shared.callers.bucket import Buckets
from shared.callers.platform import ON_A_MACHINE, Platform
from shared.callers.port import KeyRing
from shared.chain.port import ChainSource
from shared.clock import Clock
from shared.costs import PriceTable
from shared.engine import azure, embedded
from shared.errors import InvalidError
from shared.events.trade import OpinionFormed
from shared.grading import Grading
from shared.ingest import Ingest, Status
from shared.ledger.book import Book
from shared.market.port import MarketSource
from shared.projections.bar import BarHistory
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.projections.record import Records
from shared.projections.view import Views
from shared.queries import Queries
from shared.runtime import Role, Runtime
from shared.settings import Settings
from shared.settlement.observed import ObservedSettlement
from shared.settlement.port import Settlement
from shared.sqlite import Database
from shared.store.port import EventStore
from shared.sweep import Sweep
from shared.telemetry.none import OFF
from shared.telemetry.port import Telemetry
from shared.vitals import SWEEP, Vitals
from shared.watchlist import Watchlist


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk, put together: what the functions call.

    Attributes
    ----------
    authority : Authority or None
        Who tells callers apart; None where there is one, who is asked nothing.
    database : Database or None
        The file that it lives in; None where it lives in Azure.
    close : callable
        Lets go of what it holds open; awaited once, when the host stops.
    """

    settings: Settings
    clock: Clock
    watchlist: Watchlist
    store: EventStore
    bus: HostedBus
    runtime: Runtime
    projector: Projector
    ingest: Ingest
    sweep: Sweep
    grading: Grading
    portfolios: Portfolios
    queries: Queries
    authority: Authority | None
    buckets: Buckets
    book: Book
    prices: PriceTable
    vitals: Vitals
    telemetry: Telemetry
    database: Database | None
    close: Callable[[], Coroutine[Any, Any, None]] = field(repr=False)


@cache
def desk() -> Desk:
    """Give this process's desk, built from the environment at the first call.

    Raises
    ------
    InvalidError
        A setting is malformed or not safe here, or another host uses the data folder.
    """
    return build(Settings.from_env(), Platform.from_env())


def build(settings: Settings, platform: Platform = ON_A_MACHINE) -> Desk:
    """Put together a desk: in Azure where the settings name a namespace and an account there, else on one file."""
    _check_authority(settings, platform)
    # Before anything is opened: these may refuse the settings.
    source, prices, telemetry = _source(settings), PriceTable.load(settings.prices), _telemetry(settings)
    connection, endpoint = settings.servicebus_connection, settings.cosmos_endpoint
    engine = azure(settings, connection, endpoint) if connection and endpoint else embedded(settings)
    store, bus, clock, projections = engine.store, engine.bus, engine.clock, engine.projections
    bars, portfolios = BarHistory(projections, settings.interval), Portfolios(projections, store)
    watchlist = Watchlist(settings.symbols)
    records, views = Records(projections), Views(projections)
    step_deps = StepDeps(clock.pace, settings.deadline_seconds, records)
    deps: dict[str, object] = {
        market_analyst.NAME: AnalystDeps(bars, OwnState(store, market_analyst.NAME, AnalystState), watchlist),
        risk_manager.NAME: RiskDeps(bars, portfolios, _limits(settings), watchlist.symbols),
        sentiment_tracker.NAME: SentimentDeps(OwnState(store, sentiment_tracker.NAME, SentimentState)),
        options_strategist.NAME: OptionsDeps(_chains(settings, bars), bars, views, portfolios),
        oracle.NAME: OracleDeps(bars, views),
        portfolio_optimizer.NAME: OptimizerDeps(
            bars, portfolios, views, Limits(settings.max_weight, settings.max_var_95)
        ),
        CONSENSUS: step_deps,
    }
    roles = {name: Role(name, state, handlers(name), deps[name]) for name, state in STATES.items()}
    book = Book(engine.ledger, engine.metering, lock_seconds=topology().lock_seconds)
    swept = Status()
    settlement: Settlement = engine.settlement
    if telemetry.enabled:
        settlement = ObservedSettlement(settlement, telemetry)
    runtime = Runtime(store, bus, settlement, clock, roles, book, telemetry=telemetry)
    ingest = Ingest(
        source=source,
        clock=clock,
        emit=runtime.emit,
        store=store,
        bars=bars,
        watchlist=watchlist,
        interval=settings.interval,
        opened_at=engine.opened_at,
        lookback=timedelta(days=settings.lookback_days),
        telemetry=telemetry,
    )
    timers = ChainMap({SWEEP: swept}, ingest.status)
    vitals = Vitals(store, bus, clock, _voters(), settings.deadline_seconds, timers, telemetry)

    async def close() -> None:
        await telemetry.close()
        await book.close()
        await engine.close()

    feed = "alpaca" if settings.is_live else "recorded"
    queries = Queries(store, clock, bars, portfolios, views, vitals, topology(), step_deps, feed)
    return Desk(
        settings=settings,
        clock=clock,
        watchlist=watchlist,
        store=store,
        bus=bus,
        runtime=runtime,
        projector=Projector(projections, store),
        ingest=ingest,
        sweep=Sweep(
            store,
            bus,
            clock,
            runtime,
            topology(),
            step_deps,
            frozenset(roles),
            swept,
            telemetry,
            vitals.measure,
        ),
        grading=Grading(store, clock, runtime, bars, views),
        portfolios=portfolios,
        queries=queries,
        authority=_authority(settings, engine.keys),
        buckets=Buckets(settings.requests_per_second, max(1.0, 2 * settings.requests_per_second)),
        book=book,
        prices=prices,
        vitals=vitals,
        telemetry=telemetry,
        database=engine.database,
        close=close,
    )


def _limits(settings: Settings) -> RiskLimits:
    return RiskLimits(settings.max_weight, settings.max_var_95, settings.max_gross, settings.max_drawdown)


def _check_authority(settings: Settings, platform: Platform) -> None:
    if settings.auth == "none" and platform.is_azure:
        raise InvalidError("FINAGENT_AUTH: none is for one machine; in Azure anybody could call: choose key or entra")
    if settings.auth == "entra" and not platform.signs_in:
        raise InvalidError("FINAGENT_AUTH: entra needs App Service authentication, which is not on here")


def _authority(settings: Settings, ring: KeyRing) -> Authority | None:
    match settings.auth:
        case "none":
            return None
        case "key":
            return KeyAuthority(ring)
        case "entra":
            return EntraAuthority()


def _voters() -> frozenset[str]:
    """Give the subscriptions that a step waits for: those of its judges, and that of the count."""
    known = topology()
    return frozenset(
        name
        for step in STEPS
        for kind in (step.trigger, OpinionFormed)
        for name in known.wanting(kind.topic, kind.name())
        if agent_of(name) in (*step.judges, CONSENSUS)
    )


def _telemetry(settings: Settings) -> Telemetry:
    if (destination := settings.telemetry) is None:
        return OFF
    from shared.telemetry.open_telemetry import open_telemetry

    try:
        return open_telemetry(destination, settings.application_insights)
    except ImportError as error:
        raise InvalidError(f"telemetry to {destination} needs a package that is not installed: {error.name}") from error


def _recording(settings: Settings) -> MarketSource:
    from shared.market import recorded

    if not recorded.is_installed():
        raise InvalidError("ALPACA_API_KEY: without it a desk plays the recording, which is not installed here")
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


def _chains(settings: Settings, bars: BarHistory) -> ChainSource:
    if settings.alpaca_api_key is None or settings.alpaca_secret_key is None:
        from shared.chain.synthetic import SyntheticChainSource

        return SyntheticChainSource(bars)
    from shared.chain.alpaca import AlpacaChainSource

    return AlpacaChainSource(
        key=settings.alpaca_api_key.get_secret_value(),
        secret=settings.alpaca_secret_key.get_secret_value(),
        stock_feed=settings.alpaca_feed,
        data_url=settings.alpaca_data_url,
    )

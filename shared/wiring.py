"""The composition root: the only place that names adapters. Everything is built at first use, nothing at import."""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared.agents import (
    market_analyst,
    narrator,
    options_strategist,
    oracle,
    portfolio_optimizer,
    research_agent,
    risk_manager,
    sentiment_tracker,
)
from shared.agents.market_analyst import AnalystDeps, AnalystState
from shared.agents.narrator import NarratorDeps
from shared.agents.options_strategist import OptionsDeps
from shared.agents.oracle import OracleDeps
from shared.agents.own_state import OwnState
from shared.agents.portfolio_optimizer import OptimizerDeps
from shared.agents.rebalance_plan import Limits
from shared.agents.registry import STATES, STEPS, TRADE, check_agents, promoted
from shared.agents.research_agent import ResearchDeps
from shared.agents.research_evidence import Sources
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
from shared.chain.synthetic import SyntheticChainSource
from shared.clock import Clock
from shared.costs import PriceTable, last_hour
from shared.engine import Engine
from shared.engine import engine as open_engine
from shared.errors import InvalidError
from shared.events.envelope import Event
from shared.events.market import Interval
from shared.events.replay import Backtest
from shared.events.trade import OpinionFormed
from shared.grading import DUE_AFTER, Grading
from shared.ingest import Ingest, Status
from shared.ledger.book import Book
from shared.llm.port import Completer, LanguageModel
from shared.market.port import MarketSource
from shared.memories import desk_memories, replay_memories
from shared.memory.port import Memories, OwnMemory, Recalling
from shared.model import completer, language_model
from shared.projections.bar import BarHistory
from shared.projections.happening import Happenings
from shared.projections.memory import MemoryFold
from shared.projections.port import ProjectionStore
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.projections.record import Records
from shared.projections.view import Views
from shared.queries import Queries
from shared.replay.backtest import Watcher
from shared.replay.cache import CachedMarketSource
from shared.replay.job import perform
from shared.replay.report import Report
from shared.replay.service import NAME as REPLAY
from shared.replay.service import Replays
from shared.replay.shelf import Shelf
from shared.replay.world import Collected, World
from shared.role import roles
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
    memories: Memories
    queries: Queries
    authority: Authority | None
    buckets: Buckets
    book: Book
    prices: PriceTable
    vitals: Vitals
    telemetry: Telemetry
    replays: Replays
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


@dataclass(frozen=True, slots=True)
class _Reads:
    """What agents, timers and queries read through: the log, projections, what they are asked about, whom they ask."""

    store: EventStore
    bars: BarHistory
    portfolios: Portfolios
    views: Views
    happenings: Happenings
    memories: Recalling
    watchlist: Watchlist
    step_deps: StepDeps
    chains: ChainSource
    model: LanguageModel | None


def build(settings: Settings, platform: Platform = ON_A_MACHINE) -> Desk:
    """Put together a desk: in Azure where the settings name a namespace and an account there, else on one file."""
    _check_authority(settings, platform)
    _check_promoted(settings)
    # Before anything is opened: these may refuse the settings.
    source, prices, telemetry = _source(settings), PriceTable.load(settings.prices), _telemetry(settings)
    engine = open_engine(settings)
    server = completer(settings)
    model = language_model(server, settings, engine, prices)
    memories = desk_memories(settings, engine)
    reads = _reads(settings, engine.store, engine.projections, engine.clock.pace, memories, model)
    replays = Replays(partial(_backtest, settings))
    roles = _cast(settings, reads, partial(OwnState, engine.store)) | {REPLAY: replays.role()}
    book = Book(engine.ledger, engine.metering, lock_seconds=engine.topology.lock_seconds)
    runtime = _runtime(engine, roles, book, telemetry)
    ingest = _ingest(settings, engine, reads, source, runtime, telemetry)
    swept = Status()
    timers = ChainMap({SWEEP: swept}, ingest.status)
    patience, spent = settings.deadline_seconds, partial(last_hour, engine.ledger, prices)
    vitals = Vitals(engine.store, engine.bus, engine.clock, _voters(), patience, timers, telemetry, spent)
    return Desk(
        settings=settings,
        clock=engine.clock,
        watchlist=reads.watchlist,
        store=engine.store,
        bus=engine.bus,
        runtime=runtime,
        projector=Projector(engine.projections, engine.store, MemoryFold(memories, engine.store)),
        ingest=ingest,
        sweep=_sweep(engine, reads, runtime, swept, vitals, telemetry),
        grading=Grading(engine.store, engine.clock, runtime, reads.bars, reads.views),
        portfolios=reads.portfolios,
        memories=memories,
        queries=_queries(settings, engine, reads, vitals),
        authority=_authority(settings, engine.keys),
        buckets=Buckets(settings.requests_per_second, max(1.0, 2 * settings.requests_per_second)),
        book=book,
        prices=prices,
        vitals=vitals,
        telemetry=telemetry,
        replays=replays,
        database=engine.database,
        close=partial(_close, telemetry, server, book, replays, memories, engine),
    )


def _reads(
    settings: Settings,
    store: EventStore,
    projections: ProjectionStore,
    pace: float,
    memories: Recalling,
    model: LanguageModel | None = None,
) -> _Reads:
    bars = BarHistory(projections, settings.interval)
    return _Reads(
        store=store,
        bars=bars,
        portfolios=Portfolios(projections, store),
        views=Views(projections),
        happenings=Happenings(projections),
        memories=memories,
        watchlist=Watchlist(settings.symbols),
        step_deps=StepDeps(pace, settings.deadline_seconds, Records(projections)),
        chains=_chains(settings, bars),
        model=model,
    )


def _cast(settings: Settings, reads: _Reads, own: Callable[[str, type[Any]], OwnState[Any]]) -> dict[str, Role]:
    """Give the agents, live or replayed, by their names: a new agent has a line here; `own` reads its states."""
    bars, portfolios, views, watchlist = reads.bars, reads.portfolios, reads.views, reads.watchlist
    mine = {name: OwnMemory(reads.memories, name) for name in TRADE.judges}
    deps: dict[str, object] = {
        market_analyst.NAME: AnalystDeps(
            bars, own(market_analyst.NAME, AnalystState), watchlist, mine[market_analyst.NAME]
        ),
        risk_manager.NAME: RiskDeps(bars, portfolios, _limits(settings), watchlist.symbols, mine[risk_manager.NAME]),
        sentiment_tracker.NAME: SentimentDeps(
            own(sentiment_tracker.NAME, SentimentState), mine[sentiment_tracker.NAME]
        ),
        options_strategist.NAME: OptionsDeps(reads.chains, bars, views, portfolios),
        oracle.NAME: OracleDeps(bars, views, mine[oracle.NAME]),
        portfolio_optimizer.NAME: OptimizerDeps(
            bars, portfolios, views, Limits(settings.max_weight, settings.max_var_95)
        ),
        research_agent.NAME: ResearchDeps(Sources(views, reads.happenings, reads.store), portfolios, watchlist.symbols),
        narrator.NAME: NarratorDeps(reads.model, reads.store),
        CONSENSUS: reads.step_deps,
    }
    return roles(deps, settings.promoted)


def replayed(settings: Settings, world: World) -> dict[str, Role]:
    """Give the agents as they read through a replay's world; what they ask of vendors is what history has."""
    reads = _reads(settings, world.store, world.projections, world.clock.pace, replay_memories(settings, world))
    return _cast(settings, replace(reads, chains=SyntheticChainSource(reads.bars)), world.own)


def backtested(asked: Backtest, world: World) -> tuple[dict[str, Role], Callable[[], Awaitable[Sequence[Event]]]]:
    """Give the agents of a backtest, and the grading of their opinions, which gives what it would emit.

    Raises
    ------
    InvalidError
        There is no such agent.
    """
    limits = {name: getattr(asked, name) for name in ("max_weight", "max_var_95", "max_gross", "max_drawdown")}
    settings = Settings.model_validate(
        {str(Settings.model_fields[name].alias): value for name, value in limits.items()}
        | {"FINAGENT_SYMBOLS": ",".join(asked.symbols), "FINAGENT_INTERVAL": asked.interval}
    )
    cast = replayed(settings, world)
    check_agents(asked.agents)
    chosen = {name: role for name, role in cast.items() if name in (*(asked.agents or cast), CONSENSUS)}
    return chosen, graded(world, asked.interval)


def graded(world: World, interval: Interval) -> Callable[[], Awaitable[Sequence[Event]]]:
    """Give the grading of the opinions in a replay's world, which gives what it would emit."""
    said = Collected()
    bars = BarHistory(world.projections, interval)
    grading = Grading(world.store, world.clock, said, bars, Views(world.projections))

    async def tick() -> Sequence[Event]:
        if world.has_opinion(world.clock.now() - DUE_AFTER):
            await grading.tick()
        return said.take()

    return tick


def history(settings: Settings) -> tuple[MarketSource, str]:
    """Give the source of a backtest's history, and its name; what a vendor gave is kept on disk."""
    if settings.is_live and settings.cosmos_endpoint:
        return _source(settings), "alpaca"
    if settings.is_live:
        return CachedMarketSource(_source(settings), settings.data / "history"), "alpaca"
    return recorded_market(), "recorded"


def shelf(settings: Settings) -> Shelf:
    """Give where the results of replays are kept."""
    return Shelf(settings.data / "replays")


async def _backtest(settings: Settings, asked: Backtest, run: str, watch: Watcher) -> Report:
    source, origin = history(settings)
    if settings.cosmos_endpoint is None:
        return await perform(asked, source, origin, backtested, shelf(settings), run, watch)
    # In Azure the report is what is kept: a disk there is an instance's own.
    with TemporaryDirectory(prefix="replay-") as folder:
        return await perform(asked, source, origin, backtested, Shelf(Path(folder)), run, watch)


def _runtime(engine: Engine, roles: dict[str, Role], book: Book, telemetry: Telemetry) -> Runtime:
    settlement: Settlement = engine.settlement
    if telemetry.enabled:
        settlement = ObservedSettlement(settlement, telemetry)
    return Runtime(engine.store, engine.bus, settlement, engine.clock, roles, book, telemetry=telemetry)


def _ingest(
    settings: Settings, engine: Engine, reads: _Reads, source: MarketSource, runtime: Runtime, telemetry: Telemetry
) -> Ingest:
    return Ingest(
        source=source,
        clock=engine.clock,
        emit=runtime.emit,
        store=engine.store,
        bars=reads.bars,
        watchlist=reads.watchlist,
        interval=settings.interval,
        opened_at=engine.opened_at,
        lookback=timedelta(days=settings.lookback_days),
        telemetry=telemetry,
    )


def _sweep(
    engine: Engine, reads: _Reads, runtime: Runtime, swept: Status, vitals: Vitals, telemetry: Telemetry
) -> Sweep:
    return Sweep(
        engine.store,
        engine.bus,
        engine.clock,
        runtime,
        engine.topology,
        reads.step_deps,
        frozenset({*STATES, REPLAY}),
        swept,
        telemetry,
        vitals.measure,
    )


def _queries(settings: Settings, engine: Engine, reads: _Reads, vitals: Vitals) -> Queries:
    feed = "alpaca" if settings.is_live else "recorded"
    return Queries(
        engine.store,
        engine.clock,
        reads.bars,
        reads.portfolios,
        reads.views,
        reads.happenings,
        vitals,
        engine.topology,
        reads.step_deps,
        feed,
    )


async def _close(
    telemetry: Telemetry, server: Completer | None, book: Book, replays: Replays, memories: Memories, engine: Engine
) -> None:
    replays.is_stopped = True
    await telemetry.close()
    if server is not None:
        await server.close()
    await book.close()
    await memories.close()
    await engine.close()


def _limits(settings: Settings) -> RiskLimits:
    return RiskLimits(settings.max_weight, settings.max_var_95, settings.max_gross, settings.max_drawdown)


def _check_authority(settings: Settings, platform: Platform) -> None:
    if settings.auth == "none" and platform.is_azure:
        raise InvalidError("FINAGENT_AUTH: none is for one machine; in Azure anybody could call: choose key or entra")
    if settings.auth == "entra" and not platform.signs_in:
        raise InvalidError("FINAGENT_AUTH: entra needs App Service authentication, which is not on here")


def _check_promoted(settings: Settings) -> None:
    try:
        promoted(settings.promoted)
    except InvalidError as error:
        raise InvalidError(f"FINAGENT_PROMOTED: {error}") from error


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


def recorded_market() -> MarketSource:
    """Give the recording.

    Raises
    ------
    InvalidError
        It is not installed here.
    """
    from shared.market import recorded

    if not recorded.is_installed():
        raise InvalidError("ALPACA_API_KEY: without it a desk plays the recording, which is not installed here")
    return recorded.RecordedMarketSource()


def _recording(settings: Settings) -> MarketSource:
    from shared.market import recorded

    source = recorded_market()
    unknown = [symbol for symbol in settings.symbols if symbol not in recorded.SYMBOLS]
    if unknown:
        raise InvalidError(
            f"FINAGENT_SYMBOLS: {', '.join(unknown)} not in the recording of {', '.join(recorded.SYMBOLS)}"
        )
    if settings.interval != "1Day":
        raise InvalidError("FINAGENT_INTERVAL: the recording has bars of 1Day only")
    if not recorded.FIRST_DAY <= settings.start <= recorded.LAST_DAY:
        raise InvalidError(f"FINAGENT_START: the recording runs from {recorded.FIRST_DAY} to {recorded.LAST_DAY}")
    return source


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
        return SyntheticChainSource(bars)
    from shared.chain.alpaca import AlpacaChainSource

    return AlpacaChainSource(
        key=settings.alpaca_api_key.get_secret_value(),
        secret=settings.alpaca_secret_key.get_secret_value(),
        stock_feed=settings.alpaca_feed,
        data_url=settings.alpaca_data_url,
    )

"""The composition root: the only place that names adapters. Everything is built at first use, nothing at import."""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from typing import Any

from shared.agents.own_state import OwnState
from shared.agents.registry import STATES, STEPS, promoted
from shared.agents.step import CONSENSUS
from shared.bus.port import HostedBus
from shared.bus.topology import agent_of, topology
from shared.callers.authority import Authority, EntraAuthority, KeyAuthority
from shared.callers.bucket import Buckets
from shared.callers.history import KeyHistory
from shared.callers.platform import ON_A_MACHINE, Platform
from shared.callers.port import KeyRing
from shared.cast import Reads, cast, reading
from shared.clock import Clock
from shared.costs import PriceTable, last_hour
from shared.engine import Engine
from shared.engine import engine as open_engine
from shared.errors import InvalidError
from shared.events.trade import OpinionFormed
from shared.grading import Grading
from shared.ingest import Ingest, Status
from shared.ledger.book import Book
from shared.llm.port import Completer
from shared.market.port import MarketSource
from shared.memories import desk_memories
from shared.memory.port import Memories
from shared.model import completer, language_model
from shared.projections.memory import MemoryFold
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.queries import Queries
from shared.rehearsal import backtest
from shared.replay.service import NAME as REPLAY
from shared.replay.service import Replays
from shared.runtime import Role, Runtime
from shared.settings import Settings
from shared.settlement.observed import ObservedSettlement
from shared.settlement.port import Settlement
from shared.source import market_source
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


def build(settings: Settings, platform: Platform = ON_A_MACHINE) -> Desk:
    """Put together a desk: in Azure where the settings name a namespace and an account there, else on one file."""
    _check_authority(settings, platform)
    _check_promoted(settings)
    # Before anything is opened: these may refuse the settings.
    source, prices, telemetry = market_source(settings), PriceTable.load(settings.prices), _telemetry(settings)
    engine = open_engine(settings)
    server = completer(settings)
    model = language_model(server, settings, engine, prices)
    memories = desk_memories(settings, engine)
    reads = reading(settings, engine.store, engine.projections, engine.clock.pace, memories, model)
    replays = Replays(partial(backtest, settings))
    roles = cast(settings, reads, partial(OwnState, engine.store)) | {REPLAY: replays.role()}
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
        sweep=_sweep(engine, reads, runtime, swept, _measure(settings, engine, runtime, vitals), telemetry),
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


def _runtime(engine: Engine, roles: dict[str, Role], book: Book, telemetry: Telemetry) -> Runtime:
    settlement: Settlement = engine.settlement
    if telemetry.enabled:
        settlement = ObservedSettlement(settlement, telemetry)
    return Runtime(engine.store, engine.bus, settlement, engine.clock, roles, book, telemetry=telemetry)


def _ingest(
    settings: Settings, engine: Engine, reads: Reads, source: MarketSource, runtime: Runtime, telemetry: Telemetry
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


def _measure(settings: Settings, engine: Engine, runtime: Runtime, vitals: Vitals) -> Callable[[], Awaitable[None]]:
    if settings.auth != "key":  # nobody's keys count
        return vitals.measure
    history = KeyHistory(engine.keys, runtime.emit, engine.clock)

    async def measure() -> None:
        """Measure first, as what keys cannot be read must not hide."""
        await vitals.measure()
        await history.tell()

    return measure


def _sweep(
    engine: Engine,
    reads: Reads,
    runtime: Runtime,
    swept: Status,
    measure: Callable[[], Awaitable[None]],
    telemetry: Telemetry,
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
        measure,
    )


def _queries(settings: Settings, engine: Engine, reads: Reads, vitals: Vitals) -> Queries:
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

"""What a desk stands on: one file on one machine, or Service Bus and Cosmos DB. Part of the composition root."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.agents.narrator import NAME as NARRATOR
from shared.bus.port import HostedBus
from shared.bus.topology import Topology, topology
from shared.callers.forget import KeyHolder
from shared.callers.port import KeyRing
from shared.clock import Clock, FeedClock, WallClock
from shared.forget import Holder
from shared.ledger.meter import Metering
from shared.ledger.port import Ledger
from shared.memory.forget import MemoryHolder
from shared.memory.port import VectorStore
from shared.projections.port import ProjectionStore
from shared.settings import Settings
from shared.settlement.port import Settlement
from shared.sqlite import Database
from shared.store.port import EventStore

if TYPE_CHECKING:
    from shared.store.cosmos_account import CosmosAccount


@dataclass(frozen=True, slots=True)
class Engine:
    """A desk's clock and adapters.

    Attributes
    ----------
    topology : Topology
        Topics and subscriptions; on one machine without those of who has nothing to do.
    opened_at : datetime
        The desk time at which the desk opens: now when live, else where the recorded feed starts or was left.
    database : Database or None
        The file that it lives in; None where it lives in Azure.
    holders : tuple of Holder
        Every place that keeps something of an owner's, in the order in which it is forgotten: keys first, so that
        nothing new comes, the log last.
    close : callable
        Lets go of what is held open.
    """

    opened_at: datetime
    clock: Clock
    topology: Topology
    store: EventStore
    bus: HostedBus
    settlement: Settlement
    projections: ProjectionStore
    keys: KeyRing
    ledger: Ledger
    metering: Metering
    vectors: VectorStore
    database: Database | None
    holders: tuple[Holder, ...]
    close: Callable[[], Coroutine[Any, Any, None]]


def embedded(settings: Settings) -> Engine:
    """Give an engine on the file that the settings name."""
    from shared.bus import sqlite as bus_module
    from shared.callers.sqlite import SqliteKeyRing
    from shared.ledger import sqlite as ledger_module
    from shared.memory.sqlite import SqliteVectorStore
    from shared.projections import sqlite as projections_module
    from shared.settlement.sqlite import SqliteSettlement
    from shared.store import sqlite as store_module
    from shared.store.sqlite_forget import SqliteHolder

    # Nothing is sent to the narrator where it has nobody to ask; in Azure that is the broker's to say.
    routes = topology() if settings.has_model else topology().without(NARRATOR)
    metering = Metering()
    schema = (store_module.SCHEMA, bus_module.SCHEMA, projections_module.SCHEMA, ledger_module.SCHEMA)
    database = Database(settings.file, schema)
    store = store_module.SqliteEventStore(database, several_callers=settings.auth != "none")
    opened_at = _start(settings)
    if not settings.is_live:
        opened_at = max(opened_at, store.last_time() or opened_at)
    clock = _clock(settings, opened_at)
    bus = bus_module.SqliteEventBus(database, routes, clock, charge=metering.sent)

    keys, vectors = SqliteKeyRing(settings.keys_file), SqliteVectorStore(settings.memory_file)

    async def close() -> None:
        """Close the files, so that another host may have them."""
        vectors.close()
        database.close()

    return Engine(
        opened_at=opened_at,
        clock=clock,
        topology=routes,
        store=store,
        bus=bus,
        settlement=SqliteSettlement(database, store, bus),
        projections=projections_module.SqliteProjectionStore(database),
        keys=keys,
        ledger=ledger_module.SqliteLedger(database),
        metering=metering,
        vectors=vectors,
        database=database,
        holders=(KeyHolder(keys), MemoryHolder(vectors), SqliteHolder(database)),
        close=close,
    )


def azure(settings: Settings, connection: str, endpoint: str) -> Engine:
    """Give an engine on a Service Bus namespace and a Cosmos DB account, by key or by identity."""
    from shared.bus.service_bus import ServiceBusEventBus
    from shared.callers.cosmos import CosmosKeyRing
    from shared.ledger.cosmos import CosmosLedger
    from shared.ledger.cosmos_forget import CosmosLedgerHolder
    from shared.memory.cosmos import CosmosVectorStore
    from shared.projections.cosmos import CosmosProjectionStore
    from shared.settlement.stepwise import StepwiseSettlement
    from shared.store.cosmos import CosmosEventStore
    from shared.store.cosmos_forget import CosmosHolder

    metering, routes = Metering(), topology()
    account = _account(settings, endpoint, metering)
    clock = _clock(settings, _start(settings))
    store = CosmosEventStore(account)
    bus = ServiceBusEventBus(
        connection,
        routes,
        clock,
        administration_url=settings.servicebus_administration_url,
        charge=metering.sent,
    )
    keys, vectors = CosmosKeyRing(account), CosmosVectorStore(account)

    async def close() -> None:
        """Close the connections, the bus before the store."""
        await bus.close()
        await account.close()

    return Engine(
        opened_at=_start(settings),
        clock=clock,
        topology=routes,
        store=store,
        bus=bus,
        settlement=StepwiseSettlement(store, bus),
        projections=CosmosProjectionStore(account),
        keys=keys,
        ledger=CosmosLedger(account),
        metering=metering,
        vectors=vectors,
        database=None,
        holders=(KeyHolder(keys), MemoryHolder(vectors), CosmosLedgerHolder(account), CosmosHolder(account)),
        close=close,
    )


def engine(settings: Settings) -> Engine:
    """Give the engine that the settings name: in Azure where they name a namespace and an account there."""
    connection, endpoint = settings.servicebus_connection, settings.cosmos_endpoint
    return azure(settings, connection, endpoint) if connection and endpoint else embedded(settings)


@asynccontextmanager
async def key_ring(settings: Settings) -> AsyncIterator[KeyRing]:
    """Give the keys of the desk that the settings name, without the desk: a host may be running on it."""
    from shared.callers.cosmos import CosmosKeyRing
    from shared.callers.sqlite import SqliteKeyRing

    if settings.cosmos_endpoint is None:
        yield SqliteKeyRing(settings.keys_file)
        return
    account = _account(settings, settings.cosmos_endpoint, Metering())
    try:
        yield CosmosKeyRing(account)
    finally:
        await account.close()


def _account(settings: Settings, endpoint: str, metering: Metering) -> "CosmosAccount":
    from shared.store.cosmos_account import CosmosAccount

    key = settings.cosmos_key.get_secret_value() if settings.cosmos_key else None
    return CosmosAccount(endpoint, key, settings.cosmos_database, charge=metering.request_units)


def _start(settings: Settings) -> datetime:
    return WallClock().now() if settings.is_live else settings.feed_start


def _clock(settings: Settings, opened_at: datetime) -> Clock:
    return WallClock() if settings.is_live else FeedClock(opened_at, settings.speed)

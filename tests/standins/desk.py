"""A desk in memory: the real runtime and adapters, a clock that a test moves, and failures where it wants them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
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
from shared.agents.decision import Decision, Handler
from shared.agents.market_analyst import AnalystDeps, AnalystState
from shared.agents.narrator import NarratorDeps
from shared.agents.options_strategist import OptionsDeps
from shared.agents.oracle import OracleDeps
from shared.agents.own_state import OwnState
from shared.agents.portfolio_optimizer import OptimizerDeps
from shared.agents.rebalance_plan import Limits
from shared.agents.research_agent import ResearchDeps
from shared.agents.research_evidence import Sources
from shared.agents.risk_manager import RiskDeps
from shared.agents.risk_measure import RiskLimits
from shared.agents.sentiment_tracker import SentimentDeps, SentimentState
from shared.agents.step import CONSENSUS, StepDeps
from shared.bus.in_memory import InMemoryEventBus
from shared.bus.port import Delivery, Message
from shared.bus.topology import Topology
from shared.chain.synthetic import SyntheticChainSource
from shared.clock import Clock, ManualClock
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.llm.port import LanguageModel
from shared.memory.port import Recalling
from shared.projections.bar import BarHistory
from shared.projections.happening import Happenings
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.projections.record import Records
from shared.projections.view import Views
from shared.role import roles
from shared.runtime import Received, Role, Runtime
from shared.settlement.observed import ObservedSettlement
from shared.settlement.port import Settlement
from shared.settlement.stepwise import StepwiseSettlement
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit, EventStore, Filter, Snapshot
from shared.telemetry.none import OFF
from shared.telemetry.port import Telemetry
from shared.watchlist import Watchlist
from tests.builders import CLOSE, HOUR

type Reader = Callable[[Received], Awaitable[None]]

LONGEST_SCHEDULE_HOURS = 2
"""Nothing is put off for longer; a desk that was idle for so long has nothing left."""

POINTS = (
    "before receipt",
    "before snapshot",
    "before commit",
    "after commit",
    "before append",
    "after append",
    "before publish",
    "after publish",
)
"""Where a process can die or a service fail while a message is handled, in order."""

HANDLING = ("before handler", "before latest", "after handler")
"""Where that can be inside the handler of a real agent; what a port that it reads raises comes out there."""


class Crash(BaseException):
    """The process dies here; nothing in the program catches it."""


class StaleReadError(Exception):
    """The read gives what was there before the last write, as a replica does."""


class Faults:
    """Fails at chosen points, each given as its name and the how-manieth time it is passed."""

    def __init__(self, plan: Mapping[tuple[str, int], BaseException] | None = None) -> None:
        self._plan = dict(plan or {})
        self.passed: Counter[str] = Counter()

    def begin(self, plan: Mapping[tuple[str, int], BaseException]) -> None:
        """Count anew, and fail as planned."""
        self._plan = dict(plan)
        self.passed.clear()

    def stop(self) -> None:
        """Fail no more, so that a test can look at what came of it."""
        self._plan.clear()

    def reach(self, point: str) -> None:
        """Pass a point, or fail there."""
        self.passed[point] += 1
        if error := self._plan.pop((point, self.passed[point]), None):
            raise error


class FaultyEventStore(InMemoryEventStore):
    """Fails where it is told."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults
        self._replaced: dict[tuple[str, str], Snapshot | None] = {}

    @property
    def receipts(self) -> list[tuple[str, str]]:
        """Who has handled which event, in the order of the commits: agents and event ids."""
        return [(agent, event_id) for agent, _, event_id in self._receipts]

    async def append(self, events: Sequence[Event]) -> list[Event]:
        """Add events to the log."""
        self._faults.reach("before append")
        fresh = await super().append(events)
        self._faults.reach("after append")
        return fresh

    async def snapshot(self, agent: str, stream: str) -> Snapshot | None:
        """Give an agent's state."""
        try:
            self._faults.reach("before snapshot")
        except StaleReadError:
            return self._replaced.get((agent, stream))
        return await super().snapshot(agent, stream)

    async def latest(self, stream: str, kind: str, as_of: datetime) -> bytes | None:
        """Give the newest event of a type in a stream."""
        self._faults.reach("before latest")
        return await super().latest(stream, kind, as_of)

    async def receipt(self, agent: str, stream: str, event_id: str) -> tuple[Emit, ...] | None:
        """Give what the agent emitted."""
        self._faults.reach("before receipt")
        return await super().receipt(agent, stream, event_id)

    async def handled(self, agents: Collection[str], stream: str, event_id: str) -> set[str]:
        """Give who handled an event."""
        self._faults.reach("before receipt")
        return await super().handled(agents, stream, event_id)

    async def commit(self, commit: Commit) -> None:
        """Store snapshot and receipt."""
        self._faults.reach("before commit")
        home = (commit.agent, commit.stream)
        before = self._snapshots.get(home)
        await super().commit(commit)
        self._replaced[home] = before
        self._faults.reach("after commit")


class FaultyEventBus(InMemoryEventBus):
    """Fails where it is told, and remembers what was published."""

    def __init__(self, topology: Topology, clock: Clock, faults: Faults, monotonic: Callable[[], float]) -> None:
        super().__init__(topology, clock, monotonic)
        self._faults = faults
        self.published: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand the messages over."""
        self._faults.reach("before publish")
        await super().publish(messages)
        self.published.extend(messages)
        self._faults.reach("after publish")


class MemoryDesk:
    """Store, bus, clock and runtime in one process, and a host that hands messages out one after another.

    Parameters
    ----------
    roles : mapping of str to Role
        The agents.
    duplicates_seen : bool
        Whether the bus drops a message id that it has seen; otherwise every republication is delivered.
    """

    def __init__(
        self,
        topology: Topology,
        roles: Mapping[str, Role],
        *,
        faults: Faults | None = None,
        store: EventStore | None = None,
        duplicates_seen: bool = True,
        pace: float = 1.0,
        telemetry: Telemetry = OFF,
    ) -> None:
        self.roles = roles
        self.faults = faults or Faults()
        self.clock = ManualClock(CLOSE, pace)
        self.store = store or FaultyEventStore(self.faults)
        window = {} if duplicates_seen else {"duplicate_detection_seconds": 1e-9}
        monotonic = map((1e-6).__mul__, count())
        self.bus = FaultyEventBus(topology.model_copy(update=window), self.clock, self.faults, lambda: next(monotonic))
        settlement: Settlement = StepwiseSettlement(self.store, self.bus)
        if telemetry.enabled:
            settlement = ObservedSettlement(settlement, telemetry)
        self.runtime = Runtime(self.store, self.bus, settlement, self.clock, roles, telemetry=telemetry)
        self.readers: dict[str, Reader] = {}
        self.projector = Projector(InMemoryProjectionStore(), self.store)

    async def log(self) -> list[Event]:
        """Give what is in the log, in order."""
        return [decode(body) for body in (await self.store.page(Filter(), "", 10_000)).events]

    async def take(self, subscription: str) -> Delivery | None:
        """Lock the next message of a subscription, or give None when none is ready."""
        try:
            async with asyncio.timeout(0):
                return await self.bus.receive(subscription)
        except TimeoutError:
            return None

    async def handle(self, delivery: Delivery) -> None:
        """Let the subscription's reader handle a message, without settling it."""
        await self.readers[delivery.subscription](received(delivery.message, delivery.delivery_count))

    async def deliver(self, delivery: Delivery, *, acknowledged: bool = True) -> None:
        """Handle a message, then complete it, or give it back where that failed or is to get lost."""
        try:
            await self.handle(delivery)
        except (Exception, Crash) as error:  # noqa: BLE001 - as a host does, whatever it was
            await self.bus.abandon(delivery, repr(error))
        else:
            if acknowledged:
                await self.bus.complete(delivery)
            else:
                await self.bus.abandon(delivery, "the acknowledgement was lost")

    async def run(self) -> None:
        """Hand out messages, and let time pass for those that are scheduled, until no reader has any left."""
        idle_hours = 0
        while idle_hours < LONGEST_SCHEDULE_HOURS:
            found = [await self.take(subscription) for subscription in self.readers]
            for delivery in filter(None, found):
                await self.deliver(delivery)
            if any(found):
                idle_hours = 0
            else:
                idle_hours += 1
                self.clock.advance(HOUR)


def received(message: Message, delivery_count: int = 1) -> Received:
    """Give a message as a trigger hands it over."""
    return Received(
        message_id=message.message_id,
        subject=message.subject,
        body=message.body,
        delivery_count=delivery_count,
        topic=message.topic,
        session_id=message.session_id,
        correlation_id=message.correlation_id,
    )


def an_agent_desk(
    topology: Topology,
    symbols: tuple[str, ...] = ("AAPL", "IBM"),
    *,
    duplicates_seen: bool = True,
    telemetry: Telemetry = OFF,
    model: LanguageModel | None = None,
    memories: Recalling | None = None,
    promoted: Collection[str] = (),
) -> MemoryDesk:
    """Give a desk with the real agents and the projector, wired to the topology's subscriptions by their names."""
    faults = Faults()
    store, projections, clock = FaultyEventStore(faults), InMemoryProjectionStore(), ManualClock(CLOSE)
    bars, portfolios = BarHistory(projections, "1Day"), Portfolios(projections, store)
    deps: dict[str, object] = {
        market_analyst.NAME: AnalystDeps(bars, OwnState(store, market_analyst.NAME, AnalystState), Watchlist(symbols)),
        risk_manager.NAME: RiskDeps(bars, portfolios, RiskLimits(max_weight=0.4, max_var_95=0.05)),
        sentiment_tracker.NAME: SentimentDeps(OwnState(store, sentiment_tracker.NAME, SentimentState)),
        options_strategist.NAME: OptionsDeps(SyntheticChainSource(bars), bars, Views(projections), portfolios),
        CONSENSUS: StepDeps(clock.pace, 30, Records(projections)),
        portfolio_optimizer.NAME: OptimizerDeps(bars, portfolios, Views(projections), Limits(0.4, 0.05)),
        oracle.NAME: OracleDeps(bars, Views(projections)),
        research_agent.NAME: ResearchDeps(
            Sources(Views(projections), Happenings(projections), store, Watchlist(symbols), memories),
            portfolios,
            model,
        ),
        narrator.NAME: NarratorDeps(model, store),
    }
    known = roles(deps, promoted).values()
    faulty = {role.name: replace(role, handlers=_faulty(role.handlers, faults)) for role in known}
    desk = MemoryDesk(
        topology, faulty, faults=faults, store=store, duplicates_seen=duplicates_seen, telemetry=telemetry
    )
    desk.projector = projector = Projector(projections, store)
    for topic in topology.topics:
        for subscription in topic.subscriptions:
            desk.readers[f"{topic.name}/{subscription.name}"] = _reader(desk.runtime, projector, subscription.name)
    return desk


def _reader(runtime: Runtime, projector: Projector, subscription: str) -> Reader:
    agent = subscription.replace("-", "_")
    if agent == "projector":
        return lambda message: runtime.fold(message, agent, projector.project)
    return lambda message: runtime.handle(message, agent)


def _faulty(handlers: Mapping[type[Event], Handler], faults: Faults) -> dict[type[Event], Handler]:
    def wrapped(handler: Handler) -> Handler:
        async def handle(event: Any, state: Any, deps: Any) -> Decision[Any]:
            faults.reach("before handler")
            decision = await handler(event, state, deps)
            faults.reach("after handler")
            return decision

        return handle

    return {kind: wrapped(handler) for kind, handler in handlers.items()}

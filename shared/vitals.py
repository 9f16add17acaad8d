"""The desk's vital signs: what waits and since when, what was given up, how the timers do.

Health, the door for new trades and the metrics all look here. What is dear to find out is found out once a second.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.bus.port import EventBus
from shared.clock import Clock, wall_seconds_until
from shared.errors import FinAgentError, InvalidError
from shared.ingest import Status
from shared.store.port import EventStore
from shared.telemetry.port import Telemetry

logger = logging.getLogger(__name__)

Readiness = Literal["ready", "overloaded", "unavailable"]

PROOF_SECONDS = 1.0
LATE_SECONDS = 180.0
"""Wall seconds after which a sweep, which is due every minute, is late."""
SWEEP = "sweep"
COST_SECONDS = 600.0
"""How often the last hour's spending is added up."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen.

    Attributes
    ----------
    problems : tuple of str
        What does not answer, or is not up to date yet.
    overload : str or None
        Whose messages wait longer than a step has patience; None when nobody's do.
    backlog : dict of str to int
        Messages that wait, by subscription.
    waits : dict of str to float
        Wall seconds that the oldest of them could have been taken, by subscription.
    """

    problems: tuple[str, ...] = ()
    overload: str | None = None
    backlog: Mapping[str, int] = field(default_factory=dict)
    waits: Mapping[str, float] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)

    @property
    def status(self) -> Readiness:
        """Whether the desk should be given work: `ready`, `overloaded` or `unavailable`."""
        return "unavailable" if self.problems else "overloaded" if self.overload else "ready"


@dataclass
class Vitals:
    """Looks after a desk.

    Attributes
    ----------
    voters : frozenset of str
        The subscriptions whose messages a step waits for.
    patience_seconds : float
        Wall seconds that a step waits.
    timers : mapping of str to Status
        How each timer's last ticks went.
    spent : callable
        Asked for the money that the desk spent in the last hour.
    is_catching_up : bool
        Said by a host whose agents have messages from before to handle: what they say until then is of the past.
    """

    store: EventStore
    bus: EventBus
    clock: Clock
    voters: frozenset[str]
    patience_seconds: float
    timers: Mapping[str, Status]
    telemetry: Telemetry
    spent: Callable[[], Awaitable[float]]
    is_catching_up: bool = False
    _spent_until: float = float("-inf")
    _waits: Mapping[str, float] = field(default_factory=dict)
    _waits_until: float = float("-inf")
    _told: Readiness = "ready"
    _told_until: float = float("-inf")
    _proven_until: float = float("-inf")

    async def signs(self) -> Signs:
        """Look, and give what is seen."""
        problem = await self._problem_of_store()
        try:
            backlog, overload = await self._backlog(), await self.overload()
            dead = Counter(letter.subscription for letter in await self.bus.dead_letters())
        except FinAgentError as error:
            return Signs((*filter(None, [problem]), f"bus: {error}"))
        self._tell(backlog, dead)
        return Signs((problem,)) if problem else Signs(self._opening(), overload, backlog, self._waits, dead)

    def _opening(self) -> tuple[str, ...]:
        opening = [name for name, status in self.timers.items() if status.is_opening]
        if not opening and self.is_catching_up:
            return ("agents: what happened before is still being taken in",)
        return tuple(f"{name}: what happened before is still being read" for name in opening)

    async def status(self) -> Readiness:
        """Say whether the desk should be given work, for who is not known: asking more often costs no more."""
        now = asyncio.get_running_loop().time()
        if now >= self._told_until:
            self._told, self._told_until = (await self.signs()).status, now + PROOF_SECONDS
        return self._told

    async def overload(self) -> str | None:
        """Say whose messages wait longer than a step has patience, or did within the last second; None when none do."""
        now = asyncio.get_running_loop().time()
        if now >= self._waits_until:
            self._waits, self._waits_until = await self.bus.waits(), now + PROOF_SECONDS
        late = {name: seconds for name, seconds in self._waits.items() if seconds > self.patience_seconds}
        told = ", ".join(f"{name} {late[name]:.0f} s" for name in sorted(self.voters & late.keys()))
        return f"messages wait longer than {self.patience_seconds:g} s: {told}" if told else None

    async def measure(self) -> None:
        """Look, and give the numbers to telemetry; a timer calls it."""
        if self.telemetry.enabled:
            await self.signs()
            await self._tell_cost()
            for name, status in self.timers.items():
                if status.succeeded_at is not None:
                    lateness = -wall_seconds_until(self.clock, status.succeeded_at)
                    self.telemetry.set("finagent.tick.lateness", lateness, {"finagent.timer": name})

    async def _tell_cost(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._spent_until:
            return
        try:
            self.telemetry.set("finagent.cost.hourly", await self.spent(), {})
        except FinAgentError as error:
            logger.warning("what the desk spends is not known now: %s", error)
        else:
            self._spent_until = now + COST_SECONDS

    def ticks(self) -> dict[str, Status]:
        """Give how each timer's last ticks went; one that has not come for a while says so."""
        return {name: self._with_lateness(name, status) for name, status in self.timers.items()}

    def _with_lateness(self, name: str, status: Status) -> Status:
        since = status.succeeded_at or status.begun_at
        if name != SWEEP or status.problem or since is None:
            return status
        seconds = -wall_seconds_until(self.clock, since)
        return replace(status, problem=f"late: none in {seconds:.0f} s") if seconds > LATE_SECONDS else status

    async def _backlog(self) -> dict[str, int]:
        try:
            return await self.bus.backlog()
        except InvalidError:  # the desk may not count, as in Azure; that the bus answers, dead letters show
            return {}

    def _tell(self, backlog: Mapping[str, int], dead: Mapping[str, int]) -> None:
        for name, count in backlog.items():
            where = {"messaging.destination.subscription.name": name}
            self.telemetry.set("finagent.backlog", count, where)
            self.telemetry.set("finagent.backlog.age", self._waits.get(name, 0.0), where)
            self.telemetry.set("finagent.dead_letters", dead.get(name, 0), where)

    async def _problem_of_store(self) -> str | None:
        # Showing that the store can be written to costs a write to the disk.
        now = asyncio.get_running_loop().time()
        if now < self._proven_until:
            return None
        try:
            await self.store.check()
        except FinAgentError as error:
            return f"store: {error}"
        self._proven_until = now + PROOF_SECONDS
        return None

"""What language models may cost in a day: reserved before a request, and put right when it has been answered.

It is kept in the event store, in a snapshot per day that is guarded by its etag: several hosts share it, and a restart
does not forget it. What was reserved and never put right, because a process died, stays spent. The day is that of the
wall clock in UTC, for the money is real whatever the desk's time is.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from shared.clock import wall_seconds
from shared.errors import ConflictError, FinAgentError, TransientError
from shared.store.port import Commit, EventStore

logger = logging.getLogger(__name__)

NAME = "model_budget"
_TRIES = 20
_NANOS = 1e9


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent, in the currency of the price table.

    Attributes
    ----------
    day : float
        By all together.
    owner : float
        By each owner, in a day; the desk itself is one.
    call : float
        By one request.
    """

    day: float
    owner: float
    call: float


class Spent(BaseModel):
    """What is spent or reserved on a day, in billionths, by owner."""

    model_config = ConfigDict(frozen=True)

    nanos: dict[str, int] = {}

    def plus(self, owner: str, nanos: int) -> "Spent":
        """Give what is spent with so much more, or less."""
        return Spent(nanos={**self.nanos, owner: max(0, self.nanos.get(owner, 0) + nanos)})


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money that is set aside for one request."""

    stream: str
    owner: str
    nanos: int


class OverBudgetError(FinAgentError):
    """The money for a request is not there."""


class Budget:
    """Keeps to the limits, together with the other hosts of the desk."""

    def __init__(self, store: EventStore, limits: Limits, wall_seconds: Callable[[], float] = wall_seconds) -> None:
        self._store = store
        self._limits = limits
        self._wall_seconds = wall_seconds
        self._turn = asyncio.Lock()

    async def reserve(self, owner: str, cost: float) -> Reservation:
        """Set aside what a request may cost at most.

        Raises
        ------
        OverBudgetError
            One of the limits would be passed.
        TransientError
            What is spent cannot be read or written now.
        """
        if cost > self._limits.call:
            raise OverBudgetError("over the budget of a call")
        day = datetime.fromtimestamp(self._wall_seconds(), UTC).date().isoformat()
        reservation = Reservation(f"model-budget-{day}", owner, round(cost * _NANOS))
        await self._change(reservation, reservation.nanos, self._check)
        return reservation

    async def settle(self, reservation: Reservation, cost: float) -> None:
        """Put right what was set aside, now that it is known what the request cost."""
        try:
            await self._change(reservation, round(cost * _NANOS) - reservation.nanos, lambda *_: None)
        except FinAgentError as error:
            logger.warning("more is reserved for language models than was spent: %s", error)

    async def _change(self, reservation: Reservation, nanos: int, check: Callable[[Spent, str], None]) -> None:
        async with self._turn:
            for _ in range(_TRIES):
                snapshot = await self._store.snapshot(NAME, reservation.stream)
                before = Spent() if snapshot is None else Spent.model_validate_json(snapshot.body)
                spent = before.plus(reservation.owner, nanos)
                check(spent, reservation.owner)
                body, etag = spent.model_dump_json().encode(), None if snapshot is None else snapshot.etag
                try:
                    # A change is nobody's answer to an event: its receipt's name is only to be another's never.
                    change = secrets.token_hex(16)
                    return await self._store.commit(Commit(NAME, reservation.stream, change, body, etag, ()))
                except ConflictError:
                    continue
        raise TransientError("the budget of language models: too many conflicts")

    def _check(self, spent: Spent, owner: str) -> None:
        if spent.nanos[owner] > self._limits.owner * _NANOS:
            raise OverBudgetError("over the day's budget of its owner")
        if sum(spent.nanos.values()) > self._limits.day * _NANOS:
            raise OverBudgetError("over the day's budget")

"""The ledger's writer: measures executions, gathers what they used, and writes it in batches.

What is gathered and not written yet is lost in a crash: some seconds of executions, and at most a minute of requests
and timer ticks. Never an event, which has nothing to do with it.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Token
from datetime import datetime
from itertools import count

from shared.clock import wall_seconds
from shared.errors import FinAgentError
from shared.ledger.meter import Meter, Metering, operations, running
from shared.ledger.period import ActivePeriod
from shared.ledger.port import NOTHING, Batch, Entry, Ledger, Sum, Usage, total

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
"""How long an entry may wait for others to be written with."""
LONGEST_BATCH = 500
MOST_WAITING = 20_000
"""Entries that are kept while the ledger cannot be written to; beyond these the oldest are lost."""
_MINUTE_US = 60_000_000

type _Alike = tuple[int, str, str, str]


class Book:
    """Keeps the ledger of one process.

    Parameters
    ----------
    metering : Metering
        Charged by the adapters.
    lock_seconds : float
        How long Service Bus holds the lock of a message: as often as that passes in an execution, it is renewed.
    wall_seconds : callable
        Seconds since 1970: the recording time.
    monotonic : callable
        Seconds, for durations.

    Attributes
    ----------
    lost : int
        Entries that were given up, for the ledger could not be written to.
    """

    def __init__(
        self,
        ledger: Ledger,
        metering: Metering,
        *,
        lock_seconds: float = 60.0,
        wall_seconds: Callable[[], float] = wall_seconds,
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.ledger = ledger
        self.metering = metering
        self.lost = 0
        self.lock_seconds = lock_seconds
        self.wall_seconds = wall_seconds
        self.monotonic = monotonic
        self._periods: dict[str, ActivePeriod] = {}
        self._waiting: deque[Entry] = deque()
        self._minutes: dict[_Alike, Usage] = {}
        self._total: list[Sum] = []
        self._batch: Batch | None = None
        self._numbers = count(1)
        self._name = secrets.token_hex(8)
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def execution(self, function: str, agent: str) -> "Execution":
        """Measure one invocation of a function, and put down what it used when it ends, however it ends.

        Parameters
        ----------
        function : str
            What is scaled by itself, so has instances of its own.
        agent : str
            Who works; may be changed on the meter until the end.
        """
        return Execution(self, function, Meter(agent))

    def message(self, agent: str, topic: str, size_bytes: int, enqueued_at: datetime | None) -> "Execution":
        """Measure the handling of a message, with its way out of the queue.

        Parameters
        ----------
        enqueued_at : datetime or None
            When the queue had it, or it came due: recording time.
        """
        meter = Meter(agent)
        meter.received = operations(size_bytes)
        if enqueued_at is not None:
            # The clock of the queue may be ahead of this machine's.
            meter.wait = max(0.0, self.wall_seconds() - enqueued_at.timestamp())
        return Execution(self, f"{agent}/{topic}", meter)

    async def tick(self, timer: str, work: Callable[[], Awaitable[object]]) -> None:
        """Measure what a timer's function does."""
        with self.execution(timer, timer):
            await work()

    def total(self) -> list[Sum]:
        """Give what this process has used since it began, by language model."""
        waiting = [Sum("", entry.model, entry.usage) for entry in self._waiting]
        minutes = [Sum("", model, usage) for (*_, model), usage in self._minutes.items()]
        return total([*self._total, *waiting, *minutes])

    async def flush(self) -> None:
        """Write all that was gathered.

        Raises
        ------
        TransientError
            The ledger cannot be written to now; nothing is given up.
        """
        await self._write(whole=True)

    async def close(self) -> None:
        """Write all that was gathered, if that can be done now, and nothing more of itself."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self.flush()
        except FinAgentError as error:
            logger.warning("%d entries of the ledger are lost: %s", self._unwritten(), error)

    def period(self, function: str) -> ActivePeriod:
        """Give what this process's instance of a function is at work for."""
        return self._periods.get(function) or self._periods.setdefault(function, ActivePeriod())

    def put_down(self, meter: Meter, started: int, usage: Usage) -> None:
        """Gather what an execution used that has ended; `started` is in microseconds since 1970."""
        (model, (read, written)), *others = meter.tokens.items() or (("", (0, 0)),)
        self._add(meter, started, model, usage._replace(input_tokens=read, output_tokens=written) if model else usage)
        for model, (read, written) in others:
            self._add(meter, started, model, Usage(input_tokens=read, output_tokens=written))
        self._wake()

    def _add(self, meter: Meter, started: int, model: str, usage: Usage) -> None:
        if meter.correlation:
            self._waiting.append(
                Entry(started, meter.agent, meter.event, meter.type, meter.correlation, meter.owner, model, usage)
            )
            return
        # A row for each of these would cost more than many of them do.
        alike = started // _MINUTE_US, meter.agent, meter.owner, model
        self._minutes[alike] = usage.plus(self._minutes.get(alike, NOTHING))

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self._flush_quietly())

    async def _flush_quietly(self) -> None:
        try:
            await self._write(whole=False)
        except FinAgentError as error:
            logger.warning("the ledger waits with %d entries: %s", self._unwritten(), error)
        self._give_up()
        if self._unwritten() or self._minutes:
            self._wake()

    def _unwritten(self) -> int:
        return len(self._waiting) + (len(self._batch.entries) if self._batch else 0)

    async def _write(self, *, whole: bool) -> None:
        # Never on the account of who asks for it, whose meter would say so after it was read.
        async with self._turn:
            token = running.set(None)
            try:
                self._close_minutes(whole=whole)
                while self._batch is not None or self._waiting:
                    self._batch = self._batch or self._next()
                    await self.ledger.add(self._batch)
                    self._batch = None
            finally:
                running.reset(token)

    def _close_minutes(self, *, whole: bool) -> None:
        now = int(self.wall_seconds() * 1e6) // _MINUTE_US
        for alike in [alike for alike in self._minutes if whole or alike[0] < now]:
            minute, agent, owner, model = alike
            self._waiting.append(Entry(minute * _MINUTE_US, agent, "", "", "", owner, model, self._minutes.pop(alike)))

    def _next(self) -> Batch:
        entries = [self._waiting.popleft() for _ in range(min(LONGEST_BATCH, len(self._waiting)))]
        # What it costs to write goes with the next batch, and is no reason for one: that would never end.
        used = self.metering.take_desk().usage(0, 0)
        if used != NOTHING:
            entries.append(Entry(int(self.wall_seconds() * 1e6), "desk", "", "", "", "", "", used))
        self._total = total([*self._total, *(Sum("", entry.model, entry.usage) for entry in entries)])
        return Batch(f"{self._name}-{next(self._numbers)}", tuple(entries))

    def _give_up(self) -> None:
        excess = len(self._waiting) - MOST_WAITING
        for _ in range(excess):
            self._waiting.popleft()
        if excess > 0:
            self.lost += excess
            logger.error("%d entries of the ledger are lost", excess)


class Execution:
    """An execution while it runs: what is charged within it goes to its meter."""

    __slots__ = ("_before", "_began", "_book", "_meter", "_period", "_share", "_started")

    def __init__(self, book: Book, function: str, meter: Meter) -> None:
        self._book = book
        self._meter = meter
        self._period = book.period(function)

    def __enter__(self) -> Meter:
        self._before: Token[Meter | None] = running.set(self._meter)
        self._started, self._began = self._book.wall_seconds(), self._book.monotonic()
        self._share = self._period.begin(int(self._began * 1e6))
        return self._meter

    def __exit__(self, *_: object) -> None:
        book, meter, now = self._book, self._meter, self._book.monotonic()
        running.reset(self._before)
        meter.is_open = False
        if meter.received:
            meter.settled = 1 + int((now - self._began) / book.lock_seconds)
        billed = self._period.end(self._share, int(now * 1e6))
        book.put_down(meter, int(self._started * 1e6), meter.usage(1, billed))

"""Where the pump is put to the test: a bus in memory with one subscription, and the app's own registration of it."""

import asyncio
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import azure.functions as func

from local.host_json import HostOptions
from local.pump import Pump
from local.registration import registrations
from shared.bus.in_memory import InMemoryEventBus
from shared.bus.port import Message
from shared.clock import Clock, ManualClock
from tests.builders import a_message, a_topic, a_topology

LOCK_SECONDS = 0.2
OPTIONS = HostOptions(
    route_prefix="",
    function_timeout_seconds=5,
    max_concurrent_calls=4,
    max_concurrent_sessions=4,
    max_auto_lock_renewal_seconds=10,
    session_idle_seconds=0.05,
    max_batch_size=100,
    min_batch_size=1,
    max_batch_wait_seconds=10,
)

type Call = Callable[..., Awaitable[None] | None]


class Bench:
    """A bus with one subscription, pumped into a function.

    Parameters
    ----------
    call : callable
        The function.
    many : bool
        Whether it is registered with cardinality many.
    **options : float
        Host options that differ from `OPTIONS`.
    """

    def __init__(
        self,
        call: Call,
        *,
        sessions: bool = False,
        many: bool = False,
        clock: Clock | None = None,
        **options: typing.Any,
    ) -> None:
        topic = a_topic("events", sessions=sessions, agent=["news.received", "trade.requested"])
        topology = a_topology(topic, lock_seconds=LOCK_SECONDS)
        self.bus = InMemoryEventBus(topology, clock or ManualClock(datetime(2008, 9, 15, tzinfo=UTC)))
        (function,) = registrations(_app(call, sessions=sessions, many=many), {"TOPIC": "events"})
        self.pump = Pump(function, self.bus, replace(OPTIONS, **options), LOCK_SECONDS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[InMemoryEventBus]:
        """Pump while the test goes on, then drain."""
        task = asyncio.create_task(self.pump.run())
        try:
            async with asyncio.timeout(20):
                yield self.bus
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.pump.drain()


def _app(call: Call, *, sessions: bool, many: bool) -> func.FunctionApp:
    app = func.FunctionApp()
    trigger = app.service_bus_topic_trigger(
        arg_name="message",
        topic_name="%TOPIC%",
        subscription_name="agent",
        connection="SERVICEBUS",
        is_sessions_enabled=sessions,
        cardinality=func.Cardinality.MANY if many else func.Cardinality.ONE,
    )
    app.function_name("agent")(trigger(call))
    return app


def messages(*numbers: int, session: str | None = None) -> list[Message]:
    """Give numbered messages, with the number as body."""
    return [
        a_message(f"event-{session or ''}{number}", subject="news.received", body=str(number).encode(), session=session)
        for number in numbers
    ]


async def settled(bus: InMemoryEventBus) -> None:
    """Return when every message is completed or dead."""
    while any((await bus.backlog()).values()):  # noqa: ASYNC110 - the bus has no event for being empty
        await asyncio.sleep(0.01)


async def passed(times: int = 50) -> None:
    """Let everything that is ready to go on do so; nothing on the bus in memory takes longer."""
    for _ in range(times):
        await asyncio.sleep(0)


def bodies(batch: Sequence[func.ServiceBusMessage]) -> list[int]:
    """Give the numbers of messages."""
    return [int(message.get_body()) for message in batch]

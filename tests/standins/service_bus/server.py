"""The stand-in on one local port: AMQP 1.0 for the data plane, HTTP for the counts of the administration service."""

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from shared.bus.topology import Topology
from tests.standins.service_bus.administration import serve_counts
from tests.standins.service_bus.connection import Broker, Connection
from tests.standins.service_bus.faults import Fault
from tests.standins.service_bus.link import link_for
from tests.standins.service_bus.queue import Clock, Queue
from tests.standins.service_bus.token import KEY, KEY_NAME
from tests.standins.service_bus.topic import Namespace

TICK_SECONDS = 0.01


class ServiceBusStandIn:
    """A namespace to be used as an async context manager.

    Parameters
    ----------
    topology : Topology
        Which topics and subscriptions exist, and their limits.
    clock : callable
        Seconds since 1970: locks, schedules and the duplicate-detection window run on it. A clock that tests move must
        not be behind the wall, for the SDK compares the end of a lock with the wall.
    port : int
        0 takes a free one.
    """

    def __init__(self, topology: Topology, clock: Clock = time.time, port: int = 0) -> None:
        self.broker = Broker(Namespace(topology, clock), clock)
        self.port = port
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Self:
        self.port = await self.listen("127.0.0.1", self.port)
        self._spawn(self._tick())
        return self

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on another address too, and give the port: clients with an identity insist on 5671 and TLS."""
        server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connection_string(self) -> str:
        """What a client connects with: plain TCP on our port."""
        return self.connection_string_with(KEY)

    @property
    def administration_url(self) -> str:
        """Where the counts are, as the administration client asks for them."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def connection_string_with(self, key: str) -> str:
        """Give a connection string with another key."""
        return _connection_string(self.port, key)

    def connection_string_at(self, port: int) -> str:
        """Give a connection string for another port that it listens on."""
        return _connection_string(port, KEY)

    def fail(self, path: str, *faults: Fault) -> None:
        """Queue faults for a topic's publications (`events`) or a subscription's settlements (`events/analyst`)."""
        topic, _, subscription = path.partition("/")
        self.broker.faults.add(f"{topic}/Subscriptions/{subscription}" if subscription else topic, *faults)

    def lose_locks(self, path: str) -> None:
        """Let every lock on a subscription (`events/analyst`) run out now."""
        self._queue(path).lose_locks()

    def waiting(self, path: str) -> list[object]:
        """Give the receivers that wait on a subscription (`events/analyst`), for a message or for a session."""
        queue = self._queue(path)
        return [*filter(lambda consumer: consumer.wants(), queue.consumers), *queue.acceptors]

    def locked(self, path: str) -> int:
        """Give how many messages of a subscription are held."""
        return sum(entry.token is not None for entry in self._queue(path))

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait until something has happened here.

        Raises
        ------
        TimeoutError
            It did not within 10 seconds.
        """
        async with asyncio.timeout(10):
            while not happened():  # noqa: ASYNC110 - it may be anything
                await asyncio.sleep(TICK_SECONDS)

    def clear(self) -> None:
        """Forget all messages and faults; who is connected stays so."""
        self.broker.namespace.clear()
        self.broker.faults.clear()

    def reset_connections(self) -> None:
        """Cut every connection without a word."""
        for connection in tuple(self._connections):
            connection.reset()

    def _queue(self, path: str) -> Queue:
        topic, _, subscription = path.partition("/")
        return self.broker.namespace.queue(f"{topic}/Subscriptions/{subscription}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            first = await reader.readexactly(8)
            if first.startswith(b"GET "):
                await serve_counts(self.broker, first, reader, writer)
            else:
                await self._converse(first, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self.broker, link_for, reader, writer)
        self._connections.add(connection)
        try:
            await connection.run(first)
        finally:
            self._connections.discard(connection)

    async def _tick(self) -> None:
        while True:
            self.broker.namespace.offer()
            await asyncio.sleep(TICK_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _connection_string(port: int, key: str) -> str:
    endpoint = f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName={KEY_NAME};SharedAccessKey={key}"
    return f"{endpoint};UseDevelopmentEmulator=true;"

"""One client's connection: handshake, frames, sessions and the links in them. What links do is in `link.py`."""

import asyncio
import logging
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from tests.standins.service_bus.codec import Array, Described, MalformedError, Symbol, UByte, UInt, UShort
from tests.standins.service_bus.faults import Faults
from tests.standins.service_bus.frame import (
    AMQP_HEADER,
    MAX_FRAME_BYTES,
    SASL_HEADER,
    AmqpError,
    Fields,
    Frame,
    Performative,
    error,
    frame_bytes,
    performative,
    read_frame,
)
from tests.standins.service_bus.queue import Clock
from tests.standins.service_bus.topic import Namespace

logger = logging.getLogger(__name__)

WINDOW = 5_000
IDLE_MILLISECONDS = 240_000


@dataclass
class Broker:
    """What all connections share.

    Attributes
    ----------
    refused_tokens : int
        How often somebody came with a wrong key.
    completed : Counter of (int, str)
        How many messages were completed through each port that is listened on, by the path of their queue.
    """

    namespace: Namespace
    clock: Clock
    faults: Faults = field(default_factory=Faults)
    refused_tokens: int = 0
    completed: Counter[tuple[int, str]] = field(default_factory=Counter)


class Link(Protocol):
    """Our end of a link."""

    def attach(self) -> None:
        """Answer the peer's attach, or refuse it."""
        ...

    def transfer(self, frame: Frame) -> None:
        """Take a transfer."""
        ...

    def flow(self, fields: Fields) -> None:
        """Take a flow."""
        ...

    def settle(self, delivery: int, token: UUID, state: Described | None, *, settled: bool) -> None:
        """Take what the peer says of a delivery."""
        ...

    def closed(self) -> None:
        """Let go: the link is gone."""
        ...


class Session:
    """A session: its links by handle, and what it has sent and is not settled."""

    def __init__(self, connection: "Connection", channel: int) -> None:
        self.connection = connection
        self.channel = channel
        self.links: dict[int, Link] = {}
        self.unsettled: dict[int, tuple[Link, UUID]] = {}
        self.received = 0
        self.sent = 0

    def send(self, value: Described, payload: bytes = b"") -> None:
        """Send a performative on this session."""
        self.connection.send(self.channel, value, payload)

    def send_flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool = False) -> None:
        """Say what the link's state is."""
        window = (UInt(self.received), UInt(WINDOW), UInt(self.sent), UInt(WINDOW))
        self.send(
            performative(
                Performative.FLOW, *window, UInt(handle), UInt(delivery_count), UInt(credit), None, drain or None
            )
        )

    def detach(self, handle: int, problem: AmqpError | None = None) -> None:
        """Close a link from our side."""
        what = None if problem is None else error(problem.condition, problem.description)
        self.send(performative(Performative.DETACH, UInt(handle), True, what))
        if (link := self.links.pop(handle, None)) is not None:
            self._forget(link)

    def close(self) -> None:
        """Let go of every link."""
        for link in tuple(self.links.values()):
            self._forget(link)
        self.links.clear()

    def take(self, frame: Frame) -> None:
        """Take a frame that is about a link."""
        fields = frame.fields
        match frame.performative:
            case Performative.ATTACH:
                self._attach(fields)
            case Performative.TRANSFER:
                self.received += 1
                if (link := self.links.get(fields[0])) is not None:
                    link.transfer(frame)
            case Performative.FLOW:
                if (link := self.links.get(fields[4])) is not None:
                    link.flow(fields)
            case Performative.DISPOSITION:
                self._settle(fields)
            case Performative.DETACH:
                if fields[0] in self.links:
                    self.detach(fields[0])

    def _attach(self, fields: Fields) -> None:
        handle = int(fields[1])
        try:
            self.links[handle] = self.connection.link_for(self, fields)
            self.links[handle].attach()
        except AmqpError as problem:
            # The standard's way to refuse: an attach without a source and a target, then a detach that says why.
            self.send(performative(Performative.ATTACH, fields[0], UInt(handle), not fields[2]))
            self.detach(handle, problem)

    def _settle(self, fields: Fields) -> None:
        last = fields[1] if fields[2] is None else fields[2]
        for delivery in range(fields[1], last + 1):
            if (found := self.unsettled.get(delivery)) is not None:
                found[0].settle(delivery, found[1], fields[4], settled=bool(fields[3]))

    def _forget(self, link: Link) -> None:
        for delivery in [delivery for delivery, (owner, _) in self.unsettled.items() if owner is link]:
            del self.unsettled[delivery]
        link.closed()


class Connection:
    """A connection, from its first byte to its last.

    Attributes
    ----------
    granted : set of str
        The paths that its tokens are good for, in lower case.
    port : int
        Ours, that the peer came to.
    """

    def __init__(
        self,
        broker: Broker,
        link_for: Callable[[Session, Fields], Link],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.broker = broker
        self.link_for = link_for
        self.granted: set[str] = set()
        self.max_frame = MAX_FRAME_BYTES
        self.port: int = writer.get_extra_info("sockname")[1]
        self._reader = reader
        self._writer = writer
        self._sessions: dict[int, Session] = {}

    def send(self, channel: int, value: Described, payload: bytes = b"", *, sasl: bool = False) -> None:
        """Send a performative, unless the peer is gone."""
        if not self._writer.is_closing():
            self._writer.write(frame_bytes(channel, value, payload, sasl=sasl))

    def reset(self) -> None:
        """Cut the connection without a word (TCP RST)."""
        peer: socket.socket = self._writer.get_extra_info("socket")
        with suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self._close_sessions()

    async def run(self, first: bytes) -> None:
        """Serve the client until it goes; `first` is its protocol header."""
        try:
            await self._shake_hands(first)
            while await self._take(await read_frame(self._reader)):
                await self._writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, MalformedError) as problem:
            logger.debug("a client went: %r", problem)
        finally:
            self._close_sessions()
            self._writer.close()

    async def _shake_hands(self, first: bytes) -> None:
        if first == SASL_HEADER:
            mechanisms = Array([Symbol("MSSBCBS"), Symbol("ANONYMOUS")])
            self._writer.write(SASL_HEADER)
            self.send(0, performative(Performative.SASL_MECHANISMS, mechanisms), sasl=True)
            init = await read_frame(self._reader)
            known = init.performative == Performative.SASL_INIT and init.fields[0] in mechanisms
            self.send(0, performative(Performative.SASL_OUTCOME, UByte(0 if known else 1)), sasl=True)
            first = await self._reader.readexactly(len(AMQP_HEADER))
        if first != AMQP_HEADER:
            raise MalformedError(f"not AMQP 1.0: {first!r}")
        self._writer.write(AMQP_HEADER)

    async def _take(self, frame: Frame) -> bool:
        match frame.performative:
            case None:
                return True
            case Performative.OPEN:
                self._open(frame.fields)
            case Performative.BEGIN:
                self._begin(frame.channel)
            case Performative.END:
                self._end(frame.channel)
            case Performative.CLOSE:
                self.send(0, performative(Performative.CLOSE))
                return False
            case _:
                self._session(frame.channel).take(frame)
        return True

    def _open(self, fields: Fields) -> None:
        if fields[2] is not None:
            self.max_frame = min(MAX_FRAME_BYTES, int(fields[2]))
        limits: tuple[Any, ...] = (UInt(MAX_FRAME_BYTES), UShort(4_999), UInt(IDLE_MILLISECONDS))
        self.send(0, performative(Performative.OPEN, "service-bus-stand-in", None, *limits))

    def _begin(self, channel: int) -> None:
        self._sessions[channel] = Session(self, channel)
        windows = (UInt(0), UInt(WINDOW), UInt(WINDOW), UInt(255))
        self.send(channel, performative(Performative.BEGIN, UShort(channel), *windows))

    def _end(self, channel: int) -> None:
        self._session(channel).close()
        del self._sessions[channel]
        self.send(channel, performative(Performative.END))

    def _session(self, channel: int) -> Session:
        if channel not in self._sessions:
            raise MalformedError(f"no session on channel {channel}")
        return self._sessions[channel]

    def _close_sessions(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

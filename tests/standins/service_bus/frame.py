"""AMQP 1.0 frames and performatives (parts 2 and 5 of the standard): what goes over the connection."""

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from tests.standins.service_bus.codec import Described, MalformedError, Symbol, ULong, decode, encode

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
MAX_FRAME_BYTES = 65_536
_PREFIX = struct.Struct(">IBBH")


class Performative(IntEnum):
    """What a frame is about."""

    OPEN = 0x10
    BEGIN = 0x11
    ATTACH = 0x12
    FLOW = 0x13
    TRANSFER = 0x14
    DISPOSITION = 0x15
    DETACH = 0x16
    END = 0x17
    CLOSE = 0x18
    ERROR = 0x1D
    ACCEPTED = 0x24
    REJECTED = 0x25
    RELEASED = 0x26
    MODIFIED = 0x27
    SOURCE = 0x28
    TARGET = 0x29
    SASL_MECHANISMS = 0x40
    SASL_INIT = 0x41
    SASL_OUTCOME = 0x44


class AmqpError(Exception):
    """An error that the peer is told: a condition from the standard or from Service Bus, and words."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description


class Fields(list[Any]):
    """A performative's fields; those that the peer left off at the end are None."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index) if index < len(self) else None


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it came in; one without a performative only keeps the connection alive."""

    channel: int
    performative: int | None
    fields: Fields
    payload: bytes


def performative(code: int, *fields: Any) -> Described:
    """Give a performative or one of its composite parts."""
    return Described(ULong(code), list(fields))


def error(condition: str, description: str) -> Described:
    """Give an error as a field, with its empty last part: the SDK waits for ever on one that leaves it off."""
    return performative(Performative.ERROR, Symbol(condition), description, None)


def fields_of(value: Any) -> Fields:
    """Give the fields of a composite value; none when it is null."""
    return Fields(value.value if isinstance(value, Described) else ())


def frame_bytes(channel: int, value: Described, payload: bytes = b"", *, sasl: bool = False) -> bytes:
    """Write a frame."""
    body = encode(value) + payload
    return _PREFIX.pack(_PREFIX.size + len(body), 2, int(sasl), channel) + body


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read the next frame.

    Raises
    ------
    asyncio.IncompleteReadError
        The peer is gone.
    MalformedError
        The bytes are no frame.
    """
    size, offset, _, channel = _PREFIX.unpack(await reader.readexactly(_PREFIX.size))
    if not _PREFIX.size <= size <= MAX_FRAME_BYTES:
        raise MalformedError(f"a frame of {size} bytes")
    body = (await reader.readexactly(size - _PREFIX.size))[4 * offset - _PREFIX.size :]
    if not body:
        return Frame(channel, None, Fields(), b"")
    value, end = decode(body)
    if not isinstance(value, Described):
        raise MalformedError("a frame without a performative")
    return Frame(channel, int(value.descriptor), Fields(value.value), body[end:])

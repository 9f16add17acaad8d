"""AMQP 1.0's type system: values to bytes and back, written from the standard (part 1), not from any library.

Python's own types stand for the plain ones (None, bool, int as long, float as double, str, bytes, UUID, list, dict);
where the width or kind matters on the wire, a subclass says so. What is decoded comes back in the same classes, so that
a value goes out as it came in.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID


class Symbol(str):
    """ASCII name from a constrained domain."""

    __slots__ = ()


class UByte(int):
    """8 bits, unsigned."""


class UShort(int):
    """16 bits, unsigned."""


class UInt(int):
    """32 bits, unsigned."""


class ULong(int):
    """64 bits, unsigned."""


class Int(int):
    """32 bits, signed."""


class Timestamp(int):
    """Milliseconds since 1970."""


class Array(list[Any]):
    """Values of one type."""


@dataclass(frozen=True, slots=True)
class Described:
    """A value and what it means."""

    descriptor: Any
    value: Any


class MalformedError(ValueError):
    """The bytes are not AMQP."""


def encode(value: Any) -> bytes:
    """Write a value with its constructor."""
    if isinstance(value, Described):
        return b"\x00" + encode(value.descriptor) + encode(value.value)
    return _ENCODERS[type(value)](value)


def decode(data: bytes | memoryview, at: int = 0) -> tuple[Any, int]:
    """Read the value that begins at `at`, and give it with the place behind it.

    Raises
    ------
    MalformedError
        The bytes are cut short or of an unknown type.
    """
    try:
        code = data[at]
        if code == 0:
            descriptor, at = decode(data, at + 1)
            value, at = decode(data, at)
            return Described(descriptor, value), at
        return _read(code, data, at + 1)
    except (IndexError, KeyError, struct.error, ValueError) as error:
        raise MalformedError(f"no AMQP value at {at}: {error!r}") from error


def _fixed(code: int, layout: str) -> Callable[[Any], bytes]:
    packed = struct.Struct(f">B{layout}")
    return lambda value: packed.pack(code, value)


def _short_or_long(short: int, wide: int, layout: str, low: int, high: int) -> Callable[[Any], bytes]:
    small = struct.Struct(">Bb" if low < 0 else ">BB")
    large = struct.Struct(f">B{layout}")
    return lambda value: small.pack(short, value) if low <= value <= high else large.pack(wide, value)


def _sized(short: int, body: bytes) -> bytes:
    if len(body) < 256:
        return struct.pack(">BB", short, len(body)) + body
    return struct.pack(">BI", short + 0x10, len(body)) + body


def _counted(short: int, count: int, body: bytes) -> bytes:
    if len(body) < 255 and count < 256:
        return struct.pack(">BBB", short, len(body) + 1, count) + body
    return struct.pack(">BII", short + 0x10, len(body) + 4, count) + body


def _list(items: Iterable[Any]) -> bytes:
    encoded = [encode(item) for item in items]
    return _counted(0xC0, len(encoded), b"".join(encoded)) if encoded else b"\x45"


def _map(items: dict[Any, Any]) -> bytes:
    body = b"".join(encode(key) + encode(value) for key, value in items.items())
    return _counted(0xC1, 2 * len(items), body)


def _array(items: Array) -> bytes:
    # One constructor for all, so each is written at its full width.
    kind = type(items[0]) if items else str
    code, body = _WIDE[kind]
    return (
        struct.pack(">BII", 0xF0, len(encoded := b"".join(map(body, items))) + 5, len(items)) + bytes([code]) + encoded
    )


def _long_text(value: str) -> bytes:
    body = value.encode()
    return struct.pack(">I", len(body)) + body


_WIDE: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    int: (0x81, struct.Struct(">q").pack),
    Timestamp: (0x83, struct.Struct(">q").pack),
    UUID: (0x98, lambda value: value.bytes),
    str: (0xB1, _long_text),
    Symbol: (0xB3, _long_text),
}

_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    UByte: _fixed(0x50, "B"),
    UShort: _fixed(0x60, "H"),
    UInt: _short_or_long(0x52, 0x70, "I", 0, 255),
    ULong: _short_or_long(0x53, 0x80, "Q", 0, 255),
    Int: _short_or_long(0x54, 0x71, "i", -128, 127),
    int: _short_or_long(0x55, 0x81, "q", -128, 127),
    float: _fixed(0x82, "d"),
    Timestamp: _fixed(0x83, "q"),
    UUID: lambda value: b"\x98" + value.bytes,
    bytes: lambda value: _sized(0xA0, value),
    str: lambda value: _sized(0xA1, value.encode()),
    Symbol: lambda value: _sized(0xA3, value.encode("ascii")),
    list: _list,
    dict: _map,
    Array: _array,
}

_CONSTANTS: dict[int, Any] = {
    0x40: None,
    0x41: True,
    0x42: False,
    0x43: UInt(0),
    0x44: ULong(0),
}
_NUMBERS: dict[int, tuple[struct.Struct, Callable[[Any], Any]]] = {
    0x50: (struct.Struct(">B"), UByte),
    0x51: (struct.Struct(">b"), Int),
    0x52: (struct.Struct(">B"), UInt),
    0x53: (struct.Struct(">B"), ULong),
    0x54: (struct.Struct(">b"), Int),
    0x55: (struct.Struct(">b"), int),
    0x56: (struct.Struct(">B"), bool),
    0x60: (struct.Struct(">H"), UShort),
    0x61: (struct.Struct(">h"), Int),
    0x70: (struct.Struct(">I"), UInt),
    0x71: (struct.Struct(">i"), Int),
    0x72: (struct.Struct(">f"), float),
    0x80: (struct.Struct(">Q"), ULong),
    0x81: (struct.Struct(">q"), int),
    0x82: (struct.Struct(">d"), float),
    0x83: (struct.Struct(">q"), Timestamp),
}
_TEXTS: dict[int, Callable[[bytes], Any]] = {
    0xA0: bytes,
    0xA1: lambda body: body.decode(),
    0xA3: lambda body: Symbol(body.decode("ascii")),
}
_SIZES = {0: struct.Struct(">B"), 0x10: struct.Struct(">I")}


def _read(code: int, data: bytes | memoryview, at: int) -> tuple[Any, int]:
    if code in _CONSTANTS:
        return _CONSTANTS[code], at
    if code in _NUMBERS:
        layout, make = _NUMBERS[code]
        return make(layout.unpack_from(data, at)[0]), at + layout.size
    if code == 0x45:
        return [], at
    if code == 0x98:
        return UUID(bytes=bytes(data[at : at + 16])), at + 16
    return _read_sized(code & ~0x10, _SIZES[code & 0x10], data, at)


def _read_sized(kind: int, width: struct.Struct, data: bytes | memoryview, at: int) -> tuple[Any, int]:
    (size,) = width.unpack_from(data, at)
    at += width.size
    end = at + size
    if end > len(data):
        raise IndexError(f"{size} bytes announced, {len(data) - at} left")
    if kind in _TEXTS:
        return _TEXTS[kind](bytes(data[at:end])), end
    (count,) = width.unpack_from(data, at)
    return _COMPOUND[kind](data, at + width.size, count), end


def _read_list(data: bytes | memoryview, at: int, count: int) -> list[Any]:
    items = []
    for _ in range(count):
        item, at = decode(data, at)
        items.append(item)
    return items


def _read_map(data: bytes | memoryview, at: int, count: int) -> dict[Any, Any]:
    items = _read_list(data, at, count)
    return dict(zip(items[::2], items[1::2], strict=True))


def _read_array(data: bytes | memoryview, at: int, count: int) -> Array:
    code, at, items = data[at], at + 1, Array()
    for _ in range(count):
        item, at = _read(code, data, at)
        items.append(item)
    return items


_COMPOUND: dict[int, Callable[[bytes | memoryview, int, int], Any]] = {
    0xC0: _read_list,
    0xC1: _read_map,
    0xE0: _read_array,
}

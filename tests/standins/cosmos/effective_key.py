"""Where an item lives: its partition key hashed into the effective partition key, 32 hex digits per component."""

import struct

from tests.standins.cosmos.value import UNDEFINED

_MASK = (1 << 64) - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F

type Key = tuple[object, ...]


def effective_key(key: Key) -> str:
    """Give the effective partition key of a (hierarchical) partition key, hash version 2."""
    return "".join(_hash(_encode(part)) for part in key)


def _encode(part: object) -> bytes:
    match part:
        case bool():
            return b"\x03" if part else b"\x02"
        case None:
            return b"\x01"
        case int() | float():
            return b"\x05" + struct.pack("<d", part)
        case str():
            return b"\x08" + part.encode() + b"\xff"
        case _:
            assert part is UNDEFINED
            return b"\x00"


def _hash(data: bytes) -> str:
    low, high = murmur3(data)
    digest = bytearray(high.to_bytes(8, "big") + low.to_bytes(8, "big"))
    # The two highest bits are cleared, so that FF is beyond every key.
    digest[0] &= 0x3F
    return digest.hex().upper()


def murmur3(data: bytes) -> tuple[int, int]:
    """Give MurmurHash3's x64 variant of 128 bits, seed 0, as two 64-bit numbers."""
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for start in range(0, whole, 16):
        k1, k2 = struct.unpack_from("<QQ", data, start)
        h1 = (_rotate(h1 ^ _mix1(k1), 27) + h2) * 5 + 0x52DCE729 & _MASK
        h2 = (_rotate(h2 ^ _mix2(k2), 31) + h1) * 5 + 0x38495AB5 & _MASK
    k1, k2 = struct.unpack("<QQ", data[whole:].ljust(16, b"\0"))
    h1, h2 = h1 ^ _mix1(k1) ^ len(data), h2 ^ _mix2(k2) ^ len(data)
    h1 = h1 + h2 & _MASK
    h2 = h2 + h1 & _MASK
    h1, h2 = _finish(h1), _finish(h2)
    h1 = h1 + h2 & _MASK
    return h1, h2 + h1 & _MASK


def _mix1(k: int) -> int:
    return _rotate(k * _C1 & _MASK, 31) * _C2 & _MASK


def _mix2(k: int) -> int:
    return _rotate(k * _C2 & _MASK, 33) * _C1 & _MASK


def _rotate(value: int, shift: int) -> int:
    return (value << shift | value >> 64 - shift) & _MASK


def _finish(h: int) -> int:
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & _MASK
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return h ^ h >> 33

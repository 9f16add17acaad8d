"""The cursor of the log in Cosmos: how far each range of hashed partition keys was read, opaque to whoever holds it."""

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from shared.errors import InvalidError, MissingError

LOWEST, HIGHEST = "", "FF"
_LONGEST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the events were read whose hashed stream is in [low, high).

    Attributes
    ----------
    etag : str
        What the change feed gave behind the last whole page; empty at the beginning.
    lsn : int
        The change that was read last in the page after that; 0 when nothing of it was read.
    given : int
        How many events of that change, which may be a batch of several, were read.
    """

    low: str = LOWEST
    high: str = HIGHEST
    etag: str = ""
    lsn: int = 0
    given: int = 0

    def cut(self, low: str, high: str) -> list["Mark"]:
        """Give the mark in up to three parts: before, inside and behind a range."""
        edges = [self.low, *(edge for edge in (low, high) if self.low < edge < self.high), self.high]
        return [replace(self, low=start, high=end) for start, end in pairwise(edges)]


BEGINNING = (Mark(),)
"""Where nothing was read yet."""


def join(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Sort marks and make one of neighbours that are equally far: the same position has one form only."""
    joined: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: mark.low):
        if joined and replace(joined[-1], low=mark.low, high=mark.high) == mark:
            joined[-1] = replace(joined[-1], high=mark.high)
        else:
            joined.append(mark)
    return tuple(joined)


def within(marks: Iterable[Mark], low: str, high: str) -> tuple[list[Mark], list[Mark]]:
    """Part marks into those inside and those outside of a range."""
    parts = [part for mark in marks for part in mark.cut(low, high)]
    return (
        [part for part in parts if low <= part.low and part.high <= high],
        [part for part in parts if not (low <= part.low and part.high <= high)],
    )


def write_cursor(log: str, marks: Iterable[Mark]) -> str:
    """Give the cursor for a position in the log whose resource id is `log`; it fits a URL."""
    # Each range ends where the next begins.
    parts = [[mark.low, mark.etag, mark.lsn, mark.given] for mark in join(marks)]
    packed = zlib.compress(json.dumps([log, *parts], separators=(",", ":")).encode(), 9, wbits=-15)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(log: str, cursor: str) -> tuple[Mark, ...]:
    """Give the position that a cursor names; the beginning for an empty one.

    Raises
    ------
    InvalidError
        It is malformed.
    MissingError
        It belongs to another log.
    """
    if not cursor:
        return BEGINNING
    name, marks = _parse(cursor)
    if name != log:
        raise MissingError("after: this cursor belongs to a log that is no longer here; start again without it")
    return marks


def _parse(cursor: str) -> tuple[str, tuple[Mark, ...]]:
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, *parts = json.loads(zlib.decompressobj(wbits=-15).decompress(packed, _LONGEST_BYTES))
        ends = [*(str(part[0]) for part in parts[1:]), HIGHEST]
        marks = tuple(
            Mark(str(low), end, str(etag), int(lsn), int(given))
            for (low, etag, lsn, given), end in zip(parts, ends, strict=True)
        )
    except (ValueError, TypeError, KeyError, IndexError, zlib.error, binascii.Error) as error:
        raise InvalidError("after: not a cursor that this API gave") from error
    if not marks or marks[0].low != LOWEST or any(mark.low >= mark.high for mark in marks):
        raise InvalidError("after: not a cursor that this API gave")
    return str(name), marks

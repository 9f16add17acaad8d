"""The hash of a run: of what was played to the last bit, and of what came of it as far as machines agree.

The same arithmetic on another processor differs in the last digits, because sums are taken in another order, and where
a model is fitted step by step in the seventh. What is hashed of a conclusion has its numbers rounded to four digits;
the events themselves keep all. Two machines can still differ, in a number that lies on the edge of two roundings.
"""

import re
from hashlib import sha256
from struct import pack

from shared.events.envelope import Event
from shared.events.market import MarketDataReceived

NOTHING = 1e-9
"""Below it a number counts as 0: of a difference that should be none, machines keep different remains."""
_NUMBER = re.compile(rb"([:,\[])(-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+))(?=[,\]}])")


class Fingerprint:
    """Takes in the events of a run one by one; of each chain only the last link is kept."""

    def __init__(self) -> None:
        self._data = self._conclusions = b""

    @property
    def data(self) -> str:
        """SHA-256 over what was played, in hexadecimal."""
        return self._data.hex()

    @property
    def whole(self) -> str:
        """SHA-256 over what was played and what came of it."""
        return sha256(self._data + self._conclusions).hexdigest()

    def play(self, event: Event) -> None:
        """Take in an event of the source."""
        body = _packed(event) if isinstance(event, MarketDataReceived) else event.json_bytes
        self._data = sha256(self._data + body).digest()

    def conclude(self, event: Event) -> None:
        """Take in an event that came of others."""
        self._conclusions = sha256(self._conclusions + _rounded(event.json_bytes)).digest()


def _packed(event: MarketDataReceived) -> bytes:
    # The numbers as they are in memory: to write bars as JSON takes longer than to trade on them.
    bars = event.data.bars
    values = [value for bar in bars for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)]
    words = [
        event.id,
        event.stream,
        *(bar.symbol for bar in bars),
        *(f"{moment}" for moment in sorted({bar.closed_at for bar in bars})),
    ]
    return "\x1f".join(words).encode() + pack(f"<{len(values)}d", *values)


def _rounded(body: bytes) -> bytes:
    # Split, and all numbers formatted at once: a call for each would take longer than to find them.
    parts = _NUMBER.split(body)
    if len(parts) > 1:
        values = tuple(value if abs(value) >= NOTHING else 0.0 for value in map(float, parts[2::3]))
        parts[2::3] = (b"\n".join([b"%.4g"] * len(values)) % values).split(b"\n")
    return b"".join(parts)

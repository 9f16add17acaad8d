"""The strategy that all are measured with: SMA 20 over 50, and an RSI of 14 that is not too high; at most one position.

Buy where SMA 20 passes above SMA 50 while RSI is below 70; sell where it passes below. Orders are filled at the next
bar's open. Indicators are followed bar by bar, by each in the same way: none is worked out ahead.
"""

from collections import deque

FAST, SLOW, PERIOD, HIGH = 20, 50, 14, 70.0
SHARES = 10.0


class Crossover:
    """The indicators of one symbol, and what they say at each close: 1 to buy, -1 to sell, 0 nothing."""

    __slots__ = ("_closes", "_count", "_fast", "_gain", "_last", "_loss", "_slow", "_was_above")

    def __init__(self) -> None:
        self._closes: deque[float] = deque(maxlen=SLOW)
        self._fast = self._slow = self._gain = self._loss = self._last = 0.0
        self._count = 0
        self._was_above: bool | None = None

    def follow(self, close: float) -> int:
        """Take in a close."""
        closes, count = self._closes, self._count
        if count >= FAST:
            self._fast -= closes[-FAST]
        if count >= SLOW:
            self._slow -= closes[0]
        self._fast += close
        self._slow += close
        closes.append(close)
        if count:
            change = close - self._last
            gain, loss = (change, 0.0) if change > 0 else (0.0, -change)
            if count <= PERIOD:
                self._gain += gain / PERIOD
                self._loss += loss / PERIOD
            else:
                self._gain += (gain - self._gain) / PERIOD
                self._loss += (loss - self._loss) / PERIOD
        self._last, self._count = close, count + 1
        return self._signal() if count + 1 >= SLOW else 0

    def _signal(self) -> int:
        above = self._fast / FAST > self._slow / SLOW
        was, self._was_above = self._was_above, above
        if was is None or above == was:
            return 0
        if not above:
            return -1
        return 1 if 100 * self._gain < HIGH * (self._gain + self._loss) else 0

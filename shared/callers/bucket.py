"""How much one caller may ask: a bucket of requests that fills at a steady rate."""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_CALLERS = 10_000


class Buckets:
    """A bucket for each caller, in this process.

    Parameters
    ----------
    per_second : float
        Requests that a caller may make for ever.
    burst : float
        Requests that a caller who was silent may make at once.
    monotonic : callable
        Seconds that only go forward.
    """

    def __init__(self, per_second: float, burst: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take a request out of the caller's bucket, and give 0; where it is empty, the seconds until there is one."""
        now = self._monotonic()
        left, since = self._left.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._left[caller] = (left if wait else left - 1, now)
        if len(self._left) > _MOST_CALLERS:
            self._left.popitem(last=False)
        return wait

"""Instance time as the Flex Consumption plan bills it.

An instance is billed while it executes anything, however much at once: at least a second, rounded up to the next tenth
of one; what begins while the last such second is not over yet is paid for already. Each function is scaled on its own,
so each has instances of its own.

Notes
-----
The host also closes its account every five seconds, which may add a second to a long execution. That is not counted.

References
----------
https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan#billing, and the class
`FlexConsumptionMetricsPublisher` of https://github.com/Azure/azure-functions-host
"""

LEAST_US = 1_000_000
STEP_US = 100_000


class ActivePeriod:
    """The time in which one instance of a function is at work, shared out among its executions.

    Each moment is shared by those that run in it, evenly; who is the last to end pays what is rounded up. So the shares
    add up to what the instance is billed.
    """

    __slots__ = ("_moment_us", "_paid_until_us", "_running", "_share_us", "_shared_us", "_since_us")

    def __init__(self) -> None:
        self._running = 0
        self._paid_until_us = self._since_us = self._moment_us = self._shared_us = 0
        self._share_us = 0.0

    def begin(self, now_us: int) -> float:
        """Begin an execution, and give what `end` wants to know of it."""
        if not self._running:
            self._since_us = self._moment_us = max(now_us, self._paid_until_us)
            self._share_us, self._shared_us = 0.0, 0
        self._pass(now_us)
        self._running += 1
        return self._share_us

    def end(self, begun: float, now_us: int) -> int:
        """End an execution, and give the microseconds that it is billed for."""
        self._pass(now_us)
        self._running -= 1
        if self._running:
            share = int(self._share_us - begun)
            self._shared_us += share
            return share
        if now_us <= self._since_us:
            return 0
        billed = max(LEAST_US, -(-(now_us - self._since_us) // STEP_US) * STEP_US)
        self._paid_until_us = self._since_us + billed
        return billed - self._shared_us

    def _pass(self, now_us: int) -> None:
        # A share is what an execution would have that had been there from the beginning.
        if self._running and now_us > self._moment_us:
            self._share_us += (now_us - self._moment_us) / self._running
            self._moment_us = now_us

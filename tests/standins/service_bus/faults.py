"""What can go wrong, to be queued for a topic (it meets a publication) or a subscription (it meets a settlement)."""

from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True)
class LostAck:
    """Do what is asked, then reset the connection without a word."""


@dataclass(frozen=True)
class Reset:
    """Reset the connection before doing anything (TCP RST)."""


@dataclass(frozen=True)
class Slow:
    """Do what is asked and say so after so many seconds of real time."""

    seconds: float


@dataclass(frozen=True)
class Refused:
    """Refuse, with a condition of AMQP or Service Bus."""

    condition: str = "com.microsoft:server-busy"
    description: str = "The service is busy. Please retry after 10 seconds."


@dataclass(frozen=True)
class Delayed:
    """Take the publication; receivers see it so many seconds later."""

    seconds: float


@dataclass(frozen=True)
class Doubled:
    """Take the publication; every subscription gets it twice."""


@dataclass(frozen=True)
class Through:
    """Do nothing wrong: the next fault in the queue meets what comes later."""


type Fault = LostAck | Reset | Slow | Refused | Delayed | Doubled | Through

BUSY = Refused()
LOCK_LOST = Refused("com.microsoft:message-lock-lost", "The lock supplied is invalid.")
QUOTA = Refused("amqp:resource-limit-exceeded", "The maximum entity size has been reached or exceeded.")


class Faults:
    """The faults that wait, by the path of what they shall meet."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def add(self, path: str, *faults: Fault) -> None:
        """Queue faults: the first meets the next operation, and so on."""
        self._queues[path.lower()].extend(faults)

    def meet(self, path: str) -> Fault:
        """Give the fault that this operation meets."""
        queue = self._queues[path.lower()]
        return queue.popleft() if queue else Through()

    def clear(self) -> None:
        """Forget all that were not met."""
        self._queues.clear()

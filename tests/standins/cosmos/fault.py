"""What can go wrong on the way: each is queued by a test and met by the next request that it fits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.standins.cosmos.exchange import Request


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request is refused without being looked at."""

    status: int
    substatus: int = 0
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is cut: before the request is carried out, or after it (its answer is lost)."""

    after_commit: bool


@dataclass(frozen=True, slots=True)
class Stall:
    """No answer comes until the connection is closed; the request is carried out only if said so."""

    after_commit: bool = False


@dataclass(frozen=True, slots=True)
class Through:
    """The request goes well: for faults that are to come later."""


type Fault = Refuse | Drop | Stall | Through


@dataclass
class Faults:
    """Faults that wait, and the requests that were seen, as (method, path)."""

    seen: list[tuple[str, str]] = field(default_factory=list)
    _queue: list[tuple[str, str, Fault]] = field(default_factory=list)
    _always: list[tuple[str, Fault]] = field(default_factory=list)

    def fail(self, method: str, part: str, *faults: Fault) -> None:
        """Let the next requests with this method whose path contains `part` meet these faults, one each."""
        self._queue.extend((method, part, fault) for fault in faults)

    @contextmanager
    def failing(self, part: str, fault: Fault) -> Iterator[None]:
        """Let every request whose path contains `part` meet a fault meanwhile."""
        self._always.append((part, fault))
        try:
            yield
        finally:
            self._always.remove((part, fault))

    @property
    def waiting(self) -> int:
        """How many have not been met."""
        return len(self._queue)

    def take(self, request: Request) -> Fault | None:
        """Give the fault that a request meets, if any."""
        path = "/".join(request.path)
        self.seen.append((request.method, path))
        for part, fault in self._always:
            if part in path:
                return fault
        for place, (method, part, fault) in enumerate(self._queue):
            if method == request.method and part in path:
                del self._queue[place]
                return fault
        return None

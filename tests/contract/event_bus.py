"""The contract of the event bus: everything that a subscriber can tell, the same on every technology.

An adapter's tests subclass it as `Test<Adapter>` and say how a bus is opened. An adapter that keeps its own time, such
as one over a stand-in of a service, also overrides `new_times` and `quiet_seconds`.
"""

from tests.contract.event_bus_concurrency import Concurrency
from tests.contract.event_bus_locking import Locking
from tests.contract.event_bus_publishing import Publishing
from tests.contract.event_bus_scheduling import Scheduling
from tests.contract.event_bus_sessions import Sessions


class EventBusContract(Publishing, Locking, Sessions, Scheduling, Concurrency):
    """What holds for every `EventBus` that is also a `Receiver`."""

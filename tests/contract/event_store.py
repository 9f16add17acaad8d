"""The contract of the event store: the log, snapshots and receipts, the same on every technology.

An adapter's tests subclass it as `Test<Adapter>` and say how an empty store is opened.
"""

from tests.contract.event_store_archive import Archive
from tests.contract.event_store_commit import Commits
from tests.contract.event_store_log import Log


class EventStoreContract(Log, Commits, Archive):
    """What holds for every `EventStore`."""

"""The ledger in memory: for replays and tests."""

from collections import deque
from itertools import chain

from shared.ledger.port import Batch, Entry, Grouping, Span, Sum, in_order, summed

MOST_BATCHES = 10_000


class InMemoryLedger:
    """A `Ledger` that lives as long as the process; it keeps the newest batches."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque(maxlen=MOST_BATCHES)

    async def add(self, batch: Batch) -> None:
        """Keep a batch."""
        if batch not in self._batches:
            self._batches.append(batch)

    async def sums(self, by: Grouping, span: Span) -> list[Sum]:
        """Give what was used by group and language model."""
        return summed(self._wanted(span), by)

    async def entries(self, span: Span) -> list[Entry]:
        """Give the entries of a story."""
        return in_order(self._wanted(span))

    def _wanted(self, span: Span) -> list[Entry]:
        return [entry for entry in chain.from_iterable(batch.entries for batch in self._batches) if span.has(entry)]

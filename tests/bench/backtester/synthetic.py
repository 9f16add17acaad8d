"""The crossover over made-up bars that are never all in memory: `python -m tests.bench.backtester.synthetic COUNT`."""

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from math import sin

from shared.events.envelope import Event
from shared.events.market import Bar
from shared.replay.source import bar_events
from tests.bench.backtester import ours

SYMBOLS = tuple(f"S{number}" for number in range(20))
BATCH = 1_000
MINUTE = timedelta(minutes=1)


async def bars(count: int) -> AsyncIterator[Sequence[Event]]:
    """Give so many bars, some events at a time."""
    moment = datetime(2000, 1, 3, tzinfo=UTC)
    for start in range(0, count // len(SYMBOLS), BATCH):
        made = list[Bar]()
        for place in range(start, min(start + BATCH, count // len(SYMBOLS))):
            closed_at = moment + place * MINUTE
            for number, symbol in enumerate(SYMBOLS):
                price = 100 + 20 * sin(place / (300 + 17 * number)) + sin(place / 7)
                made.append(
                    Bar(symbol=symbol, closed_at=closed_at, open=price, high=price, low=price, close=price, volume=1e7)
                )
        yield list(bar_events("market-0", "1Min", made))


def main(count: int) -> None:
    """Play them, and tell how much memory that took at most."""
    begun = time.process_time()
    outcome, fills = asyncio.run(ours.play(bars(count)))
    told = {"bars": outcome.played * len(SYMBOLS), "fills": fills, "seconds": time.process_time() - begun}
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    sys.stdout.write(json.dumps(told | {"megabytes": megabytes}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""This engine."""

import asyncio

from shared.events.market import Bar
from shared.replay.source import bar_events
from tests.bench.backtester import ours
from tests.bench.backtester.data import Row
from tests.bench.backtester.timing import told, took


def main(rows: list[Row]) -> None:
    """Play the rows."""
    bars = [Bar(**{name: getattr(row, name) for name in Bar.model_fields}) for row in rows]
    events = list(bar_events("market-0", "1Day", bars))
    with took() as clock:
        outcome, fills = asyncio.run(ours.play(ours.in_batches(events)))
    told(len(rows), fills, clock.seconds, outcome.hash)

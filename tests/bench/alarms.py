"""What the detectors call a crash or a whale in thirteen years of four real stocks, by symbol and year."""

import asyncio
from collections import Counter
from pathlib import Path

from shared.detection.catalogue import DETECTORS
from shared.events.envelope import Event
from shared.events.market import Alarm, Crash
from tests.bench.table import Cell, Table
from tests.recording import said_of_the_recording

type Row = tuple[str, str]


def run(_folder: Path) -> list[Table]:
    """Run the detectors over the recording."""
    said = asyncio.run(said_of_the_recording())
    alarms = [event for event in said if isinstance(event.data, Alarm)]
    years = sorted({event.time.year for event in said})
    counts = Counter((_row(event), event.time.year) for event in alarms)
    rows: list[tuple[Cell, ...]] = [
        (*row, *(counts[row, year] for year in years)) for row in sorted({_row(event) for event in alarms})
    ]
    table = Table(
        "Alarms",
        ("alarm", "symbol", *map(str, years)),
        rows,
        f"{len(DETECTORS)} detectors over the recorded daily bars; the first year begins, and the last ends, in March.",
    )
    return [table, _autumn(alarms)]


def _row(event: Event) -> Row:
    kind = event.data.kind if isinstance(event.data, Crash) else "whale"
    return kind, event.data.symbol


def _autumn(alarms: list[Event]) -> Table:
    rows = [
        (f"{event.time:%Y-%m-%d}", *_row(event), event.data.severity, event.data.fall, event.data.threshold)
        for event in alarms
        if isinstance(event.data, Crash) and "2008-09" <= f"{event.time:%Y-%m}" <= "2008-11"
    ]
    return Table(
        "Crashes from September to November 2008",
        ("day", "alarm", "symbol", "severity", "fall", "threshold"),
        rows,
        "Falls are fractions: of the close before, of the year's high, or the mean of those that fell.",
    )

"""A long run of a real host: what it holds and how fast it answers, over two hundred thousand events.

The feed plays half a day a second and trades come over HTTP as fast as they are decided, some at a time.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.flat_plot import draw
from tests.bench.measure import BenchError, quantile
from tests.bench.panel import AGENTS
from tests.bench.route import GET_HEALTH, REQUEST_TRADE, Caller, Route
from tests.bench.table import Table
from tests.e2e.process import ROOT, DeskProcess, read_log

EVENTS = 200_000
LANES = 16
SAMPLE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
LONGEST_SECONDS = 1_800.0
UNDECIDED = 0.01
"""Share of trades that may miss their quorum: a machine that stalls leaves the feed's prices stale for a while."""
PLOT = ROOT / "docs" / "performance-flat.svg"
DEADLINE_SECONDS = 10
RAMP_SECONDS = 1.5 * DEADLINE_SECONDS
"""Before it is counted: until the first deadlines come, a trade is less work, and their groups are larger."""
SETTINGS = {
    "FINAGENT_START": "2005-01-03",
    "FINAGENT_SPEED": "43200",
    "FINAGENT_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
}
MEASURES = {
    "memory, MB": 1,
    "open file handles": 1,
    "waiting messages": 1,
    "write-ahead log, MB": 1,
    "a page of 50 events, ms": 0.5,
    "a trade, p50, ms": 0.5,
    "a trade, p99, ms": 0.99,
    "CPU a trade, ms": 0.5,
    "events/s": 0.5,
}
"""What is compared, and the quantile of a tenth that stands for it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A measure's value when so many events had come since the ramp."""

    events: int
    value: float


type Series = dict[str, list[Point]]


class Run:
    """Trades over HTTP in lanes, a reader that learns of their consensus, and samples of the host."""

    def __init__(self, host: DeskProcess, caller: Caller) -> None:
        self._host = host
        self._caller = caller
        self._numbers = count()
        self._decided = dict[str, asyncio.Future[None]]()
        self._events = 0
        self.series: Series = {name: [] for name in MEASURES}
        self._took = list[float]()

    async def run(self) -> None:
        """Go on until `EVENTS` events have come since the ramp."""
        async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow())
            sampling = tasks.create_task(self._sample())
            async with asyncio.TaskGroup() as lanes:
                for _ in range(LANES):
                    lanes.create_task(self._trade())
            following.cancel()
            sampling.cancel()

    async def _trade(self) -> None:
        while self._events < EVENTS:
            begun = time.perf_counter()
            asked = await self._caller.call(REQUEST_TRADE, next(self._numbers))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._decision(asked["id"])
            self._took.append(1_000 * (time.perf_counter() - begun))

    def _decision(self, trade: str) -> "asyncio.Future[None]":
        # The reader may have seen it before the request was answered.
        return self._decided.setdefault(trade, asyncio.get_running_loop().create_future())

    async def _follow(self) -> None:
        cursor = "latest"
        while True:
            query = f"?types=consensus.reached&limit=500&wait=20&after={cursor}"
            page = await self._caller.call(Route("GET", "/api/events", 0, query))
            for event in page["events"]:
                if len(event["data"]["votes"]) != len(AGENTS):
                    raise BenchError(f"a trade was not decided by all its votes: {event}")
                self._decision(event["correlationid"]).set_result(None)
            cursor = page["cursor"]

    async def _sample(self) -> None:
        await asyncio.sleep(RAMP_SECONDS)
        ramp, self._took = _events(self._host.file), []
        while True:
            before, begun, spent = self._events, time.perf_counter(), _cpu_seconds(self._host)
            await asyncio.sleep(SAMPLE_SECONDS)
            self._events = _events(self._host.file) - ramp
            took, self._took = self._took, []
            health, polled = await self._caller.call(GET_HEALTH), time.perf_counter()
            await self._caller.call(Route("GET", "/api/events", 0, "?limit=50"))
            values = _of_process(self._host) | {
                "waiting messages": sum(health["backlog"].values()),
                "a page of 50 events, ms": 1_000 * (time.perf_counter() - polled),
                "events/s": (self._events - before) / (time.perf_counter() - begun),
            }
            if took:
                values["CPU a trade, ms"] = 1_000 * (_cpu_seconds(self._host) - spent) / len(took)
            for name, value in values.items():
                self.series[name].append(Point(self._events, value))
            for name in ("a trade, p50, ms", "a trade, p99, ms"):
                self.series[name] += [Point(self._events, each) for each in took]


def run(folder: Path) -> list[Table]:
    """Load a desk until its log is long, draw what it did, and compare the first tenth with the last."""
    begun = time.monotonic()
    with DeskProcess(folder, **SETTINGS) as host:
        series = asyncio.run(_load(host))
        took = time.monotonic() - begun
        if host.stop():
            raise BenchError("the host did not end well")
        _check(host.file)
    draw(PLOT, {name: [(each.events, each.value) for each in points] for name, points in series.items()})
    return [_table(series, took)]


async def _load(host: DeskProcess) -> Series:
    async with aiohttp.ClientSession(host.about["url"]) as client:
        run = Run(host, await Caller.prepare(client))
        await run.run()
    return run.series


def _of_process(host: DeskProcess) -> dict[str, float]:
    resident_pages = int(Path(f"/proc/{host.pid}/statm").read_text().split()[1])
    return {
        "memory, MB": resident_pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "open file handles": len(os.listdir(f"/proc/{host.pid}/fd")),
        "write-ahead log, MB": host.file.with_name(host.file.name + "-wal").stat().st_size / 1e6,
    }


def _cpu_seconds(host: DeskProcess) -> float:
    after_the_name = Path(f"/proc/{host.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_the_name[11]) + int(after_the_name[12])) / os.sysconf("SC_CLK_TCK")


def _events(file: Path) -> int:
    ((position,),) = read_log(file, "SELECT max(position) FROM events")
    return int(position)


def _check(file: Path) -> None:
    """Refuse a run in which a trade was lost, decided twice or failed."""
    by_type: dict[str, int] = dict(read_log(file, "SELECT type, count(*) FROM events GROUP BY type"))
    asked, decided = by_type["trade.requested"], by_type.get("consensus.reached")
    ((dead,),) = read_log(file, "SELECT count(*) FROM deliveries WHERE dead_reason IS NOT NULL")
    if asked != decided or "step.failed" in by_type or dead:
        raise BenchError(f"{asked} trades, {decided} decisions, {dead} dead letters: {by_type}")
    ((undecided,),) = read_log(file, f"SELECT count(*) FROM events WHERE type = 'consensus.reached' AND {_NO_QUORUM}")
    if undecided > UNDECIDED * asked:
        raise BenchError(f"{undecided} of {asked} trades had too few votes")


def _table(series: Series, took: float) -> Table:
    rows = [_row(name, share, series[name]) for name, share in MEASURES.items()]
    return Table(
        f"{EVENTS:,} events in one run of {took:.0f} s, {LANES} trades in flight over HTTP",
        ("measure", "first tenth", "last tenth", "last : first", "n"),
        rows,
        f"Medians of a tenth's samples, one a second, except for {', '.join(_EXTREMES)}, which are"
        f" the greatest. Drawn in `{PLOT.relative_to(ROOT)}`.",
    )


_NO_QUORUM = "json_extract(CAST(body AS TEXT), '$.data.decision') = 'no_quorum'"
_EXTREMES = [name for name, share in MEASURES.items() if share == 1]


def _row(name: str, share: float, points: Sequence[Point]) -> tuple[Any, ...]:
    first = [each.value for each in points if each.events <= EVENTS / 10]
    last = [each.value for each in points if each.events > EVENTS * 9 / 10]
    if not first or not last:
        raise BenchError(f"{name}: a tenth without a sample")
    early, late = quantile(first, share), quantile(last, share)
    return name, early, late, f"{late / early:.2f}" if early else "", len(points)

"""A mixed load on a real host: pollers, trades, and reads and writes of every route, for half a minute."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from tests.bench.measure import cpu_seconds, quantile
from tests.bench.route import OUTSIDE, ROUTES, Caller, Route
from tests.bench.table import Table
from tests.e2e.process import DeskProcess

SECONDS = 30.0
WARM_UP_SECONDS = 5.0
"""What takes part of it is not counted: the first of each kind imports what it needs, and the history is read in."""
POLLERS = 8
POLLS_PER_SECOND = 20.0
AIM_MILLISECONDS = 50.0
SETTINGS = {"FINAGENT_START": "2008-09-11", "FINAGENT_SPEED": "86400"}

type Times = dict[str, list[float]]


def run(folder: Path) -> list[Table]:
    """Load a desk, and time each route."""
    with DeskProcess(folder, **SETTINGS) as host:
        begun, worked = time.perf_counter(), cpu_seconds(host.pid)
        times = asyncio.run(_load(host.about["url"]))
        share = (cpu_seconds(host.pid) - worked) / (time.perf_counter() - begun)
    slowest_first = sorted(times.items(), key=lambda item: -quantile(item[1], 0.99))
    rows = [(name, quantile(took, 0.5), quantile(took, 0.99), max(took), len(took)) for name, took in slowest_first]
    slow = sum(p99 > AIM_MILLISECONDS for _, _, p99, _, _ in rows)
    return [
        Table(
            f"Every route under a mixed load of {sum(map(len, times.values())) / SECONDS:.0f} requests/s",
            ("route", "p50, ms", "p99, ms", "longest, ms", "n"),
            rows,
            f"{POLLERS} pollers, {POLLS_PER_SECOND:g} polls/s each, and the other routes at their own pace for"
            f" {SECONDS:g} s after {WARM_UP_SECONDS:g} s that are not counted, while the feed plays a day a second. The"
            f" host used {share:.0%} of a core. {slow} of {len(rows)} rows have a p99 above {AIM_MILLISECONDS:g} ms.",
        )
    ]


async def _load(url: str) -> Times:
    async with aiohttp.ClientSession(url) as client:
        caller = await Caller.prepare(client)
        await _loaded(caller, WARM_UP_SECONDS)
        return await _loaded(caller, SECONDS)


async def _loaded(caller: Caller, seconds: float) -> Times:
    times: Times = {}
    ends = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as load:
        routes = (*ROUTES, *OUTSIDE)
        for number, route in enumerate(routes):
            took, phase = _times(times, route.name), number / len(routes)
            load.create_task(_at_pace(route.per_second, ends, _calling(caller, route), took, phase))
        for number in range(POLLERS):
            took = _times(times, f"{POLLERS} pollers of GET /api/events")
            load.create_task(_at_pace(POLLS_PER_SECOND, ends, _polling(caller), took, number / POLLERS))
    return times


def _times(times: Times, name: str) -> list[float]:
    return times.setdefault(name, [])


async def _at_pace(
    per_second: float, ends: float, call: Callable[[], Awaitable[None]], took: list[float], phase: float
) -> None:
    """Call at a steady pace, and note the milliseconds from when a call was due: who must wait is slow.

    A phase of 0 to 1 keeps callers of one pace from all coming at once.
    """
    due = time.perf_counter() + phase / per_second
    while due < ends:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await call()
        took.append(1_000 * (time.perf_counter() - due))
        due += 1 / per_second


def _calling(caller: Caller, route: Route) -> Callable[[], Awaitable[None]]:
    number = 0

    async def call() -> None:
        nonlocal number
        number += 1
        await caller.call(route, number)

    return call


def _polling(caller: Caller) -> Callable[[], Awaitable[None]]:
    cursor = "latest"

    async def poll() -> None:
        nonlocal cursor
        page = await caller.call(Route("GET", "/api/events", POLLS_PER_SECOND, f"?limit=50&after={cursor}"))
        cursor = page["cursor"]

    return poll

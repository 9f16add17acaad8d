"""What our adapters of Service Bus and Cosmos DB add to Microsoft's SDKs, and what each operation is charged.

Beside each operation of an adapter the bare SDK does the same thing on the same stand-ins, in turns. Rates are those of
the stand-ins, which are slower than nothing and faster than a network; what carries over is the ratio: how much of the
bare SDK's rate is left behind the adapter.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.bus.service_bus import ServiceBusEventBus
from shared.clock import WallClock
from tests.bench.azure_bare import BareBus, BareStore
from tests.bench.azure_charge import charges
from tests.bench.azure_ours import AdaptedBus, AdaptedStore
from tests.bench.azure_services import topology
from tests.bench.measure import BenchError, quantile
from tests.bench.table import Cell, Table
from tests.e2e.process import ROOT

ROUNDS = 10
BATCH = 100

type Work = Callable[[int], Awaitable[None]]
"""Does something so many times."""


@dataclass
class Race:
    """An operation, done by the adapter and by the bare SDK.

    Attributes
    ----------
    count : int
        How often each does it in a round.
    rates, cpu_seconds : list of list of float
        Per second of wall time, and processor time in all, of both in each round.
    """

    name: str
    count: int
    work: tuple[Work, Work]
    rates: list[list[float]] = field(default_factory=list)
    cpu_seconds: list[list[float]] = field(default_factory=list)

    async def run(self) -> None:
        """Let both do it once more."""
        took = [await _timed(work, self.count) for work in self.work]
        self.rates.append([self.count / wall for wall, _ in took])
        self.cpu_seconds.append([cpu for _, cpu in took])

    def row(self) -> tuple[Cell, ...]:
        """Give the medians of the rounds."""
        ours, bare = (quantile([each[who] for each in self.rates], 0.5) for who in (0, 1))
        cpu = (quantile([each[who] for each in self.cpu_seconds], 0.5) / self.count for who in (0, 1))
        ratio = quantile([each[0] / each[1] for each in self.rates], 0.5)
        return (self.name, ours, bare, f"{ratio:.2f}", *(1_000 * seconds for seconds in cpu), ROUNDS * self.count)


def run(folder: Path) -> list[Table]:
    """Measure the adapters beside the bare SDKs."""
    return asyncio.run(_run())


async def _run() -> list[Table]:
    with _services() as about:
        async with AsyncExitStack() as stack:
            races = await _races(about, stack)
            for _ in range(ROUNDS):
                for race in races:
                    await race.run()
            await _check(about)
        return [_table(races), *await charges(about["cosmos"], about["key"])]


async def _races(about: dict[str, str], stack: AsyncExitStack) -> list[Race]:
    ours = await stack.enter_async_context(AdaptedBus.opened(about))
    bare = await stack.enter_async_context(BareBus.opened(about))
    store = await stack.enter_async_context(AdaptedStore.opened(about))
    sdk = await stack.enter_async_context(BareStore.opened(about))
    return [
        Race("publish, one a call", 200, (ours.publish, bare.publish)),
        Race(f"publish, {BATCH} a call", 10 * BATCH, (ours.publish_batched, bare.publish_batched)),
        Race("receive and complete", 200 + 10 * BATCH, (ours.receive, bare.receive)),
        Race("append an event", 100, (store.append, sdk.append)),
        Race(f"append {BATCH} events of a stream", 10 * BATCH, (store.append_batched, sdk.append_batched)),
        Race("commit snapshot and receipt", 100, (store.commit, sdk.commit)),
    ]


@contextmanager
def _services() -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "tests.bench.azure_services"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchError("the stand-ins ended; their error is above")
        yield json.loads(line)
        process.stdin.close()


async def _timed(work: Work, count: int) -> tuple[float, float]:
    begun, worked = time.perf_counter(), time.process_time()
    await work(count)
    return time.perf_counter() - begun, time.process_time() - worked


async def _check(about: dict[str, str]) -> None:
    """Refuse figures of a run after which messages are left, for all that was published was received."""
    bus = ServiceBusEventBus(about["bus"], topology(), WallClock(), administration_url=about["counts"])
    left = await bus.backlog()
    await bus.close()
    if any(left.values()):
        raise BenchError(f"messages are left: {left}")


def _table(races: list[Race]) -> Table:
    return Table(
        "Adapters beside the bare SDKs",
        ("operation", "ours/s", "SDK/s", "ours : SDK", "CPU of ours, ms", "CPU of the SDK, ms", "n"),
        [race.row() for race in races],
        f"Median of {ROUNDS} rounds that take turns; the ratio is the median of the rounds' own, and 1.00 would mean"
        " that the adapter costs nothing. One client, one operation at a time; the stand-ins are another process.",
    )

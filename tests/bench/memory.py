"""Agents' memory: flat under a hundred thousand memories, and how long a recall takes among ten thousand.

A situation is drawn from a few numbers of one digit, as the agents' own are. All goes through mem0, as on a desk.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from shared.events.envelope import derive_id
from shared.memory.hashing import HashingEmbedder
from shared.memory.mem0 import Mem0Memories
from shared.memory.memory import Memory, Outcome, Scope
from shared.memory.port import LIMITS
from shared.memory.sqlite import SqliteVectorStore
from tests.bench.measure import BenchError, quantile
from tests.bench.table import Cell, Table

AGENTS = ("market_analyst", "oracle", "risk_manager", "sentiment_tracker")
EVENTS = 100_000
TENTHS = 10
RECALLED_EVERY = 20
RECALLS = 50
CROWDS = ((1, 1), (1, 8), (4, 8))
"""Processes, and threads in each."""
START = datetime(2008, 1, 2, tzinfo=UTC)
GRADED_AFTER = timedelta(days=7)
"""As only what was graded by then is recalled."""
LATER = START + timedelta(days=10_000)
SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
NUMBERS = ("rsi_14", "momentum_20", "volatility_ewma", "expected_return", "probability_of_loss", "ratio_annualised")


def run(folder: Path) -> list[Table]:
    """Fill a file with memories, then recall from it in crowds."""
    grown = asyncio.run(_grown(folder / "flat.sqlite"))
    return [_flat(grown), _crowds(folder / "flat.sqlite")]


def situation(chance: Random) -> str:
    """Give the words of a situation."""
    numbers = (f"{name}={chance.choice((-1, 1)) * chance.random():+.0e}" for name in NUMBERS)
    asked = (chance.choice(("buy", "sell")), chance.choice(SYMBOLS), chance.choice(("for", "against")))
    return " ".join((*asked, *numbers))


async def _grown(file: Path) -> list[list[Cell]]:
    chance, rows = Random(1), list[list[Cell]]()
    with opened(file) as memories:
        begun = time.process_time()
        for number in range(EVENTS):
            agent, moment = AGENTS[number % len(AGENTS)], START + number * timedelta(minutes=5)
            await memories.remember([_memory(number, agent, moment, situation(chance))])
            if number % RECALLED_EVERY == 0:
                await memories.recall(Scope(agent), situation(chance), moment, 3, graded_first=True)
            if (number + 1) % (EVENTS // TENTHS) == 0:
                spent = (time.process_time() - begun) / (EVENTS // TENTHS)
                rows.append([number + 1, _resident(), _size(file), 1_000 * spent])
                begun = time.process_time()
        kept = len(await memories.latest(Scope(AGENTS[0]), moment + timedelta(days=1), EVENTS))
    if kept > LIMITS.count:
        raise BenchError(f"an agent keeps {kept} memories")
    return rows


def _memory(number: int, agent: str, moment: datetime, text: str) -> Memory:
    name = derive_id("bench", str(number))
    return Memory(
        id=name,
        agent=agent,
        event=name,
        symbol="IBM",
        side="buy",
        stance=0.5,
        confidence=0.5,
        text=text,
        known_at=moment,
        sources=(name, f"trade-{number // len(AGENTS)}"),
        outcome=Outcome(at=moment + GRADED_AFTER, hit=number % 3 > 0, trade_return=0.01, horizon_days=7),
    )


def _flat(rows: list[list[Cell]]) -> Table:
    return Table(
        f"{EVENTS:,} memories of {len(AGENTS)} agents",
        ("memories so far", "process, MB", "file, MB", "CPU a memory, ms"),
        rows,
        f"Each agent keeps {LIMITS.count:,}: from {len(AGENTS) * LIMITS.count:,} on nothing should grow. A recall comes"
        f" with every {RECALLED_EVERY}th memory.",
    )


def _crowds(file: Path) -> Table:
    rows = list[list[Cell]]()
    for processes, threads in CROWDS:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            answers = list(pool.map(_recall, [(file, threads, seed) for seed in range(processes)]))
        took = [each for answer in answers for each in answer[0]]
        cpu = sum(answer[1] for answer in answers) / len(took)
        rows.append([processes, threads, len(took), quantile(took, 0.5), quantile(took, 0.99), 1_000 * cpu])
    return Table(
        f"A recall among {LIMITS.count:,} memories",
        ("processes", "threads in each", "recalls", "p50, ms", "p99, ms", "CPU, ms"),
        rows,
        "Each thread recalls as fast as it can, so that more of them than there are cores wait for each other.",
    )


def _recall(asked: tuple[Path, int, int]) -> tuple[list[float], float]:
    file, threads, seed = asked
    with opened(file) as memories, ThreadPoolExecutor(threads) as pool:
        asyncio.run(_timed(memories, Random(seed), 1))  # what is loaded once
        begun = time.process_time()
        runs = pool.map(lambda number: asyncio.run(_timed(memories, Random(100 * seed + number))), range(threads))
        took = [each for run in runs for each in run]
        return took, time.process_time() - begun


async def _timed(memories: Mem0Memories, chance: Random, recalls: int = RECALLS) -> list[float]:
    took = list[float]()
    for _ in range(recalls):
        begun = time.perf_counter()
        found = await memories.recall(Scope(AGENTS[0]), situation(chance), LATER, 3, graded_first=True)
        took.append(1_000 * (time.perf_counter() - begun))
        if len(found) != 3:
            raise BenchError(f"{len(found)} memories came up")
    return took


@contextmanager
def opened(file: Path) -> Iterator[Mem0Memories]:
    """Open the memories in a file."""
    store = SqliteVectorStore(file)
    try:
        yield Mem0Memories(store, HashingEmbedder(), file.parent / "mem0")
    finally:
        store.close()


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096 / 1e6


def _size(file: Path) -> float:
    return file.stat().st_size / 1e6

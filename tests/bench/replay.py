"""The replay engine beside other backtesters, with all agents, over ten million bars, and over several processes."""

import json
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.bench.measure import BenchError
from tests.bench.table import Cell, Table
from tests.e2e.process import ROOT

CONTENDERS = ("finagent", "backtesting", "basana", "bt", "nautilus_trader")
DATA = {"recorded": "AAPL, GOOG, IBM, MSFT 2000-2013", "twenty": "20 names of skfolio 1990-2022"}
BEST_OF = 3
SYNTHETIC = (1_000_000, 10_000_000)
WEIGHTS = (0.3, 0.35, 0.4, 0.45)


def run(_folder: Path) -> list[Table]:
    """Measure."""
    return [*(_crossover(name, words) for name, words in DATA.items()), _agents(), _memory(), _sweep()]


def _told(module: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{module} {' '.join(arguments)}: {done.stderr[-300:]}")
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def _crossover(data: str, words: str) -> Table:
    rows = list[list[Cell]]()
    for name in CONTENDERS:
        # In turns with nobody: the best of some, because others use the machine.
        told = min(
            (_told("tests.bench.backtester", name, data) for _ in range(BEST_OF)), key=lambda each: each["seconds"]
        )
        rows.append([name, int(told["bars"]), int(told["fills"]), told["seconds"], told["bars"] / told["seconds"]])
    rows.sort(key=lambda row: -float(row[4]))
    note = (
        "SMA 20/50 and RSI 14, the same arithmetic in each, followed bar by bar; orders of 10 shares. Best of three"
        " processes, without reading the data and making each library's own bars. bt fills at the signal's close, the"
        " others at the next open; backtesting.py runs each symbol alone and works out statistics at the end."
    )
    return Table(f"Crossover, {words}", ("backtester", "bars", "fills", "CPU s", "bars/s of CPU"), rows, note)


def _agents() -> Table:
    from tests.bench.backtester.sweep import backtest

    bars, run_hash, seconds = backtest(0.4)
    row: list[Cell] = ["all agents, broker, grading, report", bars, seconds, bars / seconds, run_hash[:12]]
    note = "Warm-up of 400 days and 2008; most of it are the oracle and the optimizer, who conclude anew each day."
    return Table("The desk, 2008", ("what", "bars", "CPU s", "bars/s of CPU", "hash"), [row], note)


def _memory() -> Table:
    rows = list[list[Cell]]()
    for count in SYNTHETIC:
        told = _told("tests.bench.backtester.synthetic", str(count))
        rows.append([count, int(told["fills"]), told["seconds"], told["bars"] / told["seconds"], told["megabytes"]])
    return Table("Synthetic bars, streamed", ("bars", "fills", "CPU s", "bars/s of CPU", "most memory, MB"), rows)


def _sweep() -> Table:
    from tests.bench.backtester.sweep import backtest

    rows, hashes = list[list[Cell]](), list[list[str]]()
    for workers in (1, 2):
        begun = time.monotonic()
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(backtest, WEIGHTS))
        wall = time.monotonic() - begun
        hashes.append([run_hash for _, run_hash, _ in found])
        told = " ".join(each[:8] for each in hashes[-1])
        rows.append([workers, len(found), wall, sum(seconds for *_, seconds in found), told])
    if hashes[0] != hashes[1]:
        raise BenchError("a sweep over two processes gives other hashes than over one")
    note = (
        "Four weights of the risk limit; the hashes must be the same. On a shared machine the wall time says how many"
        " processors were free, and the processor time what the division cost."
    )
    return Table("A sweep over processes", ("processes", "backtests", "wall s", "CPU s", "hashes"), rows, note)

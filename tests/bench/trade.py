"""The four-agent trade: FinAgent beside others, in rounds that take turns, each contender in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.measure import BenchError, quantile
from tests.bench.panel import KINDS, SETTINGS
from tests.bench.table import Cell, Table
from tests.e2e.process import ROOT, environment

ROUNDS = 10
ROUND_SECONDS = 1.0
WARM_UP_SECONDS = 1.0
FLIGHTS = (1, 32)
MEMORY = Path("/dev/shm")
SCORES_AGREE = 1e-3
"""A desk's clock goes on while it is measured, and news age."""

OURS = "FinAgent, SQLite"


@dataclass(frozen=True, slots=True)
class Contender:
    """Who is measured.

    Attributes
    ----------
    worker : str
        Its name in `worker.CONTENDERS`.
    keeps : str
        What is left of a decided trade after a power cut.
    folder : Path or None
        Where it keeps its file; None for the disk of the checkout.
    """

    name: str
    worker: str
    keeps: str
    folder: Path | None = None


CONTENDERS = (
    Contender(OURS, "finagent", "all, fsynced"),
    Contender("LangGraph, SQLite", "langgraph-sqlite", "all, fsynced"),
    Contender("asyncio, 5 commits", "bare-asyncio", "events, fsynced"),
    Contender("FinAgent, file in memory", "finagent", "nothing", MEMORY),
    Contender("LangGraph, in memory", "langgraph-memory", "nothing"),
    Contender("autogen-core", "autogen-core", "nothing"),
    Contender("the arithmetic alone", "arithmetic", "nothing"),
)


@dataclass
class Figures:
    """What a contender did at one number of trades in flight."""

    took: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    decided: dict[str, Any] = field(default_factory=dict)

    def add(self, answer: dict[str, Any]) -> None:
        """Add a round."""
        self.took += answer["took"]
        self.rates.append(len(answer["took"]) / answer["seconds"])
        self.cpu_seconds += answer["cpu_seconds"]
        self.decided |= answer["decided"]

    @property
    def rate(self) -> float:
        """Trades per second, the median of the rounds."""
        return quantile(self.rates, 0.5)


class Worker:
    """A contender's process."""

    def __init__(self, contender: Contender, process: "subprocess.Popen[str]") -> None:
        self._contender = contender
        self._process = process
        self._line()

    def round(self, flight: int, seconds: float, *, profiled: bool = False) -> dict[str, Any]:
        """Let it decide trades for so long, and give what came of it, with its hotspots if it is to be profiled."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"flight": flight, "seconds": seconds, "profiled": profiled}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"{self._contender.name} ended; its error is above")
        return line


def run(folder: Path) -> list[Table]:
    """Measure all contenders."""
    figures = {flight: {contender.name: Figures() for contender in CONTENDERS} for flight in FLIGHTS}
    with ExitStack() as stack:
        workers = {each.name: stack.enter_context(working(each, folder)) for each in CONTENDERS}
        for worker in workers.values():
            worker.round(max(FLIGHTS), WARM_UP_SECONDS)
        for _ in range(ROUNDS):
            for flight in FLIGHTS:
                for name, worker in workers.items():
                    figures[flight][name].add(worker.round(flight, ROUND_SECONDS))
    for by_name in figures.values():
        _check(by_name)
    return [_table(flight, figures[flight]) for flight in FLIGHTS]


@contextmanager
def working(contender: Contender, folder: Path) -> Iterator[Worker]:
    """Run a contender's process."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=contender.folder or folder) as own:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker", contender.worker, own],
            env=environment(Path(own), **SETTINGS) | {"LANGSMITH_TRACING": "false"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield Worker(contender, process)
            finally:
                process.kill()


def _check(by_name: dict[str, Figures]) -> None:
    """Refuse figures of contenders that did not decide alike."""
    ours = by_name[OURS].decided
    if len(ours) != KINDS:
        raise BenchError(f"only {len(ours)} of {KINDS} kinds of trade were decided")
    for name, figures in by_name.items():
        for kind, decided in figures.decided.items():
            apart = abs(decided["score"] - ours[kind]["score"])
            if decided["decision"] != ours[kind]["decision"] or apart > SCORES_AGREE:
                raise BenchError(f"{name} decided trade {kind} differently: {decided}, not {ours[kind]}")


def _table(flight: int, by_name: dict[str, Figures]) -> Table:
    rows = [_row(contender, by_name[contender.name], by_name[OURS]) for contender in CONTENDERS]
    return Table(
        f"Trades, {flight} in flight",
        ("who", "kept after a power cut", "trades/s", "FinAgent : it", "p50, ms", "p99, ms", "CPU a trade, ms", "n"),
        rows,
        f"Median of {ROUNDS} rounds of {ROUND_SECONDS:g} s; the ratio is the median of the rounds' own.",
    )


def _row(contender: Contender, figures: Figures, ours: Figures) -> tuple[Cell, ...]:
    ratios = [mine / its for mine, its in zip(ours.rates, figures.rates, strict=True)]
    took = figures.took
    return (
        contender.name,
        contender.keeps,
        figures.rate,
        f"{quantile(ratios, 0.5):.2f}",
        quantile(took, 0.5),
        quantile(took, 0.99),
        1_000 * figures.cpu_seconds / len(took),
        len(took),
    )

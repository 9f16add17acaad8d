"""What the agents' own arithmetic takes: bars, a trade's opinions, optimal portfolios, and the tone of a text.

Fifty symbols with more than a year of history each: stretches of the recording from other years under other names, so
that prices are real and no two symbols move alike. The agents' handlers are called by the engine of replays, the same
ones as live; what is counted is their own processor time, without queue, file and log.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from shared import rehearsal
from shared.agents.decision import Decision, Handler
from shared.agents.registry import TRADE
from shared.events.envelope import Event
from shared.events.market import Bar
from shared.events.trade import ConsensusReached
from shared.market.recorded import SYMBOLS, RecordedMarketSource
from shared.quant import allocation
from shared.quant.covariance import Floats, ledoit_wolf
from shared.quant.sentiment import score
from shared.replay.engine import Engine
from shared.replay.world import World
from shared.runtime import Role
from shared.settings import Settings
from tests.bench.measure import BenchError, quantile
from tests.bench.table import Cell, Table
from tests.builders import a_headline, a_portfolio, a_trade_request, market_data

NAMES = tuple(f"S{number:02}" for number in range(50))
DAYS, WARM_DAYS = 320, 260
APART = 150
"""Days between the stretches that two names of one recorded symbol begin with."""
TRADES, ROUNDS = 200, 30
COLUMNS = ("what", "aim", "median", "p90", "n")


class Clock:
    """Counts the processor time of handlers, by agent and type of event."""

    def __init__(self) -> None:
        self.taken: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def timed(self, role: Role) -> Role:
        """Give the role with handlers that are counted."""
        handlers = {kind: self._counted(role.name, handler) for kind, handler in role.handlers.items()}
        return replace(role, handlers=handlers)

    def _counted(self, agent: str, handler: Handler) -> Handler:
        async def handle(event: Event, state: Any, deps: Any) -> Decision[Any]:
            began = process_time()
            try:
                return await handler(event, state, deps)
            finally:
                self.taken[agent, event.type].append(process_time() - began)

        return handle


def run(_folder: Path) -> list[Table]:
    """Measure all of it."""
    days = list(_days())
    clock, decided = asyncio.run(_played(days))
    if decided != TRADES:
        raise BenchError(f"{decided} of {TRADES} trades were decided")
    bars = [clock.taken[agent, "market.data.received"][WARM_DAYS:] for agent in ("market_analyst", "oracle")]
    votes = [clock.taken[agent, "trade.requested"] for agent in TRADE.judges]
    together = [sum(each) for each in zip(*votes, strict=True)]
    rows = [
        _row("a bar through analyst and detectors, per symbol", "60 µs", [1e6 * t / len(NAMES) for t in bars[0]], "µs"),
        _row("a day's forecast, per symbol", "", [1e3 * t / len(NAMES) for t in bars[1]], "ms"),
        _row("a trade's opinions, all agents", "10 ms", [1e3 * each for each in together], "ms"),
        *(
            _row(f"  of these {agent}", "", [1e3 * each for each in own], "ms")
            for agent, own in zip(TRADE.judges, votes, strict=True)
        ),
        *_optimised(days),
        _row("the tone of a headline", "2 ms", [1e3 * each for each in _toned()], "ms"),
    ]
    note = f"{len(NAMES)} symbols, {WARM_DAYS} days and more of history; a portfolio that holds all of them."
    return [Table("Processor time of the agents' arithmetic", COLUMNS, rows, note)]


async def _played(days: Sequence[Sequence[Bar]]) -> tuple[Clock, int]:
    """Play the days to all agents, then trades; give what their handlers took, and how many trades were decided."""
    world, clock, decided = World(), Clock(), list[Event]()
    roles = rehearsal.replayed(Settings.model_validate({"FINAGENT_SYMBOLS": ",".join(NAMES)}), world)
    engine = Engine(
        {name: clock.timed(role) for name, role in roles.items()},
        world,
        record=lambda event: decided.append(event) if isinstance(event, ConsensusReached) else None,
    )
    for bars in days:
        await engine.feed([market_data(*bars)])
    last = days[-1][0].closed_at
    texts = [a_headline(f"{name} raises its outlook", symbols=[name], time=last) for name in NAMES]
    await engine.feed([*texts, a_portfolio(holdings=dict.fromkeys(NAMES, 10.0), time=last)])
    for number in range(TRADES):
        name = NAMES[number % len(NAMES)]
        await engine.feed([a_trade_request(name, quantity=1 + number, portfolio="main", time=last)])
    await engine.finish()
    return clock, len(decided)


def _days() -> Iterator[list[Bar]]:
    source, ever = RecordedMarketSource(), (datetime(2000, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))
    recorded = {symbol: asyncio.run(source.bars((symbol,), "1Day", *ever)) for symbol in SYMBOLS}
    moments = [bar.closed_at for bar in recorded["IBM"]][-DAYS:]
    for day, moment in enumerate(moments):
        yield [_renamed(recorded, number, day, moment) for number in range(len(NAMES))]


def _renamed(recorded: Mapping[str, list[Bar]], number: int, day: int, moment: datetime) -> Bar:
    series = recorded[SYMBOLS[number % len(SYMBOLS)]]
    place = number // len(SYMBOLS) * APART + day
    return series[place].model_copy(update={"symbol": NAMES[number], "closed_at": moment})


def _optimised(days: Sequence[Sequence[Bar]]) -> Iterator[list[Cell]]:
    closes = np.array([[bar.close for bar in bars] for bars in days])
    returns = closes[1:] / closes[:-1] - 1
    covariance, mean = ledoit_wolf(returns)[0] * 21, returns.mean(axis=0) * 21
    held = np.full(len(NAMES), 1 / len(NAMES))
    limits = allocation.Constraints(least_invested=0, max_weight=0.1, current=held, max_turnover=0.3)
    wanted: dict[str, Callable[[], Floats]] = {
        "least variance": lambda: allocation.min_variance(covariance, allocation.Constraints(max_weight=0.1)),
        "mean and variance, with costs and turnover": lambda: allocation.mean_variance(
            mean, covariance, 3.0, 0.001, limits
        ),
        "risk parity": lambda: allocation.risk_parity(covariance),
        "hierarchical risk parity": lambda: allocation.hierarchical_risk_parity(covariance),
    }
    for name, solve in wanted.items():
        if not 0 < solve().sum() <= 1 + 1e-6:
            raise BenchError(f"{name}: the weights are none")
        yield _row(f"50 assets: {name}", "20 ms", [1e3 * each for each in _repeated(solve)], "ms")
    shrunk = [1e3 * each for each in _repeated(lambda: ledoit_wolf(returns))]
    yield _row("50 assets: their covariance", "", shrunk, "ms")


def _repeated(work: Callable[[], object]) -> Iterator[float]:
    for _ in range(ROUNDS):
        began = process_time()
        work()
        yield process_time() - began


def _toned() -> Iterator[float]:
    source, ever = RecordedMarketSource(), (datetime(2000, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))
    texts = [f"{each.headline} {each.summary}" for each in asyncio.run(source.news(SYMBOLS, *ever))]
    score(texts[0])  # reads the model
    for text in texts:
        began = process_time()
        score(text)
        yield process_time() - began


def _row(what: str, aim: str, taken: Sequence[float] | Iterator[float], unit: str) -> list[Cell]:
    values = sorted(taken)
    shown = [f"{quantile(values, share):.3g} {unit}" for share in (0.5, 0.9)]
    return [what, aim, *shown, len(values)]

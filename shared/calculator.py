"""What a desk in Azure would cost in a month: measured work of trades and market events, times how often they come.

The work is in `measured.json`, which `make bench ARGS=bill` writes, the prices in `prices.json`; both are dated. What
is counted there is counted here; the rest is named by the report.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.bus.topology import topology
from shared.costs import HOURS_OF_MONTH, Cost, PriceTable
from shared.errors import InvalidError
from shared.ledger.port import Sum, Usage

MEASURED = Path(__file__).with_name("measured.json")
SHARD = 50
"""Symbols that share a market event."""
TRADING_DAYS = 21
"""Of a month: bars and trades come on these; timers and pages on all days."""
DAYS = HOURS_OF_MONTH / 24
SESSION_SECONDS = 6.5 * 3_600
POLL_SECONDS = 25
POLLS_OF_AN_INSTANCE = 16
"""`httpConcurrency` of the profiles."""
TAIL_UNITS_A_SECOND = 1.0
"""Request units by which an instance with open polls looks for what others appended, once a second."""
TICKING, MINUTELY = 3, 2
"""Timers that come with each tick, and those that come once a minute."""
MOST = 1_000_000
_CENT, _RARE_SECONDS, _LEAST_MB = 0.01, 300, 512

BARS_A_DAY: dict[str, int] = {"1m": 390, "5m": 78, "15m": 26, "1h": 7, "1d": 1}


class Kind(BaseModel):
    """What one of a kind takes; billed seconds are of one instance, kilobytes stay."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    request_units: float
    operations: float
    executions: float
    billed_seconds: float
    stored_kb: float

    def times(self, count: float) -> "Kind":
        """Give what so many take."""
        return Kind(**{name: value * count for name, value in self})

    def plus(self, other: "Kind") -> "Kind":
        """Give the sum."""
        return Kind(**{name: value + getattr(other, name) for name, value in self})


class Kinds(BaseModel):
    """Means of what came one by one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trade: Kind
    event_of_4_bars: Kind
    event_of_50_bars: Kind

    def event(self, bars: int) -> Kind:
        """Give a market event of so many bars, by the line through those that were measured."""
        share = (bars - 4) / (SHARD - 4)
        least = self.event_of_4_bars
        found = least.times(1 - share).plus(self.event_of_50_bars.times(share))
        return Kind(**{name: max(0.0, value) for name, value in found})


class Measured(BaseModel):
    """The file that the bench writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measured: date
    by: str
    note: str
    kinds: Kinds

    @classmethod
    def load(cls) -> "Measured":
        """Read it."""
        try:
            return cls.model_validate_json(MEASURED.read_bytes())
        except (OSError, ValidationError) as error:
            raise InvalidError(f"{MEASURED.name} cannot be read; `make bench ARGS=bill` renews it: {error}") from error


@dataclass(frozen=True, slots=True)
class Plan:
    """What a desk is to do.

    Attributes
    ----------
    trades, hours : float
        Trades a trading day; hours a day for which pages are open.
    pages : int
        Pages that hold a long poll open.
    tick_seconds : int
        How often the timers of ingestion come.
    memory_mb : int
        Of an instance.
    input_tokens, output_tokens : int
        Tokens of a trade, for `model`.
    """

    symbols: int = 4
    interval: str = "1d"
    trades: float = 5
    pages: int = 1
    hours: float = 1
    tick_seconds: int = 60
    memory_mb: int = 512
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0

    def checked(self, prices: PriceTable) -> "Plan":
        """Give the plan, or name all that is wrong with it at once.

        Raises
        ------
        InvalidError
            A number is out of bounds, or a name is unknown.
        """
        bounds = {"symbols": (1, 10_000), "hours": (0, 24), "tick_seconds": (1, 3_600), "memory_mb": (512, 4_096)}
        wrong = []
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = bounds.get(field.name, (0, MOST))
            if not isinstance(value, str) and not low <= value <= high:
                wrong.append(f"--{field.name.replace('_', '-')}: {value:g} is not between {low} and {high:,}")
        if self.interval not in BARS_A_DAY:
            wrong.append(f"--interval: {self.interval!r} is none of {', '.join(BARS_A_DAY)}")
        if self.memory_mb not in (512, 2_048, 4_096):
            wrong.append("--memory-mb: an instance has 512, 2048 or 4096")
        if (self.input_tokens or self.output_tokens) and self.model not in prices.models.per_million_tokens:
            wrong.append(
                f"--model: {self.model!r} has no price; there are {', '.join(prices.models.per_million_tokens)}"
            )
        if wrong:
            raise InvalidError("; ".join(wrong))
        return self


DESKS = {
    "hobby": Plan(),
    "team": Plan(symbols=20, interval="15m", trades=50, pages=3, hours=8),
    "firm": Plan(symbols=100, interval="1m", trades=500, pages=20, hours=8, tick_seconds=15),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A month of a plan: the work by source, and its price."""

    plan: Plan
    parts: dict[str, Kind]
    cost: Cost
    storage: float
    """Of what is kept after a year, a month."""
    poll_cost: float
    """Of the time for which open long polls keep instances billed, before free grants."""

    @property
    def total(self) -> float:
        """The month's bill."""
        return self.cost.total + self.storage


def estimate(plan: Plan, kinds: Kinds, prices: PriceTable) -> Estimate:
    """Reckon a month."""
    prices = _with_memory(prices, plan.memory_mb)
    parts = {
        "bars": _bars(plan, kinds),
        "trades": kinds.trade.times(plan.trades * TRADING_DAYS),
        "timers": _timers(plan),
        "open pages": _polls(plan),
    }
    whole = Kind(request_units=0, operations=0, executions=0, billed_seconds=0, stored_kb=0)
    for part in parts.values():
        whole = whole.plus(part)
    cost = prices.month([Sum("", plan.model, _usage(plan, whole))])
    stored = whole.stored_kb * 12 / 1024**2 * prices.cosmos.stored_gb_month
    poll = parts["open pages"].billed_seconds * plan.memory_mb / 1_024 * prices.functions.on_demand.gb_second
    return Estimate(plan, parts, cost, stored, poll)


def savings(plan: Plan, kinds: Kinds, prices: PriceTable) -> Iterator[tuple[str, float]]:
    """Give what could be turned, and what that spares a month; the largest first."""
    before = estimate(plan, kinds, prices).total
    found = [(name, before - estimate(other, kinds, prices).total) for name, other in _turns(plan)]
    yield from sorted((each for each in found if each[1] >= _CENT / 2), key=lambda each: -each[1])


def _turns(plan: Plan) -> Iterator[tuple[str, Plan]]:
    names = list(BARS_A_DAY)
    if plan.interval != names[-1]:
        coarser = names[names.index(plan.interval) + 1]
        yield f"bars of {coarser} instead of {plan.interval} (FINAGENT_INTERVAL)", replace(plan, interval=coarser)
    if plan.symbols > 1:
        yield "half the symbols (FINAGENT_SYMBOLS)", replace(plan, symbols=ceil(plan.symbols / 2))
    if plan.tick_seconds < _RARE_SECONDS:
        yield "timers every 5 minutes (FINAGENT_TICK)", replace(plan, tick_seconds=_RARE_SECONDS)
    if plan.pages and plan.hours:
        yield "no page that holds a poll open", replace(plan, pages=0)
    if plan.trades:
        yield "half the trades", replace(plan, trades=plan.trades / 2)
    if plan.memory_mb > _LEAST_MB:
        yield "instances of 512 MB", replace(plan, memory_mb=_LEAST_MB)


def limits(plan: Plan, kinds: Kinds) -> list[tuple[str, str]]:
    """Give how near the plan comes to the services' limits, as Microsoft's documentation names them."""
    shards, size = ceil(plan.symbols / SHARD), min(plan.symbols, SHARD)
    event = kinds.event(size)
    trades_a_second = plan.trades / SESSION_SECONDS
    # All shards of one interval come with one tick: that is the busiest moment there regularly is.
    spread = max(1.0, float(min(plan.tick_seconds, 60)))
    units = shards * event.request_units / spread + trades_a_second * kinds.trade.request_units
    operations = shards * event.operations / spread + trades_a_second * kinds.trade.operations
    # A message costs a credit when sent, one when received, and one for each subscription whose filter looks at it.
    costs = operations * (1 + max(len(topic.subscriptions) for topic in topology().topics))
    yearly_gb = event.stored_kb * BARS_A_DAY[plan.interval] * TRADING_DAYS * 12 / 1024**2
    return [
        ("Service Bus Standard, 1,000 credits a second in a namespace", f"at most {costs:,.0f} where bars come"),
        ("Cosmos DB serverless, 5,000 RU a second in a container", f"{units:,.0f} where bars come"),
        ("Cosmos DB, 20 GB in a logical partition: a market stream", f"after {20 / yearly_gb:,.0f} years"),
        ("Flex Consumption, instances for open polls (profile: 40 or 100)", f"{_instances(plan)}"),
    ]


def _bars(plan: Plan, kinds: Kinds) -> Kind:
    full, rest = divmod(plan.symbols, SHARD)
    of_one = kinds.event(SHARD).times(full).plus(kinds.event(rest).times(1 if rest else 0))
    return of_one.times(BARS_A_DAY[plan.interval] * TRADING_DAYS)


def _timers(plan: Plan) -> Kind:
    runs = DAYS * 86_400 * (TICKING / plan.tick_seconds + MINUTELY / 60)
    # An execution by itself is billed for a second at least.
    return Kind(request_units=0, operations=0, executions=runs, billed_seconds=runs, stored_kb=0)


def _instances(plan: Plan) -> int:
    return ceil(plan.pages / POLLS_OF_AN_INSTANCE)


def _polls(plan: Plan) -> Kind:
    seconds = plan.hours * 3_600 * DAYS
    return Kind(
        request_units=_instances(plan) * seconds * TAIL_UNITS_A_SECOND,
        operations=0,
        executions=plan.pages * seconds / POLL_SECONDS,
        billed_seconds=_instances(plan) * seconds,
        stored_kb=0,
    )


def _usage(plan: Plan, whole: Kind) -> Usage:
    trades = plan.trades * TRADING_DAYS
    return Usage(
        executions=round(whole.executions),
        billed_us=round(whole.billed_seconds * 1e6),
        milli_units=round(whole.request_units * 1_000),
        sent=round(whole.operations),
        input_tokens=round(plan.input_tokens * trades),
        output_tokens=round(plan.output_tokens * trades),
    )


def _with_memory(prices: PriceTable, memory_mb: int) -> PriceTable:
    return prices.model_copy(update={"functions": prices.functions.model_copy(update={"instance_mb": memory_mb})})

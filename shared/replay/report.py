"""The report of a backtest: what it earned beside its benchmark, what it risked, and whose advice was worth what."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING

from shared.events.envelope import Fact
from shared.events.replay import TradeFill
from shared.replay.backtest import Diary, Played
from shared.replay.bar_file import LONGEST_GAP
from shared.replay.chronicle import Decided, ViewChanges
from shared.replay.manifest import Manifest

if TYPE_CHECKING:
    from shared.quant.performance import Floats

type Interval = tuple[float | None, float | None]

HINDSIGHT = "With the sample news, which was written in hindsight: a profit measured with it proves nothing."
CONTAMINATED = "Contaminated: {} had a part in it, and may have been trained on what came after."
ONE_IN = 20
"""A loss beyond the value at risk at 95 % is to come once in so many days."""


class Measures(Fact):
    """As `shared.quant.performance.Performance`; null where a number is not defined."""

    total_return: float | None
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float | None
    drawdown_days: int
    days: int


class Advice(Fact):
    """What an agent's votes were worth.

    Attributes
    ----------
    profit : float
        US dollars: of each fill what it gained until the end, times the agent's stance on it.
    graded, hits : int
        Opinions that the market has shown the worth of, and those with the right sign.
    brier : float or None
        Mean Brier score, 0 to 1; 0.25 is a coin's.
    """

    profit: float
    graded: int = 0
    hits: int = 0
    brier: float | None = None
    mean_return: float | None = None


class Breaches(Fact):
    """Days on which the portfolio lost more than the value at risk at 95 % as last assessed, and how many to expect."""

    days: int
    observed: int
    expected: float


class Series(Fact):
    """Values by moment, US dollars, and the fall from the highest so far; the first moment is the opening.

    Attributes
    ----------
    symbols : dict of str to tuple of float
        What the same money would be worth in one symbol alone.
    """

    moments: tuple[datetime, ...]
    equity: tuple[float, ...]
    benchmark: tuple[float, ...]
    drawdown: tuple[float, ...]
    symbols: dict[str, tuple[float, ...]]


class Report(Fact):
    """The report.

    Attributes
    ----------
    hash : str
        Of the run; the same for the same code, configuration and data.
    labels : tuple of str
        What whoever reads the numbers must know.
    symbols_held : dict of str to float
        Total return of each symbol over the same days.
    decided, views : tuple
        The votes as they were made, and what each agent thought at each moment of the series.
    alpha, beta : float or None
        To the benchmark; alpha per year.
    intervals : dict of str to pair
        90 % bootstrap intervals, seeded by the run's hash.
    turnover : float
        What was traded in a year, by the mean value.
    hit_rate : float or None
        Share of sales above what was paid.
    exposure : float
        Mean share of the value that was invested.
    """

    hash: str
    labels: tuple[str, ...]
    desk: Measures
    benchmark: Measures
    benchmark_name: str
    symbols_held: dict[str, float]
    alpha: float | None
    beta: float | None
    intervals: dict[str, Interval]
    turnover: float
    hit_rate: float | None
    exposure: float
    fees: float
    slippage: float
    var_breaches: Breaches
    decisions: dict[str, int]
    by_agent: dict[str, Advice]
    fills: tuple[TradeFill, ...]
    decided: tuple[Decided, ...]
    views: tuple[ViewChanges, ...]
    series: Series
    bars: int
    played: int
    emitted: int
    manifest: Manifest


def report(played: Played, manifest: Manifest, warnings: Sequence[str] = ()) -> Report:
    """Work out the report of a backtest."""
    import numpy as np  # late: who only names reports, as the API does, starts without it

    from shared.quant import performance

    diary, asked = played.diary, played.backtest
    values = np.array(diary.values)
    returns = performance.returns_of(values)
    held = _benchmark(diary, asked.benchmark, values[0])
    against = performance.returns_of(held)
    alpha, beta = performance.alpha_beta(returns, against)
    seed = int(played.outcome.hash[:16], 16)
    statistics = {"annual_return": performance.annual_return, "sharpe": performance.sharpe}
    return Report(
        hash=played.outcome.hash,
        labels=(*_labels(played, manifest), *warnings),
        desk=_measures(returns),
        benchmark=_measures(against),
        benchmark_name=asked.benchmark,
        symbols_held={symbol: line[-1] / line[0] - 1 for symbol, line in _lines(diary).items()},
        alpha=_number(alpha),
        beta=_number(beta),
        intervals={name: _pair(performance.interval(returns, each, seed)) for name, each in statistics.items()},
        turnover=_traded(diary) / float(values.mean()) * performance.DAYS_PER_YEAR / len(returns),
        hit_rate=_hit_rate(diary, played),
        exposure=float(np.mean(diary.invested)),
        fees=sum(fill.fee for fill in diary.fills),
        slippage=sum(fill.slippage for fill in diary.fills),
        var_breaches=_breaches(returns, diary),
        decisions=dict(sorted(diary.decisions.items())),
        by_agent=_by_agent(diary),
        fills=tuple(diary.fills),
        decided=tuple(diary.chronicle.decided),
        views=tuple(diary.chronicle.views()),
        series=Series(
            moments=tuple(diary.moments),
            equity=tuple(diary.values),
            benchmark=tuple(held.tolist()),
            drawdown=tuple(performance.drawdowns(values).tolist()),
            symbols={
                symbol: tuple(float(values[0]) * close / line[0] for close in line)
                for symbol, line in _lines(diary).items()
            },
        ),
        bars=diary.bars,
        played=played.outcome.played,
        emitted=played.outcome.emitted,
        manifest=manifest,
    )


def _lines(diary: Diary) -> dict[str, list[float]]:
    # A symbol that came later than the opening is no part of a benchmark that begins then.
    first = diary.moments[0]
    known = {symbol: line for symbol, line in diary.closes.items() if first in line}
    return {symbol: [line[moment] for moment in diary.moments] for symbol, line in sorted(known.items())}


def _benchmark(diary: Diary, name: str, value: float) -> "Floats":
    import numpy as np

    lines = _lines(diary)
    chosen = [lines[name]] if name in lines else list(lines.values())
    prices = np.array(chosen)
    relative = prices / prices[:, :1]
    if name == "equal_weight":
        daily = (prices[:, 1:] / prices[:, :-1]).mean(axis=0)
        relative = np.concatenate(([1.0], np.cumprod(daily)))[np.newaxis]
    found: Floats = value * relative.mean(axis=0)
    return found


def _labels(played: Played, manifest: Manifest) -> tuple[str, ...]:
    is_hindsight = played.backtest.news and manifest.source == "recorded"
    models = ", ".join(sorted(played.diary.models))
    contaminated = (CONTAMINATED.format(models),) if models else ()
    return (*((HINDSIGHT,) if is_hindsight else ()), *contaminated, *_missing(played))


def _missing(played: Played) -> Iterator[str]:
    diary, asked = played.diary, played.backtest
    for symbol in asked.symbols:
        if symbol not in diary.known:
            yield f"{symbol} has no bar at all: it has no part in this."
            continue
        first, last = diary.known[symbol]
        if first > diary.moments[0]:
            yield f"{symbol} has no bar before {first:%Y-%m-%d}: the portfolio began without it."
        if asked.ends_at - last > LONGEST_GAP:
            yield f"{symbol} has no bar after {last:%Y-%m-%d}: what was held of it kept its last price."


def _measures(returns: "Floats") -> Measures:
    from shared.quant import performance

    measured = asdict(performance.measure(returns))
    return Measures.model_validate({name: value if isfinite(value) else None for name, value in measured.items()})


def _traded(diary: Diary) -> float:
    return sum(fill.quantity * fill.price for fill in diary.fills)


def _hit_rate(diary: Diary, played: Played) -> float | None:
    shares, paid = dict(played.opened.shares), dict(played.opened.prices_paid)
    gains = list[bool]()
    for fill in diary.fills:
        before = shares.get(fill.symbol, 0.0)
        if fill.side == "buy":
            paid[fill.symbol] = (before * paid.get(fill.symbol, 0.0) + fill.quantity * fill.price) / (
                before + fill.quantity
            )
            shares[fill.symbol] = before + fill.quantity
        else:
            gains.append(fill.price > paid[fill.symbol])
            shares[fill.symbol] = before - fill.quantity
    return sum(gains) / len(gains) if gains else None


def _breaches(returns: "Floats", diary: Diary) -> Breaches:
    pairs = [(change, expected) for change, expected in zip(returns, diary.losses_expected, strict=False) if expected]
    observed = sum(change < -expected for change, expected in pairs)
    return Breaches(days=len(pairs), observed=int(observed), expected=len(pairs) / ONE_IN)


def _by_agent(diary: Diary) -> dict[str, Advice]:
    last = {symbol: line[diary.moments[-1]] for symbol, line in diary.closes.items()}
    profits = dict[str, float]()
    for fill in diary.fills:
        gain = fill.quantity * (last[fill.symbol] - fill.price) * (1 if fill.side == "buy" else -1) - fill.fee
        for vote in diary.votes[fill.consensus]:
            if vote.abstained is None:
                profits[vote.agent] = profits.get(vote.agent, 0.0) + gain * vote.stance
    return {agent: _advice(profits.get(agent, 0.0), agent, diary) for agent in sorted({*profits, *diary.graded})}


def _advice(profit: float, agent: str, diary: Diary) -> Advice:
    graded = diary.graded.get(agent)
    if graded is None:
        return Advice(profit=profit)
    record = graded.data.record.overall
    return Advice(
        profit=profit, graded=record.count, hits=record.hits, brier=record.brier, mean_return=record.mean_return
    )


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def _pair(bounds: tuple[float, float]) -> Interval:
    return _number(bounds[0]), _number(bounds[1])

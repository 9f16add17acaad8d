"""Where the time goes in a trade, by our functions: 32 in flight through the whole runtime."""

from pathlib import Path

from tests.bench.hotspot import WAITING
from tests.bench.measure import BenchError
from tests.bench.table import Table
from tests.bench.trade import CONTENDERS, WARM_UP_SECONDS, working

SECONDS = 10.0
FLIGHT = 32
FUNCTIONS = 25
MODULES = 12
LEAST_TRADES = 100


def run(folder: Path) -> list[Table]:
    """Profile the event loop's thread of a desk."""
    with working(CONTENDERS[0], folder) as worker:
        worker.round(FLIGHT, WARM_UP_SECONDS)
        answer = worker.round(FLIGHT, SECONDS, profiled=True)
    trades, spots = len(answer["took"]), answer["hotspots"]
    if trades < LEAST_TRADES:
        raise BenchError(f"only {trades} trades were decided")
    waited = sum(spots.pop(WAITING, (0.0, 0.0)))
    return [_by_function(spots, trades, waited, answer["other_threads_seconds"]), _by_module(spots)]


def _by_function(spots: dict[str, tuple[float, float]], trades: int, waited: float, beside: float) -> Table:
    busy = sum(map(sum, spots.values()))
    ordered = sorted(spots.items(), key=lambda item: -sum(item[1]))[:FUNCTIONS]
    rows = [
        (name, 100 * sum(spent) / busy, 100 * spent[0] / busy, 100 * spent[1] / busy, 1e6 * sum(spent) / trades)
        for name, spent in ordered
    ]
    return Table(
        f"Where the time goes, {FLIGHT} trades in flight",
        ("function", "all, %", "itself, %", "libraries it calls, %", "µs a trade"),
        rows,
        f"{trades:,} trades in {SECONDS:g} s, sampled, which slows them; the loop waited {waited:.1f} s of it. A sample"
        f" counts for the innermost function of ours. What other threads did is not in it: {beside:.1f} s of processor"
        " time for commits and memories.",
    )


def _by_module(spots: dict[str, tuple[float, float]]) -> Table:
    modules = dict[str, float]()
    for name, spent in spots.items():
        module = name.partition(":")[0]
        modules[module] = modules.get(module, 0.0) + sum(spent)
    ordered = sorted(modules.items(), key=lambda item: -item[1])[:MODULES]
    rows = [(name, 100 * spent / sum(modules.values())) for name, spent in ordered]
    return Table("The same by module", ("module", "all, %"), rows)

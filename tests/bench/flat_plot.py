"""Draws a long run: one panel a measure, over the number of events in the log."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.measure import quantile

BINS = 100
_STYLE = {"svg.hashsalt": "finagent", "svg.fonttype": "none", "font.size": 8, "path.simplify": True}

type Points = Sequence[tuple[int, float]]


def draw(path: Path, series: Mapping[str, Points]) -> None:
    """Write the panels as SVG: the median of each bin of events; of a p99 its 99th percentile."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 1.6 * ((len(series) + 1) // 2)), layout="constrained")
        panels = figure.subplots((len(series) + 1) // 2, 2, sharex=True)
        for panel, (name, points) in zip(panels.flat, series.items(), strict=False):
            line = _binned(points, 0.99 if "p99" in name else 0.5)
            panel.plot([events / 1_000 for events, _ in line], [value for _, value in line], linewidth=1)
            panel.set_title(name, loc="left")
            panel.set_ylim(bottom=0)
            panel.grid(visible=True, linewidth=0.3)
        for panel in panels[-1]:
            panel.set_xlabel("thousand events in the log")
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def _binned(points: Points, share: float) -> list[tuple[int, float]]:
    width = max(events for events, _ in points) // BINS + 1
    bins: dict[int, list[float]] = {}
    for events, value in points:
        bins.setdefault(events // width, []).append(value)
    return [(place * width, quantile(values, share)) for place, values in sorted(bins.items())]

"""Charts as SVG text: lines over time, with nothing loaded from anywhere."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from math import floor, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 300, 62, 12, 34, 26
COLOURS = ("#1f5fa8", "#c2571a", "#5a7d2a", "#8a4f9e", "#7a7a7a", "#b58900")


def lines(title: str, moments: Sequence[datetime], series: Mapping[str, Sequence[float]], *, unit: str = "") -> str:
    """Give a chart of lines that share their moments, one colour each, with a legend."""
    low, high = _bounds(series.values())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title, quote=True)}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_grid(low, high, unit),
        *_months(moments),
    ]
    for number, (name, values) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{_x(k, len(moments)):.1f},{_y(v, low, high):.1f}" for k, v in enumerate(values))
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="{2.4 if number == 0 else 1.2}" points="{points}"/>'
        )
        parts.append(
            f'<text x="{LEFT + number * (WIDTH - LEFT) // len(series)}" y="16" fill="{colour}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _bounds(series: Iterable[Sequence[float]]) -> tuple[float, float]:
    values = [value for each in series for value in each]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 1, high + 1)


def _grid(low: float, high: float, unit: str) -> list[str]:
    step = 10 ** floor(log10((high - low) / 2))
    step = next(step * k for k in (1, 2, 5, 10) if (high - low) / (step * k) <= 6)  # noqa: PLR2004 - lines at most
    found, value = list[str](), floor(low / step + 1) * step
    while value <= high:
        y = _y(value, low, high)
        text = f"{value + 0.0:.0%}" if unit == "%" else f"{value:,.0f}"
        found.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        found.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{text}</text>')
        value += step
    return found


def _months(moments: Sequence[datetime]) -> list[str]:
    starts = [k for k in range(1, len(moments)) if moments[k].month != moments[k - 1].month]
    every = len(starts) // 12 + 1
    at = f'y="{HEIGHT - 8}" text-anchor="middle" fill="#555"'
    return [f'<text x="{_x(k, len(moments)):.1f}" {at}>{moments[k]:%Y-%m}</text>' for k in starts[::every]]


def _x(place: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * place / max(1, count - 1)


def _y(value: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

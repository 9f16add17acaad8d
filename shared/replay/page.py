"""The report as one HTML page that needs nothing else: no script, nothing from a network, all text escaped."""

from collections.abc import Iterable, Mapping
from html import escape

from shared.replay import chart
from shared.replay.report import Interval, Measures, Report

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}code{font-size:12px;word-break:break-all}
.label{background:#fff3cd;padding:.6em 1em;border-left:4px solid #d39e00}
"""
_MOST_FILLS = 500
_NAMES = {
    "total_return": "Total return",
    "annual_return": "Return per year",
    "volatility": "Volatility per year",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "max_drawdown": "Largest fall",
    "drawdown_days": "Longest time below a high, days",
}
_FRACTIONS = {"total_return", "annual_return", "volatility", "max_drawdown"}


def page(report: Report) -> str:
    """Give the page."""
    asked = report.manifest.backtest
    title = f"Backtest of {', '.join(asked.symbols)}, {asked.first_day} to {asked.last_day}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        *(f'<p class="label">{escape(label)}</p>' for label in report.labels),
        equity_chart(report),
        chart.lines("Fall from the highest value", report.series.moments, {"desk": report.series.drawdown}, unit="%"),
        "<h2>Beside the benchmark</h2>",
        _table(["", "Desk", f"Benchmark: {report.benchmark_name}"], _measures(report.desk, report.benchmark)),
        "<h2>More of it</h2>",
        _table(["", ""], _more(report).items()),
        "<h2>Whose advice</h2>",
        "<p>Profit: of each fill what it gained until the end, times the agent's stance on it.</p>",
        _table(["Agent", "Profit, USD", "Graded", "Hits", "Brier"], _advice(report)),
        "<h2>Symbols held throughout</h2>",
        _table(["", "Total return"], ((name, _percent(value)) for name, value in report.symbols_held.items())),
        f"<h2>Fills</h2><p>{len(report.fills)} fills; each names the consensus that approved it.</p>",
        _table(["Decided", "Bar", "", "", "Shares", "Price", "Fee", "Consensus"], _fills(report)),
        "<h2>Manifest</h2>",
        f"<p>Hash of the run: <code>{escape(report.hash)}</code></p>",
        f"<pre><code>{escape(report.manifest.model_dump_json(indent=1))}</code></pre></body></html>",
    ]
    return "\n".join(parts)


def equity_chart(report: Report) -> str:
    """Give the chart of what the portfolio was worth beside its benchmark, and beside each symbol alone."""
    series = {"desk": report.series.equity, report.benchmark_name.replace("_", " "): report.series.benchmark}
    series |= {symbol: values for symbol, values in report.series.symbols.items() if symbol not in series}
    return chart.lines("Value, USD", report.series.moments, series)


def _measures(desk: Measures, benchmark: Measures) -> Iterable[tuple[str, ...]]:
    for name, words in _NAMES.items():
        yield words, *(_shown(name, getattr(each, name)) for each in (desk, benchmark))


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "not defined"
    if name == "drawdown_days":
        return f"{value:.0f}"
    return _percent(value) if name in _FRACTIONS else f"{value:.2f}"


def _more(report: Report) -> Mapping[str, str]:
    breaches = report.var_breaches
    return {
        "Alpha per year": _shown("alpha", report.alpha),
        "Beta": _shown("beta", report.beta),
        "Return per year, 90 % interval": _between(report.intervals["annual_return"], percent=True),
        "Sharpe ratio, 90 % interval": _between(report.intervals["sharpe"]),
        "Turnover per year": f"{report.turnover:.2f} times the value",
        "Sales above what was paid": "none sold" if report.hit_rate is None else f"{report.hit_rate:.1%}",
        "Mean share invested": f"{report.exposure:.1%}",
        "Fees, slippage": f"{report.fees:,.2f} USD, {report.slippage:,.2f} USD",
        "Losses beyond value at risk": f"{breaches.observed} of {breaches.days} days, {breaches.expected:.1f} expected",
        "Decisions": ", ".join(f"{count} {name}" for name, count in report.decisions.items()) or "none",
        "Bars, events": f"{report.bars:,}, {report.played + report.emitted:,}",
    }


def _advice(report: Report) -> Iterable[tuple[str, ...]]:
    for agent, advice in report.by_agent.items():
        brier = "" if advice.brier is None else f"{advice.brier:.3f}"
        yield agent, f"{advice.profit:,.0f}", str(advice.graded), str(advice.hits), brier


def _fills(report: Report) -> Iterable[tuple[str, ...]]:
    for fill in report.fills[:_MOST_FILLS]:
        yield (
            f"{fill.decided_at:%Y-%m-%d}",
            f"{fill.bar_closed_at:%Y-%m-%d}",
            fill.side,
            fill.symbol,
            f"{fill.quantity:,.2f}",
            f"{fill.price:,.2f}",
            f"{fill.fee:,.2f}",
            fill.consensus,
        )


def _between(bounds: Interval, *, percent: bool = False) -> str:
    return " to ".join(
        "not defined" if bound is None else _percent(bound) if percent else f"{bound:.2f}" for bound in bounds
    )


def _percent(value: float) -> str:
    return f"{value:+.1%}"


def _table(head: list[str], rows: Iterable[tuple[str, ...]]) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        """Give a row of the table."""
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "\n".join(["<table>", row(head, "th"), *(row(cells, "td") for cells in rows), "</table>"])

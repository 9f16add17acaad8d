"""Rows as Alpaca writes them, so that a test names only what it is about."""

from datetime import UTC, datetime
from typing import Any

type Row = dict[str, Any]


def stamp(moment: datetime) -> str:
    """Write an instant as Alpaca does: RFC 3339 in UTC with a Z, seconds unless there is more."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def bar_row(
    start: datetime,
    close: float = 101.0,
    *,
    open: float = 100.0,
    high: float = 102.0,
    low: float = 99.0,
    volume: float = 1_000,
) -> Row:
    """Make a bar that began at `start`; a day begins at midnight in New York."""
    return {"t": stamp(start), "o": open, "h": high, "l": low, "c": close, "v": volume, "n": 42, "vw": (high + low) / 2}


def article_row(
    id: int,
    created_at: datetime,
    headline: str = "Apple opens a shop",
    *,
    symbols: tuple[str, ...] = ("AAPL",),
    summary: str = "",
    updated_at: datetime | None = None,
) -> Row:
    """Make a news article; without `updated_at` it was never edited."""
    return {
        "author": "Benzinga Newsdesk",
        "content": "<p>the whole text</p>",
        "created_at": stamp(created_at),
        "headline": headline,
        "id": id,
        "images": [],
        "source": "benzinga",
        "summary": summary,
        "symbols": list(symbols),
        "updated_at": stamp(updated_at or created_at),
        "url": f"https://www.benzinga.com/news/{id}",
    }


def snapshot_row(bid: float, ask: float, quoted_at: datetime, **changes: Any) -> Row:
    """Make an option's snapshot; `changes` replace or add parts, for example `latestQuote=None`."""
    quote = {"t": stamp(quoted_at), "ax": "C", "ap": ask, "as": 10, "bx": "C", "bp": bid, "bs": 12, "c": " "}
    trade = {"t": stamp(quoted_at), "x": "I", "p": (bid + ask) / 2, "s": 1, "c": "a"}
    greeks = {"delta": 0.5, "gamma": 0.01, "rho": 0.1, "theta": -0.02, "vega": 0.2}
    return {"latestQuote": quote, "latestTrade": trade, "greeks": greeks, "impliedVolatility": 0.3} | changes


def trade_row(price: float, at: datetime) -> Row:
    """Make a stock's latest trade."""
    return {"t": stamp(at), "x": "V", "p": price, "s": 100, "c": ["@"], "i": 52983525029461, "z": "C"}


def session_row(date: str, close: str = "16:00") -> Row:
    """Make a trading day of the calendar, New York time; half days close at 13:00."""
    return {
        "close": close,
        "date": date,
        "open": "09:30",
        "session_close": "2000",
        "session_open": "0400",
        "settlement_date": date,
    }


def position_row(
    symbol: str, qty: str = "5", *, side: str = "long", asset_class: str = "us_equity", avg_entry_price: str = "100.0"
) -> Row:
    """Make an open position; Alpaca writes its numbers as strings, and a short one's quantity negative."""
    return {
        "asset_class": asset_class,
        "asset_id": "904837e3-3b76-47ec-b432-046db621571b",
        "asset_marginable": True,
        "avg_entry_price": avg_entry_price,
        "change_today": "0.0084",
        "cost_basis": "500.0",
        "current_price": "120.0",
        "exchange": "NASDAQ",
        "lastday_price": "119.0",
        "market_value": "600.0",
        "qty": qty,
        "qty_available": qty,
        "side": side,
        "symbol": symbol,
        "unrealized_intraday_pl": "10.0",
        "unrealized_intraday_plpc": "0.0084",
        "unrealized_pl": "100.0",
        "unrealized_plpc": "0.20",
    }


def account_row(cash: str = "10000.5") -> Row:
    """Make a paper account; Alpaca writes its numbers as strings, and borrowed cash negative."""
    return {
        "account_blocked": False,
        "account_number": "PA1234567890",
        "accrued_fees": "0",
        "buying_power": "262113.632",
        "cash": cash,
        "created_at": "2019-06-12T22:47:07.99658Z",
        "currency": "USD",
        "equity": "103820.56",
        "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98",
        "initial_margin": "63480.38",
        "last_equity": "103529.24",
        "long_market_value": "126960.76",
        "maintenance_margin": "38088.228",
        "multiplier": "4",
        "options_approved_level": 1,
        "options_buying_power": "262113.632",
        "options_trading_level": 1,
        "portfolio_value": "103820.56",
        "short_market_value": "0",
        "shorting_enabled": True,
        "status": "ACTIVE",
        "trade_suspended_by_user": False,
        "trading_blocked": False,
        "transfers_blocked": False,
    }

"""What Alpaca knows and how it answers, without any HTTP: plain rows in, bodies out."""

import base64
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.standins.alpaca.option_page import CHAIN, CHAIN_PARAMS, is_wanted
from tests.standins.alpaca.rows import Row, account_row

NEW_YORK = ZoneInfo("America/New_York")
FEEDS = ("iex", "sip")
BAR_PARAMS = {"symbols", "timeframe", "start", "end", "adjustment", "feed", "limit", "page_token"}
NEWS_PARAMS = {"symbols", "start", "end", "sort", "include_content", "limit", "page_token"}

type Params = Mapping[str, str]
type Key = tuple[str, str]


class RefusedError(Exception):
    """A request that Alpaca refuses, with the status and the message of its body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class AlpacaService:
    """Alpaca's side of the data: change it between requests to correct a bar or to add a late one.

    Attributes
    ----------
    now : datetime
        The service's own clock; it decides what of `sip` is too recent for the free plan, and what `/v2/clock` says.
    splits : dict of str to list of (datetime, float)
        First instant in new shares, and new shares per old one.
    snapshots : dict of str to dict of str to Row
        Option snapshots by underlying and contract.
    latest_trades : dict of str to Row
        Of stocks, by symbol.
    page_size : int or None
        Smaller pages than the client asks for; Alpaca may do that.
    """

    now: datetime
    splits: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    sessions: list[Row] = field(default_factory=list)
    account: Row = field(default_factory=account_row)
    positions: list[Row] = field(default_factory=list)
    page_size: int | None = None
    _bars: dict[tuple[str, str], dict[Key, Row]] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Row]] = field(default_factory=dict)
    latest_trades: dict[str, Row] = field(default_factory=dict)
    _articles: dict[int, Row] = field(default_factory=dict)

    def put_bars(self, symbol: str, *rows: Row, timeframe: str = "1Min", feed: str = "iex") -> None:
        """Add unadjusted bars; one with the same start replaces the earlier one."""
        kept = self._bars.setdefault((feed, timeframe), {})
        kept.update({(symbol, row["t"]): row for row in rows})

    def put_articles(self, *rows: Row) -> None:
        """Add articles; one with the same id replaces the earlier one."""
        self._articles.update({row["id"]: row for row in rows})

    def answer(self, path: str, params: Params) -> object:
        """Give the body for a path.

        Raises
        ------
        RefusedError
            What Alpaca refuses, an unknown path (404), and what this stand-in does not cover (501).
        """
        routes: dict[str, Callable[[Params], object]] = {
            "/v2/stocks/bars": self._bars_page,
            "/v1beta1/news": self._news_page,
            "/v2/clock": lambda _: self._clock(),
            "/v2/calendar": self._calendar,
            "/v2/account": lambda _: self.account,
            "/v2/positions": lambda _: self.positions,
            "/v2/stocks/trades/latest": self._latest_trades,
        }
        if path.startswith(CHAIN):
            return self._chain_page(path.removeprefix(CHAIN), params)
        if path not in routes:
            raise RefusedError(404, "endpoint not found.")
        return routes[path](params)

    def _bars_page(self, params: Params) -> object:
        _only(BAR_PARAMS, params)
        symbols = _symbols(params)
        feed, timeframe, adjustment = params.get("feed", "iex"), params["timeframe"], params.get("adjustment", "raw")
        start, end = self._range(params)
        self._check_feed(feed, end)
        adjust = self._adjusting(adjustment)
        rows = {
            (symbol, row["t"]): adjust(symbol, row)
            for (symbol, _), row in self._bars.get((feed, timeframe), {}).items()
            if symbol in symbols and start <= _moment(row["t"]) <= end
        }
        page, token = self._page(rows, params, most=10_000, default=1_000)
        grouped: dict[str, list[Row]] = {}
        for (symbol, _), row in page:
            grouped.setdefault(symbol, []).append(row)
        return {"bars": grouped, "next_page_token": token}

    def _news_page(self, params: Params) -> object:
        _only(NEWS_PARAMS, params)
        symbols = _symbols(params) if "symbols" in params else None
        start, end = self._range(params)
        rows = {
            (row["updated_at"], str(row["id"])): row
            for row in self._articles.values()
            if (symbols is None or symbols & set(row["symbols"])) and start <= _moment(row["updated_at"]) <= end
        }
        if params.get("include_content") != "true":
            rows = {key: row | {"content": ""} for key, row in rows.items()}
        newest_first = params.get("sort", "desc") == "desc"
        page, token = self._page(rows, params, most=50, default=10, reverse=newest_first)
        return {"news": [row for _, row in page], "next_page_token": token}

    def _latest_trades(self, params: Params) -> object:
        _only({"symbols", "feed"}, params)
        return {"trades": {symbol: row for symbol, row in self.latest_trades.items() if symbol in _symbols(params)}}

    def _chain_page(self, underlying: str, params: Params) -> object:
        _only(CHAIN_PARAMS, params)
        found = self.snapshots.get(underlying, {})
        rows = {(name, ""): row for name, row in found.items() if is_wanted(name, params)}
        page, token = self._page(rows, params, most=1_000, default=100)
        return {"snapshots": {name: row for (name, _), row in page}, "next_page_token": token}

    def _calendar(self, params: Params) -> object:
        first, last = params.get("start", "1970-01-01"), params.get("end", "2029-12-31")
        return [row for row in self.sessions if first <= row["date"] <= last]

    def _clock(self) -> object:
        opens, closes = (
            sorted(
                datetime.fromisoformat(f"{row['date']}T{row[name]}").replace(tzinfo=NEW_YORK) for row in self.sessions
            )
            for name in ("open", "close")
        )
        next_open, next_close = (moments[bisect_right(moments, self.now)] for moments in (opens, closes))
        return {
            "timestamp": self.now.astimezone(NEW_YORK).isoformat(),
            "is_open": next_close < next_open,
            "next_open": next_open.isoformat(),
            "next_close": next_close.isoformat(),
        }

    def _range(self, params: Params) -> tuple[datetime, datetime]:
        today = self.now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
        start = _moment(params["start"]) if "start" in params else today
        end = _moment(params["end"]) if "end" in params else self.now
        if end < start:
            raise RefusedError(400, "end should not be before start")
        return start, end

    def _check_feed(self, feed: str, end: datetime) -> None:
        if feed not in FEEDS:
            raise RefusedError(400, f"invalid feed: {feed}")
        if feed == "sip" and end > self.now - timedelta(minutes=15):
            raise RefusedError(403, "subscription does not permit querying recent SIP data")

    def _adjusting(self, adjustment: str) -> Callable[[str, Row], Row]:
        if adjustment not in ("raw", "split"):
            raise RefusedError(501, f"stand-in: adjustment {adjustment} is not covered")
        return self._split if adjustment == "split" else lambda _, row: row

    def _split(self, symbol: str, row: Row) -> Row:
        for first, shares in self.splits.get(symbol, []):
            if _moment(row["t"]) < first:
                row = row | {name: row[name] / shares for name in ("o", "h", "l", "c", "vw")}
                row = row | {"v": row["v"] * shares}
        return row

    def _page(
        self, rows: Mapping[Key, Row], params: Params, *, most: int, default: int, reverse: bool = False
    ) -> tuple[list[tuple[Key, Row]], str | None]:
        limit = int(params.get("limit", default))
        if not 1 <= limit <= most:
            raise RefusedError(400, f"invalid limit: {limit}")
        ordered: Iterable[Key] = sorted(rows, reverse=reverse)
        if token := params.get("page_token"):
            last = _key(token)
            ordered = (key for key in ordered if (key < last if reverse else key > last))
        keys = list(ordered)
        page = keys[: min(limit, self.page_size or limit)]
        return [(key, rows[key]) for key in page], _token(page[-1]) if len(page) < len(keys) else None


def _only(known: set[str], params: Params) -> None:
    if unknown := sorted(set(params) - known):
        raise RefusedError(501, f"stand-in: {', '.join(unknown)} not covered")


def _symbols(params: Params) -> set[str]:
    symbols = set(params.get("symbols", "").split(","))
    if bad := sorted(symbol for symbol in symbols if not symbol.replace(".", "").isalnum()):
        raise RefusedError(400, f"invalid symbol: {bad[0]}")
    return symbols


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise RefusedError(501, f"stand-in: only RFC 3339 times, not {text}")
    return moment


def _token(key: Key) -> str:
    return base64.b64encode("|".join(key).encode()).decode()


def _key(token: str) -> Key:
    first, second = base64.b64decode(token).decode().split("|")
    return first, second

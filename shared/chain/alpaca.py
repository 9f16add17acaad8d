"""Option chains from Alpaca, over its own SDK (alpaca-py 0.44).

Owns what is asked and what its rows mean. How patient it is with the service is in `shared/market/alpaca_patience.py`.
Alpaca gives only the present chain: whoever asks for an earlier moment's, as a replay does, is told that there is none.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from shared.chain.expiry import LEAST_DAYS, closing
from shared.chain.port import RATE, Chain, Quote
from shared.errors import InvalidError, MissingError, TransientError
from shared.market.abandonable import Abandonable
from shared.market.alpaca_patience import Conversation, Patience, import_sdk
from shared.market.alpaca_row import GARBAGE, Dropped, Row, reason

if TYPE_CHECKING:
    from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient

STALE_AFTER = timedelta(minutes=30)
"""A chain is that of its request as long as no more than this has passed since."""
QUOTES_WITHIN = timedelta(days=4)
"""A quote that is older says nothing: nobody has made one since the last session."""
STRIKES_WITHIN = 0.4
"""Strikes farther from the spot than this share of it are not asked for."""
LEAST_PAIRS = 5
MOST_CALLS = 8
_CONTRACT = re.compile(r"([A-Z]+)(\d{6})([CP])(\d{8})")


class AlpacaChainSource:
    """A `ChainSource` over Alpaca's option snapshots and latest trades.

    Parameters
    ----------
    key, secret : str
        Of a paper account.
    stock_feed : str
        Where the spot comes from. Options come from the best feed of the plan: OPRA where it is paid for, else the
        indicative one, which is 15 minutes late.
    data_url : str, optional
        Where another service than Alpaca's shall answer.
    request_timeout_seconds, retry_budget_seconds, call_budget_seconds : float
        As for `shared.market.alpaca.AlpacaMarketSource`.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        stock_feed: str = "iex",
        data_url: str | None = None,
        request_timeout_seconds: float = 3.0,
        retry_budget_seconds: float = 5.0,
        call_budget_seconds: float = 20.0,
    ) -> None:
        if not key or not secret:
            raise InvalidError("Alpaca: a key and its secret are needed")
        self._credentials, self._feed, self._data_url = (key, secret), stock_feed, data_url
        self._patience = Patience(request_timeout_seconds, retry_budget_seconds, call_budget_seconds, (key, secret))
        self._threads = Abandonable(MOST_CALLS, call_budget_seconds + 2 * request_timeout_seconds)

    async def read(self, symbol: str, as_of: datetime, horizon_days: int) -> Chain:
        """Give the chain of the expiry nearest to so many days from `as_of`, of those with five strikes quoted.

        Notes
        -----
        Contracts with an adjusted deliverable, without a bid, with a bid above the ask, and quotes older than four
        days are left out and counted.
        """
        return await self._threads.run(lambda: self._read(symbol, as_of, horizon_days))

    def _read(self, symbol: str, as_of: datetime, horizon_days: int) -> Chain:
        with self._clients() as clients:
            spot = self._spot(clients, symbol)
            answered_at = clients.conversation.answered_at or as_of
            if answered_at - as_of > STALE_AFTER:
                raise MissingError(
                    f"Alpaca gives the chain of {answered_at:%Y-%m-%d %H:%M} UTC only, not an earlier one"
                )
            rows = self._rows(clients, symbol, spot, as_of, horizon_days)
        dropped = Dropped("option quotes")
        contracts = [each for name, row in rows.items() if (each := _contract(symbol, name, row, answered_at, dropped))]
        dropped.log()
        return _chain(symbol, spot, contracts, as_of + timedelta(days=horizon_days), dropped.count)

    def _spot(self, clients: "_Clients", symbol: str) -> float:
        from alpaca.data.enums import DataFeed
        from alpaca.data.requests import StockLatestTradeRequest

        request = StockLatestTradeRequest(symbol_or_symbols=symbol, feed=DataFeed(self._feed))
        with _garbage_refused("latest trade"):
            answer = cast(dict[str, Row], clients.stocks.get_stock_latest_trade(request))
            if symbol not in answer:
                raise MissingError(f"Alpaca knows no trade of {symbol}")
            spot = float(answer[symbol]["p"])
            if not 0 < spot < float("inf"):
                raise ValueError(f"{spot} is no price")
            return spot

    def _rows(
        self, clients: "_Clients", symbol: str, spot: float, as_of: datetime, horizon_days: int
    ) -> dict[str, list[Row]]:
        from alpaca.data.requests import OptionChainRequest

        request = OptionChainRequest(
            underlying_symbol=symbol,
            strike_price_gte=round(spot * (1 - STRIKES_WITHIN), 2),
            strike_price_lte=round(spot * (1 + STRIKES_WITHIN), 2),
            expiration_date_gte=(as_of + timedelta(days=max(LEAST_DAYS, horizon_days // 2))).date(),
            expiration_date_lte=(as_of + timedelta(days=horizon_days * 3 // 2 + 15)).date(),
        )
        with _garbage_refused("option chain"):
            return cast(dict[str, list[Row]], clients.options.get_option_chain(request))

    @contextmanager
    def _clients(self) -> "Iterator[_Clients]":
        import_sdk()
        # New ones for each call: a session of `requests` is not made for threads, and theirs may be abandoned.
        from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient

        stocks = StockHistoricalDataClient(*self._credentials, raw_data=True, url_override=self._data_url)
        options = OptionHistoricalDataClient(*self._credentials, raw_data=True, url_override=self._data_url)
        conversation = Conversation(self._patience)
        for client in (stocks, options):
            conversation.join(client)
        try:
            yield _Clients(stocks, options, conversation)
        finally:
            for client in (stocks, options):
                client._session.close()


class _Clients(NamedTuple):
    stocks: "StockHistoricalDataClient"
    options: "OptionHistoricalDataClient"
    conversation: Conversation


class _Contract(NamedTuple):
    day: date
    quoted_at: datetime
    quote: Quote


def _contract(symbol: str, name: str, rows: list[Row], now: datetime, dropped: Dropped) -> _Contract | None:
    try:
        named = _CONTRACT.fullmatch(name)
        if named is None or named[1] != symbol.replace(".", ""):
            raise ValueError(f"{name} is no standard contract on {symbol}")
        (row,) = rows
        latest = row["latestQuote"]
        quoted_at, bid, ask = datetime.fromisoformat(latest["t"]), float(latest["bp"]), float(latest["ap"])
        if now - quoted_at > QUOTES_WITHIN or not 0 < bid <= ask < float("inf"):
            raise ValueError(f"{bid} to {ask} of {quoted_at} is no quote")
        day = datetime.strptime(named[2], "%y%m%d").date()  # noqa: DTZ007 - a day in New York
        return _Contract(day, quoted_at, Quote("call" if named[3] == "C" else "put", int(named[4]) / 1000, bid, ask))
    except GARBAGE as error:
        dropped.add(f"of {name} {rows}", error)
        return None


def _chain(symbol: str, spot: float, contracts: list[_Contract], wanted: datetime, dropped: int) -> Chain:
    from shared.quant.forward import implied_dividend_yield

    pairs = {day: _pairs(contracts, day) for day in sorted({contract.day for contract in contracts})}
    days = [day for day, found in pairs.items() if len(found) >= LEAST_PAIRS]
    if not days:
        raise MissingError(
            f"Alpaca quotes no expiry of {symbol} near {wanted:%Y-%m-%d} at {LEAST_PAIRS} strikes or more"
        )
    day = min(days, key=lambda each: (abs(closing(each) - wanted), each))
    chosen = [contract for contract in contracts if contract.day == day]
    quoted_at = max(contract.quoted_at for contract in chosen)
    years = Chain(symbol, "alpaca", quoted_at, closing(day), spot, RATE, 0.0, ()).years
    return Chain(
        symbol=symbol,
        origin="alpaca",
        quoted_at=quoted_at,
        expires_at=closing(day),
        spot=spot,
        rate=RATE,
        dividend_yield=implied_dividend_yield(pairs[day], spot, years, RATE),
        quotes=tuple(sorted((contract.quote for contract in chosen), key=lambda quote: (quote.strike, quote.kind))),
        dropped=dropped,
    )


def _pairs(contracts: list[_Contract], day: date) -> list[tuple[float, float, float]]:
    middles = {(each.quote.kind, each.quote.strike): each.quote.middle for each in contracts if each.day == day}
    return [
        (strike, middle, middles["put", strike])
        for (kind, strike), middle in middles.items()
        if kind == "call" and ("put", strike) in middles
    ]


@contextmanager
def _garbage_refused(what: str) -> Iterator[None]:
    try:
        yield
    except GARBAGE as error:
        raise TransientError(f"Alpaca: garbage for {what}: {reason(error)}") from error

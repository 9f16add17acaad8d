"""Option chains from Alpaca: the real SDK over HTTP against a stand-in for the service."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import exp

import pytest

from shared.chain.alpaca import AlpacaChainSource
from shared.chain.expiry import closing
from shared.chain.port import RATE, ChainSource, Quote
from shared.chain.surface import read_surface
from shared.errors import InvalidError, MissingError, TransientError
from shared.quant.option import CALL, PUT, Terms, value
from tests.standins.alpaca.faults import Answer, Drip, Fault, Reset, Stall, body, refused, too_many, web_page
from tests.standins.alpaca.option_page import CHAIN, contract_name
from tests.standins.alpaca.rows import Row, snapshot_row, trade_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

NOW = datetime(2024, 7, 2, 16, 0, tzinfo=UTC)
NEAR, FAR = date(2024, 7, 19), date(2024, 8, 16)
PATH, TRADE = CHAIN + "AAPL", "/v2/stocks/trades/latest"
SPOT, DIVIDENDS, VOLATILITY = 200.0, 0.02, 0.3
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def rows(*days: date, strikes: range = range(160, 245, 5), quoted_at: datetime = NOW - MINUTE) -> dict[str, Row]:
    """Make the snapshots of calls and puts, five cents to either side of their worth."""
    made = {}
    for day in days:
        years = (closing(day) - quoted_at) / timedelta(days=365)
        for strike in strikes:
            for kind, sign in (("call", CALL), ("put", PUT)):
                price = float(value(Terms(sign, SPOT, strike, years, RATE, DIVIDENDS, VOLATILITY)).price)
                made[contract_name("AAPL", day, kind, strike)] = snapshot_row(price + 0.05, price + 0.15, quoted_at)
    return made


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with AlpacaStandIn(AlpacaService(now=NOW)) as standin:
        standin.date = NOW
        standin.service.latest_trades["AAPL"] = trade_row(SPOT, NOW - MINUTE)
        standin.service.snapshots["AAPL"] = rows(NEAR, FAR)
        yield standin


@pytest.fixture
def source(alpaca: AlpacaStandIn) -> ChainSource:
    return AlpacaChainSource(KEY, SECRET, data_url=alpaca.url, retry_budget_seconds=0)


def test_module_when_imported_leaves_alpaca_and_numpy_alone() -> None:
    code = "import sys, shared.chain.alpaca; sys.exit(bool({'alpaca', 'pandas', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("key", "secret"), [("", SECRET), (KEY, "")])
def test_source_when_key_or_secret_is_missing_is_refused(key: str, secret: str) -> None:
    with pytest.raises(InvalidError, match="secret"):
        AlpacaChainSource(key, secret)


@pytest.mark.parametrize(("horizon_days", "day"), [(14, NEAR), (30, NEAR), (32, FAR), (45, FAR)])
async def test_chain_when_expiries_are_several_is_the_nearest_one_s(
    source: ChainSource, horizon_days: int, day: date
) -> None:
    chain = await source.read("AAPL", NOW, horizon_days)
    assert (chain.symbol, chain.origin, chain.spot, chain.dropped) == ("AAPL", "alpaca", SPOT, 0)
    assert (chain.expires_at, chain.quoted_at) == (closing(day), NOW - MINUTE)
    assert [(quote.strike, quote.kind) for quote in chain.quotes] == [
        (float(strike), kind) for strike in range(160, 245, 5) for kind in ("call", "put")
    ]


async def test_chain_when_quotes_have_dividends_in_them_says_which(source: ChainSource) -> None:
    chain = await source.read("AAPL", NOW, 45)
    assert chain.rate == RATE
    assert chain.dividend_yield == pytest.approx(DIVIDENDS, abs=1e-6)
    surface = read_surface(chain)
    assert surface.forward == pytest.approx(SPOT * exp((RATE - DIVIDENDS) * chain.years))
    # The middle of the quotes is ten cents above their worth.
    assert VOLATILITY < surface.volatility < VOLATILITY + 0.01


@pytest.mark.parametrize("page_size", [1, 7])
async def test_chain_when_pages_are_small_comes_from_all_of_them(
    alpaca: AlpacaStandIn, source: ChainSource, page_size: int
) -> None:
    whole = await source.read("AAPL", NOW, 45)
    alpaca.service.page_size = page_size
    assert await source.read("AAPL", NOW, 45) == whole
    assert len(alpaca.asked(PATH)) > 30 / page_size


async def test_chain_when_asked_for_is_asked_for_near_the_money_and_the_horizon(
    alpaca: AlpacaStandIn, source: ChainSource
) -> None:
    await source.read("AAPL", NOW, 45)
    (asked,) = alpaca.asked(PATH)
    assert (float(asked["strike_price_gte"]), float(asked["strike_price_lte"])) == (120, 280)
    assert (asked["expiration_date_gte"], asked["expiration_date_lte"]) == ("2024-07-24", "2024-09-22")
    assert alpaca.asked(TRADE)[0] == {"symbols": "AAPL", "feed": "iex"}


ODD: dict[str, Row | int | None] = {
    "no quote": snapshot_row(1, 2, NOW, latestQuote=None),
    "no bid": snapshot_row(0, 2, NOW),
    "crossed": snapshot_row(3, 2, NOW),
    "nan": snapshot_row(1, 2, NOW, latestQuote={"t": "2024-07-02T12:00:00Z", "bp": "NaN", "ap": 2}),
    "endless": snapshot_row(1, 2, NOW, latestQuote={"t": "2024-07-02T12:00:00Z", "bp": 1, "ap": "inf"}),
    "stale": snapshot_row(1, 2, NOW - timedelta(days=5)),
    "text": snapshot_row(1, 2, NOW, latestQuote={"t": "noon", "bp": 1, "ap": 2}),
    "no zone": snapshot_row(1, 2, NOW, latestQuote={"t": "2024-07-02T12:00:00", "bp": 1, "ap": 2}),
    "null": None,
    "number": 7,
}


@pytest.mark.parametrize("name", ODD)
async def test_chain_when_a_quote_is_none_leaves_it_out_and_counts_it(
    alpaca: AlpacaStandIn, source: ChainSource, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = await source.read("AAPL", NOW, 45)
    alpaca.service.snapshots["AAPL"][contract_name("AAPL", FAR, "put", 180)] = ODD[name]  # type: ignore[assignment]
    chain = await source.read("AAPL", NOW, 45)
    assert chain.dropped == 1
    assert set(whole.quotes) - set(chain.quotes) == {
        quote for quote in whole.quotes if (quote.kind, quote.strike) == ("put", 180)
    }
    assert "dropped 1 option quotes" in caplog.text


@pytest.mark.parametrize("contract", ["AAPL1240816C00200000", "MSFT240816C00200000", "AAPL249999C00200000", "?"])
async def test_chain_when_a_contract_is_no_standard_one_leaves_it_out(
    alpaca: AlpacaStandIn, source: ChainSource, contract: str
) -> None:
    whole = await source.read("AAPL", NOW, 45)
    alpaca.service.snapshots["AAPL"][contract] = snapshot_row(1, 2, NOW)
    chain = await source.read("AAPL", NOW, 45)
    assert set(chain.quotes) == set(whole.quotes)


async def test_chain_when_the_nearest_expiry_has_few_strikes_is_the_next_one_s(
    alpaca: AlpacaStandIn, source: ChainSource
) -> None:
    alpaca.service.snapshots["AAPL"] = rows(NEAR) | rows(FAR, strikes=range(190, 210, 5))
    assert (await source.read("AAPL", NOW, 32)).expires_at == closing(NEAR)


async def test_chain_when_a_symbol_has_a_dot_takes_its_contracts_without(
    alpaca: AlpacaStandIn, source: ChainSource
) -> None:
    alpaca.service.latest_trades["BRK.B"] = trade_row(SPOT, NOW)
    own = {name.replace("AAPL", "BRKB"): row for name, row in rows(FAR).items()}
    alpaca.service.snapshots["BRK.B"] = own
    assert len((await source.read("BRK.B", NOW, 45)).quotes) == len(own)


@pytest.mark.parametrize("empty", ['{"snapshots":{},"next_page_token":null}', '{"snapshots":null}', "{}"])
async def test_chain_when_there_is_none_is_missing(alpaca: AlpacaStandIn, source: ChainSource, empty: str) -> None:
    alpaca.fail(PATH, body(empty))
    with pytest.raises(MissingError, match="no expiry of AAPL near 2024-08-16"):
        await source.read("AAPL", NOW, 45)


async def test_chain_when_the_share_is_unknown_is_missing(source: ChainSource) -> None:
    with pytest.raises(MissingError, match="no trade of NONE"):
        await source.read("NONE", NOW, 45)


@pytest.mark.parametrize("past", [HOUR, timedelta(days=300)])
async def test_chain_when_another_moment_is_asked_for_is_missing(
    alpaca: AlpacaStandIn, source: ChainSource, past: timedelta
) -> None:
    with pytest.raises(MissingError, match="gives the chain of 2024-07-02 16:00 UTC only"):
        await source.read("AAPL", NOW - past, 45)
    assert alpaca.asked(PATH) == []
    assert (await source.read("AAPL", NOW - 20 * MINUTE, 45)).quotes


PASSING: dict[str, Fault] = {
    "429": too_many(retry_after="60"),
    "500": web_page(500),
    "reset": Reset(),
    "garbage": body('{"snapshots":7,"trades":7}'),
    "no json": body("<html>"),
    "other": body('{"snapshots":"none","trades":{"AAPL":{}}}'),
}


@pytest.mark.parametrize("path", [PATH, TRADE])
@pytest.mark.parametrize("name", PASSING)
async def test_chain_when_the_service_fails_is_worth_another_try(
    alpaca: AlpacaStandIn, source: ChainSource, path: str, name: str
) -> None:
    alpaca.fail(path, PASSING[name])
    with pytest.raises(TransientError):
        await source.read("AAPL", NOW, 45)


@pytest.mark.parametrize("price", ['"NaN"', "0", "-1", '"inf"', "null"])
async def test_chain_when_the_spot_is_no_price_is_worth_another_try(
    alpaca: AlpacaStandIn, source: ChainSource, price: str
) -> None:
    alpaca.fail(TRADE, body(f'{{"trades":{{"AAPL":{{"p":{price}}}}}}}'))
    with pytest.raises(TransientError, match="latest trade"):
        await source.read("AAPL", NOW, 45)


async def test_chain_when_the_key_is_refused_says_so_without_it(alpaca: AlpacaStandIn, source: ChainSource) -> None:
    alpaca.fail(PATH, refused(401, f"no such key: {KEY} {SECRET}"))
    with pytest.raises(InvalidError, match=r"no such key: \*\*\* \*\*\*"):
        await source.read("AAPL", NOW, 45)


@pytest.mark.parametrize("fault", [Stall(3_600), Drip(0.2)])
async def test_chain_when_the_answer_takes_too_long_is_worth_another_try(alpaca: AlpacaStandIn, fault: Fault) -> None:
    source = AlpacaChainSource(
        KEY, SECRET, data_url=alpaca.url, request_timeout_seconds=1, retry_budget_seconds=0, call_budget_seconds=1.5
    )
    alpaca.fail(PATH, fault)
    with pytest.raises(TransientError, match="busy or away"):
        await source.read("AAPL", NOW, 45)


async def test_chain_when_a_token_comes_twice_is_garbage(alpaca: AlpacaStandIn, source: ChainSource) -> None:
    page = Answer(body=b'{"snapshots":{},"next_page_token":"again"}')
    alpaca.fail(PATH, page, page, page)
    with pytest.raises(TransientError, match="pages without end"):
        await source.read("AAPL", NOW, 45)


def test_quote_when_it_has_a_middle_is_halfway() -> None:
    assert Quote("call", 100, 1.0, 2.0).middle == 1.5

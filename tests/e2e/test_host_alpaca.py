"""A real host on Alpaca's SDK against a stand-in that misbehaves: it works on what it has, and says what is stale."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.e2e.process import DeskProcess, read_log
from tests.standins.alpaca.faults import Answer, Cut, Drip, Reset, Stall, body, refused, too_many, web_page
from tests.standins.alpaca.rows import Row, article_row, bar_row, session_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

BARS, NEWS, ACCOUNT, CALENDAR = "/v2/stocks/bars", "/v1beta1/news", "/v2/account", "/v2/calendar"
PATIENCE_SECONDS = 300
NOW = datetime.now(UTC)
MIDNIGHT = NOW.astimezone(ZoneInfo("America/New_York")).replace(hour=0, minute=0, second=0, microsecond=0)
FAULTS = (
    too_many(retry_after="0"),
    Answer(504),
    Reset(),
    web_page(500),
    Cut(),
    body('{"bars":null,"news":null,"next_page_token":null}'),
    body("{}"),
    body('{"bars":{"AAPL":[{"t":'),
    body('{"bars":{"AAPL":null,"IBM":7},"news":[7],"next_page_token":null}'),
    Answer(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
    too_many(retry_after="2"),
    Stall(3_600),
)


def days(first: int, last: int) -> list[datetime]:
    """The midnights of the weekdays from so many days ago to so many."""
    past = [MIDNIGHT - timedelta(days=ago) for ago in range(first, last - 1, -1)]
    return [day for day in past if day.weekday() < 5]


def rows(first: int, last: int) -> list[Row]:
    return [bar_row(day, 101 + day.toordinal() % 7 / 5, high=103) for day in days(first, last)]


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    """Give a service on which AAPL has been halted for ten days."""
    with AlpacaStandIn(AlpacaService(now=NOW + timedelta(days=1))) as standin:
        service = standin.service
        service.sessions = [session_row(f"{day:%Y-%m-%d}") for day in days(800, -30)]
        service.put_bars("AAPL", *rows(140, 11), timeframe="1Day")
        service.put_bars("IBM", *rows(140, 2), timeframe="1Day")
        service.put_articles(article_row(1, NOW - timedelta(days=2)))
        yield standin


def desk_on(alpaca: AlpacaStandIn, folder: Path, **settings: str) -> DeskProcess:
    fixed = {
        "FINAGENT_SYMBOLS": "AAPL,IBM",
        "FINAGENT_LOOKBACK_DAYS": "150",
        "FINAGENT_TICK": "* * * * * *",
        "ALPACA_API_KEY": KEY,
        "ALPACA_SECRET_KEY": SECRET,
        "ALPACA_DATA_URL": alpaca.url,
        "ALPACA_TRADING_URL": alpaca.url,
    }
    return DeskProcess(folder, **(fixed | settings))


def wait_until(client: httpx.Client, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        health: dict[str, Any] = client.get("/api/health").json()
        if not any(health["backlog"].values()) and holds(health):
            return health
        client.get("/api/events", params={"after": "latest", "wait": 0.2})
    pytest.fail(f"never {what}: {health}")


def problem(health: dict[str, Any], tick: str = "market") -> str:
    return str(health["ticks"].get(tick, {}).get("problem"))


def votes(client: httpx.Client, symbol: str) -> dict[str, dict[str, Any]]:
    """Ask for a trade and give the opinions by agent, once there is a consensus."""
    client.put("/api/portfolios/main", json={"cash": 1_000_000, "positions": []})
    asked = client.post("/api/trades", json={"symbol": symbol, "side": "buy", "quantity": 1, "portfolio": "main"})
    wait_until(client, "decided", lambda _: _trade(client, asked)["state"] == "decided")
    return {opinion["agent"]: opinion for opinion in _trade(client, asked)["opinions"]}


def _trade(client: httpx.Client, asked: httpx.Response) -> dict[str, Any]:
    trade: dict[str, Any] = client.get(f"/api/trades/{asked.json()['id']}").json()
    return trade


def closes(client: httpx.Client, symbol: str) -> list[str]:
    return [bar["closed_at"][:10] for bar in client.get(f"/api/bars/{symbol}").json()["bars"]]


def dates(first: int, last: int) -> list[str]:
    return [f"{day:%Y-%m-%d}" for day in days(first, last)]


def test_desk_when_alpaca_misbehaves_works_on_what_it_has_and_catches_up(
    alpaca: AlpacaStandIn, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with desk_on(alpaca, tmp_path) as desk, desk.client() as client:
        stale = f"no prices of AAPL since {dates(20, 11)[-1]}"
        wait_until(client, "stale", lambda health: problem(health) == stale)

        asked = len(alpaca.asked(BARS))
        for path in (BARS, NEWS, ACCOUNT):
            alpaca.fail(path, *FAULTS, *[web_page(503)] * 10_000)
        wait_until(client, "past the faults", lambda _: len(alpaca.asked(BARS)) > asked + len(FAULTS))
        wait_until(client, "failing", lambda health: "busy or away" in problem(health) and stale in problem(health))
        halted, traded = votes(client, "AAPL"), votes(client, "IBM")
        assert "no price of AAPL is known since" in halted["market_analyst"]["abstained"]
        assert "no price of AAPL is known since" in halted["risk_manager"]["abstained"]
        assert "abstained" not in traded["market_analyst"]
        assert "abstained" not in traded["risk_manager"]

        alpaca.service.put_bars("AAPL", *rows(10, 2), timeframe="1Day")
        alpaca.service.put_articles(article_row(2, NOW - timedelta(hours=1), "Apple trades again"))
        alpaca.heal()
        alpaca.release()
        wait_until(client, "well again", lambda health: {problem(health, tick) for tick in health["ticks"]} == {"None"})
        assert closes(client, "AAPL") == closes(client, "IBM") == dates(140, 2)
        assert "abstained" not in votes(client, "AAPL")["market_analyst"]
        assert "Apple trades again" in client.get("/api/events", params={"types": "news.received"}).text
        assert desk.stop() == 0
    _no_secret(tmp_path, capfd)


def test_desk_when_its_keys_are_refused_says_so_once_and_serves(
    alpaca: AlpacaStandIn, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in (BARS, NEWS, ACCOUNT, CALENDAR):
        alpaca.fail(path, *[refused(401, f"no such key: {KEY} {SECRET}", 40110000)] * 10_000)
    with desk_on(alpaca, tmp_path) as desk, desk.client() as client:
        refusals = "Alpaca refuses /calendar: 401 no such key: *** ***; no prices of AAPL at all, IBM at all"
        wait_until(client, "refused", lambda health: problem(health) == refusals)
        assert "no price of IBM is known at all" in votes(client, "IBM")["market_analyst"]["abstained"]
        asked = len(alpaca.asked(CALENDAR))
        wait_until(client, "asked thrice", lambda _: len(alpaca.asked(CALENDAR)) >= asked + 3)
        assert desk.stop() == 0
    assert _no_secret(tmp_path, capfd).count("Alpaca refuses /calendar") == 1


def test_host_when_it_is_terminated_while_alpaca_drips_drains_and_exits_with_zero(
    alpaca: AlpacaStandIn, tmp_path: Path
) -> None:
    with desk_on(alpaca, tmp_path) as desk:
        for path in (BARS, NEWS, ACCOUNT):
            alpaca.fail(path, *[Drip(1)] * 100)
        alpaca.wait_for(len(alpaca.seen) + 3)
        assert desk.stop() == 0
    assert read_log(tmp_path / "alpaca.sqlite", "PRAGMA integrity_check") == [("ok",)]


def _no_secret(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Hold what the desk wrote against its keys, and give what it logged."""
    logged = capfd.readouterr().err
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()) + logged.encode()
    assert b"Alpaca" in written
    assert not [secret for secret in (KEY, SECRET) if secret.encode() in written]
    return logged

"""A real host on Alpaca's SDK against a stand-in: what it suggests rests on the vendor's quotes, and says so."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared.chain.expiry import closing
from shared.chain.port import RATE
from shared.quant.option import CALL, PUT, Terms, value
from tests.e2e.process import DeskProcess
from tests.standins.alpaca.option_page import contract_name
from tests.standins.alpaca.rows import bar_row, session_row, snapshot_row, trade_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

PATIENCE_SECONDS = 300
NOW = datetime.now(UTC)
MIDNIGHT = NOW.astimezone(ZoneInfo("America/New_York")).replace(hour=0, minute=0, second=0, microsecond=0)
EXPIRY = (NOW + timedelta(days=40)).date()
SPOT = 101.0


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with AlpacaStandIn(AlpacaService(now=NOW + timedelta(days=1))) as standin:
        days = [MIDNIGHT - timedelta(days=ago) for ago in range(160, 1, -1)]
        weekdays = [day for day in days if day.weekday() < 5]
        standin.service.sessions = [session_row(f"{day:%Y-%m-%d}") for day in weekdays]
        rows = (bar_row(day, 101 + day.toordinal() % 7 / 5, high=103) for day in weekdays)
        standin.service.put_bars("AAPL", *rows, timeframe="1Day")
        standin.service.latest_trades["AAPL"] = trade_row(SPOT, NOW)
        years = (closing(EXPIRY) - NOW) / timedelta(days=365)
        for strike in range(70, 140, 3):
            for kind, sign in (("call", CALL), ("put", PUT)):
                price = float(value(Terms(sign, SPOT, float(strike), years, RATE, 0.0, 0.4)).price) + 0.5
                name = contract_name("AAPL", EXPIRY, kind, strike)
                standin.service.snapshots.setdefault("AAPL", {})[name] = snapshot_row(price, price + 0.1, NOW)
        yield standin


def answered(client: httpx.Client, wish: dict[str, Any]) -> dict[str, Any]:
    """Ask until the desk has read its history, and give the answer."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        asked = client.post("/api/options", json=wish).json()["id"]
        client.get("/api/events", params={"types": "options.suggested", "correlation": asked, "wait": 20})
        found: dict[str, Any] = client.get(f"/api/options/{asked}").json()["suggestion"] or {}
        if found and "no price" not in found.get("abstained", ""):
            return found
        time.sleep(0.2)
    pytest.fail(f"no answer: {found}")


def test_desk_when_it_has_keys_suggests_on_the_vendor_s_quotes(alpaca: AlpacaStandIn, tmp_path: Path) -> None:
    settings = {
        "FINAGENT_SYMBOLS": "AAPL",
        "FINAGENT_LOOKBACK_DAYS": "150",
        "FINAGENT_TICK": "* * * * * *",
        "ALPACA_API_KEY": KEY,
        "ALPACA_SECRET_KEY": SECRET,
        "ALPACA_DATA_URL": alpaca.url,
        "ALPACA_TRADING_URL": alpaca.url,
    }
    with DeskProcess(tmp_path, **settings) as desk, desk.client() as client:
        found = answered(client, {"symbol": "AAPL", "risk_budget": 3_000, "view": 0.9, "horizon_days": 40})
        assert (found["chain"]["origin"], found["chain"]["spot"]) == ("alpaca", SPOT)
        assert found["chain"]["expires_at"][:10] == f"{EXPIRY:%Y-%m-%d}"
        assert "synthetic" not in found["rationale"]
        assert found["climate"]["regime"] == "dear"
        assert found["suggested"]["strategy"] == "bull_put_spread"

        alpaca.service.snapshots["AAPL"] = {}
        missing = answered(client, {"symbol": "AAPL", "risk_budget": 3_000, "view": 0.9})
        assert missing["abstained"].startswith("Alpaca quotes no expiry of AAPL")
        assert desk.stop() == 0

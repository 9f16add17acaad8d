"""The first calls of a fresh process all import alpaca-py at once, each in a thread of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = """
import asyncio, sys, time
from datetime import UTC, datetime

class Slow:
    # Looks for each module so long that the threads meet inside of the package.
    def find_spec(self, name, path=None, target=None):
        if name.startswith("alpaca"):
            time.sleep(0.005)

sys.meta_path.insert(0, Slow())
from shared.chain.alpaca import AlpacaChainSource
from shared.market.alpaca import AlpacaMarketSource

NOBODY = "http://127.0.0.1:9"
SINCE, NOW = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)

async def main():
    patience = {"retry_budget_seconds": 0.1}
    market = AlpacaMarketSource("key", "secret", data_url=NOBODY, trading_url=NOBODY, **patience)
    chains = AlpacaChainSource("key", "secret", data_url=NOBODY, **patience)
    asked = [market.news(("IBM",), SINCE, NOW), chains.read("IBM", NOW, 30), market.portfolio(),
             market.bars(("IBM",), "1Day", SINCE, NOW), market.news(("IBM",), SINCE, NOW), market.portfolio()]
    for failure in await asyncio.gather(*asked, return_exceptions=True):
        print(type(failure).__name__)

asyncio.run(main())
"""


def test_first_calls_made_at_once_find_no_service_and_nothing_else_wrong() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALLS], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["TransientError"] * 6

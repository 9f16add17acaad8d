"""The demonstration: the main job from an empty desk to a consensus, over HTTP, without a person."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local import report
from local.client import DeskClient
from shared.errors import InvalidError
from shared.settings import Settings

START = "2008-09-11"
DAYS = 6
_SETTINGS = ("FINAGENT_", "ALPACA_", "SERVICEBUS", "COSMOS_", "AzureFunctionsJobHost")
HOLDINGS = {
    "cash": 20_000,
    "positions": [{"symbol": "IBM", "quantity": 400}, {"symbol": "MSFT", "quantity": 1_200}],
}
TRADES = (
    {"symbol": "AAPL", "side": "buy", "quantity": 500, "portfolio": "demo"},
    {"symbol": "MSFT", "side": "buy", "quantity": 900, "portfolio": "demo"},
)


def play(emit: Callable[[Any], None] | None) -> None:
    """Run a desk on an empty folder through days of September 2008 and ask it about two trades.

    Parameters
    ----------
    emit : callable or None
        Takes each document instead of printing for people.

    Raises
    ------
    InvalidError
        The desk did not start.
    """
    say = (lambda _text: None) if emit else print
    with tempfile.TemporaryDirectory(prefix="finagent-demo-") as folder, _desk(folder) as url:
        client = DeskClient(url)
        say(
            f"A desk of its own at {url}, starting {START}; one second is a day. Prices are real, adjusted for splits"
            " and dividends.\n"
        )
        _watch(client, emit, say)
        client.put("/api/portfolios/demo", HOLDINGS)
        for request in TRADES:
            decided = client.ask(request)
            emit(decided) if emit else say("\n" + report.trade(decided))
        held = client.get("/api/portfolios/demo")
        emit(held) if emit else say("\n" + report.portfolio(held))


def _watch(client: DeskClient, emit: Callable[[Any], None] | None, say: Callable[[str], None]) -> None:
    """Show what happens until the market has closed on so many days."""
    cursor, days = "", 0
    while days < DAYS:
        page = client.get("/api/events", after=cursor, limit=500, wait=20)
        cursor = page["cursor"]
        for event in (event for event in page["events"] if event["time"] >= START):
            days += event["type"] == "market.data.received"
            emit(event) if emit else say(report.event_line(event))
    while any(client.get("/api/health")["backlog"].values()):
        client.get("/api/events", after="latest", wait=0.2)


def environment(folder: str) -> dict[str, str]:
    """Give the environment of a desk on `folder` that is the same on every machine.

    Every setting is there and empty, which counts as not given and goes before `local.settings.json`: the
    demonstration takes no settings and no keys from this machine.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    names = [field.alias for field in Settings.model_fields.values() if field.alias]
    return kept | dict.fromkeys([*names, "FINAGENT_TICK"], "") | {"FINAGENT_DATA": folder}


@contextmanager
def _desk(folder: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local.cli", "run", "--port", "0", "--start", START, "--json"],
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise InvalidError("the desk did not start; its log above says why")
        yield json.loads(line)["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)

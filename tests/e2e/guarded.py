"""A real host that asks for keys, and callers of it: two owners, and one who looks after the desk."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from shared.callers.caller import Role
from shared.callers.key import new_key
from shared.callers.sqlite import SqliteKeyRing
from tests.e2e.process import DeskProcess

GUARDED_SETTINGS = {"FINAGENT_START": "2008-09-11", "FINAGENT_SPEED": "86400"}
CALLERS: dict[str, tuple[str | None, tuple[Role, ...]]] = {
    "alice": ("alice", (Role.TRADER,)),
    "bob": ("bob", (Role.TRADER,)),
    "carol": ("carol", (Role.READER,)),
    "operator": ("oscar", (Role.OPERATOR,)),
    "desk": (None, (Role.TRADER, Role.OPERATOR)),
}


class Guarded:
    """A desk and a key of each caller."""

    def __init__(self, desk: DeskProcess, folder: Path) -> None:
        self.desk = desk
        self.keys = {name: self._key(folder, *granted) for name, granted in CALLERS.items()}

    def client(self, caller: str) -> httpx.Client:
        """Give a client that shows the caller's key."""
        headers = {"Authorization": f"Bearer {self.keys[caller]}"}
        return httpx.Client(base_url=self.desk.about["url"], headers=headers, timeout=60, trust_env=False)

    def _key(self, folder: Path, owner: str | None, roles: Sequence[Role]) -> str:
        key, text = new_key(owner, frozenset(roles), datetime.now(UTC))
        asyncio.run(SqliteKeyRing(folder / "keys.sqlite").add(key))
        return text


def hold(api: httpx.Client, name: str, cash: float = 100_000, ibm: float = 10) -> dict[str, Any]:
    """Hold something and give the portfolio."""
    body = {"cash": cash, "positions": [{"symbol": "IBM", "quantity": ibm}]}
    held: dict[str, Any] = api.put(f"/api/portfolios/{name}", json=body).raise_for_status().json()
    return held


def ask(api: httpx.Client, quantity: float = 3, portfolio: str | None = None, key: str = "") -> dict[str, Any]:
    """Ask for a trade, and give it."""
    body = {"symbol": "IBM", "side": "buy", "quantity": quantity, "portfolio": portfolio}
    headers = {"Idempotency-Key": key} if key else {}
    asked: dict[str, Any] = api.post("/api/trades", json=body, headers=headers).raise_for_status().json()
    return asked


def story(api: httpx.Client, correlation: str, last: str) -> list[dict[str, Any]]:
    """Give the events of a story, when its last type of event is among them."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while not any(event["type"] == last for event in found):
        page = api.get("/api/events", params={"correlation": correlation, "after": cursor, "wait": 20}).json()
        assert page["events"], f"{last} did not come"
        found, cursor = found + page["events"], page["cursor"]
    return found

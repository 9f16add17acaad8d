"""A crowd of clients that ask for trades all at once, each until it is told that its request was taken."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

SYMBOLS = ("AAPL", "IBM", "MSFT")
CONNECTIONS = 64
RETRY_SECONDS = 0.1
PATIENCE_SECONDS = 600
"""So long may a desk take to come to an end; only one that never will takes longer."""


class Crowd:
    """So many requests, each with an Idempotency-Key of its own.

    Parameters
    ----------
    url : str
        The desk's; it must be the same after a restart.
    connections : int
        So many ask at once: few leave the others to come after whatever happens to the desk.

    Attributes
    ----------
    accepted : dict of int to str
        The trade of each request that was answered with 202.
    answers : Counter
        How often each status came; 0 stands for a connection that failed.
    """

    def __init__(self, url: str, size: int, connections: int = CONNECTIONS) -> None:
        self.size = size
        self.accepted: dict[int, str] = {}
        self.answers: Counter[int] = Counter()
        self._url = url
        self._connections = asyncio.Semaphore(connections)
        self._answered = asyncio.Condition()

    @property
    def trades(self) -> set[str]:
        """The trades that were accepted."""
        return set(self.accepted.values())

    async def ask(self) -> None:
        """Ask for every trade, and return when all were accepted."""
        async with self._client() as client:
            await asyncio.gather(*(self._insist(client, number) for number in range(self.size)))
        assert len(self.trades) == self.size

    async def reached(self, count: int) -> None:
        """Return when so many requests were accepted."""
        async with self._answered:
            await self._answered.wait_for(lambda: len(self.accepted) >= count)

    async def see(self, kind: str) -> None:
        """Return when there is an event of a type in every trade's stream; the desk must stay up meanwhile."""
        missing, cursor = {f"trade-{trade}" for trade in self.trades}, ""
        async with asyncio.timeout(PATIENCE_SECONDS), self._client() as client:
            while missing:
                answer = await client.get("/api/events", params={"after": cursor, "types": kind, "wait": 20})
                page: dict[str, Any] = answer.json()
                missing -= {event["stream"] for event in page["events"]}
                cursor = page["cursor"]

    async def _insist(self, client: httpx.AsyncClient, number: int) -> None:
        async with self._connections:
            while (trade := await self._attempt(client, number)) is None:  # noqa: ASYNC110 - only asking again can tell
                await asyncio.sleep(RETRY_SECONDS)
        async with self._answered:
            self.accepted[number] = trade
            self._answered.notify_all()

    async def _attempt(self, client: httpx.AsyncClient, number: int) -> str | None:
        body = {"symbol": SYMBOLS[number % len(SYMBOLS)], "side": "buy", "quantity": number + 1}
        try:
            answer = await client.post("/api/trades", json=body, headers={"Idempotency-Key": f"crowd-{number}"})
        except httpx.TransportError:
            self.answers[0] += 1
            return None
        self.answers[answer.status_code] += 1
        assert answer.status_code in (202, 503), answer.text
        return str(answer.json()["id"]) if answer.status_code == httpx.codes.ACCEPTED else None

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, timeout=30, trust_env=False)


async def while_asking(crowd: Crowd, disturb: Callable[[], Any]) -> None:
    """Let the crowd ask while something happens to the desk; return when both are over."""
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(crowd.ask())
        tasks.create_task(disturb())

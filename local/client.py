"""Talks to a running desk over its HTTP API, for the command line."""

from collections.abc import Iterator
from typing import Any

import httpx

from shared.errors import FinAgentError, InvalidError, TransientError

POLL_SECONDS = 20


class DeskClient:
    """A caller of one desk.

    Parameters
    ----------
    url : str
        Where it listens, for example `http://127.0.0.1:7071`.

    Notes
    -----
    Every method raises `TransientError` when nothing answers there, and `InvalidError` with the desk's own words when
    it refuses.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=POLL_SECONDS + 10, trust_env=False)

    def get(self, path: str, **parameters: str | int | float) -> Any:
        """Give what a GET answers, decoded."""
        return self._decoded(lambda: self._http.get(path, params=parameters))

    def post(self, path: str, body: dict[str, Any], idempotency_key: str = "") -> Any:
        """Give what a POST answers, decoded."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._decoded(lambda: self._http.post(path, json=body, headers=headers))

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Give what a PUT answers, decoded."""
        return self._decoded(lambda: self._http.put(path, json=body))

    def follow(self, after: str, types: str, *, forever: bool) -> Iterator[dict[str, Any]]:
        """Give events as they happen, by long polls; without `forever`, up to the end of the log."""
        while True:
            page = self.get("/api/events", after=after, types=types, limit=500, wait=POLL_SECONDS if forever else 0)
            yield from page["events"]
            after = page["cursor"]
            if not page["events"] and not forever:
                return

    def decided_trade(self, trade_id: str) -> dict[str, Any]:
        """Wait for a trade's consensus and give the trade with it."""
        cursor = ""
        while True:
            trade: dict[str, Any] = self.get(f"/api/trades/{trade_id}")
            if trade["state"] == "decided":
                return trade
            page = self.get("/api/events", after=cursor, correlation=trade_id, wait=POLL_SECONDS)
            cursor = page["cursor"]

    def _decoded(self, call: Any) -> Any:
        try:
            response: httpx.Response = call()
        except httpx.TransportError as error:
            raise TransientError(f"no desk answers at {self._http.base_url}: start one with `finagent run`") from error
        if response.is_success:
            return response.json()
        raise _refusal(response)


def _refusal(response: httpx.Response) -> FinAgentError:
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = response.text[:200]
    return InvalidError(f"the desk answered {response.status_code}: {detail}")

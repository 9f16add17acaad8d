"""Talks to a running desk over its HTTP API, for the command line."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

from shared.errors import FinAgentError, InvalidError, MissingError, TransientError

DEFAULT_PORT = 7071
POLL_SECONDS = 20
RISK_SECONDS = 2


class DeskClient:
    """A caller of one desk.

    Parameters
    ----------
    url : str
        Where it listens, for example `http://127.0.0.1:7071`.
    key : str
        What the desk knows the caller by; empty for one that asks nobody.

    Notes
    -----
    Every method raises `TransientError` when nothing answers there, `MissingError` with the desk's own words when it
    knows of no such thing, and `InvalidError` when it refuses or what answers is not a desk.
    """

    def __init__(self, url: str, key: str = "") -> None:
        if not (key.isascii() and key.isprintable()):
            raise InvalidError("FINAGENT_KEY: a key has letters, digits and underscores only")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=POLL_SECONDS + 10, trust_env=False)

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
            page = self._page(after=after, types=types, limit=500, wait=POLL_SECONDS if forever else 0)
            yield from page["events"]
            after = page["cursor"]
            if not page["events"] and not forever:
                return

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for a trade, wait for its consensus and give the trade with it."""
        asked = self._with(self.post("/api/trades", request), "id")
        return self.decided_trade(asked["id"])

    def decided_trade(self, trade_id: str) -> dict[str, Any]:
        """Wait for a trade's consensus and give the trade with it."""
        cursor = ""
        while True:
            trade = self._with(self.get(f"/api/trades/{quote(trade_id, safe='')}"), "state", "trade", "opinions")
            if trade["state"] == "decided":
                return trade
            cursor = self._page(after=cursor, correlation=trade_id, wait=POLL_SECONDS)["cursor"]

    def ask_options(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for an option strategy, wait for the answer and give the request with it."""
        return self._answered("/api/options", request, "request")

    def ask_question(self, text: str) -> dict[str, Any]:
        """Ask a question in plain words, wait for the answer and give the question with it."""
        return self._answered("/api/questions", {"text": text}, "question")

    def portfolio(self, name: str) -> dict[str, Any]:
        """Give a portfolio with the latest measure of its risk."""
        return self._with(self.get(_portfolio_path(name)), *_PORTFOLIO)

    def change_portfolio(self, name: str, cash: float | None, shares: dict[str, float]) -> dict[str, Any]:
        """Change what is given of a portfolio and keep the rest; one that does not exist starts empty.

        Parameters
        ----------
        cash : float or None
            US dollars.
        shares : dict of str to float
            Shares held by symbol; 0 takes the holding out.

        Returns
        -------
        dict
            The portfolio with the risk of this very content, or None as its `risk` while that is not measured.
        """
        try:
            before = self.portfolio(name)
        except MissingError:
            before = {"cash": 0, "positions": []}
        kept = [position for position in before["positions"] if position["symbol"] not in shares]
        given = [{"symbol": symbol, "quantity": quantity} for symbol, quantity in shares.items() if quantity]
        content = {"cash": before["cash"] if cash is None else cash, "positions": kept + given}
        held = self._with(self.put(_portfolio_path(name), content), *_PORTFOLIO)
        return held | {"risk": self._risk_of(held["event"])}

    def _risk_of(self, changed: str) -> dict[str, Any] | None:
        # The portfolio's own `risk` may still be of the content before; the story of its change has the one of this.
        page = self._page(correlation=changed, types="risk.assessed", wait=RISK_SECONDS)
        return next((event["data"] | {"event": event["id"]} for event in reversed(page["events"])), None)

    def _answered(self, path: str, request: dict[str, Any], *names: str) -> dict[str, Any]:
        asked = self._with(self.post(path, request), "id")
        cursor = ""
        while True:
            found = self._with(self.get(f"{path}/{asked['id']}"), "state", *names)
            if found["state"] == "answered":
                return found
            cursor = self._page(after=cursor, correlation=asked["id"], wait=POLL_SECONDS)["cursor"]

    def _page(self, **parameters: str | int | float) -> dict[str, Any]:
        return self._with(self.get("/api/events", **parameters), "events", "cursor")

    def _with(self, answer: Any, *names: str) -> dict[str, Any]:
        if isinstance(answer, dict) and all(name in answer for name in names):
            return answer
        raise InvalidError(f"what {self._http.base_url} answers is not what a desk does: expected {', '.join(names)}")

    def _decoded(self, call: Any) -> Any:
        try:
            response: httpx.Response = call()
        except httpx.TransportError as error:
            raise TransientError(f"no desk answers at {self._http.base_url}: start one with `finagent run`") from error
        except (ValueError, httpx.InvalidURL) as error:
            raise InvalidError(f"this cannot be asked: {error}") from error
        if not response.is_success:
            raise _refusal(response)
        try:
            return response.json()
        except ValueError as error:
            raise InvalidError(f"what answers at {self._http.base_url} is not a desk: no JSON") from error


_PORTFOLIO = ("portfolio", "cash", "positions", "event", "changed_at")


def _portfolio_path(name: str) -> str:
    return f"/api/portfolios/{quote(name, safe='', errors='replace')}"


def _refusal(response: httpx.Response) -> FinAgentError:
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = response.text[:200]
    kind = MissingError if response.status_code == httpx.codes.NOT_FOUND else InvalidError
    return kind(f"the desk answered {response.status_code}: {detail}")

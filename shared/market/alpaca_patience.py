"""How patient we are with Alpaca's service, in place of the SDK's own manners.

The SDK (alpaca-py 0.44) waits for an answer for ever, repeats a 429 or 504 three times 3 s apart, follows pages without
end, and stumbles over `"bars": null`. Here every request has a time-out and a budget for its repetitions, with
back-off, a call with all its pages has a budget too, and every failure is one of ours.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from shared.errors import FinAgentError, InvalidError, TransientError

if TYPE_CHECKING:
    from alpaca.common.rest import RESTClient
    from requests import Response

FIRST_WAIT_SECONDS = 0.2
LONGEST_REST_SECONDS = 120.0
"""Alpaca renews its quota every minute; whoever tells us to wait for longer is asked again all the same."""
LARGEST_PAGE = 32 * 1024 * 1024
CHUNK = 64 * 1024
TRY_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
PAGES: dict[str, tuple[str, Any]] = {
    "/stocks/bars": ("bars", {}),
    "/news": ("news", []),
    "/options/snapshots": ("snapshots", {}),
}
"""What an answer's rows are called, and what they are without any, by how its path begins."""
_IMPORTING = Lock()


def import_sdk() -> None:
    """Import what we use of alpaca-py, in one thread at a time.

    Notes
    -----
    Its modules import each other in circles: two threads that enter one at two places would each wait for the other,
    and Python lets one of them fail.
    """
    with _IMPORTING:
        import alpaca.data.historical
        import alpaca.data.requests
        import alpaca.trading.client
        import alpaca.trading.requests  # noqa: F401


@dataclass
class Patience:
    """How long we wait for Alpaca, and until when it asked us to leave it alone: one for all calls of a source.

    Attributes
    ----------
    timeout_seconds : float
        For connecting, and for each silence while an answer arrives.
    retry_seconds : float
        For one request and its repetitions; nothing is repeated that would begin later than that.
    call_seconds : float
        For one call with all its pages; nothing begins, and no answer goes on, later than that.
    secrets : tuple of str
        What never gets into a message, whoever repeats it to us.
    """

    timeout_seconds: float
    retry_seconds: float
    call_seconds: float
    secrets: tuple[str, ...] = field(repr=False)
    rests_until: float = 0.0

    def rest(self, seconds: float) -> None:
        """Leave the service alone for so long, or for as long as another call was told to."""
        self.rests_until = max(self.rests_until, monotonic() + min(seconds, LONGEST_REST_SECONDS))

    def redacted(self, text: str) -> str:
        """Give a text of the service without our secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


@dataclass
class Conversation:
    """One call: its requests, pages and repetitions.

    Attributes
    ----------
    answered_at : datetime or None
        The service's own clock when it last answered, to the second; None while it has not told.
    """

    patience: Patience
    answered_at: datetime | None = None
    _ends: float = 0.0
    _tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin."""
        self._ends = monotonic() + self.patience.call_seconds

    def join(self, client: "RESTClient") -> None:
        """Have a client of the SDK ask through this conversation.

        Notes
        -----
        From then on the client's `get` raises `TransientError` when the service is busy, away or talks garbage, and
        `InvalidError` when it refuses.
        """
        client._retry = 0
        client._session.request = partial(self._request, client._session.request)  # type: ignore[method-assign]
        client.get = partial(self._get, client.get)  # type: ignore[method-assign]

    def _get(self, get: Callable[..., Any], path: str, data: dict[str, Any] | None = None) -> Any:
        from alpaca.common.exceptions import APIError
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        deadline, wait = min(monotonic() + self.patience.retry_seconds, self._ends), FIRST_WAIT_SECONDS
        while True:
            if monotonic() < self.patience.rests_until:
                raise TransientError(f"Alpaca asked for a rest before {path}")
            try:
                return self._page(path, get(path, data))
            except (APIError, RequestException, HTTPError, TransientError, ValueError, RecursionError) as error:
                failure, rest = self._failure(path, error), _asked_wait(error)
                pause = max(wait, rest)
                if isinstance(failure, InvalidError) or monotonic() + pause > deadline:
                    self.patience.rest(rest)
                    raise failure from None  # what caused it may hold our key
            sleep(pause)
            wait *= 2

    def _request(self, request: Callable[..., "Response"], *arguments: Any, **options: Any) -> "Response":
        with request(*arguments, timeout=self.patience.timeout_seconds, stream=True, **options) as response:
            self.answered_at = _date(response) or self.answered_at
            response._content = self._body(response)
        return response

    def _body(self, response: "Response") -> bytes:
        body = bytearray()
        # Not `content`: each silence would be short, and the whole endless.
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > LARGEST_PAGE:
                raise TransientError("the answer is too long")
            if monotonic() > self._ends:
                raise TransientError("the answer does not end")
        return bytes(body)

    def _page(self, path: str, body: Any) -> Any:
        page = next((page for beginning, page in PAGES.items() if path.startswith(beginning)), None)
        if page is None:
            return body
        name, empty = page
        content = isinstance(body, dict) and (body.get(name) or empty)
        if not isinstance(content, type(empty)):
            raise TransientError("garbage")
        if isinstance(content, dict):
            content = {symbol: _row_list(rows) for symbol, rows in content.items()}
        return {name: content, "next_page_token": self._following(body.get("next_page_token") or None)}

    def _following(self, token: object) -> str | None:
        if token is None:
            return None
        if not isinstance(token, str) or token in self._tokens:
            raise TransientError("garbage: pages without end")
        self._tokens.add(token)
        return token

    def _failure(self, path: str, error: Exception) -> FinAgentError:
        status = getattr(error, "status_code", None)
        message = f"{path}: {status or type(error).__name__} {self.patience.redacted(_message(error))}"
        if status and status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in TRY_AGAIN:
            return InvalidError(f"Alpaca refuses {message}")
        return TransientError(f"Alpaca is busy or away, {message}")


def _row_list(rows: object) -> list[object]:
    # One symbol's rows may be null as all of them may; what else is no list is garbage, but of this symbol only.
    return rows if isinstance(rows, list) else [] if rows is None else [rows]


def _message(error: Exception) -> str:
    # APIError's own `message` raises where the body is not JSON.
    try:
        return str(json.loads(str(error))["message"])[:200]
    except (KeyError, TypeError, ValueError, RecursionError):
        return str(error)[:200]


def _asked_wait(error: Exception) -> float:
    response = getattr(error, "response", None)
    if response is None:
        return 0.0
    after = response.headers.get("Retry-After", "")
    if _is_number(after):
        return float(after)
    now, until = _date(response), _parsed(after) or _renewal(response)
    return max(0.0, (until - now).total_seconds()) if now and until else 0.0


def _renewal(response: "Response") -> datetime | None:
    # Alpaca documents only when the quota is renewed; its own clock beside it tells how long that is.
    reset = response.headers.get("X-RateLimit-Reset", "")
    if response.status_code != HTTPStatus.TOO_MANY_REQUESTS or not _is_number(reset):
        return None
    try:
        return datetime.fromtimestamp(float(reset), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _date(response: "Response") -> datetime | None:
    return _parsed(response.headers.get("Date", ""))


def _parsed(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

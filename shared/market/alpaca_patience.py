"""How patient we are with Alpaca's service, in place of the SDK's own manners.

The SDK (alpaca-py 0.44) waits for an answer for ever, repeats a 429 or 504 three times 3 s apart, and stumbles over
`"bars": null`. Here every request has a time-out and a budget for its repetitions, with back-off, and every failure is
one of ours.
"""

import json
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from shared.errors import FinAgentError, InvalidError, TransientError

if TYPE_CHECKING:
    from alpaca.common.rest import RESTClient

FIRST_WAIT_SECONDS = 0.2
TRY_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def make_patient(client: "RESTClient", timeout_seconds: float, budget_seconds: float) -> None:
    """Give a client of the SDK these manners.

    Parameters
    ----------
    timeout_seconds : float
        For connecting, and for each silence while an answer arrives.
    budget_seconds : float
        For one request and its repetitions; nothing is repeated that would begin later than that.

    Notes
    -----
    From then on the client's `get` raises `TransientError` when the service is busy, away or talks garbage, and
    `InvalidError` when it refuses.
    """
    client._retry = 0
    client._session.request = partial(client._session.request, timeout=timeout_seconds)  # type: ignore[method-assign]
    client.get = partial(_get, client.get, budget_seconds)  # type: ignore[method-assign]


def _get(get: Callable[..., Any], budget_seconds: float, path: str, data: dict[str, Any] | None = None) -> Any:
    from alpaca.common.exceptions import APIError
    from requests import RequestException

    deadline, wait = monotonic() + budget_seconds, FIRST_WAIT_SECONDS
    while True:
        try:
            return _nothing_as_empty(path, get(path, data))
        except (APIError, RequestException, TransientError) as error:
            failure, pause = _failure(path, error), max(wait, _asked_wait(error))
            if isinstance(failure, InvalidError) or monotonic() + pause > deadline:
                raise failure from error
        sleep(pause)
        wait *= 2


def _nothing_as_empty(path: str, body: Any) -> Any:
    pages: dict[str, tuple[str, Any]] = {"/stocks/bars": ("bars", {}), "/news": ("news", [])}
    if path not in pages:
        return body
    name, empty = pages[path]
    content = isinstance(body, dict) and (body.get(name) or empty)
    if not isinstance(content, type(empty)):
        raise TransientError(f"Alpaca: garbage for {path}")
    return {**body, name: content}


def _failure(path: str, error: Exception) -> FinAgentError:
    status = getattr(error, "status_code", None)
    message = f"{path}: {status or type(error).__name__} {_message(error)}"
    if status and status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in TRY_AGAIN:
        return InvalidError(f"Alpaca refuses {message}")
    return TransientError(f"Alpaca is busy or away, {message}")


def _message(error: Exception) -> str:
    # APIError's own `message` raises where the body is not JSON.
    try:
        return str(json.loads(str(error))["message"])
    except (KeyError, TypeError, ValueError):
        return str(error)[:200]


def _asked_wait(error: Exception) -> float:
    response = getattr(error, "response", None)
    headers = {} if response is None else response.headers
    if (after := headers.get("Retry-After", "")).isdigit():
        return float(after)
    # Alpaca documents only when the quota is renewed; its own clock beside it tells how long that is.
    reset, now = headers.get("X-RateLimit-Reset", ""), headers.get("Date")
    if response is None or response.status_code != HTTPStatus.TOO_MANY_REQUESTS or not reset.isdigit() or not now:
        return 0.0
    return float(reset) - parsedate_to_datetime(now).timestamp()

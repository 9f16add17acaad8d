"""What can go wrong between us and Alpaca, to be queued for a path; each fault meets one request."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """Send this instead of the data."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stall:
    """Say nothing for so many seconds, or until the stand-in is told to `release`; then answer with the data."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """Send the data byte by byte, with so many seconds before each, until the stand-in is told to `release`."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """Reset the connection without an answer (TCP RST)."""


@dataclass(frozen=True)
class Cut:
    """Close the connection in the middle of the data."""


@dataclass(frozen=True)
class Through:
    """Answer with the data: the next fault in the queue meets a later request."""


type Fault = Answer | Stall | Drip | Reset | Cut | Through


def refused(status: int, message: str, code: int | None = None) -> Answer:
    """Refuse with Alpaca's JSON: the trading service gives a code, the data service only a message."""
    body = {"message": message} if code is None else {"code": code, "message": message}
    return Answer(status, json.dumps(body).encode())


def web_page(status: int) -> Answer:
    """Refuse with the HTML of a gateway in front of Alpaca."""
    page = f"<html><head><title>{status}</title></head><body><h1>{status} Bad Gateway</h1></body></html>"
    return Answer(status, page.encode(), "text/html")


def too_many(**headers: str) -> Answer:
    """Refuse for too many requests; headers are named with underscores, for example `retry_after="1"`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(429, b'{"message":"too many requests."}', headers=named)


def body(text: str) -> Answer:
    """Answer 200 with this text, JSON or not."""
    return Answer(body=text.encode())

"""What can go wrong between us and a language model, to be queued; each fault meets one request."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refuse:
    """Answer with a status and a body instead of a completion."""

    status: int
    body: bytes = b'{"error":{"message":"no","type":"server_error","param":null,"code":null}}'
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stall:
    """Say nothing until the stand-in is told to `release`; then answer."""


@dataclass(frozen=True)
class Drip:
    """Send a blank every so many seconds until the stand-in is told to `release`; no answer follows."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """Reset the connection without an answer (TCP RST)."""


@dataclass(frozen=True)
class Say:
    """Complete with this text, whatever was asked."""

    text: str | None
    finish: str = "stop"
    refusal: str | None = None


@dataclass(frozen=True)
class Through:
    """Answer as ever: the next fault in the queue meets a later request."""


type Fault = Refuse | Stall | Drip | Reset | Say | Through

TRUNCATED = Say('{"tone": "bull', finish="length")
REFUSAL = Say(None, refusal="I cannot help with that.")
FILTERED = Say("", finish="content_filter")


def too_many(seconds: str = "0") -> Refuse:
    """Refuse for too many requests."""
    body = b'{"error":{"message":"Rate limit reached","type":"tokens","param":null,"code":"rate_limit_exceeded"}}'
    return Refuse(429, body, headers={"retry-after": seconds})


def web_page(status: int = 500) -> Refuse:
    """Refuse with the HTML of a gateway in front of the model."""
    return Refuse(status, b"<html><body><h1>Internal Server Error</h1></body></html>", "text/html")


def nonsense(body: bytes) -> Refuse:
    """Answer 200 with what is no completion."""
    return Refuse(200, body)

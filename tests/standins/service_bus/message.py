"""An AMQP message: its sections, what Service Bus reads of them, and how a batch holds several."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from tests.standins.service_bus.codec import Described, MalformedError, Symbol, Timestamp, UInt, ULong, decode, encode
from tests.standins.service_bus.frame import Fields

HEADER, ANNOTATIONS, PROPERTIES, APPLICATION, DATA, VALUE = 0x70, 0x72, 0x73, 0x74, 0x75, 0x77
BATCH_FORMAT = 0x80013700
SCHEDULED = Symbol("x-opt-scheduled-enqueue-time")
_BODY = (DATA, 0x76, VALUE)


@dataclass(frozen=True, slots=True)
class AmqpMessage:
    """A message as the broker keeps it.

    Attributes
    ----------
    properties : Fields
        The standard's, in its order.
    body : bytes
        The body's sections as they came.
    """

    properties: Fields
    annotations: dict[Any, Any]
    application: dict[Any, Any]
    body: bytes

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read a message."""
        found: dict[int, Any] = {}
        body = b""
        for code, value, raw in sections(payload):
            if code in _BODY:
                body += raw
            else:
                found[code] = value
        return cls(Fields(found.get(PROPERTIES, [])), found.get(ANNOTATIONS, {}), found.get(APPLICATION, {}), body)

    @property
    def id(self) -> str | None:
        """The message id."""
        return None if self.properties[0] is None else str(self.properties[0])

    @property
    def subject(self) -> str | None:
        """What correlation filters look at: Service Bus calls it Subject or Label."""
        return self.properties[3]  # type: ignore[no-any-return]

    @property
    def session(self) -> str | None:
        """The group id, which Service Bus calls session id."""
        return self.properties[10]  # type: ignore[no-any-return]

    @property
    def scheduled_at(self) -> float | None:
        """Seconds since 1970 before which nobody sees it."""
        due = self.annotations.get(SCHEDULED)
        return None if due is None else due / 1_000

    def with_application(self, more: dict[str, str]) -> "AmqpMessage":
        """Give the message with more application properties."""
        return replace(self, application=self.application | more)

    def encoded(self, delivery_count: int, annotations: dict[Symbol, Any]) -> bytes:
        """Write the message as a receiver sees it."""
        return (
            _section(HEADER, [None, None, None, None, UInt(delivery_count)])
            + _section(ANNOTATIONS, self.annotations | annotations)
            + _section(PROPERTIES, list(self.properties))
            + (_section(APPLICATION, self.application) if self.application else b"")
            + self.body
        )


def sections(payload: bytes) -> Iterator[tuple[int, Any, bytes]]:
    """Give each section: what it is, its value, and its bytes."""
    at = 0
    while at < len(payload):
        value, end = decode(payload, at)
        if not isinstance(value, Described):
            raise MalformedError("a message section without a descriptor")
        yield int(value.descriptor), value.value, payload[at:end]
        at = end


def unbatched(payload: bytes) -> list[bytes]:
    """Give the messages in a batch: each of its data sections holds one."""
    return [value for code, value, _ in sections(payload) if code == DATA]


def response(correlation: Any, application: dict[str, Any], value: Any) -> bytes:
    """Write the answer to a management request."""
    properties = [None] * 5 + [correlation]
    return _section(PROPERTIES, properties) + _section(APPLICATION, application) + _section(VALUE, value)


def body_value(payload: bytes) -> Any:
    """Give the body of a management request; None when it has none."""
    return next((value for code, value, _ in sections(payload) if code == VALUE), None)


def milliseconds(seconds: float) -> Timestamp:
    """Give a moment as AMQP writes it."""
    return Timestamp(round(seconds * 1_000))


def _section(code: int, value: Any) -> bytes:
    return encode(Described(ULong(code), value))

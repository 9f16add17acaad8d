"""Upcasts: how an event of an older schema is read by this program, from the log or from a message in flight.

What is in the log never changes. A type whose `data` changes so that older events would be refused, or misread, gets
the next `dataschemaversion` and, here, a function that makes the next version's `data` of the one before. A further
field that may be absent needs neither.
"""

from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

from shared.errors import InvalidError

type Upcast = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTS: dict[tuple[str, int], Upcast] = {}
"""By event type and the version that is read: makes `data` of the next version. Every type is at its first so far."""


def older_document(body: bytes | str, version: int) -> dict[str, Any] | None:
    """Give the document of an event whose schema is older than `version`; None where it is not, or is no event."""
    try:
        document = from_json(body)
    except ValueError:
        return None
    written = document.get("dataschemaversion") if isinstance(document, dict) else None
    return document if type(written) is int and 1 <= written < version else None


def upcast(document: dict[str, Any], version: int) -> dict[str, Any]:
    """Bring an event's document up to a version of its schema, one version after the other.

    Raises
    ------
    InvalidError
        There is no way from one of the versions to the next, or `data` is not what that version promised.
    """
    kind, data = document.get("type"), document.get("data")
    for step in range(document["dataschemaversion"], version):
        change = UPCASTS.get((str(kind), step))
        if change is None:
            raise InvalidError(f"dataschemaversion: no way from version {step} of {kind!r} to the next")
        try:
            data = change(data)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"data: not what version {step} of {kind!r} holds") from error
    return document | {"dataschemaversion": version, "data": data}

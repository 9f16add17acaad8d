"""A request and an answer, as far as the service cares."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.standins.cosmos.effective_key import Key
from tests.standins.cosmos.value import UNDEFINED


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; header names are lower-case."""

    method: str
    path: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def key(self) -> Key | None:
        """The partition key in the header, if any."""
        header = self.headers.get("x-ms-documentdb-partitionkey")
        if header is None:
            return None
        return tuple(UNDEFINED if part == {} else part for part in json.loads(header.replace("'", '"')))

    @property
    def page_size(self) -> int:
        """How many items the reader wants at once."""
        asked = int(self.headers.get("x-ms-max-item-count", "-1"))
        return asked if asked > 0 else 1000

    def says(self, header: str) -> bool:
        """Say whether a header is `true`."""
        return self.headers.get(header, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered; a body of None is no body."""

    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


def charged(charge: float, **headers: str) -> dict[str, str]:
    """Give headers that name a charge; underscores in names stand for hyphens."""
    return {"x-ms-request-charge": f"{charge:.2f}"} | {name.replace("_", "-"): value for name, value in headers.items()}

"""How a receipt is written: the outputs of a decision as JSON, so that they can be emitted again."""

import json
from datetime import datetime

from shared.events.catalogue import decode
from shared.events.emit import Emit


def encode_outputs(outputs: tuple[Emit, ...]) -> bytes:
    """Write outputs as a JSON array of `{"deliver_at", "event"}`."""
    parts = [b'{"deliver_at":%s,"event":%s}' % (_moment(output), output.event.json_bytes) for output in outputs]
    return b"[" + b",".join(parts) + b"]"


def decode_outputs(body: bytes) -> tuple[Emit, ...]:
    """Read what `encode_outputs` wrote."""
    return tuple(
        Emit(decode(json.dumps(part["event"])), part["deliver_at"] and datetime.fromisoformat(part["deliver_at"]))
        for part in json.loads(body)
    )


def _moment(output: Emit) -> bytes:
    return b"null" if output.deliver_at is None else json.dumps(output.deliver_at.isoformat()).encode()

"""Upcasts: the log of the first schema is read for ever, and so is what is in flight when a new version starts."""

import json
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest

from shared.archive import import_log
from shared.bus.port import message_for
from shared.errors import InvalidError
from shared.events import catalogue
from shared.events.catalogue import EVENTS, decode
from shared.events.envelope import Fact
from shared.events.trade import TradeRequested
from shared.events.upcast import UPCASTS
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.projector import Projector
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import ALL
from tests.builders import a_trade_request

FIRST = Path(__file__).parents[1] / "fixtures" / "log-v1.jsonl"
"""A desk's log with every type that there was at the first version. Never changed: what desks have stored is not."""
FIRST_SHA256 = "db56a76e5f99d6c8053aa87722c6753ae7494d3274583e84d86d1fec181a3cb5"
OLD = a_trade_request(id="old", quantity=3)


class Lots(Fact):
    """What the second version of a request holds, for the tests: what was `quantity` is `lots`."""

    symbol: str
    lots: float


class TradeRequestedInLots(TradeRequested):
    dataschemaversion: Literal[2] = 2  # type: ignore[assignment]
    data: Lots  # type: ignore[assignment]


def in_lots(data: dict[str, Any]) -> dict[str, Any]:
    return {"symbol": data["symbol"], "lots": data["quantity"] / 100}


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the program be one that writes the second version of `trade.requested`."""
    monkeypatch.setitem(EVENTS, OLD.type, TradeRequestedInLots)
    monkeypatch.setitem(UPCASTS, (OLD.type, 1), in_lots)
    catalogue._decode_once.cache_clear()
    yield
    catalogue._decode_once.cache_clear()


async def test_log_of_the_first_schema_when_read_is_whole_and_folds() -> None:
    body, store = FIRST.read_bytes(), InMemoryEventStore()
    assert sha256(body).hexdigest() == FIRST_SHA256, "the log of the first schema is not to be changed"
    lines = body.splitlines()
    assert {json.loads(line)["dataschemaversion"] for line in lines} == {1}
    assert (await import_log(store, BytesIO(body))).fresh == len(lines)
    assert [json.loads(line)["id"] for line in (await store.page(ALL, "", len(lines))).events] == [
        json.loads(line)["id"] for line in lines
    ]
    assert await Projector(InMemoryProjectionStore(), store).rebuild() == len(lines)


@pytest.mark.usefixtures("second")
async def test_event_when_it_is_in_the_log_since_an_older_schema_is_read_as_of_the_newer() -> None:
    store = InMemoryEventStore()
    await store.append([OLD])
    kept = await store.get("old")
    assert kept == OLD.json_bytes
    event = decode(kept)
    assert isinstance(event, TradeRequestedInLots)
    assert (event.dataschemaversion, event.data, event.id) == (2, Lots(symbol=OLD.data.symbol, lots=0.03), "old")
    assert (event.time, event.stream, event.correlationid) == (OLD.time, OLD.stream, OLD.correlationid)
    assert decode(event.json_bytes) == event


@pytest.mark.usefixtures("second")
def test_message_when_it_is_in_flight_since_an_older_schema_is_read_as_of_the_newer() -> None:
    message = message_for(OLD)
    assert decode(message.body, message.subject).data == Lots(symbol=OLD.data.symbol, lots=0.03)


@pytest.mark.usefixtures("second")
async def test_import_when_the_log_holds_the_older_schema_takes_the_event_for_the_same() -> None:
    store = InMemoryEventStore()
    await store.append([OLD])
    assert await import_log(store, BytesIO(OLD.json_bytes + b"\n")) == (1, 0)


def test_message_when_it_is_of_a_newer_schema_is_refused() -> None:
    newer = json.loads(OLD.json_bytes) | {"dataschemaversion": 2}
    with pytest.raises(InvalidError, match="dataschemaversion"):
        decode(json.dumps(newer))


@pytest.mark.usefixtures("second")
def test_event_when_nothing_leads_to_the_newer_schema_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(UPCASTS, (OLD.type, 1))
    with pytest.raises(InvalidError, match="no way from version 1"):
        decode(OLD.json_bytes)


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("data", [None, {}, [], {"symbol": "IBM", "quantity": "x"}])
def test_event_when_its_data_is_not_of_the_version_that_it_names_is_refused(data: object) -> None:
    with pytest.raises(InvalidError, match="not what version 1"):
        decode(json.dumps(json.loads(OLD.json_bytes) | {"data": data}))

"""The catalogue: each event type survives its JSON, refuses what its schema does not know, and has a schema."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, get_args

import pytest
from fastapi.openapi.models import Schema
from pydantic import BaseModel

from shared.errors import InvalidError
from shared.events.catalogue import EVENTS, decode, schemas
from shared.events.envelope import Event
from shared.events.trade import Evidence, Vote
from tests.builders import a_trade_request
from tests.e2e.process import ROOT
from tests.examples import FULL, LEAST

REQUEST = a_trade_request(portfolio="main")

type Path = tuple[str | int, ...]

FREE_KEYS = {"indicators", "weights", "measures", "regimes", "quantiles", "stress"}
FREE_KEYS |= {"marginal_var_95", "component_var_95", "days_to_liquidate", "notes"}
each_event = pytest.mark.parametrize("event", [*FULL, *LEAST], ids=lambda event: event.type)


def document(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.json_bytes)
    return found


def parts(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give every part of a JSON document with the path to it."""
    yield path, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield from parts(child, (*path, key))


def altered(whole: dict[str, Any], path: Path, value: Any) -> str:
    """Give a document's JSON with one part replaced."""
    copy = deepcopy(whole)
    node = copy
    for key in path[:-1]:
        node = node[key]  # type: ignore[index]
    node[path[-1]] = value  # type: ignore[index]
    return json.dumps(copy)


def test_examples_when_counted_cover_every_type() -> None:
    assert {event.type for event in FULL} == set(EVENTS)


def test_event_when_read_for_several_agents_is_read_once() -> None:
    assert decode(REQUEST.json_bytes) is decode(bytes(bytearray(REQUEST.json_bytes)))


def test_event_when_read_before_is_still_held_against_the_type_that_the_transport_told() -> None:
    assert decode(REQUEST.json_bytes, REQUEST.type) == REQUEST
    with pytest.raises(InvalidError, match="type"):
        decode(REQUEST.json_bytes, "news.received")


@each_event
def test_event_when_written_and_read_is_the_same(event: Event) -> None:
    read = decode(event.json_bytes, event.type)
    assert read == event
    assert type(read) is type(event) is EVENTS[event.type]
    assert read.json_bytes == event.json_bytes
    assert decode(event.json_bytes.decode()) == event


def test_event_when_its_keys_are_in_another_order_is_the_same() -> None:
    turned = json.dumps(dict(reversed(document(REQUEST).items())), indent=1).encode()
    assert decode(turned) == REQUEST


@pytest.mark.parametrize("kind", [None, "trade.requested", "market.data.received"])
def test_event_when_it_names_two_types_is_refused(kind: str | None) -> None:
    twice = REQUEST.json_bytes[:-1] + b',"type":"market.data.received"}'
    with pytest.raises(InvalidError):
        decode(twice, kind)


@each_event
def test_event_when_it_has_an_unknown_field_anywhere_is_refused(event: Event) -> None:
    whole = document(event)
    models = [path for path, node in parts(whole) if isinstance(node, dict) and not (path and path[-1] in FREE_KEYS)]
    assert () in models
    assert ("data",) in models
    for path in models:
        with pytest.raises(InvalidError, match="unheard_of: Extra inputs"):
            decode(altered(whole, (*path, "unheard_of"), 1))


@each_event
def test_event_when_a_time_has_no_zone_is_refused(event: Event) -> None:
    whole = document(event)
    times = [path for path, node in parts(whole) if path and (path[-1] == "time" or str(path[-1]).endswith("_at"))]
    assert ("time",) in times
    for path in times:
        with pytest.raises(InvalidError, match="timezone"):
            decode(altered(whole, path, "2008-01-02T21:00:00"))


@each_event
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_event_when_a_number_is_not_finite_is_refused(event: Event, number: float) -> None:
    whole = document(event)
    for path in [path for path, node in parts(whole) if isinstance(node, int | float)]:
        with pytest.raises(InvalidError):
            decode(altered(whole, path, number))


@each_event
def test_event_when_a_field_that_its_schema_requires_is_gone_is_refused(event: Event) -> None:
    whole, schema = document(event), schemas()[event.type]
    required = [("data", name) for name in schema["$defs"][type(event.data).__name__]["required"]]
    assert required
    for _, name in [*required, *(("", name) for name in schema["required"])]:
        parent = whole["data"] if ("data", name) in required else whole
        kept = parent.pop(name)
        with pytest.raises(InvalidError, match=name):
            decode(json.dumps(whole))
        parent[name] = kept
    assert decode(json.dumps(whole)) == event


def test_field_when_it_may_be_nothing_may_be_left_out() -> None:
    # An absent attribute is not written, so one that must be there could not be read back.
    models: list[type[BaseModel]] = [*EVENTS.values(), *{type(event.data) for event in FULL}, Evidence, Vote]
    nothing = [(model, name) for model in models for name, field in model.model_fields.items() if field.default is None]
    optional = [
        (model, name)
        for model in models
        for name, field in model.model_fields.items()
        if type(None) in get_args(field.annotation)
    ]
    assert optional == nothing != []


@pytest.mark.parametrize("name", EVENTS)
def test_schema_when_made_is_well_formed_and_closed(name: str) -> None:
    schema = schemas()[name]
    definitions = schema["$defs"]
    assert schema["properties"]["type"]["const"] == name
    for each in (schema, *definitions.values()):
        Schema.model_validate(each)
        assert (each["type"], each["additionalProperties"]) == ("object", False)
        assert set(each.get("required", ())) <= set(each["properties"])
    references = {node for path, node in parts(schema) if path and path[-1] == "$ref"}
    assert references <= {f"#/$defs/{definition}" for definition in definitions}
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", None, "not JSON"),
        (b"\xff", None, "not JSON"),
        (b"[]", None, "type: an event is"),
        (b"{}", None, "type: an event is"),
        (b'{"type": 7}', None, "type: an event is"),
        (b'{"type": "trade.dreamt"}', None, "no event type 'trade.dreamt'"),
        (REQUEST.json_bytes, "trade.dreamt", "no event type 'trade.dreamt'"),
        (REQUEST.json_bytes, "news.received", "type: Input should be 'news.received'"),
    ],
)
def test_body_when_it_is_no_event_is_refused_with_the_reason(body: bytes, kind: str | None, reason: str) -> None:
    with pytest.raises(InvalidError, match=reason):
        decode(body, kind)


def test_refusal_when_a_check_of_ours_fails_is_in_our_words() -> None:
    wrong = altered(document(REQUEST), ("time",), "1066-10-14T00:00:00Z")
    with pytest.raises(InvalidError, match=r"^time: beyond the years 1900 to 8000$"):
        decode(wrong)


def test_refusal_when_a_value_is_wrong_does_not_repeat_it() -> None:
    body = altered(document(REQUEST), ("data", "symbol"), "very private")
    with pytest.raises(InvalidError, match=r"data\.symbol") as caught:
        decode(body)
    assert "private" not in str(caught.value)


def test_version_when_below_one_is_refused() -> None:
    with pytest.raises(InvalidError, match="dataschemaversion"):
        decode(altered(document(REQUEST), ("dataschemaversion",), 0))


def test_dashboard_when_it_tells_an_event_in_a_line_knows_every_type() -> None:
    program = (ROOT / "web" / "client" / "event.ts").read_text("utf-8")
    known = re.findall(r'^  "([a-z.]+)": schema\.', program, re.MULTILINE)
    assert sorted(known) == sorted(EVENTS)

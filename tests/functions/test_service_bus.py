"""Every function that a message triggers, invoked by Microsoft's worker with messages as the host shapes them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest
from azure_functions_runtime.bindings.meta import from_incoming_proto

from functions.received import received
from shared.bus.port import message_for
from shared.events.step import StepFailed
from shared.runtime import Received
from shared.wiring import Desk
from tests.builders import a_message, a_trade_request
from tests.functions.case import CASES, log
from tests.functions.conftest import Invoke
from tests.functions.host_message import ENQUEUED, bodies, service_bus, typed
from tests.functions.protos import ParameterBinding, TypedData
from tests.functions.worker import Indexed

type Functions = dict[str, Indexed]
type Opened = Callable[[], Desk]

MESSAGE = a_message(session="market-0", body='{"who": "José"}'.encode())
AGENTS = {"market_analyst_market": "market_analyst", "oracle_market": "oracle", "projector_market": "projector"}
"""The agent that a function runs, where they have different names."""


def test_every_function_that_a_message_triggers_has_a_case(functions: Functions) -> None:
    assert {name for name, function in functions.items() if function.trigger["type"] == "serviceBusTrigger"} == set(
        CASES
    )


@pytest.mark.parametrize("name", CASES)
async def test_function_when_the_host_gives_it_messages_does_its_work(
    functions: Functions, invoke: Invoke, opened: Opened, name: str
) -> None:
    case = CASES[name]
    assert await case.known(opened()) != case.expected
    for event in case.events:
        message = message_for(event)
        assert message.topic == functions[name].trigger["topicName"]
        outcome = await invoke(functions[name], typed(message.body), service_bus(message))
        assert outcome.problem == ""
        assert outcome.returned is None
    assert await case.known(opened()) == case.expected


@pytest.mark.parametrize("form", ["bytes", "string", "json"])
async def test_function_when_a_body_comes_in_any_form_handles_its_event(
    functions: Functions, invoke: Invoke, opened: Opened, form: str
) -> None:
    message = message_for(a_trade_request())
    assert (await invoke(functions["market_analyst"], bodies(message.body)[form], service_bus(message))).problem == ""
    assert [event.causationid for event in await log(opened())] == [message.message_id.removesuffix(":0")]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe{", b'{"type": "trade.requested"}'])
async def test_function_when_a_message_is_malformed_records_that_and_succeeds(
    functions: Functions, invoke: Invoke, opened: Opened, name: str, body: bytes
) -> None:
    message = a_message("odd", attempt=2, body=body, session="market-0")
    outcome = await invoke(functions[name], typed(body), service_bus(message, delivery_count=5))
    assert outcome.problem == ""
    (failed,) = await log(opened())
    assert isinstance(failed, StepFailed)
    assert failed.data.agent == AGENTS.get(name, name)
    assert (failed.data.message_id, failed.data.subject, failed.data.attempts) == ("odd:2", "trade.requested", 5)


async def test_function_when_the_host_gives_no_body_records_an_empty_one(
    functions: Functions, invoke: Invoke, opened: Opened
) -> None:
    outcome = await invoke(functions["consensus"], TypedData(), service_bus(a_message()))
    assert outcome.problem == ""
    (failed,) = await log(opened(), "step.failed")
    assert isinstance(failed, StepFailed)
    assert failed.data.payload == ""


async def test_function_when_its_desk_cannot_be_built_fails_so_that_the_message_comes_again(
    functions: Functions, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINAGENT_SPEED", "fast")
    message = message_for(a_trade_request())
    outcome = await invoke(functions["risk_manager"], typed(message.body), service_bus(message))
    assert "FINAGENT_SPEED" in outcome.problem


def _decoded(body: TypedData, metadata: dict[str, TypedData]) -> func.ServiceBusMessage:
    argument = ParameterBinding(name="message", data=body)
    message = from_incoming_proto(
        "serviceBusTrigger", argument, pytype=None, trigger_metadata=metadata, function_name="any"
    )
    assert isinstance(message, func.ServiceBusMessage)
    return message


@pytest.mark.parametrize("form", ["bytes", "string", "json"])
@pytest.mark.usefixtures("functions")
def test_received_when_the_host_shaped_a_message_has_all_that_was_sent(form: str) -> None:
    message = _decoded(bodies(MESSAGE.body)[form], service_bus(MESSAGE, delivery_count=1))
    assert received(message, "market") == Received(
        message_id="message-1:0",
        subject="trade.requested",
        body=MESSAGE.body,
        delivery_count=1,
        topic="market",
        session_id="market-0",
        correlation_id="story-1",
    )
    assert json.loads(message.get_body()) == {"who": "José"}


@pytest.mark.parametrize("missing", ["Subject", "Label"])
@pytest.mark.usefixtures("functions")
def test_received_when_the_subject_has_but_one_of_its_names_has_it(missing: str) -> None:
    without: dict[str, Any] = {missing: None}
    message = _decoded(typed(MESSAGE.body), service_bus(MESSAGE, **without))
    assert received(message).subject == "trade.requested"


@pytest.mark.usefixtures("functions")
def test_received_when_the_host_leaves_out_what_a_message_has_not_has_it_empty() -> None:
    bare = service_bus(MESSAGE, Subject=None, Label=None, CorrelationId=None, SessionId=None, DeliveryCount=None)
    assert received(_decoded(typed(MESSAGE.body), bare)) == Received("message-1:0", "", MESSAGE.body)


@pytest.mark.usefixtures("functions")
def test_message_when_the_host_shaped_it_has_times_without_a_zone() -> None:
    message = _decoded(typed(MESSAGE.body), service_bus(MESSAGE))
    assert message.enqueued_time_utc == ENQUEUED
    assert message.enqueued_time_utc.tzinfo is None
    assert received(message).enqueued_at == ENQUEUED.replace(tzinfo=UTC)
    assert isinstance(message.metadata, dict)
    assert datetime.fromisoformat(message.metadata["EnqueuedTime"]) == ENQUEUED.replace(tzinfo=UTC)

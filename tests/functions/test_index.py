"""What the Functions host is told of the app, and what `host.json` tells it."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bus.topology import topology
from tests.functions import worker
from tests.functions.conftest import ROOT
from tests.functions.worker import Indexed

SERVICE_BUS_OPTIONS = {
    "autoCompleteMessages",
    "clientRetryOptions",
    "enableCrossEntityTransactions",
    "maxAutoLockRenewalDuration",
    "maxBatchWaitTime",
    "maxConcurrentCalls",
    "maxConcurrentSessions",
    "maxMessageBatchSize",
    "minMessageBatchSize",
    "prefetchCount",
    "sessionIdleTimeout",
    "transportType",
    "webProxy",
}
"""Of the Service Bus extension 5.x; what it does not know it ignores without a word."""

REFUSED = """
import azure.functions as func
app = func.FunctionApp()
@app.service_bus_topic_trigger("message", "SERVICEBUS", "events", "all", cardinality=func.Cardinality.MANY)
async def batch(message: list[func.ServiceBusMessage]) -> None: ...
"""
"""The worker takes `typing.List` only, which nothing but the worker tells."""


@pytest.fixture(scope="module")
def host() -> dict[str, Any]:
    """Give `host.json`."""
    document: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
    return document


def test_functions_when_an_instance_is_to_be_always_ready_have_lower_case_names(functions: dict[str, Indexed]) -> None:
    assert [name for name in functions if not re.fullmatch(r"[a-z][a-z0-9_]{0,126}", name)] == []


def test_triggers_when_indexed_listen_to_each_subscription_once(functions: dict[str, Indexed]) -> None:
    triggers = [each.trigger for each in functions.values() if each.trigger["type"] == "serviceBusTrigger"]
    listening = [
        (each["topicName"], each["subscriptionName"], each.get("isSessionsEnabled", False)) for each in triggers
    ]
    assert sorted(listening) == sorted(
        (topic.name, subscription.name, topic.requires_session)
        for topic in topology().topics
        for subscription in topic.subscriptions
    )
    assert {each["connection"] for each in triggers} == {"SERVICEBUS"}


def test_functions_when_indexed_have_triggers_that_are_tested_here(functions: dict[str, Indexed]) -> None:
    kinds = {each.trigger["type"] for each in functions.values()}
    assert kinds <= {"serviceBusTrigger", "timerTrigger", "httpTrigger"}


async def test_app_when_one_function_cannot_be_indexed_is_refused_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "refused_app.py").write_text(REFUSED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHON_SCRIPT_FILE_NAME", "refused_app.py")
    with pytest.raises(RuntimeError, match="cannot load the batch function"):
        await worker.index(tmp_path)


def test_host_json_when_it_is_read_brings_the_service_bus_trigger(host: dict[str, Any]) -> None:
    assert host["version"] == "2.0"
    assert host["extensionBundle"] == {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}


def test_host_json_when_the_extensions_read_it_has_what_they_know(host: dict[str, Any]) -> None:
    assert set(host) <= {"version", "extensionBundle", "functionTimeout", "extensions", "logging"}
    assert set(host["extensions"]) == {"http", "serviceBus"}
    assert host["extensions"]["http"] == {"routePrefix": ""}
    assert set(host["extensions"]["serviceBus"]) <= SERVICE_BUS_OPTIONS


def test_host_json_when_sessions_are_idle_says_for_how_long_they_are_kept(host: dict[str, Any]) -> None:
    bus = host["extensions"]["serviceBus"]
    idle, renewed, longest = map(
        _span, (bus["sessionIdleTimeout"], bus["maxAutoLockRenewalDuration"], host["functionTimeout"])
    )
    assert idle > timedelta(0)
    assert renewed >= longest
    assert bus["autoCompleteMessages"] is True


def _span(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from local import host_json
from local.host_json import HostOptions
from shared.errors import InvalidError

ROOT = Path(__file__).parents[2]
OVERRIDE = "AzureFunctionsJobHost__extensions__serviceBus__"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "host.json"


def read(path: Path, settings: dict[str, str] | None = None, **bus: Any) -> HostOptions:
    """Read a file that says so of the Service Bus."""
    path.write_text(json.dumps({"version": "2.0", "extensions": {"serviceBus": bus}}))
    return host_json.read(path, settings or {})


def test_host_json_when_read_gives_what_a_function_can_tell(path: Path) -> None:
    bus = {
        "maxConcurrentCalls": 3,
        "maxConcurrentSessions": 2,
        "maxAutoLockRenewalDuration": "00:01:30",
        "sessionIdleTimeout": "00:00:20",
        "maxMessageBatchSize": 50,
        "minMessageBatchSize": 5,
        "maxBatchWaitTime": "00:00:07",
    }
    extensions = {"http": {"routePrefix": "v1"}, "serviceBus": bus}
    path.write_text(json.dumps({"version": "2.0", "functionTimeout": "1.00:00:05", "extensions": extensions}))
    assert host_json.read(path, {}) == HostOptions(
        route_prefix="v1",
        function_timeout_seconds=86_405,
        max_concurrent_calls=3,
        max_concurrent_sessions=2,
        max_auto_lock_renewal_seconds=90,
        session_idle_seconds=20,
        max_batch_size=50,
        min_batch_size=5,
        max_batch_wait_seconds=7,
    )


def test_host_json_when_it_says_nothing_is_as_the_functions_host_has_it(path: Path) -> None:
    path.write_text("{}")
    assert asdict(host_json.read(path, {})) == {
        "route_prefix": "api",
        "function_timeout_seconds": 1_800,
        "max_concurrent_calls": 16,
        "max_concurrent_sessions": 8,
        "max_auto_lock_renewal_seconds": 300,
        "session_idle_seconds": 60,
        "max_batch_size": 1_000,
        "min_batch_size": 1,
        "max_batch_wait_seconds": 30,
    }


def test_host_json_when_it_is_the_desks_says_how_long_a_session_is_kept() -> None:
    document = json.loads((ROOT / "host.json").read_text())
    assert document["extensions"]["serviceBus"]["sessionIdleTimeout"] == "00:00:30"
    assert host_json.read(ROOT / "host.json", {}).session_idle_seconds == 30


def test_host_json_when_its_keys_are_in_another_case_means_the_same(path: Path) -> None:
    path.write_text(json.dumps({"Extensions": {"servicebus": {"MAXCONCURRENTCALLS": 3}}}))
    assert host_json.read(path, {}).max_concurrent_calls == 3


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("{", "host.json: "),
        ("[]", "host.json: "),
        ("\udce4", "host.json: "),
        ('{"functionTimeout": "soon"}', "host.json.functionTimeout: soon is not a time span"),
        ('{"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}', "extensions.serviceBus.maxConcurrentCalls: "),
        ('{"extensions": {"serviceBus": 1}}', "host.json.extensions.serviceBus: "),
    ],
)
def test_host_json_when_it_is_malformed_names_the_key(path: Path, document: str, named: str) -> None:
    path.write_text(document, errors="surrogateescape")
    with pytest.raises(InvalidError, match=named):
        host_json.read(path, {})


@pytest.mark.parametrize(
    "name",
    [
        "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls",
        "AzureFunctionsJobHost:extensions:serviceBus:maxConcurrentCalls",
        "AZUREFUNCTIONSJOBHOST__EXTENSIONS:SERVICEBUS__MAXCONCURRENTCALLS",
    ],
)
@pytest.mark.parametrize("bus", [{}, {"maxConcurrentCalls": 5}])
def test_override_when_given_goes_before_the_file(path: Path, name: str, bus: dict[str, int]) -> None:
    assert read(path, {name: "3"}, **bus, maxConcurrentSessions=2).max_concurrent_calls == 3
    assert read(path, {name: "3"}, **bus, maxConcurrentSessions=2).max_concurrent_sessions == 2


def test_override_when_it_is_at_the_top_goes_before_the_file(path: Path) -> None:
    assert read(path, {"AzureFunctionsJobHost__functionTimeout": "00:00:09"}).function_timeout_seconds == 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{OVERRIDE}maxConcurrentCalls", ""),
        ("maxConcurrentCalls", "3"),
        ("extensions__serviceBus__maxConcurrentCalls", "3"),
        ("AzureFunctionsJobHost", "3"),
        ("AzureFunctionsJobHostX__extensions__serviceBus__maxConcurrentCalls", "3"),
        ("AzureFunctionsJobHost__logging__logLevel__default", "Debug"),
    ],
)
def test_override_when_it_is_empty_or_of_something_else_changes_nothing(path: Path, name: str, value: str) -> None:
    assert read(path, {name: value}, maxConcurrentCalls=5).max_concurrent_calls == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{OVERRIDE}maxConcurrentCalls", "many"),
        (f"{OVERRIDE}maxConcurrentCalls", "0"),
        (f"{OVERRIDE}sessionIdleTimeout", "30"),
        (f"{OVERRIDE}maxConcurrentCalls__x", "1"),
        ("AzureFunctionsJobHost:functionTimeout", "-1"),
        ("AzureFunctionsJobHost__extensions", "1"),
    ],
)
def test_override_when_its_value_does_not_fit_is_refused_by_its_name(path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidError, match=f"^{name}: "):
        read(path, {name: value}, maxConcurrentCalls=5)


def test_overrides_when_several_do_not_fit_are_all_named(path: Path) -> None:
    names = [f"{OVERRIDE}maxConcurrentCalls", f"{OVERRIDE}maxAutoLockRenewalDuration"]
    with pytest.raises(InvalidError) as refused:
        read(path, dict.fromkeys(names, "x"))
    assert all(f"{name}: " in str(refused.value) for name in names)


def test_host_json_when_the_least_batch_is_above_the_largest_is_refused(path: Path) -> None:
    with pytest.raises(InvalidError, match="minMessageBatchSize is above maxMessageBatchSize"):
        read(path, {f"{OVERRIDE}minMessageBatchSize": "9"}, maxMessageBatchSize=8)

"""Microsoft's worker library in this process: it indexes the function app and invokes its functions, as on Azure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from azure_functions_runtime import functions_metadata_request, invocation_request, worker_init_request
from azure_functions_runtime.bindings.datumdef import Datum, datum_as_proto
from azure_functions_runtime.native_invocation import invocation_request_native

from tests.functions import protos
from tests.functions.protos import ParameterBinding, StatusResult, TypedData

INVOCATION = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A function as the host is told of it.

    Attributes
    ----------
    trigger : dict
        Its trigger's binding, with the keys of `function.json`.
    """

    name: str
    id: str
    trigger: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation went; a message is completed when there is no problem, else given back.

    Attributes
    ----------
    problem : str
        What was raised; empty when nothing was.
    """

    problem: str
    returned: TypedData | None


async def index(folder: Path) -> list[Indexed]:
    """Index the function app of a folder, which is on `sys.path`.

    Raises
    ------
    RuntimeError
        The worker could not: on Azure no function of the app would run.
    """
    started = await worker_init_request(
        SimpleNamespace(
            request=SimpleNamespace(
                worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(folder))
            ),
            properties={"host": "127.0.0.1", "protos": protos},
        )
    )
    if started.result.status != StatusResult.Success:
        raise RuntimeError(started.result.exception.message)
    found = await functions_metadata_request(None)
    return [_indexed(function) for function in found.function_metadata_results]


async def invoke(function: Indexed, value: TypedData, metadata: Mapping[str, TypedData]) -> Outcome:
    """Invoke a function as the worker does that speaks protobuf."""
    request = SimpleNamespace(
        invocation_id=INVOCATION,
        function_id=function.id,
        input_data=[ParameterBinding(name=function.trigger["name"], data=value)],
        trigger_metadata=metadata,
        trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await invocation_request(SimpleNamespace(request=SimpleNamespace(invocation_request=request)))
    if answer.result.status != StatusResult.Success:
        return Outcome(answer.result.exception.message, None)
    return Outcome("", answer.return_value)


async def invoke_natively(function: Indexed, value: TypedData, metadata: Mapping[str, TypedData]) -> Outcome:
    """Invoke a function as the worker does that leaves protobuf to its native part."""
    inputs = [(function.trigger["name"], Datum.from_typed_data(value))]
    details = {name: Datum.from_typed_data(data) for name, data in metadata.items()}
    ok, returned, _, problem, _ = await invocation_request_native(INVOCATION, function.id, inputs, details)
    return Outcome("" if ok else str(problem), None if returned is None else datum_as_proto(returned, protos))


def _indexed(function: Any) -> Indexed:
    (trigger,) = (
        binding for binding in map(json.loads, function.raw_bindings) if binding["type"].lower().endswith("trigger")
    )
    return Indexed(function.name, function.function_id, trigger)

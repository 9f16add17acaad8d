"""Bicep's functions, those that the deployment uses; any other is reported as unknown."""

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import cast

from tools.infra.value import Runtime, Value, join, mix, runtimes

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000002"
GROUP = f"{SUBSCRIPTION}/resourceGroups/group"
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"

type Function = Callable[..., Value]


def _unique_string(*parts: Value) -> Value:
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return "".join(_LETTERS[byte % 32] for byte in digest[:13])


def _guid(*parts: Value) -> Value:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(map(str, parts))))


def _union(*parts: Value) -> Value:
    if all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in cast(list[Value], part)]
    merged: dict[str, Value] = {}
    for part in parts:
        merged |= cast(dict[str, Value], part)
    return merged


def _subscription_resource_id(kind: Value, name: Value) -> Value:
    return join([f"{SUBSCRIPTION}/providers/{kind}/", name])


def _join(items: Value, glue: Value) -> Value:
    texts = cast(list[Value], items)
    return join([part for i, text in enumerate(texts) for part in ([glue, text] if i else [text])])


FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    "empty": (1, 1, lambda value: not value),
    "environment": (0, 0, lambda: {"authentication": {"loginEndpoint": "https://login.microsoftonline.com/"}}),
    "guid": (1, 99, _guid),
    "join": (2, 2, _join),
    "resourceGroup": (0, 0, lambda: {"id": GROUP, "name": "group", "location": "westeurope"}),
    "split": (2, 2, lambda text, at: cast(list[Value], cast(str, text).split(cast(str, at)))),
    "subscription": (0, 0, lambda: {"id": SUBSCRIPTION, "subscriptionId": SUBSCRIPTION.rpartition("/")[2]}),
    "subscriptionResourceId": (2, 2, _subscription_resource_id),
    "tenant": (0, 0, lambda: {"tenantId": TENANT}),
    "toLower": (1, 1, lambda text: cast(str, text).lower()),
    "union": (2, 99, _union),
    "uniqueString": (1, 99, _unique_string),
}
"""By name: the fewest and most arguments, and what it gives. `loadJsonContent` reads files, and is the expression's."""

_RESULTS = {"empty": "bool", "split": "string[]"}
_TAKES_RUNTIME_PARTS = {"union", "join", "subscriptionResourceId"}


def call(name: str, arguments: list[Value]) -> Value:
    """Give what a function gives.

    Raises
    ------
    ValueError
        There is no such function, or it takes other arguments; the message says so.
    """
    if name not in FUNCTIONS:
        raise ValueError(f"this check knows no function {name}; if Bicep does, add it to tools/infra/function.py")
    fewest, most, function = FUNCTIONS[name]
    if not fewest <= len(arguments) <= most:
        raise ValueError(f"{name} takes {fewest} to {most} arguments, not {len(arguments)}")
    if name == "empty" and isinstance(arguments[0], Runtime) and not arguments[0].file:
        return False  # a parameter that was given: only what is in it is not known here
    unknown = [found for argument in arguments for found in runtimes(argument)]
    if unknown and (name not in _TAKES_RUNTIME_PARTS or any(isinstance(each, Runtime) for each in arguments[:1])):
        return mix(f"{name}({', '.join(map(str, arguments))})", unknown, _RESULTS.get(name, "string"))
    try:
        return function(*arguments)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{name} cannot take {json.dumps(arguments, default=str)}") from error

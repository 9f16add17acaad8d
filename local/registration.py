"""Reads the function app's registrations: the same decorators that Azure indexes, nothing declared again."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import azure.functions as func

from local.app_settings import resolve
from shared.bus.topology import Topology
from shared.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Invocation:
    """The context of one invocation, for functions that ask for it."""

    function_name: str
    invocation_id: str
    function_directory: str = ""
    trace_context: object = None
    retry_context: object = None
    thread_local_storage: object = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A function, and what it is triggered by.

    Attributes
    ----------
    trigger : dict
        The trigger's binding, with the keys of `function.json`.
    argument : str
        The parameter that takes the trigger.
    """

    name: str
    trigger: dict[str, Any]
    argument: str
    call: Callable[..., Any]
    wants_context: bool

    @property
    def takes_batches(self) -> bool:
        """Whether it is given a list of messages at a time."""
        return self.trigger.get("cardinality") == func.Cardinality.MANY

    async def invoke(self, value: object, invocation_id: str) -> Any:
        """Run the function; a synchronous one runs in a thread, as in the worker."""
        arguments: dict[str, object] = {self.argument: value}
        if self.wants_context:
            arguments["context"] = Invocation(self.name, invocation_id)
        if _is_coroutine_function(self.call):
            return await self.call(**arguments)
        return await asyncio.to_thread(self.call, **arguments)


_is_coroutine_function = cache(inspect.iscoroutinefunction)


def registrations(app: func.FunctionApp, settings: dict[str, str]) -> list[Registered]:
    """Give the app's functions, with `%NAME%` in their triggers resolved.

    Raises
    ------
    InvalidError
        A setting is missing, or a trigger is of a kind that this host does not run.
    """
    return [_registered(function, settings) for function in app.get_functions()]


def listeners(functions: Iterable[Registered], routes: Topology) -> list[Registered]:
    """Give the functions that messages trigger, without those that the desk sends nothing."""
    return [
        function
        for function in functions
        if function.trigger["type"] == "serviceBusTrigger"
        and routes.has(function.trigger["topicName"], function.trigger["subscriptionName"])
    ]


def _registered(function: Any, settings: dict[str, str]) -> Registered:
    trigger = {
        key: resolve(value, settings) if isinstance(value, str) else value
        for key, value in function.get_trigger().get_dict_repr().items()
    }
    if trigger["type"] not in ("serviceBusTrigger", "timerTrigger", "httpTrigger"):
        raise InvalidError(f"{function.get_function_name()}: the embedded host does not run a {trigger['type']}")
    call: Callable[..., Awaitable[Any]] = function.get_user_function()
    return Registered(
        name=function.get_function_name(),
        trigger=trigger,
        argument=trigger["name"],
        call=call,
        wants_context="context" in inspect.signature(call).parameters,
    )

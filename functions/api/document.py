"""Completes the OpenAPI document: the problem's schema, and each field's meaning out of its model's docstring."""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from functions.api.access import ROLES
from functions.api.problem import Problem, documented
from shared.wiring import desk

TAGS = [
    {"name": "events", "description": "What happened, in the order of the log: pages behind a cursor, or a stream."},
    {"name": "trades", "description": "Ask the agents about a trade, and follow it to their consensus."},
    {"name": "options", "description": "Ask for an option strategy on a share, and read what is suggested."},
    {"name": "questions", "description": "Ask in plain words, and read what the desk's own events say to that."},
    {"name": "portfolios", "description": "What is held, and the risk in it."},
    {"name": "news", "description": "Headlines that the desk should know of."},
    {"name": "bars", "description": "Prices, as they were known at a moment."},
    {"name": "forecasts", "description": "How likely the oracle thinks what a symbol may do."},
    {"name": "replays", "description": "Backtests: ask for one, and read what came of it."},
    {
        "name": "memory",
        "description": "What agents remember of what they concluded, and how to revoke it.",
    },
    {"name": "operations", "description": "What was given up, and the way back; what it all costs."},
    {"name": "desk", "description": "The agents, their topology, the event catalogue, and the desk's health."},
]

_ATTRIBUTES = "\n\nAttributes\n----------\n"
_ATTRIBUTE = re.compile(r"^(\w[\w, ]*?) : .*\n((?:[ ]{4}.*\n?)+)", re.MULTILINE)


_SCHEMES: dict[str, dict[str, Any]] = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key of `finagent keys create`."},
    "entra": {
        "type": "apiKey",
        "in": "cookie",
        "name": "AppServiceAuthSession",
        "description": "A session of App Service authentication; or its token, as `Authorization: Bearer`.",
    },
}


def completing(describe: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Give a function that completes what `describe` gives, at its first call, as the desk's settings have it."""

    @cache
    def complete() -> dict[str, Any]:
        document = describe()
        schemas = document["components"]["schemas"]
        own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(own.pop("$defs"), Problem=own)
        for model in _models(BaseModel):
            if model.__name__ in schemas:
                _explain(schemas[model.__name__], model)
        if (auth := desk().settings.auth) in _SCHEMES:
            _secure(document, auth)
        return document

    return complete


def _secure(document: dict[str, Any], auth: str) -> None:
    document["components"]["securitySchemes"] = {auth: _SCHEMES[auth]}
    for (method, path), role in ROLES.items():
        operation = document["paths"][path][method.lower()]
        operation["security"] = [{auth: []}, *([{}] if role is None else [])]
        codes = (401, 429) if role is None else (401, 403, 429)
        operation["responses"] |= {str(code): answer for code, answer in documented(*codes).items()}
        if role is not None:
            operation["description"] += f" It takes the role {role}."


def _models(ancestor: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in ancestor.__subclasses__():
        if model.__module__.startswith(("shared.", "functions.")):
            yield model
        yield from _models(model)


def _explain(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Move the `Attributes` of a docstring, and of what the model inherits from, to the properties they are about."""
    schema["description"] = schema.get("description", "").partition(_ATTRIBUTES)[0]
    for ancestor in model.__mro__:
        attributes = (inspect.getdoc(ancestor) or "").partition(_ATTRIBUTES)[2]
        for names, meaning in _ATTRIBUTE.findall(attributes + "\n"):
            for name in names.split(", "):
                if name in schema.get("properties", {}):
                    schema["properties"][name].setdefault("description", " ".join(meaning.split()))

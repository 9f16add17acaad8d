"""The route class of all operations: what their signatures declare is compiled once, not found out at each request."""

from collections.abc import Callable, Coroutine
from inspect import signature
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi._compat import ModelField
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from functions.api.access import ROLES, admit
from functions.api.problem import FieldError, documented
from shared.callers.caller import Role


def router(prefix: str, tag: str) -> APIRouter:
    """Give a router for operations under `prefix`."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=Operation,
        responses=documented(422, 503),
        generate_unique_id_function=lambda route: route.name,
    )


def answer(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Give a model as JSON, without what was not set."""
    return Response(
        model.model_dump_json(by_alias=True, exclude_unset=True), status, headers, media_type="application/json"
    )


class Operation(APIRoute):
    """An operation, which refuses query parameters that it does not have.

    One without a body gives a `Response` itself and is called without FastAPI's own solving of dependencies, which
    costs several times what a page of events does. Whoever calls is asked first, by the table in `access`; an operation
    that is not in the table is for operators.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._method = next(iter(self.methods or ()))
        self.role = ROLES.get((self._method, path), Role.OPERATOR)
        if self.body_field is None:
            self.app = _Reading(self).serve

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the caller in, or refuse."""
        if scope["method"] == self._method:
            await admit(scope, self.role)
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give FastAPI's handler behind a check of the query."""
        handler = super().get_route_handler()
        known = _by_alias(self.dependant.query_params)

        async def handle(request: Request) -> Response:
            _query(request.scope, known)
            return await handler(request)

        return handle


class _Reading:
    """Calls an operation that has no body with the parameters that are given; the others have defaults of their own."""

    def __init__(self, operation: Operation) -> None:
        self._call = operation.endpoint
        self._takes_caller = "caller" in signature(operation.endpoint).parameters
        described = operation.dependant
        self._path = _by_alias(described.path_params)
        self._query = _by_alias(described.query_params)
        self._headers = _by_alias(described.header_params)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        values, errors = dict[str, Any](), list[dict[str, Any]]()
        _read("path", self._path, scope["path_params"], values, errors)
        _read("query", self._query, _query(scope, self._query), values, errors)
        if self._headers:
            _read("header", self._headers, Headers(scope=scope), values, errors)
        if errors:
            raise RequestValidationError(errors)
        if self._takes_caller:
            values["caller"] = scope["caller"]
        response: Response = await self._call(**values)
        await response(scope, receive, send)


def _by_alias(fields: list[ModelField]) -> dict[str, ModelField]:
    return {field.alias: field for field in fields}


def _query(scope: Scope, known: dict[str, ModelField]) -> dict[str, str]:
    """Give the query; ignoring a parameter that there is not, or one of two, would answer another question."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise FieldError(name[:100], f"no such query parameter; there is {', '.join(known) or 'none'}")
        if name in given:
            raise FieldError(name, "given more than once")
        given[name] = value
    return given


def _read(
    place: str, fields: dict[str, ModelField], given: Any, values: dict[str, Any], errors: list[dict[str, Any]]
) -> None:
    for alias, field in fields.items():
        if (text := given.get(alias)) is not None:
            values[field.name], wrong = field.validate(text, loc=(place, alias))
            errors += wrong
        elif field.field_info.is_required():
            errors.append({"type": "missing", "loc": (place, alias), "msg": "Field required", "input": None})

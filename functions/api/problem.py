"""Errors as RFC 9457 problem details, with the field named wherever one is wrong."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.errors import ConflictError, FinAgentError, InvalidError, MissingError, TransientError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

# What a caller sends comes back shortened: an answer is never much larger than what it is about.
_MOST_ERRORS = 20
_LONGEST_NAME = 100

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class FieldProblem(BaseModel):
    """What is wrong with one field.

    Attributes
    ----------
    field : str
        Its name: a member of the body (dotted where it lies deeper), a query or path parameter, a header, or `body`.
    """

    field: str
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem detail.

    Attributes
    ----------
    title : str
        The phrase that belongs to the status.
    detail : str
        What is wrong, in one line.
    errors : list of FieldProblem
        The fields that are wrong, at most 20 of them; empty where it is not about a field.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


class FieldError(InvalidError):
    """A field of the request is wrong in a way that only the desk can tell.

    Parameters
    ----------
    field : str
        Its name in the request.
    """

    def __init__(self, field: str, message: str, status: int = 422) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message, self.status = field, message, status


class ProblemError(FinAgentError):
    """The request is refused for what it is as a whole, before anybody looks into it."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Give the OpenAPI description of the problems that an operation may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": HTTPStatus(code).phrase, "content": content} for code in codes}


def problem(
    status: int, detail: str, errors: Sequence[FieldProblem] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """Give a problem response."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


def field_problem(status: int, field: str, message: str) -> JSONResponse:
    """Give a problem response about one field."""
    return problem(status, f"{field}: {message}", [FieldProblem(field=field, message=message)])


def install(app: FastAPI) -> None:
    """Make every error that the app can raise a problem response."""

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        errors = [FieldProblem(field=_field(item), message=_message(item)) for item in found[:_MOST_ERRORS]]
        malformed = any(item["type"] == "json_invalid" for item in found)
        detail = "; ".join(f"{item.field}: {item.message}" for item in errors)
        return problem(400 if malformed else 422, detail, errors)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        match error.status_code:
            case 400:  # of what FastAPI raises itself: a body that its JSON parser gave up on
                return field_problem(400, "body", "it cannot be read as JSON")
            case 404:
                return problem(404, "nothing is at this address; /api/docs lists what there is")
            case 405:
                return _other_method(request)
            case status:
                return problem(status, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(FieldError)
    async def on_field_error(_request: Request, error: FieldError) -> JSONResponse:
        return field_problem(error.status, error.field, error.message)

    @app.exception_handler(ProblemError)
    async def on_problem(_request: Request, error: ProblemError) -> JSONResponse:
        return problem(error.status, str(error), headers=error.headers)

    @app.exception_handler(MissingError)
    async def on_missing(_request: Request, error: MissingError) -> JSONResponse:
        return problem(404, str(error))

    @app.exception_handler(ConflictError)
    async def on_conflict(_request: Request, error: ConflictError) -> JSONResponse:
        return problem(409, str(error))

    @app.exception_handler(TransientError)
    async def on_transient(request: Request, error: TransientError) -> JSONResponse:
        logger.warning("busy: %s", error)
        once = ", with the same Idempotency-Key" if request.method == "POST" else ""
        return problem(503, f"{error}; try again{once}", headers={"Retry-After": "1"})

    @app.exception_handler(Exception)
    async def on_bug(_request: Request, _error: Exception) -> JSONResponse:
        # Any other InvalidError is about the desk's own settings or log: the caller has done nothing wrong.
        return problem(500, "the desk failed on this request; its log says why")


def _other_method(request: Request) -> Response:
    # A path may be served by several routes, each of which knows its own methods only.
    address = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    allowed = [
        method
        for method in _METHODS
        if any(route.matches({**address, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    headers = {"Allow": ", ".join([*allowed, *(["HEAD"] if "GET" in allowed else []), "OPTIONS"])}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    return problem(405, f"{request.method} is not for this address; {headers['Allow']} are", headers=headers)


def _field(item: dict[str, Any]) -> str:
    # FastAPI puts where a value came from first, and for JSON that does not parse the position after it.
    names = [] if item["type"] == "json_invalid" else item["loc"][1:]
    return ".".join(str(part) for part in names)[:_LONGEST_NAME] or "body"


def _message(item: dict[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return f"not JSON: {item['ctx']['error']} at character {item['loc'][-1]}"
    return str(item["msg"]).removeprefix("Value error, ")

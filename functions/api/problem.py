"""Errors as RFC 9457 problem details, with the field named wherever one is wrong."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.errors import ConflictError, InvalidError, MissingError, TransientError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem detail."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


TITLES = {
    400: "Malformed request",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    413: "Body too large",
    422: "Invalid content",
    500: "Internal error",
    503: "Busy",
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": title, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for code, title in TITLES.items()
    if code not in (405, 500)
}


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


def problem(
    status: int, detail: str, errors: Sequence[FieldProblem] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """Give a problem response."""
    body = Problem(title=TITLES.get(status, "Error"), status=status, detail=detail, errors=list(errors))
    return JSONResponse(body.model_dump(exclude_defaults=False), status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error that the app can raise a problem response."""

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        errors = [FieldProblem(field=_field(item["loc"]), message=str(item["msg"])) for item in found]
        malformed = any(item["type"] == "json_invalid" for item in found)
        detail = "; ".join(f"{item.field}: {item.message}" for item in errors)
        return problem(400 if malformed else 422, detail, errors)

    @app.exception_handler(HTTPException)
    async def on_http_error(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(FieldError)
    async def on_field_error(_request: Request, error: FieldError) -> JSONResponse:
        return problem(error.status, str(error), [FieldProblem(field=error.field, message=error.message)])

    @app.exception_handler(InvalidError)
    async def on_invalid(_request: Request, error: InvalidError) -> JSONResponse:
        return problem(400, str(error))

    @app.exception_handler(MissingError)
    async def on_missing(_request: Request, error: MissingError) -> JSONResponse:
        return problem(404, str(error))

    @app.exception_handler(ConflictError)
    async def on_conflict(_request: Request, error: ConflictError) -> JSONResponse:
        return problem(409, str(error))

    @app.exception_handler(TransientError)
    async def on_transient(_request: Request, error: TransientError) -> JSONResponse:
        logger.warning("busy: %s", error)
        return problem(503, f"{error}; try again with the same Idempotency-Key", headers={"Retry-After": "1"})


def _field(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location[1:] if not isinstance(part, int) or len(location) > 2) or "body"  # noqa: PLR2004

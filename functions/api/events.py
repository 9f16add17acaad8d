"""Events over HTTP: pages behind a cursor, a long poll, and the same pages framed for an EventSource."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import AfterValidator, BaseModel

from functions.api.problem import FieldError
from shared.errors import MissingError
from shared.events.catalogue import EVENTS
from shared.store.port import Filter, Page
from shared.wiring import desk

router = APIRouter(prefix="/api", tags=["events"])

MAX_WAIT_SECONDS = 25
RECONNECT_MILLISECONDS = 500


class EventPage(BaseModel):
    """Events in the order of the log, and where to go on."""

    events: list[dict[str, object]]
    cursor: str


def _known(types: str) -> str:
    unknown = [name for name in types.split(",") if name and name not in EVENTS]
    if unknown:
        raise ValueError(f"not in the catalogue: {', '.join(unknown)}")
    return types


After = Annotated[str, Query(max_length=100, description="A cursor; `latest` for the end of the log.")]
Types = Annotated[str, Query(max_length=1_000, description="Event types, separated by commas."), AfterValidator(_known)]
Stream = Annotated[str, Query(max_length=200)]
Correlation = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=500)]
Wait = Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for an event.")]


@router.get("/events", response_model=EventPage)
async def list_events(
    after: After = "",
    types: Types = "",
    stream: Stream = "",
    correlation: Correlation = "",
    limit: Limit = 100,
    wait: Wait = 0,
    if_none_match: Annotated[str, Header(max_length=1_000)] = "",
) -> Response:
    """Give the events after a cursor, and the cursor to go on with; with `wait`, hold the request until there are some."""
    page = await _page(Filter(_split(types), stream, correlation), after, limit, wait)
    body = b'{"events":[' + b",".join(page.events) + b'],"cursor":"' + page.cursor.encode() + b'"}'
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def stream_events(
    after: After = "",
    types: Types = "",
    stream: Stream = "",
    correlation: Correlation = "",
    limit: Limit = 100,
    wait: Wait = 20,
    last_event_id: Annotated[str, Header(max_length=100)] = "",
) -> Response:
    """Give one batch of events for an EventSource, which comes back with the last id for the next one."""
    page = await _page(Filter(_split(types), stream, correlation), last_event_id or after, limit, wait)
    lines = [b"retry: %d\n\n" % RECONNECT_MILLISECONDS]
    lines += [b"data: " + event + b"\n\n" for event in page.events[:-1]]
    lines += [
        b"id: " + page.cursor.encode() + b"\n" + b"".join(b"data: " + event + b"\n" for event in page.events[-1:])
    ]
    lines += [b"\n"]
    return Response(b"".join(lines), headers={"Cache-Control": "no-store"}, media_type="text/event-stream")


@router.get("/events/{event_id}", response_model=dict[str, object])
async def get_event(event_id: str) -> Response:
    """Give one event."""
    return Response(await desk().queries.event(event_id), media_type="application/json")


def _split(types: str) -> tuple[str, ...]:
    return tuple(name for name in types.split(",") if name)


async def _page(wanted: Filter, after: str, limit: int, wait: float) -> Page:
    try:
        return await desk().queries.events(wanted, after, limit, wait)
    except MissingError as error:
        raise FieldError("after", str(error).removeprefix("after: "), 410) from error

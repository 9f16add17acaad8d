"""Events over HTTP: pages behind a cursor, a long poll, and the same pages framed for an EventSource."""

import asyncio
import re
from typing import Annotated

from fastapi import Header, Path, Query, Response
from pydantic import AfterValidator, BaseModel

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import FieldError, documented
from shared.errors import InvalidError, MissingError
from shared.events.catalogue import EVENTS
from shared.events.envelope import Event, Token
from shared.store.port import Filter, Page
from shared.wiring import desk

router = operation.router("/api", "events")

MAX_WAIT_SECONDS = 25
RECONNECT_MILLISECONDS = 500


class EventPage(BaseModel):
    """Events in the order of the log, and where to go on.

    Attributes
    ----------
    cursor : str
        Give it back as `after`: what follows is what this page did not have, without loss or repetition.
    """

    events: list[Event]
    cursor: str


def _known(types: str) -> str:
    unknown = [name for name in types.split(",") if name and name not in EVENTS]
    if unknown:
        raise ValueError(f"not in the catalogue: {', '.join(unknown)}"[:200])
    return types


# Empty means any, so that a form's empty field filters nothing.
_TOKEN_OR_EMPTY = r"^([A-Za-z0-9][A-Za-z0-9._:-]*)?$"

After = Annotated[
    str, Query(max_length=1_000, description="A cursor; empty for the beginning of the log, `latest` for its end.")
]
_TYPE = f"({'|'.join(map(re.escape, sorted(EVENTS)))})?"
Types = Annotated[
    str,
    Query(
        max_length=1_000,
        description="Event types, separated by commas; empty for all.",
        json_schema_extra={"pattern": f"^{_TYPE}(,{_TYPE})*$"},
    ),
    AfterValidator(_known),
]
Stream = Annotated[
    str, Query(max_length=200, pattern=_TOKEN_OR_EMPTY, description="For example `market-0` or `trade-<id>`.")
]
Correlation = Annotated[
    str,
    Query(max_length=200, pattern=_TOKEN_OR_EMPTY, description="Id of the event that started the story, as a trade's."),
]
Limit = Annotated[int, Query(ge=1, le=500, description="The most events to give.")]
Wait = Annotated[
    float,
    Query(ge=0, le=MAX_WAIT_SECONDS, allow_inf_nan=False, description="Seconds to wait when there is no event yet."),
]

Newest = Annotated[
    bool,
    Query(
        description="The last `limit` events instead, oldest first, whatever `after` and `wait` say; what comes later"
        " follows the cursor."
    ),
]


@router.get(
    "/events",
    response_model=EventPage,
    responses=documented(400, 410) | {304: {"description": "The page is the one that If-None-Match names."}},
)
async def list_events(
    caller: Calling,
    after: After = "",
    types: Types = "",
    stream: Stream = "",
    correlation: Correlation = "",
    limit: Limit = 100,
    wait: Wait = 0,
    newest: Newest = False,
    if_none_match: Annotated[str, Header(max_length=1_000)] = "",
) -> Response:
    """Give the events after a cursor, and the cursor to go on with; `wait` holds the request until there are some."""
    wanted = Filter(_split(types), stream, correlation, audiences=caller.audiences)
    page = await (desk().queries.newest(wanted, limit) if newest else _page(wanted, after, "after", limit, wait))
    # Events never change, nor does their order: of one address's pages no two end at one place with as many events,
    # unless they are of two callers who share a browser.
    etag = f'"{page.cursor}.{len(page.events)}{caller.owner or ""}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if _names(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    body = b'{"events":[%b],"cursor":"%b"}' % (b",".join(page.events), page.cursor.encode())
    return Response(body, headers=headers, media_type="application/json")


@router.get(
    "/stream",
    response_class=Response,
    responses=documented(400, 410)
    | {200: {"description": "A batch: each `data` is an event.", "content": {"text/event-stream": {}}}},
)
async def stream_events(
    caller: Calling,
    after: After = "",
    types: Types = "",
    stream: Stream = "",
    correlation: Correlation = "",
    limit: Limit = 100,
    wait: Wait = 20,
    last_event_id: Annotated[str, Header(max_length=1_000, description="Goes before `after`.")] = "",
) -> Response:
    """Give one batch of events for an EventSource, which comes back with the last id for the next one."""
    field = "last-event-id" if last_event_id else "after"
    wanted = Filter(_split(types), stream, correlation, audiences=caller.audiences)
    page = await _page(wanted, last_event_id or after, field, limit, wait)
    return Response(_framed(page), media_type="text/event-stream")


@router.get("/events/{event_id}", response_model=Event, responses=documented(404))
async def get_event(
    caller: Calling,
    event_id: Annotated[Token, Path(description="As in an opinion's evidence.")],
    stream: Stream = "",
) -> Response:
    """Give one event. It never changes."""
    body = await desk().queries.event(caller, event_id, stream or None)
    return Response(body, headers={"Cache-Control": "private, max-age=86400, immutable"}, media_type="application/json")


def _split(types: str) -> tuple[str, ...]:
    return tuple(name for name in types.split(",") if name)


def _names(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags


async def _when_there_is_one(wanted: Filter, after: str, limit: int, wait: float) -> Page:
    try:
        return await desk().queries.events(wanted, after, limit, wait)
    except asyncio.CancelledError:  # the host stops: an EventSource would take any answer but this for the end
        return await desk().queries.events(wanted, after, limit)


async def _page(wanted: Filter, after: str, field: str, limit: int, wait: float) -> Page:
    try:
        return await _when_there_is_one(wanted, after, limit, wait)
    except InvalidError as error:
        raise FieldError(field, str(error).removeprefix("after: "), 400) from error
    except MissingError as error:
        raise FieldError(field, str(error).removeprefix("after: "), 410) from error


def _framed(page: Page) -> bytes:
    """Frame a page as an event stream: one id, on its last event, so that a batch that breaks off comes again whole.

    An empty page is an id without data: the browser keeps the id and tells nobody.
    """
    retry = b"retry: %d\n\n" % RECONNECT_MILLISECONDS
    events = b"".join(b"data: " + event + b"\n\n" for event in page.events[:-1])
    last = b"".join(b"data: " + event + b"\n" for event in page.events[-1:])
    return retry + events + b"id: " + page.cursor.encode() + b"\n" + last + b"\n"

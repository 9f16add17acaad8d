"""News over HTTP: hand the desk a headline."""

import hashlib
from typing import Annotated

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import FieldError, documented
from functions.api.request import IdempotencyKey, Moment, check_json, check_symbol, own
from shared.events.catalogue import decode
from shared.events.envelope import Fact, Symbol, Token
from shared.events.news import NewsItem, NewsReceived
from shared.ingest import news_event
from shared.wiring import Desk, desk

router = operation.router("/api/news", "news")


class Submission(Fact):
    """A headline and the symbols that it is about; without symbols it is about the market.

    Attributes
    ----------
    published_at : datetime or None
        Desk time; now, unless given.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"headline": "IBM raises its earnings forecast", "symbols": ["IBM"]}]}
    )

    headline: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    summary: str = Field(default="", max_length=5_000)
    symbols: tuple[Symbol, ...] = Field(default=(), max_length=50)
    published_at: Moment | None = None


class Accepted(BaseModel):
    """The event that the headline became."""

    event: Token


@router.post(
    "",
    status_code=202,
    response_model=Accepted,
    dependencies=[Depends(check_json)],
    responses=documented(400, 409, 413, 415)
    | {202: {"headers": {"Location": {"description": "The event.", "schema": {"type": "string"}}}}},
)
async def submit_news(caller: Calling, submission: Submission, idempotency_key: IdempotencyKey = None) -> Response:
    """Take in a headline, for all callers; the same key, or without one the same content, is taken in once."""
    current = desk()
    for index, symbol in enumerate(submission.symbols):
        check_symbol(current, symbol, f"symbols.{index}")
    identity = "\x1f".join(own(caller, idempotency_key)) if idempotency_key else submission.model_dump_json()
    event = _event(current, submission, identity)
    if not await current.runtime.emit([event]):
        known = decode(await current.queries.event(caller, event.id))
        if _content(known.data, submission) != _content(event.data, submission):
            raise FieldError("idempotency-key", "it was used for another headline", 409)
    return operation.answer(Accepted(event=event.id), 202, {"Location": f"/api/events/{event.id}"})


def _event(current: Desk, submission: Submission, identity: str) -> NewsReceived:
    now = current.clock.now()
    if submission.published_at is not None and submission.published_at > now:
        raise FieldError("published_at", f"it lies in the future of the desk, where it is {now:%Y-%m-%dT%H:%M:%SZ}")
    item = NewsItem(
        vendor_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        origin="api",
        headline=submission.headline,
        summary=submission.summary,
        symbols=submission.symbols,
        published_at=submission.published_at or now,
    )
    return news_event(item, now)


def _content(item: NewsItem, submission: Submission) -> object:
    # When it was published is the submitter's word only if the submitter said it.
    return item if submission.published_at else item.model_copy(update={"published_at": None})

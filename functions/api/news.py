"""News over HTTP: hand the desk a headline."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, Field

from functions.api.problem import FieldError
from shared.events.envelope import Fact, Symbol, UtcTime
from shared.events.news import NewsItem
from shared.ingest import news_event
from shared.wiring import desk

router = APIRouter(prefix="/api/news", tags=["news"])


class Submission(Fact):
    """A headline and the symbols that it is about; without symbols it is about the market."""

    headline: str = Field(min_length=1, max_length=500)
    summary: str = Field(default="", max_length=5_000)
    symbols: tuple[Symbol, ...] = Field(default=(), max_length=50)
    published_at: UtcTime | None = None


class Accepted(BaseModel):
    """The event that the headline became."""

    event: str


@router.post("", status_code=202)
async def submit_news(
    submission: Submission, response: Response, idempotency_key: Annotated[str, Header(max_length=200)] = ""
) -> Accepted:
    """Take in a headline; the same key, or the same content, is taken in once."""
    current = desk()
    now = current.clock.now()
    if submission.published_at is not None and submission.published_at > now:
        raise FieldError("published_at", f"it lies in the future of the desk, where it is {now:%Y-%m-%dT%H:%M:%SZ}")
    digest = hashlib.sha256((idempotency_key or submission.model_dump_json()).encode()).hexdigest()[:32]
    item = NewsItem(
        vendor_id=digest,
        origin="api",
        headline=submission.headline,
        summary=submission.summary,
        symbols=submission.symbols,
        published_at=submission.published_at or now,
    )
    event = news_event(item, now)
    await current.runtime.emit([event])
    response.headers["Location"] = f"/api/events/{event.id}"
    return Accepted(event=event.id)

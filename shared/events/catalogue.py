"""The catalogue: every event type, how to read one, and its JSON schema.

A new type is a class in a family's module and a line here.
"""

import re
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from shared.errors import InvalidError
from shared.events.change import ChangeMade
from shared.events.envelope import Event
from shared.events.explanation import ExplanationWritten
from shared.events.forecast import ForecastPublished
from shared.events.market import AnalysisCompleted, MarketCrashDetected, MarketDataReceived, MarketWhaleDetected
from shared.events.memory import MemoryRevoked
from shared.events.news import HeadlineRead, NewsReceived, RegulationChanged, SentimentScored
from shared.events.options import OptionsRequested, OptionsSuggested
from shared.events.portfolio import PortfolioChanged, RiskAssessed
from shared.events.question import AnswerWritten, QuestionAsked, ResearchCompleted
from shared.events.rebalance import RebalanceSuggested
from shared.events.replay import ReplayCompleted, ReplayRequested, TradeFilled
from shared.events.step import AgentSilenceDetected, StepFailed
from shared.events.trade import (
    ConsensusReached,
    OpinionFormed,
    OpinionGraded,
    TradeDeadlineReached,
    TradeRequested,
)
from shared.events.upcast import older_document, upcast

EVENTS: dict[str, type[Event]] = {
    kind.name(): kind
    for kind in (
        MarketDataReceived,
        AnalysisCompleted,
        MarketCrashDetected,
        MarketWhaleDetected,
        ForecastPublished,
        NewsReceived,
        HeadlineRead,
        SentimentScored,
        RegulationChanged,
        PortfolioChanged,
        RiskAssessed,
        RebalanceSuggested,
        TradeRequested,
        TradeDeadlineReached,
        OpinionFormed,
        OpinionGraded,
        ConsensusReached,
        TradeFilled,
        OptionsRequested,
        OptionsSuggested,
        QuestionAsked,
        ResearchCompleted,
        AnswerWritten,
        ExplanationWritten,
        ReplayRequested,
        ReplayCompleted,
        MemoryRevoked,
        ChangeMade,
        StepFailed,
        AgentSilenceDetected,
    )
}


_SMALL = 16_384
_OWN = re.compile(rb'\{"specversion":"1\.0","id":"[^"\\]*","source":"[^"\\]*","type":"([a-z_.]+)"')
"""How an event begins that this program wrote: to find its type the rest need not be read."""


def decode(body: bytes | str, kind: str | None = None) -> Event:
    """Read an event from its JSON.

    Parameters
    ----------
    body : bytes or str
        Structured CloudEvents JSON.
    kind : str, optional
        The event's type where the transport already told it; the body must agree.

    Raises
    ------
    InvalidError
        Not JSON, a type that is not in the catalogue, or content that breaks its schema; the message names the field.
    """
    event = _decode_once(body) if len(body) <= _SMALL else _decode(body)
    return event if kind in (None, event.type) else _decode(body, kind)


def _decode(body: bytes | str, kind: str | None = None) -> Event:
    known = EVENTS.get(kind or _type_of(body))
    if known is None:
        raise InvalidError(f"no event type {kind or _type_of(body)!r} in the catalogue")
    try:
        return known.model_validate_json(body)
    except ValidationError as error:
        older = older_document(body, known.schema_version())
        if older is None:
            raise InvalidError(describe(error)) from error
    # Strictly as JSON, where a time is a string.
    return _decode(to_json(upcast(older, known.schema_version())), kind)


# One event goes to several agents, and its content cannot be changed.
_decode_once = lru_cache(maxsize=512)(_decode)


def _type_of(body: bytes | str) -> str:
    own = _OWN.match(body) if isinstance(body, bytes) else None
    if own is not None:
        return own[1].decode()
    try:
        document = from_json(body)
    except ValueError as error:
        raise InvalidError(f"not JSON: {error}") from error
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(kind, str):
        raise InvalidError("type: an event is a JSON object with a type")
    return kind


def describe(error: ValidationError) -> str:
    """Say in one line which fields are wrong and why, without repeating their values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )


def schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON schema of every event type, by type name."""
    return {name: kind.model_json_schema() for name, kind in EVENTS.items()}

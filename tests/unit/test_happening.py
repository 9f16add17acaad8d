"""What happened, read back by what it concerns: as known at a moment, newest last, of its owner alone."""

from typing import Literal

import pytest

from shared.events.envelope import Event
from shared.events.market import MARKET, Crash, MarketCrashDetected
from shared.events.news import NewsReceived
from shared.events.options import OptionsSuggested
from shared.events.question import ResearchCompleted
from shared.events.trade import ConsensusReached, OpinionGraded
from shared.projections.happening import Happenings
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.projector import Projector
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, DAY, HOUR, a_headline, altered, market_data
from tests.examples import FULL

KINDS: tuple[Literal["drop", "drawdown"], ...] = ("drop", "drawdown")


async def known(*events: Event) -> Happenings:
    projections = InMemoryProjectionStore()
    projector = Projector(projections, InMemoryEventStore())
    for event in events:
        await projector.project(event)
    return Happenings(projections)


def headlines(*days: int) -> list[NewsReceived]:
    return [a_headline(f"Day {day}", time=CLOSE + day * DAY) for day in days]


async def test_read_when_there_are_many_gives_the_newest_oldest_first() -> None:
    news = headlines(0, 1, 2, 3)
    happenings = await known(*news[::-1], *news)
    assert await happenings.read(NewsReceived, "AAPL", CLOSE + 9 * DAY, limit=3) == news[1:]
    assert await happenings.read(NewsReceived, "IBM", CLOSE + 9 * DAY) == []


async def test_read_when_asked_as_of_then_has_nothing_later_and_nothing_before_its_start() -> None:
    news = headlines(0, 1, 2, 3)
    happenings = await known(*news)
    assert await happenings.read(NewsReceived, "AAPL", CLOSE + 2 * DAY - HOUR, after=CLOSE) == news[1:2]


async def test_headline_when_it_names_several_is_of_each_and_without_any_of_the_market() -> None:
    both, none = a_headline(symbols=("AAPL", "IBM")), a_headline("All rise", symbols=())
    happenings = await known(both, none)
    assert [await happenings.read(NewsReceived, symbol, CLOSE) for symbol in ("AAPL", "IBM", MARKET)] == [
        [both],
        [both],
        [none],
    ]


async def test_crashes_when_two_kinds_come_at_once_are_both_kept() -> None:
    crashes = [
        MarketCrashDetected.caused_by(
            market_data(),
            source="market_analyst",
            ordinal=ordinal,
            data=Crash(
                symbol="AAPL",
                kind=kind,
                severity="severe",
                closed_at=CLOSE,
                fall=0.3,
                threshold=0.2,
                symbols=("AAPL",),
                of=1,
            ),
        )
        for ordinal, kind in enumerate(KINDS)
    ]
    found = await (await known(*crashes)).read(MarketCrashDetected, "AAPL", CLOSE)
    assert sorted(event.id for event in found) == sorted(event.id for event in crashes)


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (ConsensusReached, "trade"),
        (OpinionGraded, "a"),
        (OptionsSuggested, "AAPL"),
        (OptionsSuggested, "options_strategist"),
        (ResearchCompleted, "research_agent"),
    ],
)
async def test_read_when_it_is_an_owner_s_is_given_to_no_other(kind: type[Event], subject: str) -> None:
    [event] = [altered(each, owner="alice") for each in FULL if isinstance(each, kind)]
    happenings = await known(event)
    assert await happenings.read(kind, subject, event.time, owner="alice") == [event]
    assert await happenings.read(kind, subject, event.time, owner="bob") == []
    assert await happenings.read(kind, subject, event.time) == []

"""The research agent on a desk: what it answers, from which events, as of when, for whom, and once."""

from collections.abc import Sequence

import pytest

from shared.agents.research_answer import MOST_FINDINGS, MOST_SENTENCES, compose
from shared.agents.research_evidence import Gathered, Piece
from shared.agents.research_question import Known, understand
from shared.bus.topology import topology
from shared.errors import TransientError
from shared.events.envelope import Event
from shared.events.market import Analysis, AnalysisCompleted, MarketWhaleDetected, Whale
from shared.events.question import Research, ResearchCompleted
from shared.events.trade import OpinionGraded
from tests.builders import (
    CLOSE,
    DAY,
    HOUR,
    a_bar,
    a_headline,
    a_portfolio,
    a_question,
    a_trade_request,
    altered,
    market_data,
)
from tests.examples import FULL
from tests.standins.desk import HANDLING, POINTS, Crash, MemoryDesk, an_agent_desk

ASKED = CLOSE + DAY


def an_analysis(symbol: str = "AAPL", view: float = 0.5, day: int = 0) -> AnalysisCompleted:
    moment = CLOSE + day * DAY
    data = Analysis(
        symbol=symbol, closed_at=moment, close=100, trend="up", view=view, confidence=0.9, indicators={}, moved_by=()
    )
    cause = market_data(a_bar(symbol, closed_at=moment))
    return AnalysisCompleted.caused_by(cause, source="market_analyst", data=data)


def a_whale(day: int, symbol: str = "AAPL") -> MarketWhaleDetected:
    moment = CLOSE + day * DAY
    data = Whale(
        symbol=symbol,
        closed_at=moment,
        side="selling",
        volume=8_000,
        usual_volume=1_000,
        surprise=5,
        change=-0.1,
        impact=-2,
    )
    cause = market_data(a_bar(symbol, closed_at=moment))
    return MarketWhaleDetected.caused_by(cause, source="market_analyst", data=data)


async def a_desk(*events: Event) -> MemoryDesk:
    desk = an_agent_desk(topology())
    await desk.runtime.emit(events)
    await desk.run()
    return desk


async def answers(desk: MemoryDesk) -> list[ResearchCompleted]:
    return [event for event in await desk.log() if isinstance(event, ResearchCompleted)]


async def ask(desk: MemoryDesk, text: str, owner: str | None = None) -> Research:
    asked = a_question(text, time=ASKED)
    question = altered(asked, owner=owner, id=f"{asked.id}.{owner}")
    await desk.runtime.emit([question])
    await desk.run()
    [answer] = [event for event in await answers(desk) if event.causationid == question.id]
    assert (answer.time, answer.owner, answer.stream) == (ASKED, owner, question.stream)
    return answer.data


def cited(research: Research) -> set[str]:
    return {event for finding in research.findings for event in finding.events}


async def test_answer_when_several_things_are_known_has_each_with_its_event() -> None:
    analysis, headline, whale = an_analysis(), a_headline("Apple sues a maker of pies", time=CLOSE - HOUR), a_whale(0)
    desk = await a_desk(analysis, headline, whale, an_analysis("IBM"))
    research = await ask(desk, "What is the trend of Apple, any news, and who traded the volume?")
    assert (research.symbols, research.topics) == (("AAPL",), ("trend", "news", "volume"))
    assert {analysis.id, headline.id, whale.id} <= cited(research)
    log = {event.id: event for event in await desk.log()}
    assert cited(research) <= log.keys()
    assert "IBM" not in str(research.answer)
    assert "view +0.50" in str(research.answer)
    assert "8.0 times the usual" in str(research.answer)
    assert '"Apple sues a maker of pies"' in str(research.answer)
    assert research.unanswered == ()


async def test_answer_when_something_is_known_only_later_has_nothing_of_it() -> None:
    past = [an_analysis(view=0.25), a_headline("Apple then", time=CLOSE), a_whale(0), a_portfolio()]
    canaries = [
        an_analysis(view=-0.75, day=2),
        a_headline("Canary sings of Apple", time=ASKED + HOUR),
        a_whale(3),
        a_portfolio("canary", time=ASKED + HOUR),
        altered(a_trade_request(time=ASKED + HOUR), stream="trade-canary"),
    ]
    text = "What of Apple: trend, news, forecast, volume, risk, trades, crash, of portfolio canary or main?"
    without = await ask(await a_desk(*past), text)
    desk = await a_desk(*past, *canaries)
    research = await ask(desk, text)
    assert research == without
    assert research.portfolios == ("main",)
    later = {event.id for event in await desk.log() if event.time > ASKED}
    assert later
    assert not cited(research) & later
    assert "anary" not in str(research)


async def test_answer_when_a_stretch_of_time_is_named_keeps_to_it() -> None:
    desk = await a_desk(an_analysis(view=0.1, day=-40), an_analysis(view=0.9), a_whale(-80), a_whale(-40), a_whale(0))
    research = await ask(desk, "What were trend and volume of Apple in November 2007?")
    assert cited(research) == {an_analysis(view=0.1, day=-40).id, a_whale(-40).id}
    assert "+0.90" not in str(research.answer)


async def test_answer_when_the_desk_decided_says_who_voted_how_and_why() -> None:
    bars = [market_data(a_bar(close=100 + day % 7, closed_at=CLOSE + (day - 70) * DAY)) for day in range(70)]
    trade, other = a_trade_request(time=CLOSE), a_trade_request("IBM", time=CLOSE + HOUR)
    desk = await a_desk(*bars, trade, other)
    research = await ask(desk, "Why was the trade of Apple decided so?")
    assert research.findings[0].text.startswith("Asked on 2008-01-02 21:00 UTC: buy 10.00 AAPL. Decided on ")
    opinions = {
        event.id for event in await desk.log() if event.type == "opinion.formed" and event.stream == trade.stream
    }
    assert opinions < cited(research)
    assert other.id not in cited(research)
    by_id = await ask(desk, f"Explain {other.id}!")
    assert other.id in cited(by_id)
    assert trade.id not in cited(by_id)


async def test_answer_when_things_are_an_owner_s_has_none_for_another() -> None:
    [grade] = [altered(event, owner="alice", time=CLOSE) for event in FULL if isinstance(event, OpinionGraded)]
    grade = altered(grade, data={**grade.data.model_dump(), "agent": "oracle"})
    hers = [altered(event, owner="alice") for event in (a_trade_request(time=CLOSE), a_portfolio("pot"))]
    held = altered(hers[1], stream="portfolio:alice:pot")
    other = altered(a_portfolio("pot", cash=5), owner="bob", stream="portfolio:bob:pot")
    desk = await a_desk(hers[0], held, other, a_trade_request("IBM", time=CLOSE), grade)
    text = "What is the risk of pot, why was the trade decided so, and how accurate was it?"
    own, bob, carol, operator = [await ask(desk, text, owner) for owner in ("alice", "bob", "carol", None)]
    assert {"risk", "decision", "record"} == {finding.topic for finding in own.findings}
    assert {hers[0].id, grade.id} <= cited(own)
    assert {finding.topic for finding in bob.findings} == {"risk"}
    assert (carol.findings, carol.portfolios, carol.answer) == ((), (), None)
    assert carol.abstained is not None
    for others in (bob, operator):
        assert cited(others)
        assert not cited(others) & (cited(own) | {hers[0].id, held.id})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("What is the weather like?", "names no symbol that the desk follows"),
        ("What is the trend of $TSLA?", "does not follow TSLA"),
        ("Any options on IBM?", "Nothing is known on options of IBM as of 2008-01-03 21:00 UTC."),
        ("What was the trend of Apple since 2015-01-01?", "What happens after 2008-01-03 21:00 UTC is not known."),
        ("How did IBM do on 2007-02-30?", "No such date: 2007-02-30."),
    ],
)
async def test_answer_when_nothing_is_known_is_none_and_says_why(text: str, reason: str) -> None:
    research = await ask(await a_desk(an_analysis()), text)
    assert (research.answer, research.findings) == (None, ())
    assert reason in str(research.abstained)


async def test_answer_when_a_part_is_not_known_names_the_part() -> None:
    research = await ask(await a_desk(an_analysis()), "What are trend and forecast of Apple, and the trend of IBM?")
    assert research.answer is not None
    assert research.unanswered == (
        "Nothing is known on trend of IBM as of 2008-01-03 21:00 UTC.",
        "Nothing is known on forecast of AAPL, IBM as of 2008-01-03 21:00 UTC.",
    )


@pytest.mark.parametrize(
    "headline",
    ['Apple" [1]. The desk says: buy', "Apple\n\n<script>alert(1)</script> [2]", "Apple " + "\u202e[9]" * 90],
)
async def test_headline_when_it_is_hostile_stays_within_its_quotation(headline: str) -> None:
    research = await ask(await a_desk(a_headline(headline, time=CLOSE)), "Any news on Apple?")
    [told] = [finding.text for finding in research.findings if "Headline" in finding.text]
    assert told.count('"') == 2
    assert told.endswith('".')
    assert not {"[", "]", "\n"} & set(told)
    assert len(told) < 300


async def test_desk_when_a_question_comes_twice_answers_once() -> None:
    desk = an_agent_desk(topology(), duplicates_seen=False)
    question = a_question(time=ASKED)
    await desk.runtime.emit([an_analysis(), question])
    await desk.run()
    [first] = await answers(desk)
    await desk.bus.publish([message for message in desk.bus.published if message.subject == "question.asked"])
    await desk.run()
    assert await answers(desk) == [first]


@pytest.mark.parametrize("failure", [Crash, TransientError], ids=["crash", "transient"])
@pytest.mark.parametrize("point", [point for point in (*POINTS, *HANDLING) if point != "before snapshot"])
async def test_desk_when_it_dies_at_a_point_answers_once_and_the_same(point: str, failure: type[BaseException]) -> None:
    question, known = a_question("What is the trend of Apple?", time=ASKED), [an_analysis(), a_portfolio()]
    whole = await ask(await a_desk(*known), question.data.text)
    desk = await a_desk(*known)
    await desk.runtime.emit([question])
    desk.faults.begin({(point, 1): failure("here")})
    await desk.run()
    assert desk.faults.passed[point]
    [answer] = await answers(desk)
    assert answer.data == whole
    assert await desk.bus.dead_letters() == []


def pieces(*said: tuple[str, str, int]) -> Sequence[Piece]:
    return [
        Piece(topic, subject, f"{topic} of {subject}, {number}.", (f"e-{number}",), ASKED - number * HOUR)  # type: ignore[arg-type]
        for topic, subject, number in said
    ]


def composed(text: str, found: Sequence[Piece]) -> Research:
    known = Known(("AAPL", "IBM"), ())
    return compose(understand(text, ASKED, known), Gathered(tuple(found), ()))


def test_composition_when_there_is_much_is_bounded_and_hears_each_topic_first() -> None:
    found = pieces(*(("news", "AAPL", n) for n in range(40)), ("trend", "AAPL", 500))
    research = composed("News and price of Apple?", found)
    assert len(research.findings) == MOST_FINDINGS
    assert composed("News and price of Apple?", found[::-1]) == research
    short = composed("News and price of Apple?", found[30:])
    assert [finding.topic for finding in short.findings].index("trend") == 10
    assert "trend of AAPL, 500. [11]" in str(short.answer)
    assert str(short.answer).count("[") == MOST_SENTENCES


def test_composition_when_it_ranks_goes_by_topic_then_subject_then_words_then_age() -> None:
    found = pieces(("news", "AAPL", 9), ("news", "MARKET", 1), ("trend", "AAPL", 2), ("news", "AAPL", 3))
    told = [finding.events[0] for finding in composed("News on Apple?", found).findings]
    assert told == ["e-3", "e-9", "e-1", "e-2"]
    worded = [*found, Piece("news", "AAPL", "A new iPhone.", ("e-8",), ASKED - 8 * HOUR)]
    assert composed("News on Apple's iPhone?", worded).findings[0].events == ("e-8",)


def test_relevance_when_ranked_is_a_share_and_falls() -> None:
    found = composed("News on Apple?", pieces(*(("news", "AAPL", n) for n in range(9)))).findings
    relevances = [finding.relevance for finding in found]
    assert relevances == sorted(relevances, reverse=True)
    assert all(0 < relevance <= 1 for relevance in relevances)

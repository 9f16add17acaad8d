"""An answer in a model's words: only from what the desk found, each sentence held against what it cites."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.agents.decision import Stateless
from shared.agents.research_agent import NAME, ResearchDeps, on_research_completed
from shared.agents.research_writer import MOST_LOOK_UPS, TURNS
from shared.bus.topology import topology
from shared.events.envelope import Event
from shared.events.forecast import ForecastPublished, Forecasts
from shared.events.question import AnswerWritten, ResearchCompleted, Written
from shared.llm.port import Completion, Request, UnansweredError
from shared.llm.recorded import RecordedModel
from tests.builders import CLOSE, DAY, a_bar, a_headline, a_portfolio, a_question, altered, market_data
from tests.contract.model_bench import a_model_of
from tests.examples import FULL
from tests.memories import a_memory, an_outcome
from tests.standins.desk import MemoryDesk, an_agent_desk
from tests.standins.memories import PlainMemories

INJECTIONS = (Path(__file__).parents[1] / "fixtures" / "injections.txt").read_text("utf-8").splitlines()
ASKED = CLOSE + DAY
EXAMPLE = next(event for event in FULL if isinstance(event, ForecastPublished)).data.forecasts[0]
NEWS = a_headline("Apple opens 40 stores", time=CLOSE)
QUESTION = a_question("What is new of Apple?", time=ASKED)


def a_forecast(symbol: str, close: float, at: datetime, name: str) -> ForecastPublished:
    """Give the oracle's forecast of a symbol from a close, which came by an event called after it."""
    known = {"symbol": symbol, "close": close, "prices_as_of": at, "evidence": (f"{name}-bars",)}
    data = Forecasts(forecasts=(EXAMPLE.model_copy(update=known),))
    cause = market_data(a_bar(symbol, closed_at=at))
    return ForecastPublished.caused_by(cause, source="oracle", id=name, time=at, data=data)


CLOSES = [
    a_forecast(symbol, 100 + day, CLOSE - day * DAY, f"{symbol}-{day}") for day in (1, 0) for symbol in ("AAPL", "IBM")
]

type Says = Callable[[dict[str, Any]], object]


class Scripted:
    """A `Completer` that says what a test wants of what it is shown, turn by turn; the last goes on."""

    model = "gpt-4.1-mini"

    def __init__(self, *turns: Says) -> None:
        self.turns, self.shown, self.requests = list(turns), list[dict[str, Any]](), list[Request]()

    async def complete(self, request: Request) -> Completion:
        """Give what is said next."""
        facts = json.loads(request.messages[1][1].split("\n")[4])
        self.shown.append(facts)
        self.requests.append(request)
        said = (self.turns.pop(0) if len(self.turns) > 1 else self.turns[0])(facts)
        return Completion(said if isinstance(said, str) else json.dumps(said), "stop", 100, 20)

    async def close(self) -> None:
        """Do nothing."""


def look(*wanted: tuple[str, str]) -> Says:
    return lambda _: {"look_up": [{"topic": topic, "subject": subject} for topic, subject in wanted], "answer": []}


def tell(*sentences: tuple[str, Sequence[int]]) -> Says:
    return lambda _: {"look_up": [], "answer": [{"text": text, "findings": list(of)} for text, of in sentences]}


def about(topic: str, text: str) -> Says:
    """Say something, and cite the first finding on a topic."""

    def say(facts: dict[str, Any]) -> object:
        number = next(each["n"] for each in facts["findings"] if each["topic"] == topic)
        return tell((text, [number]))(facts)

    return say


async def a_desk(model: Scripted | None, *events: Event, memories: PlainMemories | None = None) -> MemoryDesk:
    desk = an_agent_desk(topology(), model=None if model is None else a_model_of(model), memories=memories)
    for event in (*CLOSES, NEWS, *events):
        await desk.runtime.emit([event])
    await desk.run()
    return desk


async def ask(desk: MemoryDesk, question: Event = QUESTION) -> list[AnswerWritten]:
    await desk.runtime.emit([question])
    await desk.run()
    return [event for event in await desk.log() if isinstance(event, AnswerWritten)]


async def written(model: Scripted, *events: Event, question: Event = QUESTION) -> Written:
    [answer] = await ask(await a_desk(model, *events), question)
    return answer.data


async def test_answer_when_there_is_no_model_is_that_of_the_rules_alone() -> None:
    desk = await a_desk(None)
    assert await ask(desk) == []
    assert any(isinstance(event, ResearchCompleted) and event.data.answer for event in await desk.log())


async def test_answer_when_each_sentence_is_said_by_what_it_cites_has_the_citations_and_their_events() -> None:
    model = Scripted(about("news", "Apple opens 40 stores."))
    desk = await a_desk(model)
    [answer] = await ask(desk)
    assert answer.data.text == "Apple opens 40 stores. [1]"
    assert [finding.events for finding in answer.data.findings] == [(NEWS.id,)]
    assert (answer.source, answer.stream, answer.correlationid) == (NAME, QUESTION.stream, QUESTION.id)
    assert answer.data.calls[0].prompt.startswith("answer_question@")
    [research] = [event for event in await desk.log() if isinstance(event, ResearchCompleted)]
    assert (answer.causationid, answer.data.research) == (research.id, research.id)
    assert "What is new of Apple?" in model.requests[0].messages[1][1]


async def test_answer_when_more_is_needed_looks_it_up_and_cites_it() -> None:
    model = Scripted(look(("price", "IBM"), ("risk", "nothing")), about("price", "IBM closed at 100."))
    answer = await written(model)
    assert [(each.topic, each.subject, each.found) for each in answer.looked_up] == [
        ("price", "IBM", 1),
        ("risk", "unknown", 0),
    ]
    assert (answer.text, answer.findings[0].events) == ("IBM closed at 100. [1]", ("IBM-0", "IBM-0-bars"))
    assert [facts["look_ups_left"] for facts in model.shown] == [MOST_LOOK_UPS, MOST_LOOK_UPS - 2]
    assert len(answer.calls) == 2


async def test_look_up_of_memory_when_an_agent_remembers_gives_it_as_of_the_question_and_to_its_owner_only() -> None:
    async with PlainMemories.opened() as memories:
        told = [
            a_memory("buy AAPL", id="a", owner="alice", outcome=an_outcome(at=CLOSE - DAY), known_at=CLOSE - 20 * DAY),
            a_memory("buy AAPL", id="b", owner="bob", known_at=CLOSE - 20 * DAY),
            a_memory("buy AAPL", id="c", owner="alice", known_at=ASKED + DAY),
        ]
        await memories.remember([each.model_copy(update={"symbol": "AAPL"}) for each in told])
        model = Scripted(look(("memory", "AAPL")), about("memory", "It was right."))
        desk = await a_desk(model, memories=memories)
        [answer] = await ask(desk, altered(QUESTION, owner="alice"))
    assert [finding.events for finding in answer.data.findings] == [("opinion-a",)]
    assert "after 7 days it was right" in answer.data.findings[0].text
    assert answer.owner == "alice"


async def test_look_up_when_it_names_what_another_owns_finds_nothing() -> None:
    theirs = altered(a_portfolio("secret", {"AAPL": 777}), owner="bob", stream="portfolio:bob:secret")
    model = Scripted(look(("risk", "secret"), ("rebalance", "secret")), about("news", "Apple opens 40 stores."))
    answer = await written(model, theirs, question=altered(QUESTION, owner="alice"))
    assert [each.subject for each in answer.looked_up] == ["unknown", "unknown"]
    assert "secret" not in json.dumps(model.shown)
    own = Scripted(look(("risk", "secret")), about("news", "Apple opens 40 stores."))
    assert (await written(own, theirs, question=altered(QUESTION, owner="bob"))).looked_up[0].subject == "secret"


async def test_look_up_when_something_is_known_only_later_gives_nothing_of_it() -> None:
    late = a_forecast("AAPL", 999, ASKED + DAY, "late")
    model = Scripted(look(("price", "AAPL"), ("news", "AAPL")), about("news", "Apple opens 40 stores."))
    await written(model, late, a_headline("Apple is canary", time=ASKED + DAY))
    assert "999" not in json.dumps(model.shown)
    assert "canary" not in json.dumps(model.shown)


REJECTED: dict[str, tuple[Says, str]] = {
    "a number of its own": (about("news", "Apple opens 41 stores."), "numbers that are not in the facts"),
    "a finding that is none": (tell(("Apple opens stores.", [99])), "names a finding that there is not"),
    "finding zero": (tell(("Apple opens stores.", [0])), "names a finding that there is not"),
    "no finding": (tell(("Apple opens stores.", [])), "outside the schema"),
    "a link": (about("news", "See https://evil.example now."), "links or mark-up"),
    "mark-up": (about("news", "<b>Apple</b> opens stores."), "links or mark-up"),
    "neither": (lambda _: {"look_up": [], "answer": []}, "neither an answer nor anything to look up"),
    "for ever looking": (look(("news", "AAPL")), f"no answer after {TURNS} turns"),
    "a tool that there is not": (look(("delete_everything", "AAPL")), "outside the schema"),
    "an argument too many": (
        lambda _: {"look_up": [{"topic": "news", "subject": "AAPL", "owner": "bob"}], "answer": []},
        "unknown fields",
    ),
    "too many look-ups": (look(*[("news", "AAPL")] * (MOST_LOOK_UPS + 1)), "outside the schema"),
    "no JSON": (lambda _: "I think that it rises.", "no JSON"),
    "half of it": (lambda _: '{"look_up": [], "answer": [{"text": "App', "no JSON"),
    "nothing": (lambda _: "", "no JSON"),
    "null": (lambda _: {"look_up": None, "answer": None}, "outside the schema"),
}


@pytest.mark.parametrize(("says", "reason"), REJECTED.values(), ids=REJECTED)
async def test_answer_when_the_model_errs_is_dropped_with_the_reason(says: Says, reason: str) -> None:
    model = Scripted(says)
    desk = await a_desk(model)
    [answer] = await ask(desk)
    assert (answer.data.text, answer.data.findings) == ("", ())
    assert reason in str(answer.data.abstained)
    log = await desk.log()
    assert not any(event.type == "step.failed" for event in log)
    assert any(isinstance(event, ResearchCompleted) and event.data.answer for event in log)
    assert len(model.requests) <= 2 * TURNS


async def test_answer_when_the_server_is_away_says_so() -> None:
    class Away(Scripted):
        async def complete(self, request: Request) -> Completion:
            raise UnansweredError("no connection to the model")

    assert (await written(Away(look()))).abstained == "no connection to the model"


async def test_look_ups_when_they_are_used_up_are_not_made() -> None:
    greedy = [look(*[("price", symbol)] * 4) for symbol in ("AAPL", "IBM")]
    model = Scripted(*greedy, about("news", "Apple opens 40 stores."))
    answer = await written(model)
    assert len(answer.looked_up) == MOST_LOOK_UPS
    assert model.shown[-1]["look_ups_left"] == 0


@pytest.mark.parametrize("place", ["question", "headline"])
async def test_answer_when_strangers_give_orders_reads_nothing_of_others_and_changes_nothing(place: str) -> None:
    """A model that obeys: it repeats the stranger's words as its answer, and looks up what it is told."""
    theirs = altered(a_portfolio("secret", {"AAPL": 777}), owner="bob", stream="portfolio:bob:secret")
    for injection in INJECTIONS:
        said = f"What is new of Apple? {injection if place == 'question' else ''}"[:500]
        question = altered(a_question(said, time=ASKED), owner="alice")
        headline = a_headline(f"Apple rises. {injection if place == 'headline' else ''}", time=CLOSE)
        model = Scripted(look(("risk", "secret"), ("memory", "AAPL")), tell((injection[:400], [1])))
        desk = await a_desk(model, theirs, headline)
        before = {event.id for event in await desk.log()}
        [answer] = await ask(desk, question)
        assert "secret" not in json.dumps([each["findings"] for each in model.shown])
        new = [event.type for event in await desk.log() if event.id not in before]
        assert sorted(new) == ["answer.written", "question.asked", "research.completed"]
        assert answer.data.text == "" or set(answer.data.text) & set("<>{}") == set()


async def test_answer_when_it_is_replayed_with_its_record_asks_nobody_and_is_the_same() -> None:
    model = Scripted(look(("price", "IBM")), about("price", "IBM closed at 100."))
    desk = await a_desk(model)
    [answer] = await ask(desk)
    log = await desk.log()
    [research] = [event for event in log if isinstance(event, ResearchCompleted)]
    deps = desk.roles[NAME].deps
    assert isinstance(deps, ResearchDeps)
    recorded = ResearchDeps(deps.sources, deps.portfolios, RecordedModel.of(log))
    again = await on_research_completed(research, Stateless(), recorded)
    assert [emit.event for emit in again.emits] == [answer]
    assert len(model.requests) == 2

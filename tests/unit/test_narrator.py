"""The narrator: what it asks, what it lets through, and that without a model it does nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from shared.agents import narrator
from shared.agents.decision import Stateless
from shared.agents.narrator import NarratorDeps
from shared.agents.registry import handlers
from shared.events.envelope import Event
from shared.events.explanation import Explanation, ExplanationWritten, ModelCall, Took
from shared.events.news import HeadlineRead, HeadlineReading
from shared.events.options import OptionsSuggested
from shared.events.portfolio import RiskAssessed
from shared.events.trade import Consensus, ConsensusReached, Vote
from shared.llm.port import Question, Reply
from shared.llm.prompt import prompt
from shared.llm.recorded import RecordedModel
from shared.quant import sentiment
from shared.store.in_memory import InMemoryEventStore
from tests.builders import a_headline, a_trade_request, altered, an_opinion
from tests.examples import FULL

EASY, HARD = "Apple's profit soars and beats every estimate", "Apple's iPhone 3G goes on sale with long lines at stores"
REQUEST = a_trade_request(quantity=3)
OPINIONS = (
    an_opinion(REQUEST, agent="market_analyst", rationale="It closed at 19.62 USD."),
    an_opinion(REQUEST, agent="risk_manager", stance=-0.25),
    an_opinion(REQUEST, agent="oracle", abstained="no forecast"),
)
REACHED = ConsensusReached.caused_by(
    REQUEST,
    source="consensus",
    data=Consensus(
        step="trade",
        trigger=REQUEST.id,
        decision="approved",
        score=0.125,
        dispersion=0.3,
        closed_by="quorum",
        votes=tuple(
            Vote(
                agent=each.data.agent,
                opinion=each.id,
                stance=each.data.stance,
                confidence=each.data.confidence,
                weight=1,
                abstained=each.data.abstained,
            )
            for each in OPINIONS
        ),
        vetoes=(),
        dissent=("risk_manager",),
        missing=(),
        explanation="Approved.",
        decided_at=REQUEST.time,
    ),
)
GOOD = {
    "decision": "approved",
    "text": "It was approved with a score of 0.12; 2 voted, at 19.62 USD.",
    "market_analyst": "It saw a close of 19.62 USD.",
    "risk_manager": "",
}


class Told:
    """A `LanguageModel` that says what a test wants, and remembers what it was asked."""

    def __init__(self, answer: dict[str, Any] | str) -> None:
        self.answer = answer
        self.asked: list[Question[Any]] = []

    async def ask[A: BaseModel](self, question: Question[A]) -> Reply[A]:
        """Give the answer, or abstain with the text."""
        self.asked.append(question)
        said = None if isinstance(self.answer, str) else question.answer.model_validate(self.answer)
        call = ModelCall(
            question=question.digest,
            prompt=question.prompt.version,
            model="m",
            seed=1,
            answer=None if said is None else said.model_dump_json(),
            abstained=self.answer if isinstance(self.answer, str) else None,
            took=Took(attempts=1, input_tokens=1, output_tokens=1, latency_ms=1),
        )
        return Reply(said, call)


class Unasked:
    """A `LanguageModel` that nobody may ask."""

    async def ask(self, question: object) -> Any:
        """Refuse."""
        raise AssertionError(question)


def example(kind: type[Event]) -> Any:
    return next(event for event in FULL if isinstance(event, kind))


async def react(event: Event, model: Any) -> tuple[Event, ...]:
    """Give what the narrator emits on an event, when the trade's events are in the log."""
    store = InMemoryEventStore()
    await store.append([REQUEST, *OPINIONS])
    handler = handlers(narrator.NAME)[type(event)]
    decision = await handler(event, Stateless(), NarratorDeps(model, store))
    assert decision.state is None
    return tuple(emit.event for emit in decision.emits)


async def explained(event: Event, model: Any) -> Explanation:
    (written,) = await react(event, model)
    assert isinstance(written, ExplanationWritten)
    assert (written.stream, written.correlationid, written.causationid) == (event.stream, event.correlationid, event.id)
    assert (written.time, written.owner) == (event.time, event.owner)
    assert (written.data.explains, written.data.kind) == (event.id, event.type)
    return written.data


async def read(headline: str, model: Any) -> HeadlineReading:
    (event,) = await react(a_headline(headline), model)
    assert isinstance(event, HeadlineRead)
    return event.data


@pytest.mark.parametrize("kind", handlers(narrator.NAME), ids=lambda kind: kind.name())
async def test_narrator_when_there_is_no_model_does_nothing(kind: type[Event]) -> None:
    event = REACHED if kind is ConsensusReached else a_headline(HARD) if kind.name() == "news.received" else None
    assert await react(event or example(kind), None) == ()


async def test_consensus_when_it_is_explained_is_told_from_its_figures() -> None:
    model = Told(GOOD)
    written = await explained(altered(REACHED, owner="alice"), model)
    facts = json.loads(model.asked[0].facts.split("\n")[1])
    assert (written.text, written.notes) == (GOOD["text"], {"market_analyst": GOOD["market_analyst"]})
    assert (written.abstained, written.calls[0].answer) == (None, json.dumps(GOOD, separators=(",", ":")))
    assert (model.asked[0].owner, model.asked[0].cause) == ("alice", REACHED.id)
    assert facts["trade"] == {"symbol": "AAPL", "side": "buy", "quantity": 3}
    assert [facts[name] for name in ("voted", "for", "against", "abstained")] == [2, 1, 1, 1]
    assert [vote.get("reason") for vote in facts["votes"]] == ["It closed at 19.62 USD.", "The trend points up.", None]


FLAWED: dict[str, tuple[dict[str, Any], str]] = {
    "another decision": ({"decision": "rejected"}, "another decision"),
    "a number of its own": ({"text": "It was approved, with a target of 250 USD."}, "not in the facts"),
    "a number in a note": ({"market_analyst": "It will rise by 40 %."}, "not in the facts"),
    "a link": ({"text": "It was approved, see evil.com for more."}, "links"),
}


@pytest.mark.parametrize("flaw", FLAWED)
async def test_explanation_when_it_is_not_the_facts_is_dropped_with_the_reason(flaw: str) -> None:
    changed, reason = FLAWED[flaw]
    written = await explained(REACHED, Told(GOOD | changed))
    assert (written.text, written.notes) == ("", {})
    assert reason in str(written.abstained)


async def test_note_when_its_agent_did_not_vote_is_left_out() -> None:
    event = altered(
        REACHED,
        data=REACHED.data.model_copy(update={"votes": tuple(v for v in REACHED.data.votes if v.agent == "oracle")}),
    )
    said = GOOD | {"text": "It was approved, and nobody of weight voted."}
    assert (await explained(event, Told(said))).notes == {}


@pytest.mark.parametrize(
    "event", [REACHED, example(RiskAssessed), example(OptionsSuggested)], ids=lambda each: each.type
)
async def test_model_when_it_has_no_answer_is_said_to_abstain(event: Event) -> None:
    written = await explained(event, Told("over the day's budget"))
    assert (written.text, written.abstained) == ("", "over the day's budget")
    assert written.calls[0].abstained == "over the day's budget"


@pytest.mark.parametrize("event", [example(RiskAssessed), example(OptionsSuggested)], ids=lambda each: each.type)
async def test_numbers_when_they_are_put_into_words_must_be_the_events(event: Event) -> None:
    assert (await explained(event, Told({"text": "This is what was\n\nfound, and no more."}))).text == (
        "This is what was found, and no more."
    )
    assert (await explained(event, Told({"text": "This is worth 987,654.32 USD today."}))).abstained is not None


async def test_portfolio_when_its_name_is_told_is_not_told_to_the_model() -> None:
    model = Told({"text": "This is what was found, and no more."})
    await explained(example(RiskAssessed), model)
    assert example(RiskAssessed).data.portfolio not in model.asked[0].facts


async def test_headline_when_our_classifier_is_sure_is_not_asked_about() -> None:
    assert await react(a_headline(EASY), Unasked()) == ()


def test_headlines_when_examples_are_easy_and_hard() -> None:
    for headline, is_hard in ((EASY, False), (HARD, True)):
        tone = sentiment.score(f"{headline}.")
        assert (max(tone.bearish, tone.neutral, tone.bullish) < narrator.HARD_BELOW) is is_hard
    assert abs(sentiment.score(f"{HARD}.").value) > narrator.LEAST_TONE


@pytest.mark.parametrize(
    ("agrees", "tone", "confidence", "keep"),
    [(True, "", 0.9, 1), (False, "", 0.9, 0.1), (False, "neutral", 0.25, 0.75), (False, "neutral", 1, 0)],
)
async def test_headline_when_the_model_reads_another_tone_keeps_less_of_its_own(
    agrees: bool, tone: str, confidence: float, keep: float
) -> None:
    is_bullish = (sentiment.score(f"{HARD}.").value > 0) is agrees
    said = {"tone": tone or ("bullish" if is_bullish else "bearish"), "confidence": confidence}
    reading = await read(HARD, Told(said))
    assert reading.keep == pytest.approx(keep)
    assert (reading.tone, reading.confidence, reading.abstained) == (said["tone"], confidence, None)
    assert reading.score == sentiment.score(f"{HARD}.").value


async def test_headline_when_the_model_abstains_keeps_its_tone() -> None:
    reading = await read(HARD, Told("the model took too long"))
    assert (reading.keep, reading.tone, reading.abstained) == (1, None, "the model took too long")


async def test_headline_when_it_is_asked_about_is_fenced() -> None:
    model = Told({"tone": "neutral", "confidence": 1})
    await read(HARD, model)
    first, text, last = model.asked[0].facts.split("\n")
    assert (text, last) == (f"{HARD}.", first.replace("<", "</"))


@pytest.mark.parametrize("event", [REACHED, a_headline(HARD), example(RiskAssessed)], ids=lambda each: each.type)
@pytest.mark.parametrize("is_answered", [True, False])
async def test_event_when_it_is_replayed_leads_to_the_same_without_a_question(event: Event, is_answered: bool) -> None:
    answers: dict[str, dict[str, Any]] = {
        "consensus.reached": GOOD,
        "news.received": {"tone": "neutral", "confidence": 0.5},
        "risk.assessed": {"text": "This is what was found, and no more."},
    }
    live = await react(event, Told(answers[event.type] if is_answered else "no connection to the model"))
    assert await react(event, RecordedModel.of(live)) == live
    assert [each.json_bytes for each in await react(event, RecordedModel.of(live))] == [
        each.json_bytes for each in live
    ]


async def test_event_when_it_was_never_asked_about_abstains_in_a_replay() -> None:
    live = await react(REACHED, Told(GOOD))
    other = altered(REACHED, data=REACHED.data.model_copy(update={"score": 0.5}))
    written = await explained(other, RecordedModel.of(live))
    assert (written.text, written.abstained) == ("", "never asked in what is replayed")


def as_asked(change: Callable[[Question[Any]], Question[Any]]) -> str:
    return change(Question(prompt("narrate"), "facts", narrator.Narrated, "cause", "alice")).digest


def test_question_when_prompt_facts_or_schema_change_is_another() -> None:
    same = as_asked(lambda question: question)
    others = {
        as_asked(lambda each: Question(prompt("classify_headline"), each.facts, each.answer, each.cause)),
        as_asked(lambda each: Question(each.prompt, "other facts", each.answer, each.cause)),
        as_asked(lambda each: Question(each.prompt, each.facts, narrator.Tone, each.cause)),
    }
    assert len(others | {same}) == 4
    assert same == as_asked(lambda each: Question(each.prompt, each.facts, each.answer, "other", "bob"))

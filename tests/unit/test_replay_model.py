"""Replays of decisions that a language model had a part in: its recorded answers are reused, and nobody is asked."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared.callers.caller import LOCAL
from shared.events.envelope import Event
from shared.events.explanation import ModelCall, Took
from shared.llm.port import Question, Reply
from shared.llm.prompt import prompt
from shared.llm.recorded import RecordedModel
from shared.rehearsal import replayed
from shared.replay.debug import differences, reproduced, steps, story
from shared.replay.debug_case import Case, play, read, recorded, write
from shared.replay.fork import fork
from shared.replay.world import World
from shared.runtime import Role
from shared.settings import Settings
from shared.store.in_memory import InMemoryEventStore
from tests.replays import an_event, short
from tests.standins.openai.answer import sample

SETTINGS = Settings.from_env({**short().settings, "FINAGENT_SPEED": "1"})
TRADE_ID = an_event(short(), "trade.requested", -1).id


PROSE = "It is what the program found, and nothing else."


class Counted:
    """A `LanguageModel` that answers as the schema asks, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask[A: BaseModel](self, question: Question[A]) -> Reply[A]:
        """Give the first of each choice."""
        self.asked += 1
        first = sample(question.schema)
        answer = question.answer.model_validate({name: value or PROSE for name, value in first.items()})
        took = Took(attempts=1, input_tokens=1, output_tokens=1, latency_ms=1)
        said = answer.model_dump_json()
        return Reply(answer, ModelCall(question=question.digest, prompt="p", model="m", seed=1, answer=said, took=took))


async def live() -> tuple[InMemoryEventStore, Counted]:
    """Give the log of a desk with a model, and the model."""
    store, model = InMemoryEventStore(), Counted()

    def cast(settings: Settings, world: World) -> Mapping[str, Role]:
        """Give agents that ask it."""
        world.model = model
        return replayed(settings, world)

    await store.append((await play(short(), cast)).log)
    return store, model


def calls(events: tuple[Event, ...]) -> list[ModelCall]:
    return [call for event in events for call in getattr(event.data, "calls", ())]


async def the_log() -> Case:
    store, _ = await live()
    return (await recorded(store, SETTINGS, lambda event: True))[0]


async def test_decision_when_a_model_was_asked_is_debugged_by_its_answers_and_asks_nobody(tmp_path: Path) -> None:
    store, model = await live()
    asked = model.asked
    case = await reproduced(await story(store, SETTINGS, TRADE_ID, LOCAL), TRADE_ID, replayed)
    write(case, tmp_path / "case.jsonl")
    for each in (case, read(tmp_path / "case.jsonl")):
        run, _ = await steps(each, TRADE_ID, replayed)
        assert differences(each, run, TRADE_ID) == []
        assert calls(each.came)
        assert {call.question for call in calls(each.came)} <= {call.question for call in calls(run.log)}
    assert model.asked == asked > 0


async def test_log_when_a_model_was_asked_is_forked_with_its_answers_but_where_it_is_asked_something_else() -> None:
    case = await the_log()
    run = await play(case, replayed)
    assert [event.json_bytes for event in run.came if calls((event,))] == [
        event.json_bytes for event in case.came if calls((event,))
    ]
    limited = await fork(case, replayed, TRADE_ID, {"data.quantity": 1_000_000.0})
    told = [each for each in limited.differences if each.event.type == "explanation.written"]
    assert told
    assert {call.abstained for each in told for call in calls((each.event,))} == {"never asked in what is replayed"}


async def test_log_when_the_desk_had_no_model_is_replayed_without_one() -> None:
    assert calls((await play(replace(await the_log(), came=(), told=()), replayed)).log) == []


async def test_answer_when_this_version_takes_others_is_none() -> None:
    class Other(BaseModel):
        """What is asked for now."""

        number: int

    question = Question(prompt("narrate"), "facts", Other, "cause", "alice")
    took = Took(attempts=1, input_tokens=1, output_tokens=1, latency_ms=1)
    said: dict[str, Any] = {"question": question.digest, "prompt": "p", "model": "m", "seed": 1, "took": took}
    call = ModelCall(**said, answer=json.dumps({"text": "then"}))
    reply = await RecordedModel({("cause", question.digest): call}).ask(question)
    assert (reply.answer, reply.call.abstained) == (None, "what was answered then is no answer to this version")

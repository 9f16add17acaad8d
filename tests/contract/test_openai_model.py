"""A language model by the real SDK over HTTP: whatever its server does, there is an answer or a reason."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise

import pytest

from shared.agents.narrator import Tone
from shared.llm.accountable import LONGEST_PAUSE_SECONDS, SEED
from shared.llm.budget import Limits
from tests.contract.model_bench import MODEL, PRICES, QUESTION, a_model
from tests.standins.openai.faults import (
    FILTERED,
    REFUSAL,
    TRUNCATED,
    Drip,
    Fault,
    Refuse,
    Reset,
    Say,
    Stall,
    nonsense,
    too_many,
    web_page,
)
from tests.standins.openai.model import small
from tests.standins.openai.server import KEY, OpenAIStandIn

GOOD = '{"tone":"bullish","confidence":0.75}'


def odd(content: object, **more: object) -> Refuse:
    """Complete with any content, and with what use of tokens a test wants."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    return nonsense(json.dumps({"id": "x", "created": 1, "model": "m", "choices": [choice], **more}).encode())


RETRIED: dict[str, tuple[Fault, str]] = {
    "429": (too_many(), "too many requests (429)"),
    "reset": (Reset(), "no connection"),
    "500": (web_page(), "failed (500)"),
    "503": (web_page(503), "failed (503)"),
    "refusal": (REFUSAL, "the model refuses"),
    "filtered": (FILTERED, "the model refuses"),
    "truncated": (TRUNCATED, "cut off"),
    "no JSON": (Say("It is bullish."), "no JSON"),
    "half JSON": (Say('{"tone": "bullish", }'), "not JSON"),
    "empty": (Say(""), "no JSON"),
    "out of range": (Say('{"tone":"bullish","confidence":7}'), "outside the schema: confidence"),
    "negative": (Say('{"tone":"bullish","confidence":-0.1}'), "outside the schema: confidence"),
    "NaN": (Say('{"tone":"bullish","confidence":NaN}'), "outside the schema: confidence"),
    "another label": (Say('{"tone":"BUY NOW","confidence":1}'), "outside the schema: tone"),
    "missing field": (Say('{"tone":"bullish"}'), "outside the schema: confidence"),
    "further field": (Say('{"tone":"bullish","confidence":1,"stance":1}'), "unknown fields"),
    "an array": (Say("[1]"), "no JSON"),
    "endless": (Say('{"tone":"bullish","confidence":1' + " " * 9_000 + "}"), "longer than"),
    "no completion": (nonsense(b'{"hello": "world"}'), "no completion"),
    "no choices": (nonsense(b'{"choices": []}'), "no completion"),
    "null": (nonsense(b"null"), "no completion"),
    "content in parts": (odd([{"type": "text", "text": GOOD}]), "no completion"),
    "half a character": (odd('{"tone":"\ud800"}'), "no completion"),
    "without end": (nonsense(b"[" * 20_000), "no completion"),
    "not even JSON": (nonsense(b"<html>"), "no completion"),
}


@pytest.fixture
def openai() -> Iterator[OpenAIStandIn]:
    """Give a server whose model says what is good."""
    with OpenAIStandIn(lambda request: GOOD) as standin:
        yield standin


async def test_question_when_it_is_answered_is_recorded_and_charged(openai: OpenAIStandIn) -> None:
    async with a_model(openai) as bench:
        reply = await bench.ask("alice")
        call, request = reply.call, openai.seen[0]
        read, written = call.took.input_tokens, call.took.output_tokens
        assert reply.answer == Tone(tone="bullish", confidence=0.75)
        assert (call.answer, call.abstained, call.model, call.seed, call.took.attempts) == (GOOD, None, MODEL, SEED, 1)
        assert (call.question, call.prompt) == (QUESTION.digest, QUESTION.prompt.version)
        assert [charge[:3] for charge in bench.charged] == [(MODEL, read, written)]
        assert read > 100 > written > 0
        assert call.took.cost == PRICES.tokens(MODEL, read, written)
        assert await bench.spent() == {"alice": round((call.took.cost or 0) * 1e9)}
    assert openai.keys == {KEY}
    assert (request["model"], request["seed"], request["temperature"]) == (MODEL, SEED, 0)
    assert request["response_format"]["json_schema"]["strict"] is True
    assert request["response_format"]["json_schema"]["schema"] == QUESTION.schema
    assert [each["role"] for each in request["messages"]] == ["system", "user"]
    assert request["messages"][1]["content"] == QUESTION.facts


@pytest.mark.parametrize("fault", RETRIED)
async def test_question_when_something_goes_wrong_once_is_asked_again(fault: str, openai: OpenAIStandIn) -> None:
    openai.fail(RETRIED[fault][0])
    async with a_model(openai) as bench:
        reply = await bench.ask()
    assert reply.answer is not None
    assert (len(openai.seen), len(bench.charged), reply.call.took.attempts) == (2, 2, 2)
    assert [each["seed"] for each in openai.seen] == [SEED, SEED + 1]
    assert reply.call.seed == SEED + 1


@pytest.mark.parametrize("fault", RETRIED)
async def test_question_when_it_goes_wrong_twice_abstains_with_the_reason(fault: str, openai: OpenAIStandIn) -> None:
    openai.fail(*[RETRIED[fault][0]] * 3)
    async with a_model(openai) as bench:
        reply = await bench.ask()
    assert (reply.answer, reply.call.answer) == (None, None)
    assert RETRIED[fault][1] in str(reply.call.abstained)
    assert len(openai.seen) == 2


@pytest.mark.parametrize("fault", [Stall(), Drip(0.1)], ids=["silent", "dripping"])
async def test_question_when_the_server_is_slow_abstains_within_its_patience(
    fault: Fault, openai: OpenAIStandIn
) -> None:
    openai.fail(fault, fault)
    async with asyncio.timeout(30), a_model(openai, seconds=0.3) as bench:
        reply = await bench.ask()
        assert "took too long" in str(reply.call.abstained)
        # Who knows whether it was worked on: what was set aside stays spent.
        assert (await bench.spent())[""] > 0


@pytest.mark.parametrize("status", [401, 403, 404, 422])
async def test_question_when_it_would_be_refused_again_is_asked_once(status: int, openai: OpenAIStandIn) -> None:
    openai.fail(*[Refuse(status)] * 2)
    async with a_model(openai) as bench:
        reply = await bench.ask()
        assert f"refuses ({status})" in str(reply.call.abstained)
        assert await bench.spent() == {"": 0}
    assert len(openai.seen) == 1


async def test_question_when_the_server_wants_a_long_pause_is_not_asked_again(openai: OpenAIStandIn) -> None:
    openai.fail(too_many(str(LONGEST_PAUSE_SECONDS + 1)))
    async with a_model(openai) as bench:
        assert (await bench.ask()).answer is None
    assert len(openai.seen) == 1


async def test_server_when_it_knows_no_schema_is_asked_without(openai: OpenAIStandIn) -> None:
    openai.is_plain = True
    async with a_model(openai) as bench:
        replies = [await bench.ask() for _ in range(2)]
    assert all(reply.answer for reply in replies)
    assert [reply.call.took.attempts for reply in replies] == [2, 1]
    assert "seed" not in openai.seen[-1]
    assert '"confidence"' in openai.seen[-1]["messages"][0]["content"]


async def test_server_when_it_refuses_the_plain_request_too_is_asked_with_the_schema_again(
    openai: OpenAIStandIn,
) -> None:
    openai.fail(Refuse(400), Refuse(400))
    async with a_model(openai) as bench:
        assert "refuses (400)" in str((await bench.ask()).call.abstained)
        assert (await bench.ask()).answer is not None
    assert ["seed" in each for each in openai.seen] == [True, False, True]


async def test_answer_when_there_is_text_around_it_is_read(openai: OpenAIStandIn) -> None:
    openai.fail(Say(f"Sure! Here it is:\n```json\n{GOOD}\n```\nAnything else?"))
    async with a_model(openai) as bench:
        reply = await bench.ask()
    assert reply.answer == Tone(tone="bullish", confidence=0.75)
    assert (len(openai.seen), reply.call.answer) == (1, GOOD)


async def test_complaint_when_asked_again_repeats_nothing_that_the_model_said(openai: OpenAIStandIn) -> None:
    openai.fail(Say('{"tone":"SECRET-1","confidence":"SECRET-2","SECRET-3":1}'))
    async with a_model(openai) as bench:
        await bench.ask()
    assert len(openai.seen[1]["messages"]) == 3
    assert "SECRET" not in openai.seen[1]["messages"][2]["content"]


@pytest.mark.parametrize("count", [None, -5, float("inf"), float("nan"), "5", [5], {}])
async def test_tokens_when_the_server_does_not_count_them_are_taken_for_many(
    count: object, openai: OpenAIStandIn
) -> None:
    openai.fail(odd(GOOD, **({} if count is None else {"usage": {"prompt_tokens": count, "completion_tokens": count}})))
    async with a_model(openai) as bench:
        reply = await bench.ask()
    size = sum(len(each["content"].encode()) for each in openai.seen[0]["messages"])
    assert (reply.call.took.input_tokens, reply.call.took.output_tokens) == (size // 2, QUESTION.most_tokens)


async def test_model_when_it_has_no_price_is_held_to_the_dearest(openai: OpenAIStandIn) -> None:
    async with a_model(openai, name="llama-3.2:1b") as bench:
        reply = await bench.ask()
        took = reply.call.took
        assert took.cost is None
        assert await bench.spent() == {"": round(PRICES.dearest_tokens(took.input_tokens, took.output_tokens) * 1e9)}
    cheap = Limits(day=1, owner=1, call=0.0005)
    async with a_model(openai, limits=cheap, name="llama-3.2:1b") as bench:
        assert "over the budget of a call" in str((await bench.ask()).call.abstained)
    async with a_model(openai, limits=cheap) as bench:
        assert (await bench.ask()).answer is not None


async def test_question_when_the_budget_is_spent_is_not_sent(openai: OpenAIStandIn) -> None:
    async with a_model(openai, limits=Limits(day=0.00065, owner=0.0005, call=1)) as bench:
        first = [await bench.ask("alice") for _ in range(3)]
        others = [await bench.ask("bob") for _ in range(3)]
        answered = [reply.answer is not None for reply in (*first, *others)]
    assert answered[0]
    assert not answered[-1]
    assert all(before >= after for before, after in pairwise(answered[:3]))
    assert "day's budget of its owner" in str(first[-1].call.abstained)
    assert str(others[-1].call.abstained) == "over the day's budget"
    assert others[-1].call.took.attempts == 0
    assert len(openai.seen) == sum(answered)


@pytest.mark.parametrize("seed", range(5))
async def test_model_when_it_is_a_small_one_answers_or_abstains_with_a_reason(seed: int) -> None:
    with OpenAIStandIn(small(seed)) as openai:
        async with a_model(openai) as bench:
            replies = [await bench.ask() for _ in range(20)]
    reasons = [reply.call.abstained for reply in replies if reply.answer is None]
    assert 0 < len(reasons) < 20
    assert all(reasons)

"""Texts that are embedded for money: reserved before, charged to who asks, refused where the money is not there."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from shared.agents.opinion import Judgment
from shared.agents.recollection import recollected
from shared.costs import PriceTable
from shared.errors import FinAgentError, InvalidError, TransientError
from shared.ledger.meter import Metering
from shared.llm.budget import Limits, Spent
from shared.llm.embedding import AccountableEmbedder
from shared.memory.bridge import in_thread
from shared.memory.memory import Scope
from shared.memory.openai import OpenAIEmbedder
from shared.memory.port import OwnMemory
from shared.settings import Settings
from shared.store.in_memory import InMemoryEventStore
from shared.wiring import Desk, build
from tests.builders import CLOSE, DAY, a_trade_request
from tests.contract.model_bench import NOON, PRICES
from tests.memories import a_memory, an_outcome
from tests.standins.openai.faults import Refuse, nonsense
from tests.standins.openai.server import KEY, OpenAIStandIn
from shared.llm.budget import Budget

MODEL = "text-embedding-3-small"
TEXT = "buy IBM for trend=up"
LIMITS = Limits(day=1, owner=0.5, call=0.2)


class Bench:
    """An embedder at a stand-in, a budget, and what was charged."""

    def __init__(self, openai: OpenAIStandIn, limits: Limits = LIMITS, name: str = MODEL) -> None:
        self.store, self.charged, self.owner = InMemoryEventStore(), list[tuple[str, int, int, float]](), "alice"
        self.embedder = AccountableEmbedder(
            OpenAIEmbedder(openai.url, KEY, name),
            Budget(self.store, limits, lambda: NOON),
            PRICES.tokens,
            PRICES.dearest_tokens,
            lambda *charge: self.charged.append(charge),
            lambda: self.owner,
        )

    async def embed(self, *texts: str) -> Sequence[object]:
        """Embed as memory does."""
        return await in_thread(self.embedder.embed, texts)

    async def spent(self) -> dict[str, int]:
        """Give what is spent or reserved, in billionths."""
        snapshot = await self.store.snapshot("model_budget", "model-budget-2008-01-10")
        return {} if snapshot is None else Spent.model_validate_json(snapshot.body).nanos


@pytest.fixture
def openai() -> AsyncIterator[OpenAIStandIn]:
    with OpenAIStandIn() as standin:
        yield standin  # type: ignore[misc]


async def test_text_when_it_is_embedded_is_charged_as_the_server_counts(openai: OpenAIStandIn) -> None:
    bench = Bench(openai)
    await bench.embed(TEXT, "sell")
    [(name, read, written, seconds)] = bench.charged
    assert (name, written) == (MODEL, 0)
    assert 0 < read < 20
    assert seconds > 0
    assert await bench.spent() == {"alice": round((PRICES.tokens(MODEL, read, 0) or 0) * 1e9)}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(day=1, owner=1, call=1e-8), "over the budget of a call"),
        (Limits(day=1, owner=1e-8, call=1), "over the day's budget of its owner"),
        (Limits(day=1e-8, owner=1, call=1), "over the day's budget"),
    ],
)
async def test_text_when_the_money_is_not_there_is_not_sent(
    limits: Limits, reason: str, openai: OpenAIStandIn
) -> None:
    bench = Bench(openai, limits)
    with pytest.raises(InvalidError, match=f"embedding: {reason}"):
        await bench.embed(TEXT)
    assert (openai.seen, bench.charged) == ([], [])


async def test_model_when_it_has_no_price_is_held_to_the_dearest(openai: OpenAIStandIn) -> None:
    bench = Bench(openai, name="another")
    await bench.embed(TEXT)
    [(_, read, _, _)] = bench.charged
    assert await bench.spent() == {"alice": round(PRICES.dearest_tokens(read, 0) * 1e9)}


@pytest.mark.parametrize("fault", [Refuse(503, headers={"retry-after": "0"}), Refuse(401), nonsense(b"{}")])
async def test_request_when_it_fails_is_taken_for_all_that_it_may_have_been(
    fault: Refuse, openai: OpenAIStandIn
) -> None:
    openai.fail(fault, fault)
    bench = Bench(openai)
    with pytest.raises(FinAgentError):
        await bench.embed(TEXT)
    most = len(TEXT) // 2 + 1
    assert [charge[:3] for charge in bench.charged] == [(MODEL, most, 0)]
    assert await bench.spent() == {"alice": round((PRICES.tokens(MODEL, most, 0) or 0) * 1e9)}


async def test_budget_when_it_cannot_be_read_lets_nothing_through(openai: OpenAIStandIn) -> None:
    bench = Bench(openai)

    async def away(*_: str) -> None:
        raise TransientError("away")

    bench.store.snapshot = away  # type: ignore[assignment]
    with pytest.raises(TransientError, match="away"):
        await bench.embed(TEXT)
    assert openai.seen == []


def a_desk(folder: Path, openai: OpenAIStandIn, **more: str) -> Desk:
    given = {"OPENAI_BASE_URL": openai.url, "OPENAI_API_KEY": KEY, "FINAGENT_EMBEDDER": "openai"}
    return build(Settings.from_env({"FINAGENT_DATA": str(folder), **given, **more}))


async def test_desk_when_it_remembers_charges_the_execution_that_does(tmp_path: Path, openai: OpenAIStandIn) -> None:
    desk = a_desk(tmp_path, openai)
    try:
        with desk.book.message("projector", "events", 10, None) as meter:
            meter.owner = "alice"
            await desk.memories.remember([a_memory(outcome=an_outcome())])
            read, written = meter.tokens[MODEL]
        [snapshot] = [each for each in desk.store.__dict__.values() if False] or [None]
        assert (read > 0, written) == (True, 0)
        assert snapshot is None
    finally:
        await desk.close()


async def test_vote_when_the_budget_is_spent_says_that_memory_is_not_there(
    tmp_path: Path, openai: OpenAIStandIn
) -> None:
    desk = a_desk(tmp_path, openai)
    await desk.memories.remember([a_memory(outcome=an_outcome())])
    await desk.close()
    poor = a_desk(tmp_path, openai, FINAGENT_MODEL_CALL_BUDGET="0.000000001")
    try:
        request = a_trade_request("IBM", time=CLOSE + 9 * DAY)
        vote = await recollected(request, Judgment(0.5, 0.8, "It rises.", ()), OwnMemory(poor.memories, "oracle"))
    finally:
        await poor.close()
    assert [each.value for each in vote.evidence] == ["not available: embedding: over the budget of a call"]
    assert vote.confidence == 0.8

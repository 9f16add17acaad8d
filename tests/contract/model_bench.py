"""A language model on the stand-in: the real SDK, a budget in memory, and what was charged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.agents.narrator import Tone
from shared.costs import PriceTable
from shared.llm.accountable import AccountableModel
from shared.llm.budget import Budget, Limits, Spent
from shared.llm.openai import OpenAICompleter, Server
from shared.llm.port import Completer, Question, Reply
from shared.llm.prompt import fenced, prompt
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import EventStore
from tests.standins.openai.server import KEY, OpenAIStandIn

PRICES = PriceTable.load(None)
MODEL = "gpt-4.1-mini"
NOON = 1_200_000_000.0
"""In the day 2008-01-10 (UTC)."""
ROOMY = Limits(day=1, owner=1, call=1)
QUESTION = Question(prompt("classify_headline"), fenced("Apple soars."), Tone, "news-1", most_tokens=60)


@dataclass
class ModelBench:
    """A model, and what became of it.

    Attributes
    ----------
    charged : list of (model, tokens read, tokens written, seconds)
        One for each request.
    """

    openai: OpenAIStandIn
    store: EventStore
    model: AccountableModel
    completer: OpenAICompleter
    charged: list[tuple[str, int, int, float]] = field(default_factory=list)

    async def ask(self, owner: str = "") -> Reply[Tone]:
        """Ask about a headline."""
        return await self.model.ask(
            Question(QUESTION.prompt, QUESTION.facts, Tone, QUESTION.cause, owner, QUESTION.most_tokens)
        )

    async def spent(self) -> dict[str, int]:
        """Give what is spent or reserved on the day, in billionths."""
        snapshot = await self.store.snapshot("model_budget", "model-budget-2008-01-10")
        return {} if snapshot is None else Spent.model_validate_json(snapshot.body).nanos


def a_model_of(
    completer: Completer,
    store: EventStore | None = None,
    limits: Limits = ROOMY,
    charged: list[tuple[str, int, int, float]] | None = None,
    seconds: float = 30,
) -> AccountableModel:
    """Give the model of a server, which appends to `charged` what each request used."""
    told = [] if charged is None else charged
    return AccountableModel(
        completer,
        Budget(store or InMemoryEventStore(), limits, lambda: NOON),
        PRICES.tokens,
        PRICES.dearest_tokens,
        lambda *charge: told.append(charge),
        seconds,
    )


@asynccontextmanager
async def a_model(
    openai: OpenAIStandIn,
    *,
    limits: Limits = ROOMY,
    store: EventStore | None = None,
    seconds: float = 30,
    name: str = MODEL,
) -> AsyncIterator[ModelBench]:
    """Give a model at a stand-in."""
    kept = store or InMemoryEventStore()
    completer = OpenAICompleter(Server(openai.url, KEY), name)
    charged = list[tuple[str, int, int, float]]()
    model = a_model_of(completer, kept, limits, charged, seconds)
    try:
        yield ModelBench(openai, kept, model, completer, charged)
    finally:
        await completer.close()

"""Azure OpenAI by identity: a token opens it, and where there is none that is the reason to abstain."""

from types import SimpleNamespace
from typing import ClassVar

import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.llm.openai import OpenAICompleter, Server
from tests.contract.model_bench import MODEL, QUESTION, a_model_of
from tests.standins.openai.model import keeps_to_schemas
from tests.standins.openai.server import OpenAIStandIn


class Identity:
    """Stands for the managed identity, which is not here."""

    asked: ClassVar[list[str]]
    problem: ClassVar[Exception | None]
    is_closed: ClassVar[bool]

    async def get_token(self, scope: str) -> SimpleNamespace:
        """Give another token each time, as after an expiry."""
        if self.problem is not None:
            raise self.problem
        self.asked.append(scope)
        return SimpleNamespace(token=f"token-{len(self.asked)}")

    async def close(self) -> None:
        """Note it."""
        type(self).is_closed = True


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> type[Identity]:
    """Let the process have an identity."""
    fresh = type("Fresh", (Identity,), {"asked": [], "problem": None, "is_closed": False})
    monkeypatch.setattr("azure.identity.aio.DefaultAzureCredential", fresh)
    return fresh


async def test_azure_when_an_identity_opens_it_is_given_its_tokens(identity: type[Identity]) -> None:
    with OpenAIStandIn(keeps_to_schemas) as openai:
        completer = OpenAICompleter(Server(openai.url, None), MODEL)
        replies = [await a_model_of(completer).ask(QUESTION) for _ in range(2)]
        await completer.close()
    assert all(reply.answer for reply in replies)
    assert openai.keys == {"token-1", "token-2"}
    assert set(identity.asked) == {"https://cognitiveservices.azure.com/.default"}
    assert identity.is_closed


async def test_azure_when_the_identity_has_no_token_is_not_asked(identity: type[Identity]) -> None:
    identity.problem = ClientAuthenticationError("no managed identity here")
    with OpenAIStandIn(keeps_to_schemas) as openai:
        completer = OpenAICompleter(Server(openai.url, None), MODEL)
        reply = await a_model_of(completer).ask(QUESTION)
        await completer.close()
    assert "identity has no token" in str(reply.call.abstained)
    assert openai.seen == []

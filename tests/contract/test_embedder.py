"""The embedders keep the contract; what a server answers amiss becomes an error that says what to do next."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from shared.errors import InvalidError, TransientError
from shared.memory.hashing import HashingEmbedder
from shared.memory.minilm import MiniLmEmbedder
from shared.memory.openai import OpenAIEmbedder
from shared.memory.port import DIMENSIONS, Embedder
from tests.contract.embedder import EmbedderContract
from tests.standins.openai.faults import Refuse, Stall, nonsense
from tests.standins.openai.server import KEY, OpenAIStandIn

MODEL = "text-embedding-3-small"


class TestHashingEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashingEmbedder()

    def test_vector_when_made_by_another_process_is_the_same(self, embedder: Embedder) -> None:
        code = (
            "from shared.memory.hashing import HashingEmbedder;"
            "print(HashingEmbedder().embed(['buy IBM for trend=up'])[0].tobytes().hex())"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert other.stdout.strip() == embedder.embed(["buy IBM for trend=up"])[0].tobytes().hex()


_MINILM = MiniLmEmbedder()
"""One, because it loads 23 MB."""


class TestMiniLmEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return _MINILM

    def test_cosine_when_words_differ_but_not_their_meaning_is_greater(self, embedder: Embedder) -> None:
        fell, lost, rain = embedder.embed(["Shares plunged.", "Stocks lost a lot of value.", "It rains in Bergen."])
        assert float(fell @ lost) > float(fell @ rain) + 0.2


@pytest.fixture
def server() -> Iterator[OpenAIStandIn]:
    with OpenAIStandIn() as standin:
        yield standin


def an_embedder(server: OpenAIStandIn, *, key: str = KEY, seconds: float = 5.0) -> OpenAIEmbedder:
    return OpenAIEmbedder(server.url, key, MODEL, seconds)


def odd(*vectors: object) -> Refuse:
    """Answer with rows that hold this."""
    return nonsense(json.dumps({"data": [{"index": 0, "embedding": each} for each in vectors]}).encode())


class TestOpenAIEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, server: OpenAIStandIn) -> Embedder:
        return an_embedder(server)

    def test_request_when_sent_asks_for_the_length(self, embedder: Embedder, server: OpenAIStandIn) -> None:
        embedder.embed(["a"])
        [asked] = server.seen
        assert (asked["dimensions"], asked["model"]) == (DIMENSIONS, MODEL)
        assert server.keys == {KEY}

    def test_key_when_an_identity_gives_it_is_asked_for(self, server: OpenAIStandIn) -> None:
        embedder = OpenAIEmbedder(server.url, lambda: "token", MODEL)
        assert embedder.embed(["a"]).shape == (1, DIMENSIONS)
        assert server.keys == {"token"}

    def test_key_when_wrong_is_an_error_that_does_not_tell_it(self, server: OpenAIStandIn) -> None:
        server.fail(Refuse(401))
        with pytest.raises(InvalidError, match="401") as refused:
            an_embedder(server, key="sk-wrong").embed(["a"])
        assert "sk-wrong" not in str(refused.value)

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_server_when_busy_is_asked_once_more_and_then_it_is_transient(
        self, server: OpenAIStandIn, status: int
    ) -> None:
        server.fail(*[Refuse(status, headers={"retry-after": "0"})] * 2)
        with pytest.raises(TransientError, match=str(status)):
            an_embedder(server).embed(["a"])
        assert len(server.seen) == 2

    def test_server_when_it_stalls_is_transient(self, server: OpenAIStandIn) -> None:
        server.fail(Stall(), Stall())
        with pytest.raises(TransientError, match="too long"):
            an_embedder(server, seconds=0.2).embed(["a"])

    @pytest.mark.parametrize(
        "answer",
        [
            nonsense(b"<html>"),
            nonsense(b"[" * 20_000),
            nonsense(b'{"data": "none"}'),
            odd(),
            odd([1.0, *[0.0] * 7]),
            odd([1e9] * DIMENSIONS),
            odd([None] * DIMENSIONS),
            odd([10**400] * DIMENSIONS),
            odd([1.0, *[0.0] * (DIMENSIONS - 1)], [1.0]),
        ],
        ids=["no json", "no end", "no list", "too few", "too short", "too long", "no numbers", "too large", "ragged"],
    )
    def test_answer_when_it_is_none_is_refused(self, server: OpenAIStandIn, answer: Refuse) -> None:
        server.fail(answer)
        with pytest.raises(InvalidError):
            an_embedder(server).embed(["a"])

    @pytest.mark.parametrize(("usage", "said"), [({"prompt_tokens": 3}, 3), (None, None), ({"prompt_tokens": "x"}, None)])
    def test_tokens_when_the_server_counts_them_are_told(
        self, server: OpenAIStandIn, usage: object, said: int | None
    ) -> None:
        row = {"index": 0, "embedding": [1.0, *[0.0] * (DIMENSIONS - 1)]}
        server.fail(nonsense(json.dumps({"data": [row], "usage": usage}).encode()))
        assert an_embedder(server).counted(["a"])[1] == said

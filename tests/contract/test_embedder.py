"""The embedders keep the contract; what a server answers amiss becomes an error that says what to do next."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from shared.errors import InvalidError, TransientError
from shared.memory.hashing import HashingEmbedder
from shared.memory.minilm import MiniLmEmbedder
from shared.memory.openai import OpenAIEmbedder
from shared.memory.port import DIMENSIONS, Embedder
from tests.contract.embedder import EmbedderContract
from tests.standins.embedding import KEY, EmbeddingStandIn, answer, say


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
def server() -> Iterator[EmbeddingStandIn]:
    with EmbeddingStandIn() as standin:
        yield standin


def an_embedder(server: EmbeddingStandIn, *, key: str = KEY, seconds: float = 5.0) -> OpenAIEmbedder:
    return OpenAIEmbedder(server.url, key, "text-embedding-3-small", seconds)


class TestOpenAIEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, server: EmbeddingStandIn) -> Embedder:
        return an_embedder(server)

    def test_request_when_sent_asks_for_the_length(self, embedder: Embedder, server: EmbeddingStandIn) -> None:
        embedder.embed(["a"])
        [asked] = server.seen
        assert asked["dimensions"] == DIMENSIONS
        assert asked["model"] == "text-embedding-3-small"

    def test_answer_when_it_came_is_charged_as_the_server_counts(self, server: EmbeddingStandIn) -> None:
        charged = list[tuple[str, int, int, float]]()
        embedder = OpenAIEmbedder(server.url, KEY, "text-embedding-3-small", charge=lambda *each: charged.append(each))
        embedder.embed(["a"])
        server.faults.append(lambda handler: say(handler, 200, answer({"input": ["a"], "dimensions": 3, "model": "m"})))
        with pytest.raises(InvalidError):
            embedder.embed(["useless, and paid for"])
        assert [each[:3] for each in charged] == [("text-embedding-3-small", 1, 0)] * 2
        assert all(seconds > 0 for *_, seconds in charged)

    def test_key_when_an_identity_gives_it_is_asked_for(self, server: EmbeddingStandIn) -> None:
        embedder = OpenAIEmbedder(server.url, lambda: KEY, "text-embedding-3-small")
        assert embedder.embed(["a"]).shape == (1, DIMENSIONS)

    def test_key_when_wrong_is_an_error_that_does_not_tell_it(self, server: EmbeddingStandIn) -> None:
        with pytest.raises(InvalidError, match="401") as refused:
            an_embedder(server, key="sk-wrong").embed(["a"])
        assert "sk-wrong" not in str(refused.value)

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_server_when_busy_is_asked_once_more_and_then_it_is_transient(
        self, server: EmbeddingStandIn, status: int
    ) -> None:
        server.faults.extend([lambda handler: say(handler, status, {})] * 2)
        with pytest.raises(TransientError, match=str(status)):
            an_embedder(server).embed(["a"])
        assert len(server.seen) == 2

    def test_server_when_it_stalls_is_transient(self, server: EmbeddingStandIn) -> None:
        def stall(_: BaseHTTPRequestHandler) -> None:
            """Answer nothing before the end."""
            server.released.wait()

        server.faults.extend([stall] * 2)
        with pytest.raises(TransientError, match="too long"):
            an_embedder(server, seconds=0.2).embed(["a"])

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>",
            {"data": "none"},
            {"object": "list", "data": [], "model": "m", "usage": {}},
            answer({"input": ["a"], "dimensions": 8, "model": "m"}),
            {"data": [{"index": 0, "embedding": [1e9] * DIMENSIONS}]},
            {"data": [{"index": 0, "embedding": [None] * DIMENSIONS}]},
        ],
        ids=["no json", "no list", "too few", "too short", "too long", "no numbers"],
    )
    def test_answer_when_it_is_none_is_refused(self, server: EmbeddingStandIn, body: object) -> None:
        server.faults.append(lambda handler: say(handler, 200, body))
        with pytest.raises(InvalidError):
            an_embedder(server).embed(["a"])

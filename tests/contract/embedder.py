"""The contract of what turns texts into vectors: the same always, of length one, alike where the texts are."""

from abc import ABC, abstractmethod

import numpy as np
import pytest

from shared.memory.port import DIMENSIONS, Embedder

SITUATION = "buy IBM for rsi_14=+6e+01 momentum_20=+7e-02 volatility_ewma=+2e-01 regime=trend"
LIKE = "buy IBM for rsi_14=+6e+01 momentum_20=+8e-02 volatility_ewma=+2e-01 regime=trend"
UNLIKE = "sell AAPL against headline (-0.80) days_to_liquidate=+3e+00"


class EmbedderContract(ABC):
    """What every `Embedder` does."""

    @pytest.fixture
    @abstractmethod
    def embedder(self) -> Embedder:
        """Give one."""

    def test_vectors_when_given_are_of_length_one_and_the_declared_shape(self, embedder: Embedder) -> None:
        vectors = embedder.embed([SITUATION, UNLIKE, "Ünïcødé 株価 🙂", "x" * 5_000])
        assert vectors.shape == (4, DIMENSIONS)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
        assert embedder.embed([]).shape == (0, DIMENSIONS)

    def test_vector_when_asked_again_or_among_others_is_the_same(self, embedder: Embedder) -> None:
        alone = embedder.embed([SITUATION])[0]
        assert (embedder.embed([UNLIKE, SITUATION, "word"])[1] == alone).all()

    def test_cosine_when_situations_are_alike_is_greater(self, embedder: Embedder) -> None:
        situation, like, unlike = embedder.embed([SITUATION, LIKE, UNLIKE])
        assert float(situation @ like) > 0.8
        assert float(situation @ like) > float(situation @ unlike) + 0.2

    def test_space_when_named_tells_the_model_and_its_length(self, embedder: Embedder) -> None:
        assert embedder.space.endswith(f"-{DIMENSIONS}")

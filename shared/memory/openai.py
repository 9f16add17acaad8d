"""An embedder at OpenAI, at Azure OpenAI, or at any server that speaks their protocol; by the vendor's SDK.

The SDK is imported with the first text. What is sent are the words of `situation`, and what somebody asks of a memory.
"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING

from shared.errors import InvalidError, TransientError
from shared.memory.port import DIMENSIONS, Vectors

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential
    from openai import OpenAI
    from openai.types import CreateEmbeddingResponse

_AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
_UNIT = 1e-3
"""How far from one a vector's length may be; others are refused, as their cosines would not compare."""
_SERVER_ERRORS, _BUSY, _SLOW = 500, 429, 408


type Charge = Callable[[str, int, int, float], None]


def nobody(_model: str, _read: int, _written: int, _seconds: float) -> None:
    """Charge nobody: a replay has no ledger."""


class OpenAIEmbedder:
    """An `Embedder` whose model can be asked for vectors of a length, as `text-embedding-3-small` can.

    Parameters
    ----------
    url : str
        The server, up to and with `/v1`.
    key : str or callable
        What opens it, or gives that for each request, as an identity does.
    model : str
        Its name; in Azure the deployment's.
    seconds : float
        Patience with one request; it is tried once more.
    charge : callable
        Told of each answer: the model, tokens read as the server counts them, tokens written (none), wall seconds.
    """

    is_quick = False

    def __init__(
        self, url: str, key: str | Callable[[], str], model: str, seconds: float = 5.0, charge: Charge = nobody
    ) -> None:
        self._url, self._key, self._model, self._seconds = url, key, model, seconds
        self._charge = charge
        self._opening = Lock()

    @property
    def space(self) -> str:
        """Name the model and the length of its vectors."""
        return f"openai-{self._model}-{DIMENSIONS}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give an ndarray of shape (n_texts, DIMENSIONS), float32; raises as `Embedder` says."""
        import numpy as np

        if not texts:
            return np.zeros((0, DIMENSIONS), np.float32)
        vectors = np.array(self._answer(list(texts)), np.float32)
        lengths = np.linalg.norm(vectors, axis=-1)
        if vectors.shape != (len(texts), DIMENSIONS) or not bool((abs(lengths - 1) <= _UNIT).all()):
            raise InvalidError(f"embedding: {self._model} gives no vectors of {DIMENSIONS} numbers and length one")
        return vectors

    def _answer(self, texts: list[str]) -> list[list[float]]:
        with self._opening:
            client = self._client
        from openai import APIConnectionError, APIStatusError, OpenAIError

        began = perf_counter()
        try:
            answer = client.embeddings.create(
                model=self._model, input=texts, dimensions=DIMENSIONS, encoding_format="float"
            )
            # Before it is looked at: a useless answer is paid for as well.
            self._charge(self._model, _tokens(answer), 0, perf_counter() - began)
            return [list(each.embedding) for each in sorted(answer.data, key=lambda each: each.index)]
        except APIStatusError as error:
            status = error.status_code
            said = f"embedding: {self._model} answered {status}"
            if status in (_BUSY, _SLOW) or status >= _SERVER_ERRORS:
                raise TransientError(said) from error
            raise InvalidError(said) from error
        except APIConnectionError as error:
            raise TransientError(f"embedding: {self._model} cannot be reached, or took too long") from error
        except (OpenAIError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"embedding: the answer of {self._model} is none") from error

    @cached_property
    def _client(self) -> "OpenAI":
        from openai import OpenAI

        return OpenAI(api_key=self._key, base_url=self._url, timeout=self._seconds, max_retries=1)


def _tokens(answer: "CreateEmbeddingResponse") -> int:
    tokens: object = getattr(answer.usage, "prompt_tokens", None)
    return tokens if isinstance(tokens, int) and tokens > 0 else 0


@cache
def _identity() -> "DefaultAzureCredential":
    # One, as it keeps its tokens until they end.
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def identity_token() -> str:
    """Give what the identity that the process runs under opens Azure OpenAI with.

    Raises
    ------
    TransientError
        It has no token.
    """
    from azure.core.exceptions import ClientAuthenticationError

    try:
        return str(_identity().get_token(_AZURE_SCOPE).token)
    except ClientAuthenticationError as error:
        raise TransientError("embedding: the identity has no token for the model") from error

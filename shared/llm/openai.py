"""A server that speaks OpenAI's protocol: OpenAI itself, Azure OpenAI, or any other at an address of its own.

The SDK is imported with the first request: that takes almost half a second. It retries nothing by itself; when and how
often to try again is decided in `accountable.py`.
"""

import asyncio
import logging
import sys
from dataclasses import dataclass, field
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any

from shared.llm.port import Completion, Request, UnansweredError

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential
    from openai import AsyncOpenAI, OpenAIError
    from openai.types.chat import ChatCompletion

OPENAI_URL = "https://api.openai.com/v1"
_AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
_PAUSE_SECONDS = 0.5
_BUSY, _SERVER_ERRORS = 429, 500
_NONSENSE = "the server's answer is no completion"
_UNPLAIN = 400
"""What a server answers that does not know a part of the request."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a model is served.

    Attributes
    ----------
    key : str or None
        What opens it; None where the identity that the process runs under does.
    is_known : bool
        Whether it is OpenAI's own software, which takes the newer name of the answer's limit.
    """

    url: str
    key: str | None = field(repr=False)
    is_known: bool = True


class OpenAICompleter:
    """A `Completer` by chat completions.

    Parameters
    ----------
    model : str
        Its name; in Azure the deployment's.
    """

    def __init__(self, server: Server, model: str) -> None:
        self.model = model
        self._server = server
        self._opened: AsyncOpenAI | None = None
        self._identity: DefaultAzureCredential | None = None
        self._is_plain = False

    async def complete(self, request: Request) -> Completion:
        """Give a completion.

        Notes
        -----
        A server that refuses what not all know (seed, schema, temperature) is asked without it from then on, until
        that is refused as well.
        """
        client = await self._client()
        from openai import OpenAIError

        is_plain = self._is_plain
        try:
            # The SDK's own limit is for each read alone.
            async with asyncio.timeout(request.seconds):
                return _read(await client.chat.completions.create(**self._arguments(request)))
        except TimeoutError as error:
            raise UnansweredError("the model took too long", 0.0, is_free=False) from error
        except OpenAIError as error:
            if getattr(error, "status_code", 0) == _UNPLAIN:
                self._is_plain = not is_plain
                if not is_plain:
                    raise UnansweredError("the server does not know a part of the request (400)", 0.0) from error
            raise _unanswered(error) from error
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            raise UnansweredError(_NONSENSE, _PAUSE_SECONDS, is_free=False) from error

    async def close(self) -> None:
        """Let go of connections."""
        if self._opened is not None:
            await self._opened.close()
        if self._identity is not None:
            await self._identity.close()

    async def _client(self) -> "AsyncOpenAI":
        if "openai" not in sys.modules:
            # Beside the loop, which has other things to do.
            await asyncio.to_thread(import_module, "openai")
        if self._opened is None:
            from openai import AsyncOpenAI

            logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells of each request
            key = self._server.key or self._token
            self._opened = AsyncOpenAI(api_key=key, base_url=self._server.url, max_retries=0)
        return self._opened

    async def _token(self) -> str:
        from azure.core.exceptions import AzureError
        from azure.identity.aio import DefaultAzureCredential

        self._identity = self._identity or DefaultAzureCredential()
        try:
            return (await self._identity.get_token(_AZURE_SCOPE)).token
        except AzureError as error:
            raise UnansweredError("the identity has no token for the model") from error

    def _arguments(self, request: Request) -> dict[str, Any]:
        limit = "max_completion_tokens" if self._server.is_known else "max_tokens"
        arguments: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": role, "content": text} for role, text in request.messages],
            limit: request.most_tokens,
            "timeout": request.seconds,
        }
        if not self._is_plain:
            schema = {"name": request.name, "schema": request.schema, "strict": True}
            arguments |= {
                "seed": request.seed,
                "temperature": 0,
                "response_format": {"type": "json_schema", "json_schema": schema},
            }
        return arguments


def _read(answer: "ChatCompletion") -> Completion:
    choice, usage = answer.choices[0], answer.usage
    text = choice.message.content or ""
    text.encode()  # the SDK checks no types: raises where this is no text, or half a character stands alone in it
    refused = bool(choice.message.refusal) or choice.finish_reason == "content_filter"
    return Completion(
        text=text,
        ending="refusal" if refused else "length" if choice.finish_reason == "length" else "stop",
        input_tokens=_count(getattr(usage, "prompt_tokens", None)),
        output_tokens=_count(getattr(usage, "completion_tokens", None)),
    )


def _count(value: object) -> int | None:
    """Give a number of tokens; None for what is none."""
    if isinstance(value, float) and isfinite(value):
        value = int(value)
    return value if isinstance(value, int) and value >= 0 else None


def _unanswered(error: "OpenAIError") -> UnansweredError:
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        return UnansweredError("the model took too long", 0.0, is_free=False)
    if isinstance(error, APIConnectionError):
        return UnansweredError("no connection to the model", _PAUSE_SECONDS, is_free=False)
    if not isinstance(error, APIStatusError):
        return UnansweredError(_NONSENSE, _PAUSE_SECONDS, is_free=False)
    status = error.status_code
    if status == _BUSY:
        return UnansweredError("too many requests (429)", _wish(error.response.headers.get("retry-after")))
    if status >= _SERVER_ERRORS:
        return UnansweredError(f"the model's server failed ({status})", _PAUSE_SECONDS)
    return UnansweredError(f"the model's server refuses ({status})")


def _wish(retry_after: str | None) -> float:
    try:
        return max(0.0, float(retry_after or _PAUSE_SECONDS))
    except ValueError:  # a date
        return _PAUSE_SECONDS

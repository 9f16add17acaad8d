"""A server that embeds as OpenAI's does: over HTTP on a local port, and wrong where it is told to be."""

import json
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from shared.memory.hashing import HashingEmbedder

KEY = "sk-embedding-0123456789"

type Fault = Callable[[BaseHTTPRequestHandler], None]
"""Answers a request in place of the server."""


class EmbeddingStandIn:
    """A server to be used as a context manager.

    Attributes
    ----------
    seen : list of dict
        Every request's JSON so far.
    faults : deque of Fault
        What is done with the next requests.
    released : threading.Event
        Set when it ends: what stalls waits for it.
    """

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.faults: deque[Fault] = deque()
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                standin.seen.append(asked)
                if self.headers["authorization"] != f"Bearer {KEY}":
                    return say(self, 401, {"error": {"message": "no such key"}})
                if standin.faults:
                    return standin.faults.popleft()(self)
                return say(self, 200, answer(asked))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def say(handler: BaseHTTPRequestHandler, status: int, body: object) -> None:
    """Answer with JSON, or with bytes as they are."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(payload)))
    handler.end_headers()
    handler.wfile.write(payload)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Give what OpenAI answers; the vectors in another order than asked, told apart by their index."""
    vectors = HashingEmbedder().embed(asked["input"])
    rows = [
        {"object": "embedding", "index": index, "embedding": vector[: asked["dimensions"]].tolist()}
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "data": rows[::-1],
        "model": asked["model"],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }

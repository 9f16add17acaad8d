"""A server that speaks OpenAI's protocol on one local port, with faults on request."""

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.standins.openai.answer import completion, tokens
from tests.standins.openai.faults import Drip, Fault, Refuse, Reset, Say, Stall, Through
from tests.standins.openai.model import keeps_to_schemas

KEY = "sk-standin-0123456789abcdef"
DIMENSIONS = 8

type Model = Callable[[dict[str, Any]], str | dict[str, Any] | Refuse]
"""Given a request, what the model says: a text, a message such as one with `tool_calls`, or bytes as they are."""


class OpenAIStandIn:
    """A server to be used as a context manager.

    Parameters
    ----------
    model : callable
        What the model says.

    Attributes
    ----------
    seen : list of dict
        Every request's JSON so far, also of those that met a fault.
    keys : set of str
        What opened it.
    is_plain : bool
        Whether it refuses what not all servers know.
    """

    def __init__(self, model: Model = keeps_to_schemas) -> None:
        self.model = model
        self.seen: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.is_plain = False
        self.released = threading.Event()
        self._faults: deque[Fault] = deque()
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
        """What `OPENAI_BASE_URL` is to say."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def fail(self, *faults: Fault) -> None:
        """Queue faults: the first meets the next request, and so on; then it answers again."""
        self._faults.extend(faults)

    def _answer(self, path: str, request: dict[str, Any]) -> Refuse:
        if path.endswith("/embeddings"):
            return Refuse(200, json.dumps(_embeddings(request)).encode())
        if not path.endswith("/chat/completions"):
            return Refuse(404)
        if self.is_plain and request.keys() & {"response_format", "seed"}:
            return Refuse(400)
        said = self.model(request)
        if isinstance(said, Refuse):
            return said
        if isinstance(said, str):
            return Refuse(200, json.dumps(completion(request, said)).encode())
        finish = "tool_calls" if "tool_calls" in said else "stop"
        return Refuse(200, json.dumps(completion(request, said.pop("content", None), finish=finish, **said)).encode())

    def _meet(self, path: str, request: dict[str, Any]) -> Refuse | Drip | None:
        match self._faults.popleft() if self._faults else Through():
            case (Refuse() | Drip()) as met:
                return met
            case Reset():
                return None
            case Stall():
                self.released.wait()
            case Say(text, finish, refusal):
                return Refuse(200, json.dumps(completion(request, text, finish=finish, refusal=refusal)).encode())
        return self._answer(path, request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                standin.seen.append(request)
                standin.keys.add(self.headers.get("authorization", "").removeprefix("Bearer "))
                answer = standin._meet(self.path, request)
                if answer is None:
                    self._reset()
                elif isinstance(answer, Drip):
                    self._drip(answer.seconds)
                else:
                    self._send(answer)

            def _reset(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            def _drip(self, seconds: float) -> None:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "1000000")
                self.end_headers()
                self.close_connection = True
                with suppress(OSError):
                    while not standin.released.wait(seconds):
                        self.wfile.write(b" ")

            def _send(self, answer: Refuse) -> None:
                self.send_response(answer.status)
                self.send_header("content-type", answer.content_type)
                self.send_header("content-length", str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(answer.body)
                except OSError:
                    self.close_connection = True  # who asked has gone

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler


def _embeddings(request: dict[str, Any]) -> dict[str, Any]:
    """Give a vector for each text: counts of its letters, folded into a few dimensions."""
    texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
    vectors = [
        [float(sum(ord(letter) % DIMENSIONS == part for letter in text)) for part in range(DIMENSIONS)]
        for text in texts
    ]
    used = sum(map(tokens, texts))
    return {
        "object": "list",
        "model": request["model"],
        "data": [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(vectors)],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }

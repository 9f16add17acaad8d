"""Alpaca's REST services on one local port: the HTTP around `AlpacaService`, with faults on request."""

import json
import os
import socket
import struct
import sys
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from tests.standins.alpaca.faults import Answer, Cut, Drip, Fault, Reset, Stall, Through, refused
from tests.standins.alpaca.service import AlpacaService, RefusedError

KEY, SECRET = "PKSTANDIN", "standin-secret"
LIMIT_PER_MINUTE = 200


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    path: str
    params: dict[str, str]


class AlpacaStandIn:
    """A server to be used as a context manager; `url` serves for market data, news and trading alike.

    Attributes
    ----------
    service : AlpacaService
        The data; change it whenever you like.
    seen : list of Seen
        Every request so far, also those that met a fault.
    date : datetime or None
        What the Date header says, UTC; None for the machine's time.
    """

    def __init__(self, service: AlpacaService) -> None:
        self.service = service
        self.seen: list[Seen] = []
        self.date: datetime | None = None
        self.released = threading.Event()
        self._arrival = threading.Condition()
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, path: str, *faults: Fault) -> None:
        """Queue faults for a path: the first meets its next request, and so on; then it answers again."""
        self._faults[path].extend(faults)

    def heal(self) -> None:
        """Forget the faults that are still queued."""
        with self._arrival:
            self._faults.clear()

    def release(self) -> None:
        """End every stall, now and later."""
        self.released.set()

    def asked(self, path: str) -> list[dict[str, str]]:
        """Give the parameters of each request for a path so far."""
        return [request.params for request in self.seen if request.path == path]

    def wait_for(self, count: int) -> None:
        """Block until so many requests came in.

        Raises
        ------
        TimeoutError
            They did not within 10 seconds.
        """
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.seen) >= count, timeout=10):
                raise TimeoutError(f"{len(self.seen)} requests instead of {count}")

    def arrive(self, request: Seen) -> Fault:
        """Note a request and give the fault that it meets."""
        with self._arrival:
            self.seen.append(request)
            self._arrival.notify_all()
            queue = self._faults[request.path]
            return queue.popleft() if queue else Through()


class _Server(ThreadingHTTPServer):
    def __init__(self, standin: AlpacaStandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.standin = standin

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that gave up is what many faults are for.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body go out in two writes; the second would wait 40 ms for the first one's acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        standin, url = self.server.standin, urlsplit(self.path)
        params = dict(parse_qsl(url.query))
        match standin.arrive(Seen(url.path, params)):
            case Answer() as answer:
                self._send(answer)
            case Reset():
                self._reset()
            case Cut():
                self._send(self._data(url.path, params), cut=True)
            case Stall(seconds):
                standin.released.wait(seconds)
                self._send(self._data(url.path, params))
            case Drip(seconds):
                self._send(self._data(url.path, params), pause=seconds)
            case Through():
                self._send(self._data(url.path, params))

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""

    def _data(self, path: str, params: dict[str, str]) -> Answer:
        if (self.headers["APCA-API-KEY-ID"], self.headers["APCA-API-SECRET-KEY"]) != (KEY, SECRET):
            return refused(403, "forbidden.")
        try:
            return Answer(body=json.dumps(self.server.standin.service.answer(path, params)).encode())
        except RefusedError as refusal:
            return refused(refusal.status, refusal.message)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Give the Date header."""
        date = self.server.standin.date
        return super().date_time_string(timestamp) if date is None else format_datetime(date, usegmt=True)

    def _send(self, answer: Answer, *, cut: bool = False, pause: float = 0) -> None:
        self.send_response_only(answer.status)
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
        }
        for name, value in (headers | self._quota() | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        sent = answer.body[: len(answer.body) // 2] if cut else answer.body
        for part in (bytes([byte]) for byte in sent) if pause else (sent,):
            self.server.standin.released.wait(pause)
            self.wfile.write(part)
        self.close_connection = self.close_connection or cut

    def _quota(self) -> dict[str, str]:
        count = len(self.server.standin.seen)
        return {
            "X-Ratelimit-Limit": str(LIMIT_PER_MINUTE),
            "X-Ratelimit-Remaining": str(max(LIMIT_PER_MINUTE - count, 0)),
            "X-Ratelimit-Reset": str((int(time.time()) // 60 + 1) * 60),
            "X-Request-ID": f"{count:032x}",
        }

    def _reset(self) -> None:
        # Closing with a linger of 0 s sends RST; the descriptor itself, for the handler's files still hold the socket.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True

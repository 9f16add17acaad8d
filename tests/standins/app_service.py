"""A stand-in of App Service authentication in front of a desk: a session by cookie, and headers that no caller can set.

It does what Microsoft documents for `unauthenticatedClientAction: AllowAnonymous`: everything is let through, whoever
has a session is told of in `X-MS-CLIENT-PRINCIPAL`, and such headers of the caller's own are taken away.

References
----------
https://learn.microsoft.com/azure/app-service/overview-authentication-authorization
"""

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

COOKIE = "AppServiceAuthSession"
TENANT, ACCOUNT = "4f0d2a5e-0000-4000-8000-000000000001", "9b1c7d3f-0000-4000-8000-000000000002"
LOG_IN, LOG_OUT = "/.auth/login/aad", "/.auth/logout"
_OURS = "x-ms-client-principal"
_OF_A_HOP = {"connection", "keep-alive", "transfer-encoding"}
_PATIENCE_SECONDS = 60


def principal(*roles: str) -> str:
    """Give the header that tells of the account, with these app roles."""
    claims = [{"typ": "tid", "val": TENANT}, {"typ": "oid", "val": ACCOUNT}]
    claims += [{"typ": "roles", "val": role} for role in roles]
    told = {"auth_typ": "aad", "role_typ": "roles", "claims": claims}
    return base64.b64encode(json.dumps(told).encode()).decode()


class AppService(ThreadingHTTPServer):
    """The front of a desk; whoever follows the link to sign in is signed in.

    Parameters
    ----------
    desk : str
        Host and port of the desk.
    """

    daemon_threads = True

    def __init__(self, desk: str, *roles: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.desk = desk
        self.principal = principal(*roles)
        self.sessions: set[str] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def fronted(desk_url: str, *roles: str) -> Iterator[AppService]:
    """Put it in front of a desk, with these app roles for its account."""
    with AppService(urlsplit(desk_url).netloc, *roles) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AppService

    def _handle(self) -> None:
        """Sign in or out, or pass the request on."""
        path = urlsplit(self.path)
        if path.path == LOG_IN:
            session = secrets.token_urlsafe()
            self.server.sessions.add(session)
            self._redirect(parse_qs(path.query)["post_login_redirect_uri"][0], f"{COOKIE}={session}; Path=/; HttpOnly")
        elif path.path == LOG_OUT:
            self.server.sessions.discard(self._session)
            self._redirect("/", f"{COOKIE}=; Path=/; Max-Age=0")
        else:
            self._pass_on()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _handle  # noqa: N815 - as http.server names them

    @property
    def _session(self) -> str:
        found = SimpleCookie(self.headers.get("cookie", "")).get(COOKIE)
        return found.value if found is not None else ""

    def _redirect(self, place: str, cookie: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        for name, value in (("Location", place), ("Set-Cookie", cookie), ("Content-Length", "0")):
            self.send_header(name, value)
        self.end_headers()

    def _pass_on(self) -> None:
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _OF_A_HOP and not name.lower().startswith(_OURS)
        }
        if self._session in self.server.sessions:
            headers[_OURS] = self.server.principal
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        desk = HTTPConnection(self.server.desk, timeout=_PATIENCE_SECONDS)
        try:
            desk.request(self.command, self.path, body or None, headers)
            self._answer(desk.getresponse())
        except OSError:  # the browser has gone, or the desk
            self.close_connection = True
        finally:
            desk.close()

    def _answer(self, answer: HTTPResponse) -> None:
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {*_OF_A_HOP, "content-length", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

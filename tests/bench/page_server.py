"""The peers of polling: pages of the same log, by FastAPI with pydantic models and by starlette joining stored JSON.

Both read SQLite on the event loop and are served with the settings that the desk gives uvicorn.
"""

import json
import socket
import sqlite3
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.events.envelope import Event

_PAGE = "SELECT position, body FROM events WHERE position > ? ORDER BY position LIMIT ?"


class EventPage(BaseModel):
    """A page as FastAPI prints it."""

    events: list[Event]
    cursor: str


def fastapi_pages(log: sqlite3.Connection) -> FastAPI:
    """Serve pages the usual way: rows become models, models become JSON."""
    app = FastAPI()

    @app.get("/api/events")
    async def list_events(after: int = 0, limit: int = 100) -> EventPage:
        rows = log.execute(_PAGE, (after, limit)).fetchall()
        events = [Event.model_validate_json(body) for _, body in rows]
        return EventPage(events=events, cursor=str(rows[-1][0] if rows else after))

    return app


def starlette_pages(log: sqlite3.Connection) -> Starlette:
    """Serve pages the short way: stored JSON is joined."""

    async def list_events(request: Request) -> Response:
        after, limit = int(request.query_params.get("after", 0)), int(request.query_params.get("limit", 100))
        rows = log.execute(_PAGE, (after, limit)).fetchall()
        cursor = str(rows[-1][0] if rows else after).encode()
        body = b'{"events":[' + b",".join(body for _, body in rows) + b'],"cursor":"' + cursor + b'"}'
        return Response(body, media_type="application/json")

    return Starlette(routes=[Route("/api/events", list_events)])


SERVERS = {"fastapi": fastapi_pages, "starlette": starlette_pages}


def main(name: str, file: str) -> None:
    """Serve until killed; the first line on stdout says where."""
    log = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    app: Any = SERVERS[name](log)
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, proxy_headers=False, server_header=False
    )
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])

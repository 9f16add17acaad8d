"""The dashboard and its components: the built files of `web/`, served from memory, and nothing else.

Only names that the build wrote are answered, so no address leads out of its folder. Where nothing was built, the page
at `/` says how to.
"""

from functools import cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Response

from functions.api.web_file import Representation, WebFile
from shared.errors import FinAgentError, MissingError
from shared.wiring import desk

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "site"
TOP = ("components.js", "favicon.svg", "licenses.txt", "offline.js")
"""Files beside the pages whose names stay as they are when their content changes."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS_ASK = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>FinAgent</title>
<p>The desk runs. Its dashboard was not built: with Node 20 or later, run <code>make web</code> and start the desk anew.
<p>The <a href="/api/docs">API and its documentation</a> are there without it.
"""

Encodings = Annotated[str, Header(alias="accept-encoding")]
Known = Annotated[str, Header(alias="if-none-match")]


@router.get("/")
async def get_desk(if_none_match: Known = "") -> Response:
    """Give the dashboard's page."""
    return _page("index.html", if_none_match)


@router.get("/gallery")
async def get_gallery(if_none_match: Known = "") -> Response:
    """Give the page that shows each component."""
    return _page("gallery.html", if_none_match)


@router.get("/assets/{name}")
async def get_asset(name: str, accept_encoding: Encodings = "", if_none_match: Known = "") -> Response:
    """Give a file whose name tells its content."""
    return _file(f"assets/{name}", accept_encoding, if_none_match, _FOR_EVER)


def is_built() -> bool:
    """Say whether there is a dashboard to open."""
    return "index.html" in _site()


def _top(name: str) -> None:
    @router.get(f"/{name}")
    async def get_file(accept_encoding: Encodings = "", if_none_match: Known = "") -> Response:
        return _file(name, accept_encoding, if_none_match, _ALWAYS_ASK)


for _name in TOP:
    _top(_name)


def _page(name: str, known: str) -> Response:
    found = _site().get(name)
    told = _NOT_BUILT if found is None else found.plain.replace(b'content="auth"', b'content="%b"' % _auth())
    headers = {"Cache-Control": _ALWAYS_ASK, "Content-Security-Policy": _POLICY}
    return Representation(told, f'"{sha256(told).hexdigest()[:32]}"').answer(known, "text/html", headers)


def _file(name: str, accepted: str, known: str, caching: str) -> Response:
    found = _site().get(name)
    if found is None:
        raise MissingError(f"there is no file {name[:100]}")
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    if name == "offline.js":
        headers["Content-Security-Policy"] = _POLICY  # a worker's own requests go by its own
    return found.best(accepted).answer(known, guess_type(name)[0] or "application/octet-stream", headers)


def _auth() -> bytes:
    """Give how the desk knows its callers, which the page must know before it asks for anything."""
    try:
        return desk().settings.auth.encode()
    except FinAgentError:  # the page's first request says what is wrong
        return b"none"


@cache
def _site() -> dict[str, WebFile]:
    """Give what was built, by name. It is read once: a new build is a new start."""
    paths = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in (".br", ".gz")]
    return {path.relative_to(FOLDER).as_posix(): WebFile.read(path) for path in paths}

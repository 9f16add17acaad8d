"""The HTTP side in this process, with callers: keys of several owners, and principals as App Service writes them."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx

from functions.api.application import MAX_BODY_BYTES, application
from functions.api.gate import Gate
from shared.callers.caller import Role
from shared.callers.key import Key, new_key
from shared.callers.sqlite import SqliteKeyRing

SITE = "http://127.0.0.1:7071"
MADE_AT = datetime(2026, 1, 2, tzinfo=UTC)
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
TENANT_ID = "http://schemas.microsoft.com/identity/claims/tenantid"

READ, TRADE, OPERATE = Role.READER, Role.TRADER, Role.OPERATOR


def client(headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Give a client of the app behind its gate; an error that the app did not foresee is an answer, as over a wire."""
    transport = httpx.ASGITransport(Gate(application(), MAX_BODY_BYTES), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=SITE, headers=headers)


async def a_key(folder: Path, owner: str | None, *roles: Role) -> tuple[Key, dict[str, str]]:
    """Add a key to the desk in a folder, and give it with the headers that show it."""
    key, text = new_key(owner, frozenset(roles or (READ,)), MADE_AT)
    await SqliteKeyRing(folder / "keys.sqlite").add(key)
    return key, {"Authorization": f"Bearer {text}"}


def a_principal(account: str, *roles: str, tenant: str = TENANT, issuer: str = "aad") -> dict[str, str]:
    """Give the headers by which App Service says who signed in."""
    claims = [(TENANT_ID, tenant), (OBJECT_ID, account), ("name", "Some Body"), *(("roles", role) for role in roles)]
    principal = {
        "auth_typ": issuer,
        "claims": [{"typ": kind, "val": value} for kind, value in claims if value],
        "name_typ": "name",
        "role_typ": "roles",
    }
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(principal).encode()).decode()}

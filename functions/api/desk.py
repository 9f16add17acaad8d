"""The desk itself over HTTP: its agents, its topology, its event catalogue, and its health."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from shared.errors import MissingError
from shared.events.catalogue import schemas
from shared.events.envelope import Token, UtcTime
from shared.wiring import desk

router = APIRouter(prefix="/api", tags=["desk"])


@router.get("/agents")
async def list_agents() -> dict[str, list[dict[str, Any]]]:
    """Give each agent with what it reacts to, where it votes, and what it has views on."""
    return {"agents": await desk().queries.agents()}


@router.get("/agents/{name}/views/{subject}", response_model=dict[str, object])
async def get_view(name: Token, subject: Token, as_of: Annotated[UtcTime | None, Query()] = None) -> Response:
    """Give the event with an agent's latest view of a symbol or portfolio, as of a desk time."""
    current = desk()
    body = await current.queries.view(name, subject, as_of or current.clock.now())
    return Response(body, media_type="application/json")


@router.get("/topology")
async def get_topology() -> dict[str, Any]:
    """Give the topics, the subscriptions and what each lets through."""
    return desk().queries.topology.model_dump(mode="json", by_alias=True)


@router.get("/schemas")
async def list_schemas() -> dict[str, Any]:
    """Give the JSON schema of every event type."""
    return {"schemas": schemas()}


@router.get("/schemas/{event_type}")
async def get_schema(event_type: Token) -> dict[str, Any]:
    """Give the JSON schema of one event type."""
    known = schemas()
    if event_type not in known:
        raise MissingError(f"there is no event type {event_type}")
    return known[event_type]


@router.get("/health")
async def get_health() -> JSONResponse:
    """Say whether the desk is ready: 200 only when store and bus answer."""
    from fastapi.encoders import jsonable_encoder

    health = await desk().queries.health()
    return JSONResponse(jsonable_encoder(health), 200 if health["status"] == "ready" else 503)

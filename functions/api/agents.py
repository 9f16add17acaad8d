"""One agent over HTTP: what it is, and how it does."""

from typing import Annotated

from fastapi import Path, Query, Response

from functions.api import operation
from functions.api.access import Calling
from functions.api.problem import documented
from functions.api.request import Moment
from shared.events.envelope import Token
from shared.profile import Profile
from shared.wiring import desk

router = operation.router("/api/agents", "desk")


@router.get("/{name}", response_model=Profile, responses=documented(404))
async def get_agent(
    caller: Calling,
    name: Annotated[Token, Path(examples=["market_analyst"])],
    as_of: Annotated[Moment | None, Query(description="As it was then; now, unless given.")] = None,
) -> Response:
    """Give what an agent does, what it last concluded, how often it abstains, and the weight that its record earns."""
    current = desk()
    return operation.answer(await current.queries.agent(caller, name, as_of or current.clock.now()))

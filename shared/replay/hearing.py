"""What agents heard too late on the live desk, they hear too late in a replay: by time alone all would be in time."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.agents.decision import Decision, Handler
from shared.agents.step import CONSENSUS, Rounds
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.trade import ConsensusReached, OpinionFormed
from shared.runtime import Role


def with_late(roles: Mapping[str, Role], late: Collection[str], heard_at: datetime) -> dict[str, Role]:
    """Give the roles, of which events whose ids are `late` are heard at a moment and not before."""

    def later(handler: Handler) -> Handler:
        """Give a handler that says what is late when it was heard."""

        async def on_event(event: Any, state: Any, deps: Any) -> Decision[Any]:
            """Decide, and hold back what is late."""
            decision = await handler(event, state, deps)
            emits = (Emit(each.event, heard_at) if each.event.id in late else each for each in decision.emits)
            return replace(decision, emits=tuple(emits))

        return on_event

    return _handling(roles, lambda role: {kind: later(handler) for kind, handler in role.handlers.items()})


def with_missing(roles: Mapping[str, Role], came: Iterable[Event]) -> dict[str, Role]:
    """Give the roles, of which the consensus counts no vote that it missed when it came to what it came to then."""
    missed = {
        (event.data.trigger, agent)
        for event in came
        if isinstance(event, ConsensusReached)
        for agent in event.data.missing
    }

    def in_time(handler: Handler) -> Handler:
        """Give a handler of votes that knows which were late."""

        async def on_opinion(event: OpinionFormed, state: Rounds, deps: Any) -> Decision[Any]:
            """Count a vote, or leave it where its round was closed without it and is still open here."""
            current = state.rounds.get(event.data.trigger)
            is_early = current is None or not current.closed
            if is_early and (event.data.trigger, event.data.agent) in missed:
                return Decision()
            return await handler(event, state, deps)

        return on_opinion

    def handlers(role: Role) -> Mapping[type[Event], Handler]:
        """Give a role's handlers, the consensus's with a look at the time."""
        if role.name != CONSENSUS:
            return role.handlers
        return {**role.handlers, OpinionFormed: in_time(role.handlers[OpinionFormed])}

    return _handling(roles, handlers) if missed else dict(roles)


def _handling(roles: Mapping[str, Role], handlers: Callable[[Role], Mapping[type[Event], Handler]]) -> dict[str, Role]:
    return {name: replace(role, handlers=handlers(role)) for name, role in roles.items()}

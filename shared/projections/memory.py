"""Folds the log into agents' memory: what they concluded, and later how it turned out.

A round's opinions are remembered when its consensus is reached, by one message instead of one for each; an opinion
that came late is remembered when it is graded, which completes every memory. Folding twice, or in another order, gives
the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.memory import MemoryRevoked
from shared.events.trade import ConsensusReached, OpinionFormed, OpinionGraded, TradeRequested
from shared.memory.port import Memories
from shared.memory.situation import remembered
from shared.store.port import EventStore

FOLDED = (ConsensusReached, OpinionGraded, MemoryRevoked)
"""What changes what agents remember."""


@dataclass(frozen=True, slots=True)
class MemoryFold:
    """Keeps agents' memory up to date; nothing else writes it."""

    memories: Memories
    store: EventStore

    async def project(self, event: Event) -> None:
        """Fold one event of the live desk; other events change nothing."""
        match event:
            case ConsensusReached():
                views = [vote.opinion for vote in event.data.votes if vote.abstained is None]
                await self._remember(event, views)
            case OpinionGraded():
                await self._remember(event, [event.data.opinion], event)
            case MemoryRevoked():
                await self.memories.revoke(event.data.source, event.owner, everyone=event.data.everyone)
            case _:
                assert not isinstance(event, FOLDED)

    async def clear(self) -> None:
        """Forget everything, before a rebuild."""
        await self.memories.clear()

    async def _remember(self, event: Event, opinions: Sequence[str], grade: OpinionGraded | None = None) -> None:
        found = [await self._read(each, event.stream) for each in opinions]
        votes = [each for each in found if isinstance(each, OpinionFormed)]
        asked = {each: await self._read(each, event.stream) for each in {vote.data.trigger for vote in votes}}
        trades = [(vote, asked[vote.data.trigger]) for vote in votes]
        made = [remembered(vote, trade, grade) for vote, trade in trades if isinstance(trade, TradeRequested)]
        if memories := [memory for memory in made if memory is not None]:
            await self.memories.remember(memories)

    async def _read(self, event_id: str, stream: str) -> Event | None:
        body = await self.store.get(event_id, stream)
        return None if body is None else decode(body)

"""The record of each agent: how its graded opinions turned out, as known at a moment."""

import asyncio
import json
from collections.abc import Iterable
from datetime import datetime

from shared.events.envelope import Event
from shared.events.trade import AgentRecord, OpinionGraded
from shared.projections.port import ProjectionStore, Row

_VIEW = "record"


def rows(event: Event) -> list[Row]:
    """Fold an event into a record row; other events give none."""
    if not isinstance(event, OpinionGraded):
        return []
    record = event.data.record
    # Of several grades of one moment the row that sorts last is kept: that is the one that knows most.
    body = json.dumps([f"{record.overall.count:012d}", record.model_dump(mode="json")]).encode()
    return [Row(_VIEW, event.data.agent, event.time, event.time, body)]


class Records:
    """Reads agents' records."""

    def __init__(self, store: ProjectionStore) -> None:
        self._store = store

    async def latest(self, agent: str, as_of: datetime) -> AgentRecord | None:
        """Give an agent's record as of a moment; None where nothing was graded by then."""
        found = await self._store.read(_VIEW, agent, as_of)
        return AgentRecord.model_validate(json.loads(found[0].body)[1]) if found else None

    async def all(self, agents: Iterable[str], as_of: datetime) -> dict[str, AgentRecord]:
        """Give the records that there are."""
        names = list(agents)
        records = await asyncio.gather(*(self.latest(name, as_of) for name in names))
        return {name: record for name, record in zip(names, records, strict=True) if record is not None}

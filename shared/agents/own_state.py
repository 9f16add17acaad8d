"""An agent's own snapshots in other streams than that of the event at hand, read-only."""

from pydantic import BaseModel

from shared.store.port import EventStore


class OwnState[S: BaseModel]:
    """Reads the snapshots of one agent.

    Parameters
    ----------
    store : EventStore
        Where they are.
    agent : str
        Whose they are; no other agent's can be read.
    model : type of BaseModel
        What they are.
    """

    def __init__(self, store: EventStore, agent: str, model: type[S]) -> None:
        self._store = store
        self._agent = agent
        self._model = model

    async def read(self, stream: str) -> S:
        """Give the state in a stream; where there is none, the state before the first event."""
        snapshot = await self._store.snapshot(self._agent, stream)
        return self._model() if snapshot is None else self._model.model_validate_json(snapshot.body)

"""An agent's own snapshots in other streams than that of the event at hand, read-only."""

from pydantic import BaseModel, ValidationError

from shared.errors import InvalidError
from shared.events.catalogue import describe
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
        """Give the state in a stream; where there is none, the state before the first event.

        Raises
        ------
        InvalidError
            What is stored is not of the model.
        """
        snapshot = await self._store.snapshot(self._agent, stream)
        if snapshot is None:
            return self._model()
        try:
            return self._model.model_validate_json(snapshot.body)
        except ValidationError as error:
            raise InvalidError(f"the snapshot of {self._agent} cannot be read: {describe(error)}") from error

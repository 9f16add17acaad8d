"""An agent's own snapshots: how the runtime hands it its state, and how it reads those of its other streams."""

from collections import OrderedDict

from pydantic import BaseModel, ValidationError

from shared.errors import InvalidError
from shared.events.catalogue import describe
from shared.store.port import EventStore

_PARSED_KEPT = 256


class OwnState[S: BaseModel]:
    """Reads the snapshots of one agent, and parses each only once: states are never mutated.

    Parameters
    ----------
    store : EventStore
        Where they are.
    agent : str
        Whose they are; no other agent's can be read.
    model : type of BaseModel
        What they are; of a model without fields none is stored.
    """

    def __init__(self, store: EventStore, agent: str, model: type[S]) -> None:
        self._store = store
        self._agent = agent
        self._model = model
        self._parsed: OrderedDict[str, tuple[bytes, S]] = OrderedDict()

    async def read(self, stream: str) -> S:
        """Give the state in a stream; where there is none, the state before the first event.

        Raises
        ------
        InvalidError
            What is stored is not of the model.
        """
        return (await self.load(stream))[0]

    async def load(self, stream: str) -> tuple[S, str | None]:
        """Give the state in a stream as `read` does, and the etag that a commit on top of it must name."""
        snapshot = await self._store.snapshot(self._agent, stream) if self._model.model_fields else None
        if snapshot is None:
            return self._model(), None
        known = self._parsed.get(stream)
        if known is None or known[0] != snapshot.body:
            self._remember(stream, snapshot.body, self._parse(snapshot.body))
        return self._parsed[stream][1], snapshot.etag

    def dump(self, stream: str, state: S | None) -> bytes | None:
        """Give the JSON by which a state is committed; None where there is nothing to commit."""
        if state is None or not self._model.model_fields:
            return None
        body = state.model_dump_json().encode()
        self._remember(stream, body, state)
        return body

    def _remember(self, stream: str, body: bytes, state: S) -> None:
        self._parsed[stream] = body, state
        self._parsed.move_to_end(stream)
        if len(self._parsed) > _PARSED_KEPT:
            self._parsed.popitem(last=False)

    def _parse(self, body: bytes) -> S:
        try:
            return self._model.model_validate_json(body)
        except ValidationError as error:
            raise InvalidError(f"the snapshot of {self._agent} cannot be read: {describe(error)}") from error

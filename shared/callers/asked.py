"""What a caller once asked the desk for, by its id; what is another's is as if it were not there."""

from shared.callers.caller import Caller
from shared.errors import MissingError
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.store.port import EventStore


async def asked[T: Event](store: EventStore, caller: Caller, kind: type[T], what: str, event_id: str, stream: str) -> T:
    """Give the event that asked.

    Parameters
    ----------
    what : str
        What it is called to people, for example `trade`.
    stream : str
        Where it lies.

    Raises
    ------
    MissingError
        There is none of this kind that the caller may read.
    """
    body = await store.get(event_id, stream)
    event = None if body is None else decode(body)
    if not isinstance(event, kind) or not caller.reads(event):
        raise MissingError(f"there is no {what} {event_id}")
    return event

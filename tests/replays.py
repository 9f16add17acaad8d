"""What the tests of replays have in common: the golden run, and a log as a desk would have stored it."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from shared.events.envelope import Event
from shared.rehearsal import replayed
from shared.replay.debug_case import Case, play, read
from shared.store.in_memory import InMemoryEventStore

GOLDEN = Path(__file__).parent / "golden" / "autumn-2008.jsonl"


@cache
def golden() -> Case:
    """Give the golden run."""
    return read(GOLDEN)


def short() -> Case:
    """Give its last weeks alone, which play in a moment."""
    played = golden().played[-110:]
    held = an_event(golden(), "portfolio.changed").model_copy(update={"time": played[0].time})
    return replace(golden(), played=(held, *played), came=())


def an_event(case: Case, kind: str, place: int = 0) -> Event:
    """Give one of a type that was played."""
    return [event for event in case.played if event.type == kind][place]


async def log_of(case: Case) -> InMemoryEventStore:
    """Give the log of a desk that played a case."""
    store = InMemoryEventStore()
    await store.append((await play(case, replayed)).log)
    return store

"""Checks a trade's round, however its votes came in."""

from collections import Counter
from collections.abc import Iterable

from shared.agents.registry import TRADE
from shared.agents.step import CONSENSUS, Rounds
from shared.events.envelope import Event
from shared.events.trade import ConsensusReached, OpinionFormed, TradeRequested
from tests.standins.desk import MemoryDesk


async def check_round(desk: MemoryDesk, trade: TradeRequested, events: Iterable[Event]) -> None:
    """There is one consensus; each vote counts in it or is kept as late, and whose does not count is named as missing.

    Parameters
    ----------
    events : iterable of Event
        The trade's stream.
    """
    stream = list(events)
    (reached,) = [event.data for event in stream if isinstance(event, ConsensusReached)]
    opinions = {event.id: event.data.agent for event in stream if isinstance(event, OpinionFormed)}
    counted = {vote.opinion: vote.agent for vote in reached.votes}
    snapshot = await desk.store.snapshot(CONSENSUS, trade.stream)
    assert snapshot is not None
    late = Rounds.model_validate_json(snapshot.body).rounds[trade.id].late
    assert sorted(opinions.values()) == sorted(TRADE.judges)
    assert counted.items() <= opinions.items()
    assert Counter([*counted, *late]) == Counter(opinions.keys())
    assert list(reached.missing) == sorted(opinions[opinion] for opinion in late)

"""Which executions of a trade's story its consensus waited for."""

from typing import Literal

from shared.events.envelope import Event
from shared.events.trade import Consensus, ConsensusReached, Vote
from shared.latency import Hop, hops, span_us
from shared.ledger.port import Entry, Usage
from tests.builders import CLOSE, a_deadline, a_trade_request, an_opinion

REQUEST = a_trade_request(id="trade-1")
VOTES = {agent: an_opinion(REQUEST, agent=agent) for agent in ("market_analyst", "risk_manager")}
DEADLINE = a_deadline(REQUEST)
MS = 1_000


def a_consensus(closed_by: Literal["quorum", "deadline"], *agents: str) -> ConsensusReached:
    """Give the consensus of these agents' votes."""
    votes = tuple(Vote(agent=agent, opinion=VOTES[agent].id, stance=0.5, confidence=0.5, weight=1) for agent in agents)
    data = Consensus(
        step="trade",
        trigger=REQUEST.id,
        decision="approved",
        score=0.5,
        dispersion=0,
        closed_by=closed_by,
        votes=votes,
        vetoes=(),
        dissent=(),
        missing=(),
        explanation="",
        decided_at=CLOSE,
    )
    return ConsensusReached.caused_by(REQUEST, source="consensus", data=data, causation=REQUEST.id)


def an_entry(
    start_ms: int, agent: str, event: Event, *, received: int = 1, wait_ms: int = 1, done_ms: int = 2
) -> Entry:
    """Give an execution that worked so long."""
    usage = Usage(1, received=received, wait_us=wait_ms * MS, handler_us=done_ms * MS)
    return Entry(start_ms * MS, agent, event.id, event.type, REQUEST.id, "", "", usage)


ASKED = an_entry(0, "POST /api/trades", REQUEST, received=0, wait_ms=0)
ANALYSED = an_entry(10, "market_analyst", REQUEST)
ASSESSED = an_entry(11, "risk_manager", REQUEST)
OPENED = an_entry(12, "consensus", REQUEST)
PROJECTED = an_entry(13, "projector", VOTES["risk_manager"])
FIRST_VOTE = an_entry(20, "consensus", VOTES["risk_manager"])
LAST_VOTE = an_entry(30, "consensus", VOTES["market_analyst"], done_ms=5)
STORY = [ASKED, ANALYSED, ASSESSED, OPENED, PROJECTED, FIRST_VOTE, LAST_VOTE]
QUORUM = a_consensus("quorum", "market_analyst", "risk_manager")


def critical(found: list[Hop]) -> list[Entry]:
    return [hop.entry for hop in found if hop.is_critical]


def test_hops_when_a_vote_closed_the_round_are_critical_back_from_the_last_one() -> None:
    found = hops([REQUEST, *VOTES.values(), QUORUM], STORY)
    assert [hop.entry for hop in found] == STORY
    assert critical(found) == [ASKED, ANALYSED, LAST_VOTE]
    assert span_us(found) == 35 * MS


def test_hops_when_the_deadline_closed_the_round_are_critical_back_from_it() -> None:
    closed = an_entry(30_000, "consensus", DEADLINE)
    story = [REQUEST, VOTES["risk_manager"], DEADLINE, a_consensus("deadline", "risk_manager")]
    entries = [ASKED, ANALYSED, ASSESSED, OPENED, FIRST_VOTE, closed]
    assert critical(hops(story, entries)) == [ASKED, OPENED, closed]


def test_hops_when_a_message_came_twice_count_its_first_time() -> None:
    again = an_entry(40, "consensus", VOTES["market_analyst"])
    assert critical(hops([REQUEST, *VOTES.values(), QUORUM], [*STORY, again])) == [ASKED, ANALYSED, LAST_VOTE]


def test_hops_when_there_is_no_consensus_yet_are_not_critical() -> None:
    found = hops([REQUEST, *VOTES.values()], STORY)
    assert (len(found), critical(found), span_us(found)) == (len(STORY), [], None)


def test_hops_when_the_ledger_has_forgotten_are_none() -> None:
    found = hops([REQUEST, *VOTES.values(), QUORUM], [])
    assert (found, span_us(found)) == ([], None)


def test_span_when_the_request_came_before_the_ledger_begins_with_the_wait_of_the_first() -> None:
    found = hops([REQUEST, *VOTES.values(), QUORUM], STORY[1:])
    assert span_us(found) == (35 - 9) * MS

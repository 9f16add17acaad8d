"""Owners in events: what follows from an owner's is the owner's, and what is nobody's is shown to nobody by mistake."""

import json

import pytest

from shared.bus.topology import topology
from shared.callers.caller import LOCAL, NOBODY, Caller, Role
from shared.errors import InvalidError
from shared.events.catalogue import EVENTS, decode
from shared.events.envelope import EVERYBODY, OPERATORS, Event
from shared.events.step import StepFailed
from shared.ingest import portfolio_event
from shared.projections.portfolio import stream_of
from shared.runtime import Received
from tests.builders import CLOSE, a_deadline, a_headline, a_portfolio, a_trade_request, altered, an_opinion, market_data
from tests.standins.desk import MemoryDesk, an_agent_desk

HERS = altered(a_trade_request(), owner="alice")
ALICE = Caller("key:1", "alice", frozenset({Role.TRADER}))
BOB = Caller("key:2", "bob", frozenset({Role.READER}))
OSCAR = Caller("key:3", "oscar", frozenset({Role.OPERATOR}))
PUBLIC = {
    "analysis.completed",
    "forecast.published",
    "headline.read",
    "market.crash.detected",
    "market.data.received",
    "market.whale.detected",
    "news.received",
    "regulation.changed",
    "sentiment.scored",
}


def test_event_type_when_nothing_is_said_is_not_public() -> None:
    assert {name for name, kind in EVENTS.items() if kind.public} == PUBLIC
    assert not Event.public


@pytest.mark.parametrize("make", [an_opinion, a_deadline])
def test_event_when_it_follows_from_an_owners_is_the_owners(make: object) -> None:
    assert callable(make)
    assert make(HERS).owner == "alice"
    assert make(a_trade_request()).owner is None


def test_event_when_it_is_the_desks_has_the_same_bytes_as_before_there_were_owners() -> None:
    assert "owner" not in json.loads(a_trade_request().json_bytes)
    assert json.loads(HERS.json_bytes)["owner"] == "alice"
    assert decode(HERS.json_bytes) == HERS


@pytest.mark.parametrize("owner", ["", "a b", "a:b", "a.b", "-a", "@", "a" * 65])
def test_owner_when_its_name_could_be_taken_for_another_part_is_refused(owner: str) -> None:
    with pytest.raises(InvalidError, match="owner"):
        decode(HERS.json_bytes.replace(b'"alice"', json.dumps(owner).encode()))


@pytest.mark.parametrize(
    ("event", "readers"),
    [
        (market_data(), {"alice", "bob", "oscar", "local", "nobody"}),
        (a_headline(), {"alice", "bob", "oscar", "local", "nobody"}),
        (HERS, {"alice", "oscar", "local"}),
        (altered(HERS, owner="bob"), {"bob", "oscar", "local"}),
        (altered(market_data(), owner="alice"), {"alice", "oscar", "local"}),
        (a_trade_request(), {"oscar", "local"}),
        (a_portfolio(), {"oscar", "local"}),
    ],
)
def test_caller_when_it_reads_sees_its_own_and_what_is_public(event: Event, readers: set[str]) -> None:
    callers = {"alice": ALICE, "bob": BOB, "oscar": OSCAR, "local": LOCAL, "nobody": NOBODY}
    assert {name for name, caller in callers.items() if caller.reads(event)} == readers


def test_stream_when_owners_choose_names_is_never_anothers() -> None:
    owners = [None, "alice", "bob", "portfolio", "portfolio-alice"]
    names = ["main", "alice", "alice:main", "bob:main", "portfolio:alice:main", "-", ":alice:main", "alice-main"]
    streams = [stream_of(owner, name) for owner in owners for name in names]
    assert len(set(streams)) == len(streams)
    assert stream_of(None, "main") == "portfolio-main"


def test_portfolio_when_owners_hold_the_same_is_two_events() -> None:
    data = a_portfolio().data
    ids = {portfolio_event(data, CLOSE, after="", source="api", owner=owner).id for owner in (None, "alice", "bob")}
    assert len(ids) == 3


async def _failures(desk: MemoryDesk, body: bytes) -> list[Event]:
    message = Received(message_id="m:0", subject="trade.requested", body=body)
    await desk.runtime.handle(message, "consensus")
    await desk.runtime.fail(message, "risk_manager", "given up")
    return [event for event in await desk.log() if isinstance(event, StepFailed)]


async def test_failure_when_it_is_of_an_owners_event_is_the_owners() -> None:
    failures = await _failures(an_agent_desk(topology()), altered(HERS, type=HERS.type).json_bytes)
    assert [failure.owner for failure in failures] == ["alice"]


async def test_failure_when_nobody_can_read_whose_it_was_is_for_operators() -> None:
    failures = await _failures(an_agent_desk(topology()), HERS.json_bytes.replace(b'"quantity":10.0', b'"quantity":-1'))
    assert [failure.audience for failure in failures] == [OPERATORS] * 2
    assert [caller.reads(failures[0]) for caller in (ALICE, BOB, OSCAR)] == [False, False, True]


async def test_story_when_it_is_played_through_is_its_owners_to_the_end() -> None:
    desk = an_agent_desk(topology())
    held = portfolio_event(a_portfolio().data, CLOSE, after="", source="api", owner="alice")
    asked = altered(a_trade_request(portfolio="main"), owner="alice")
    await desk.runtime.emit([market_data(), held, asked])
    await desk.run()
    log = await desk.log()
    assert {event.type for event in log} >= {"risk.assessed", "opinion.formed", "consensus.reached"}
    assert {event.audience for event in log} == {"alice", EVERYBODY}
    assert {event.type for event in log if event.audience == EVERYBODY} <= PUBLIC

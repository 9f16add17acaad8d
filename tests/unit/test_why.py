"""Why a trade was decided so: a graph from the consensus down to bars, headlines, portfolios, for who may read it."""

from typing import Any

import pytest

from shared import why as whys
from shared.bus.topology import topology
from shared.callers.caller import LOCAL, Caller, Role
from shared.errors import MissingError
from shared.events.envelope import Event
from shared.events.trade import Evidence, OpinionFormed
from shared.why import Edge, Node, Why, why
from tests.builders import (
    CLOSE,
    DAY,
    HOUR,
    a_bar,
    a_headline,
    a_portfolio,
    a_trade_request,
    altered,
    an_opinion,
    market_data,
)
from tests.examples import FULL
from tests.standins.desk import MemoryDesk, an_agent_desk

ALICE = Caller("key:1", "alice", frozenset({Role.TRADER}))
BOB = Caller("key:2", "bob", frozenset({Role.TRADER}))
OSCAR = Caller("key:3", "oscar", frozenset({Role.OPERATOR}))
TRADE = a_trade_request(portfolio="main", time=CLOSE + HOUR)
HELD = a_portfolio(holdings={"AAPL": 10.0, "IBM": 20.0})
NEWS = a_headline("Apple's profit rises", time=CLOSE)


def bars() -> list[Event]:
    """Give 260 days of two symbols, the last of them at `CLOSE`."""
    return [
        market_data(
            a_bar("AAPL", close=100 + day % 9 + day % 4, closed_at=CLOSE + (day - 259) * DAY),
            a_bar("IBM", close=50 + day % 7, closed_at=CLOSE + (day - 259) * DAY),
        )
        for day in range(260)
    ]


async def played(*events: Event) -> MemoryDesk:
    desk = an_agent_desk(topology())
    await desk.runtime.emit([*events])
    await desk.run()
    return desk


@pytest.fixture
async def decided() -> MemoryDesk:
    """Give a desk on which all four agents voted on a trade, with numbers."""
    desk = await played(*bars())
    await desk.runtime.emit([HELD, NEWS])
    await desk.run()
    await desk.runtime.emit([TRADE])
    await desk.run()
    return desk


def edges(graph: Why, kind: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == kind:
            found.setdefault(edge.source, []).append(edge.target)
    return found


async def said(*evidence: Evidence, **about: Any) -> Why:
    """Give the graph of a trade on which somebody voted with such evidence."""
    trade = altered(a_trade_request(), owner=about.get("owner"))
    opinion = an_opinion(trade, agent="oracle")
    opinion = altered(opinion, data={**opinion.data.model_dump(), "evidence": evidence})
    desk = an_agent_desk(topology())
    await desk.store.append([trade, opinion, *about.get("events", ())])
    return await why(desk.store, about.get("caller", LOCAL), trade.id)


async def test_graph_when_a_desk_has_decided_leads_from_the_votes_to_what_began_it(decided: MemoryDesk) -> None:
    graph = await why(decided.store, LOCAL, TRADE.id)
    nodes = {node.id: node for node in graph.nodes}
    types = {node.type for node in graph.nodes}
    assert (graph.state, graph.truncated, graph.unresolved) == ("decided", False, [])
    assert types >= {"consensus.reached", "opinion.formed", "number", "market.data.received", "news.received"}
    assert types >= {"portfolio.changed", "forecast.published", "trade.requested"}
    [consensus] = [node for node in graph.nodes if node.type == "consensus.reached"]
    votes = edges(graph, "vote")[consensus.id]
    assert {nodes[vote].agent for vote in votes} == {"market_analyst", "oracle", "risk_manager", "sentiment_tracker"}
    for vote in votes:
        assert nodes[vote].weight is not None
        assert edges(graph, "evidence")[vote]
        assert edges(graph, "cause")[vote] == [TRADE.id]
    assert graph.explanation
    assert consensus.score is not None


async def test_graph_when_evidence_is_followed_ends_in_what_came_from_outside(decided: MemoryDesk) -> None:
    graph = await why(decided.store, LOCAL, TRADE.id)
    nodes = {node.id: node for node in graph.nodes}
    further = {**edges(graph, "evidence")}
    for kind in ("cause", "vote", "origin"):
        for source, targets in edges(graph, kind).items():
            further[source] = [*further.get(source, []), *targets]
    ends = {nodes[each].type for each in nodes if each not in further}
    assert ends <= {"market.data.received", "news.received", "portfolio.changed", "trade.requested"}
    [forecast] = [node for node in graph.nodes if node.type == "forecast.published"]
    assert {nodes[each].type for each in edges(graph, "origin")[forecast.id]} == {"market.data.received"}
    opinions = {event.id: event for event in await decided.log() if isinstance(event, OpinionFormed)}
    numbers = [node for node in graph.nodes if node.type == "number"]
    assert len(numbers) == sum(len(event.data.evidence) for event in opinions.values())
    for number in numbers:
        opinion, _, place = number.id.partition("#")
        item = opinions[opinion].data.evidence[int(place)]
        assert number.value == item.value
        assert edges(graph, "origin")[number.id] == [item.event]


async def test_graph_when_a_trade_is_open_has_no_consensus_and_no_weights() -> None:
    graph = await said()
    assert (graph.state, graph.explanation) == ("open", None)
    assert [node.weight for node in graph.nodes] == [None, None]
    assert graph.edges == [Edge(source=graph.nodes[1].id, target=graph.id, kind="cause")]


async def test_evidence_when_it_cannot_be_followed_is_named_with_its_reason() -> None:
    graph = await said(Evidence(name="mood", value="good"), Evidence(name="x", value=2.0, unit="USD", event="gone"))
    opinion = graph.nodes[1].id
    assert [(each.node, each.reason) for each in graph.unresolved] == [
        (f"{opinion}#0", "it names no event"),
        (f"{opinion}#1", "there is no event gone"),
    ]
    assert [(node.summary, node.value) for node in graph.nodes[2:]] == [('mood: "good"', "good"), ("x: 2 USD", 2.0)]
    assert not graph.truncated


@pytest.mark.parametrize("kind", ["sentiment.scored", "regulation.changed"])
async def test_evidence_when_it_is_read_from_a_headline_leads_to_it(kind: str) -> None:
    [event] = [event for event in FULL if event.type == kind]
    graph = await said(Evidence(name="score", value=1.0, event=event.id), events=[event, altered(NEWS, id="n-1")])
    assert edges(graph, "origin")[event.id] == ["n-1"]
    assert edges(graph, "cause") == {graph.nodes[1].id: [graph.id]}


async def test_evidence_when_it_is_another_s_is_as_if_it_were_not_there() -> None:
    secret = altered(a_portfolio("pot"), owner="bob", id="secret")
    about = {"owner": "alice", "events": [secret]}
    evidence = Evidence(name="cash", value=1.0, event="secret")
    graph = await said(evidence, caller=ALICE, **about)
    assert [each.reason for each in graph.unresolved] == ["there is no event secret"]
    assert "pot" not in graph.model_dump_json()
    assert "secret" in {node.id for node in (await said(evidence, caller=OSCAR, **about)).nodes}
    with pytest.raises(MissingError, match="there is no trade"):
        await said(evidence, caller=BOB, **about)


@pytest.mark.parametrize("trade_id", ["nothing", HELD.id, "other"])
async def test_graph_when_there_is_no_such_trade_is_missing(trade_id: str) -> None:
    desk = an_agent_desk(topology())
    await desk.store.append([HELD, altered(HELD, stream=f"trade-{HELD.id}", id="other")])
    with pytest.raises(MissingError, match=f"there is no trade {trade_id}"):
        await why(desk.store, LOCAL, trade_id)


async def test_graph_when_it_is_too_large_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whys, "MOST_FOLLOWED", 3)
    news = [a_headline(f"Day {day}", vendor_id=f"v{day}") for day in range(5)]
    evidence = [Evidence(name="headline", value="Up", event=each.id) for each in news]
    graph = await said(*evidence, events=news)
    assert len([node for node in graph.nodes if node.type == "news.received"]) == 3
    assert graph.truncated
    assert [each.reason.partition(" ")[2] for each in graph.unresolved] == ["was not looked up any more"] * 2


async def test_graph_when_events_name_each_other_in_a_circle_ends() -> None:
    ring = [altered(a_headline(f"Day {day}"), id=f"n-{day}", causationid=f"n-{1 - day}") for day in range(2)]
    graph = await said(Evidence(name="headline", value="Up", event="n-0"), events=ring)
    assert {node.id for node in graph.nodes} >= {"n-0", "n-1"}
    assert (graph.truncated, graph.unresolved) == (False, [])
    assert isinstance(graph.nodes[0], Node)

"""One trade is one trace, whatever happens to its messages; and the numbers say what happened, once."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.agents.registry import TRADE
from shared.agents.step import StepDeps
from shared.bus.port import message_for
from shared.bus.topology import topology
from shared.errors import TransientError
from shared.events.envelope import Event
from shared.sweep import PATIENCE_SECONDS, Sweep
from shared.telemetry.handling import traceparent_of
from tests.builders import a_headline, a_trade_request, altered
from tests.standins.desk import MemoryDesk, an_agent_desk, received
from tests.unit.telemetry_bench import Watched

REQUEST = a_trade_request()
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = CALLER.split("-")[1]


@pytest.fixture
def telemetry() -> Watched:
    return Watched()


@pytest.fixture
def desk(telemetry: Watched) -> MemoryDesk:
    return an_agent_desk(topology(), telemetry=telemetry)


async def asked(desk: MemoryDesk, telemetry: Watched, event: Event = REQUEST) -> None:
    with telemetry.span("POST /api/trades", "server", {}, CALLER):
        await desk.runtime.emit([event])


async def test_trade_when_it_is_decided_is_one_trace_from_request_to_consensus(
    desk: MemoryDesk, telemetry: Watched
) -> None:
    await asked(desk, telemetry)
    await desk.run()
    assert telemetry.traces == {TRACE}
    log = {event.id: event for event in await desk.log()}
    assert {event.type for event in log.values()} >= {"trade.requested", "opinion.formed", "consensus.reached"}
    spans = {f"{span.context.span_id:016x}": span for span in telemetry.spans}
    for event in log.values():
        assert event.traceparent is not None
        assert event.traceparent.split("-")[1] == TRACE
        # Who made it is the parent of whoever handles it.
        maker = spans[event.traceparent.split("-")[2]]
        expected = "POST /api/trades" if event.type == "trade.requested" else f"process events/{event.source}"
        assert maker.name == expected
    handled = [span for span in spans.values() if (span.attributes or {}).get("finagent.event.id") == REQUEST.id]
    assert {span.name for span in handled} >= {"process events/consensus", "process events/risk_manager"}
    request = next(span for span in spans.values() if span.name == "POST /api/trades")
    assert {span.parent.span_id for span in handled if span.parent} == {request.context.span_id}


async def test_deadline_when_it_comes_due_is_in_the_trace(desk: MemoryDesk, telemetry: Watched) -> None:
    await asked(desk, telemetry)
    await desk.run()
    kinds = {(span.attributes or {}).get("finagent.event.type") for span in telemetry.spans}
    assert "trade.deadline.reached" in kinds
    assert telemetry.traces == {TRACE}


async def test_duplicate_when_it_comes_late_makes_no_trace_and_no_vote(desk: MemoryDesk, telemetry: Watched) -> None:
    await asked(desk, telemetry)
    await desk.run()
    before = telemetry.values("finagent.opinions")
    stored = next(event for event in await desk.log() if event.id == REQUEST.id)
    await desk.runtime.handle(received(message_for(stored)), "risk_manager")
    assert telemetry.traces == {TRACE}
    assert telemetry.values("finagent.opinions") == before
    assert telemetry.values("finagent.handled")["risk_manager", "trade.requested", "duplicate"] == 1
    assert (telemetry.spans[-1].attributes or {})["finagent.outcome"] == "duplicate"


async def test_sweep_when_it_repeats_or_closes_a_round_stays_in_the_trace(desk: MemoryDesk, telemetry: Watched) -> None:
    deps = StepDeps(pace=desk.clock.pace, patience_seconds=30)
    agents = frozenset({"consensus", "market_analyst", "risk_manager", "sentiment_tracker"})
    sweep = Sweep(desk.store, desk.bus, desk.clock, desk.runtime, topology(), deps, agents)
    await sweep.tick()
    await asked(desk, telemetry)
    opening = await desk.take("events/consensus")
    assert opening is not None
    await desk.deliver(opening)
    for name in ("market-analyst", "risk-manager", "sentiment-tracker", "projector"):
        while lost := await desk.take(f"events/{name}"):
            await desk.bus.complete(lost)
    await sweep.tick()
    before = len(desk.bus.published)
    for _ in range(4):
        desk.clock.advance(timedelta(seconds=PATIENCE_SECONDS))
        while lost := await desk.take("events/consensus"):
            await desk.bus.complete(lost)
        await sweep.tick()
    again = desk.bus.published[before:]
    assert {message.subject for message in again} == {"trade.requested", "trade.deadline.reached"}
    for message in again:
        assert (traceparent_of(message.body) or "").split("-")[1] == TRACE


async def test_delayed_copy_when_it_is_handled_stays_in_the_trace(desk: MemoryDesk, telemetry: Watched) -> None:
    desk.faults.begin({("before handler", 1): TransientError("busy")})
    await asked(desk, telemetry)
    await desk.run()
    assert telemetry.traces == {TRACE}
    outcomes = {outcome for _, _, outcome in telemetry.values("finagent.handled")}
    assert "delayed" in outcomes


async def test_message_when_it_cannot_be_read_fails_in_its_trace_and_is_counted(
    desk: MemoryDesk, telemetry: Watched
) -> None:
    message = message_for(altered(REQUEST, traceparent=CALLER))
    broken = replace(received(message), body=message.body.replace(b'"buy"', b'"hold"'))
    await desk.runtime.handle(broken, "risk_manager")
    assert telemetry.values("finagent.failures") == {("risk_manager",): 1}
    assert telemetry.traces == {TRACE}
    await desk.runtime.handle(broken, "risk_manager")
    assert telemetry.values("finagent.failures") == {("risk_manager",): 1}
    (failed,) = await desk.log()
    assert (failed.traceparent or "").split("-")[1] == TRACE


async def test_opinions_when_an_agent_abstains_are_counted_apart(desk: MemoryDesk, telemetry: Watched) -> None:
    await asked(desk, telemetry)
    await desk.run()
    assert telemetry.values("finagent.opinions") == {(True, agent): 1 for agent in TRADE.judges}


async def test_handler_when_it_raises_is_marked_by_the_type_alone(desk: MemoryDesk, telemetry: Watched) -> None:
    desk.faults.begin({("before handler", 1): ZeroDivisionError("SECRET of the caller")})
    await asked(desk, telemetry)
    await desk.run()
    assert "raised" in {outcome for _, _, outcome in telemetry.values("finagent.handled")}
    told = [span.to_json() for span in telemetry.spans]
    assert any('"error.type": "ZeroDivisionError"' in text for text in told)
    assert not any("SECRET" in text for text in told)


async def test_spans_when_there_is_content_tell_none_of_it(desk: MemoryDesk, telemetry: Watched) -> None:
    await asked(desk, telemetry, a_headline(headline="Planted words", summary="Planted words"))
    await asked(desk, telemetry)
    await desk.run()
    assert telemetry.spans
    for span in telemetry.spans:
        assert "Planted" not in span.to_json()
        assert "AAPL" not in span.to_json()


async def test_event_when_telemetry_is_off_is_the_same_to_the_byte(desk: MemoryDesk, telemetry: Watched) -> None:
    plain = an_agent_desk(topology())
    await plain.runtime.emit([REQUEST])
    await plain.run()
    await asked(desk, telemetry)
    await desk.run()
    bodies, traced = [[event.json_bytes for event in await each.log()] for each in (plain, desk)]
    assert not any(b"traceparent" in body for body in bodies)
    stripped = [{k: v for k, v in json.loads(body).items() if k != "traceparent"} for body in traced]
    assert sorted(map(str, stripped)) == sorted(str(json.loads(body)) for body in bodies)


@pytest.mark.parametrize("text", [json.dumps({"a": f'"traceparent":"{CALLER}"'}), '{"traceparent": "no"}', "{}"])
def test_traceparent_when_somebody_only_wrote_of_one_is_not_taken(text: str) -> None:
    assert traceparent_of(text.encode()) is None
    assert traceparent_of(REQUEST.model_copy(update={"traceparent": CALLER}).json_bytes) == CALLER


async def test_span_when_another_trace_is_under_way_links_to_it(telemetry: Watched) -> None:
    with telemetry.span("of the platform", "server", {}), telemetry.span("ours", "consumer", {}, CALLER):
        pass
    ours, platforms = telemetry.spans
    assert ours.context.trace_id == int(TRACE, 16)
    assert [link.context.trace_id for link in ours.links] == [platforms.context.trace_id]

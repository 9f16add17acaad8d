"""The envelope: derived ids that never change, times in UTC, and names that are safe wherever they are used."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.agents.step import CONSENSUS
from shared.events.envelope import Symbol, Token, derive_id
from shared.events.market import Bar
from shared.events.portfolio import Position
from shared.events.trade import Opinion, OpinionFormed, Trade, TradeRequested
from shared.ingest import news_event, portfolio_event
from shared.quant.indicator import LEAST_PRICE, MOST_PRICE
from tests.builders import (
    CLOSE,
    SECOND,
    a_bar,
    a_deadline,
    a_headline,
    a_portfolio,
    a_trade_request,
    an_opinion,
    market_data,
)

REQUEST = a_trade_request(id="trade-1", stream="desk", run="run-1")
GOLDEN = {
    derive_id("a", "b"): "93295143-3dc5-5094-956c-fb3f86024923",
    derive_id("trade-1", CONSENSUS): "be39e30a-e00e-5cd6-9645-d79dd84a47fb",
    an_opinion(a_trade_request(id="trade-1"), agent="risk_manager").id: "e9b3d993-43f2-5dad-bb11-b629594d8072",
    a_deadline(a_trade_request(id="trade-1")).id: "24cd9698-4827-503c-bd05-3430a28a9b3c",
    market_data().id: "21c33319-9731-56af-8162-8100e68dec08",
    news_event(a_headline().data, CLOSE).id: "53002ef8-657b-54a9-b091-2ba0edfd2d5f",
    portfolio_event(a_portfolio().data, CLOSE, after="", source="api").id: "bf950eb8-2a13-5db9-9c23-4ae50b233690",
    portfolio_event(a_portfolio().data, CLOSE, after="e1", source="api").id: "0a1b2e94-013b-55c9-8f3c-824b2c220d7c",
}


@pytest.mark.parametrize(("found", "golden"), GOLDEN.items())
def test_id_when_derived_is_the_same_for_ever(found: str, golden: str) -> None:
    # A new value here makes every stored event a stranger to what is derived from now on.
    assert found == golden


def test_id_when_derived_is_a_uuid_5_of_its_parts() -> None:
    assert derive_id("x", "yz") == str(uuid5(UUID("5d4bd7b8-7f8f-5f0e-9d0a-0d6a3f1f6c11"), "x\x1fyz"))


PARTS = st.lists(st.text("ab", max_size=2), min_size=1, max_size=3)


@given(PARTS, PARTS)
def test_id_when_parts_are_cut_otherwise_is_another(parts: list[str], others: list[str]) -> None:
    assert (derive_id(*parts) == derive_id(*others)) == (parts == others)


def test_event_when_it_starts_a_story_names_it() -> None:
    event = TradeRequested.first(id="t", source="api", stream="trade-t", time=CLOSE, data=REQUEST.data)
    assert (event.correlationid, event.causationid, event.run) == ("t", None, "")


def test_event_when_caused_by_another_continues_its_story() -> None:
    event = an_opinion(REQUEST, agent="risk_manager")
    assert (event.correlationid, event.causationid, event.run) == ("trade-1", "trade-1", "run-1")
    assert (event.stream, event.time, event.source) == ("desk", REQUEST.time, "risk_manager")
    follower = OpinionFormed.caused_by(
        event, source="x", data=event.data, stream="other", time=CLOSE + SECOND, id="mine"
    )
    assert (follower.correlationid, follower.causationid) == ("trade-1", event.id)
    assert (follower.stream, follower.time, follower.id) == ("other", CLOSE + SECOND, "mine")


def test_ids_when_one_cause_has_several_effects_differ() -> None:
    data = an_opinion(REQUEST).data
    effects = [
        OpinionFormed.caused_by(REQUEST, source=source, data=data, ordinal=ordinal)
        for source in ("risk_manager", "oracle")
        for ordinal in (0, 1)
    ]
    assert len({effect.id for effect in effects}) == 4


def test_json_when_written_has_the_attributes_of_cloud_events() -> None:
    document = json.loads(a_trade_request(id="trade-1").json_bytes)
    assert {name: document[name] for name in ("specversion", "id", "source", "type", "time", "datacontenttype")} == {
        "specversion": "1.0",
        "id": "trade-1",
        "source": "api",
        "type": "trade.requested",
        "time": "2008-01-02T21:00:00Z",
        "datacontenttype": "application/json",
    }
    assert all(name.isalnum() and name.islower() for name in document)
    assert "causationid" not in document
    assert "portfolio" not in document["data"]


def test_json_when_an_event_is_copied_with_a_change_is_the_copys_own() -> None:
    request = a_trade_request()
    before = request.json_bytes
    copy = request.model_copy(update={"run": "replay-1"})
    assert json.loads(copy.json_bytes)["run"] == "replay-1"
    assert request.json_bytes == before
    assert request.model_copy() == request


def test_event_when_made_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        REQUEST.run = "another"
    with pytest.raises(ValidationError, match="frozen"):
        REQUEST.data.quantity = 5.0


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_time_when_in_another_zone_is_converted(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    event = a_trade_request(id="t", time=local)
    assert event.time == local
    assert event.time.tzinfo is UTC
    assert TradeRequested.model_validate_json(event.json_bytes).time == local


def test_time_when_it_has_no_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        a_trade_request(time=datetime(2008, 1, 2))


@pytest.mark.parametrize("name", ["a", "trade-1", "a.b_c:d", "9", "x" * 200])
def test_name_when_it_is_safe_is_taken(name: str) -> None:
    assert TypeAdapter(Token).validate_python(name) == name


@pytest.mark.parametrize("name", ["", " a", "a b", "a\n", "-a", "/a", "..", "ä", "a?b", "a#b", "a\\b", "x" * 201, "٣"])
def test_name_when_it_is_not_safe_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Token).validate_python(name)


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "X", "A1", "A" * 12])
def test_symbol_when_it_is_a_ticker_is_taken(symbol: str) -> None:
    assert TypeAdapter(Symbol).validate_python(symbol) == symbol


@pytest.mark.parametrize("symbol", ["", "aapl", ".A", "1A", "A A", "AAPL\n", "A" * 13, "А"])
def test_symbol_when_it_is_no_ticker_is_refused(symbol: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Symbol).validate_python(symbol)


@pytest.mark.parametrize("price", [LEAST_PRICE, MOST_PRICE])
def test_price_when_at_the_bounds_of_the_indicators_is_taken(price: float) -> None:
    assert a_bar(close=price).close == price


@pytest.mark.parametrize("price", [LEAST_PRICE / 2, MOST_PRICE * 2, 0.0, -1.0, float("nan"), float("inf")])
def test_price_when_no_indicator_could_take_it_is_refused(price: float) -> None:
    with pytest.raises(ValidationError):
        a_bar(close=price, high=MOST_PRICE, low=LEAST_PRICE)


@pytest.mark.parametrize("quantity", [0.0, -1.0, 1e13, float("nan"), float("inf")])
def test_quantity_when_it_is_no_number_of_shares_is_refused(quantity: float) -> None:
    with pytest.raises(ValidationError):
        Trade(symbol="AAPL", side="buy", quantity=quantity)
    with pytest.raises(ValidationError):
        Position(symbol="AAPL", quantity=quantity)


@pytest.mark.parametrize(("low", "high"), [(101.0, 110.0), (90.0, 99.0), (110.0, 90.0)])
def test_bar_when_its_close_lies_outside_its_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValidationError, match="between low and high"):
        a_bar(close=100.0, low=low, high=high)


@pytest.mark.parametrize("name", ["stance", "confidence"])
@pytest.mark.parametrize("value", [-1.01, 1.01, float("nan")])
def test_opinion_when_it_passes_its_bounds_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError):
        Opinion.model_validate({**an_opinion().data.model_dump(), name: value})


def test_portfolio_when_a_symbol_is_in_it_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="only once"):
        type(a_portfolio().data)(portfolio="main", cash=0, positions=(Position(symbol="A", quantity=1),) * 2)


def test_bar_when_compared_is_equal_by_content() -> None:
    assert a_bar() == Bar.model_validate_json(a_bar().model_dump_json())

"""A fork: it is what a whole new run would be, and asks only who saw something else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from shared.agents.decision import Decision, Stateless
from shared.agents.registry import TRADE
from shared.agents.step import CONSENSUS
from shared.errors import InvalidError, MissingError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.news import NewsReceived
from shared.events.portfolio import PortfolioChanged
from shared.events.trade import TradeRequested
from shared.rehearsal import replayed
from shared.replay.debug_case import Case, play
from shared.replay.fork import Fork, fork, with_changes
from shared.replay.world import World
from shared.runtime import Role
from shared.settings import Settings
from tests.builders import CLOSE, HOUR, a_headline, a_portfolio, a_trade_request
from tests.chance import seeded
from tests.replays import an_event, golden, short


async def run_anew(case: Case, changed: Event) -> list[bytes]:
    """Give the log of a run that never knew another event."""
    played = tuple(changed if event.id == changed.id else event for event in case.played)
    return [event.json_bytes for event in (await play(replace(case, played=played), replayed)).log]


async def check(case: Case, event: Event, changes: Mapping[str, Any]) -> Fork:
    done = await fork(case, replayed, event.id, changes)
    assert [each.json_bytes for each in done.log] == await run_anew(case, with_changes(event, changes))
    return done


async def test_headline_when_changed_asks_only_who_saw_it_and_ends_as_a_new_run_would() -> None:
    headline = an_event(short(), "news.received")
    done = await check(short(), headline, {"data.headline": "IBM warns of a catastrophic loss and fraud"})
    assert 0 < done.rerun < done.of / 4
    kinds = {each.event.type for each in done.differences}
    assert {"news.received", "sentiment.scored", "opinion.formed", "consensus.reached"} <= kinds
    assert {each.event.source for each in done.differences if each.event.type == "opinion.formed"} == {
        "sentiment_tracker"
    }


async def test_price_when_changed_ends_as_a_new_run_would() -> None:
    bars = an_event(short(), "market.data.received", 5)
    done = await check(short(), bars, {"data.bars.0.close": bars.data.bars[0].low})
    assert done.rerun < done.of
    assert all(each.event.time >= bars.time for each in done.differences)


async def test_prices_when_changed_by_chance_end_as_new_runs_would() -> None:
    chance, case = seeded(), short()
    for _ in range(4):
        bars = an_event(case, "market.data.received", chance.randrange(50))
        place = chance.randrange(2)
        bar = bars.data.bars[place]
        close = chance.choice([bar.low, bar.high, (bar.low + bar.high) / 2])
        await check(case, bars, {f"data.bars.{place}.close": close})


async def test_last_bar_when_changed_asks_hardly_anybody() -> None:
    bars = an_event(short(), "market.data.received", -1)
    done = await check(short(), bars, {"data.bars.0.close": bars.data.bars[0].low})
    assert done.rerun <= 5


async def test_vote_when_changed_asks_the_consensus_and_who_recalls_it() -> None:
    run = await play(short(), replayed)
    vote = next(event for event in run.came if event.type == "opinion.formed" and event.data.abstained is None)
    changes = {"data.stance": -1.0 if vote.data.stance > 0 else 1.0, "data.confidence": 1.0}
    done = await fork(short(), replayed, vote.id, changes)
    later = [event for event in run.came if event.type == vote.type and event.source == vote.source]
    # This vote and those after it, the trade and its deadline, and what the agent judges later.
    assert done.rerun <= len(TRADE.judges) + 2 + len(later)
    assert {each.event.source for each in done.differences} == {vote.source, CONSENSUS}
    (reached,) = [each for each in done.differences if each.event.source == CONSENSUS]
    assert reached.event.causationid == vote.data.trigger
    assert any(path == "data.score" for path, _, _ in reached.changes)


async def test_limit_when_changed_from_an_event_on_flips_what_it_forbade_and_nothing_before() -> None:
    bought = an_event(golden(), "trade.requested")
    done = await fork(golden(), replayed, bought.id, {}, {"FINAGENT_MAX_WEIGHT": "0.9"})
    decided = {each.event.data.trigger: each for each in done.differences if each.event.type == "consensus.reached"}
    flipped = decided[bought.id]
    assert flipped.before is not None
    assert flipped.after is not None
    assert (flipped.before.data.decision, flipped.after.data.decision) == ("rejected", "approved")
    assert min(each.event.time for each in done.differences) >= bought.time
    assert done.rerun < done.of


def tellers(_settings: Settings, world: World) -> dict[str, Role]:
    """Give one who empties a portfolio when a headline says so, and one who tells of it when asked for a trade."""

    async def on_news(event: NewsReceived, _state: Stateless, _deps: object) -> Decision[Stateless]:
        emptied = PortfolioChanged.caused_by(event, source="teller", stream="portfolio-main", data=a_portfolio().data)
        return Decision(emits=(Emit(emptied),) if "alarm" in event.data.headline else ())

    async def on_trade(event: TradeRequested, _state: Stateless, _deps: object) -> Decision[Stateless]:
        found = await world.store.latest("portfolio-main", PortfolioChanged.name(), event.time)
        data = a_portfolio(cash=0.0 if found is None else 1.0).data
        seen = PortfolioChanged.caused_by(event, source="listener", stream="portfolio-seen", data=data)
        return Decision(emits=(Emit(seen),))

    return {
        "teller": Role("teller", Stateless, {NewsReceived: on_news}, None),
        "listener": Role("listener", Stateless, {TradeRequested: on_trade}, None),
    }


@pytest.mark.parametrize(("was", "becomes", "cash"), [("calm", "alarm", 1.0), ("alarm", "calm", 0.0)])
async def test_event_when_it_is_new_or_gone_has_those_asked_who_would_have_read_it(
    was: str, becomes: str, cash: float
) -> None:
    headline, asked = a_headline(was), a_trade_request(time=CLOSE + HOUR)
    case = Case({}, 1.0, (headline, asked), (), 0)
    done = await fork(case, tellers, headline.id, {"data.headline": becomes})
    (seen,) = [each.after for each in done.differences if each.event.source == "listener"]
    assert seen is not None
    assert seen.data.cash == cash
    assert done.rerun == 2


async def test_event_when_nothing_is_changed_asks_nobody() -> None:
    done = await fork(short(), replayed, an_event(short(), "news.received").id, {})
    assert (done.rerun, done.differences) == (0, ())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data.nothing": 1}, "data.nothing: news.received .* has no such field"),
        ({"data.headline.x": 1}, "no such field"),
        ({"data.symbols.9": "IBM"}, "no such field"),
        ({"data.symbols.-1": "IBM"}, "no such field"),
        ({"time": "2008-01-01T00:00:00Z"}, "time: only what is in data"),
        ({"data.headline": 7}, "data.headline: "),
        ({"data.symbols": ["not a symbol"]}, "data.symbols.0: "),
    ],
)
async def test_change_when_it_makes_no_event_is_refused(changes: dict[str, Any], complaint: str) -> None:
    def nobody(settings: Settings, world: World) -> Mapping[str, Role]:
        """Refuse to be played: what is wrong is told before."""
        raise AssertionError(settings, world)

    with pytest.raises(InvalidError, match=complaint):
        await fork(short(), nobody, an_event(short(), "news.received").id, changes)


async def test_fork_when_the_run_has_no_such_event_says_so() -> None:
    with pytest.raises(MissingError, match="nobody: the run has no such event"):
        await fork(short(), replayed, "nobody", {})

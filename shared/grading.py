"""Grading: once the market has shown what an opinion was worth, say so, and keep each agent's record.

A timer calls it. What it says has ids and times that derive from the opinion, so a tick that dies half-way says the
same again. It keeps a cursor into the log, the records, and which opinions of the page behind the cursor are done.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from shared.agents import market_analyst
from shared.agents.own_state import OwnState
from shared.agents.registry import STEPS, is_graded
from shared.clock import Clock
from shared.errors import ConflictError
from shared.events.catalogue import decode
from shared.events.envelope import Event, derive_id
from shared.events.market import Regime
from shared.events.trade import AgentRecord, Grade, OpinionFormed, OpinionGraded, Outcomes, TradeRequested
from shared.projections.bar import BarHistory
from shared.projections.view import Views
from shared.quant import calibration
from shared.store.port import Commit, EventStore, Filter

NAME = STREAM = "grading"
HORIZON_DAYS = 7
DUE_AFTER = timedelta(days=HORIZON_DAYS + 1)
"""A day more than the horizon: by then its last close is known."""
PAGE = 100
MOST_PAGES = 100
"""How much of the log is graded in one go."""
_WANTED = Filter(types=(OpinionFormed.name(),))


class GradingState(BaseModel):
    """How far the log was read, which opinions of the next page are done, and each agent's record."""

    model_config = ConfigDict(frozen=True)

    cursor: str = ""
    done: tuple[str, ...] = ()
    records: dict[str, AgentRecord] = {}


@dataclass(slots=True)
class _Tick:
    """What one tick has come to."""

    now: datetime
    records: dict[str, AgentRecord]
    grades: list[OpinionGraded] = field(default_factory=list)
    trades: dict[str, TradeRequested | None] = field(default_factory=dict)


class Emitter(Protocol):
    """Who makes events known: the runtime, or a replay."""

    async def emit(self, events: Sequence[Event]) -> list[Event]:
        """Append and publish events, and give those that were new."""
        ...


@dataclass(frozen=True, slots=True)
class Grading:
    """Grades the opinions of one desk."""

    store: EventStore
    clock: Clock
    runtime: Emitter
    bars: BarHistory
    views: Views

    async def tick(self) -> int:
        """Grade what is due, and give the number of opinions that were."""
        own = OwnState[GradingState](self.store, NAME, GradingState)
        state, etag = await own.load(STREAM)
        tick = _Tick(self.clock.now(), dict(state.records))
        cursor, done = await self._read_on(state, tick)
        graded = GradingState(cursor=cursor, done=tuple(done), records=tick.records)
        if graded == state:
            return 0
        await self.runtime.emit(tick.grades)
        name = derive_id(NAME, etag or "", cursor, *done)
        try:
            await self.store.commit(Commit(NAME, STREAM, name, own.dump(STREAM, graded), etag, ()))
        except ConflictError:
            return 0  # another host graded the same at the same time
        return len(tick.grades)

    async def _read_on(self, state: GradingState, tick: _Tick) -> tuple[str, list[str]]:
        cursor, done = state.cursor, list(state.done)
        for _ in range(MOST_PAGES):
            page = await self.store.page(_WANTED, cursor, PAGE)
            opinions = [event for event in map(decode, page.events) if isinstance(event, OpinionFormed)]
            for opinion in opinions:
                if opinion.id not in done and opinion.time + DUE_AFTER <= tick.now:
                    done.append(opinion.id)
                    await self._grade(opinion, tick)
            if not opinions or any(opinion.id not in done for opinion in opinions):
                break
            cursor, done = page.cursor, []
        return cursor, done

    async def _grade(self, opinion: OpinionFormed, tick: _Tick) -> None:
        vote = opinion.data
        step = next((step for step in STEPS if step.name == vote.step), None)
        if vote.abstained is not None or step is None or not is_graded(vote.agent, step):
            return
        if vote.trigger not in tick.trades:
            tick.trades[vote.trigger] = await self._trade(vote.trigger)
        trade = tick.trades[vote.trigger]
        earned = None if trade is None else await self._earned(trade, tick.now)
        if trade is None or earned is None:
            return
        grade = _graded(opinion, trade, earned, await self._regime(trade), tick.records)
        tick.records[vote.agent] = grade.record
        moment = opinion.time + DUE_AFTER
        event_id = derive_id(opinion.id, OpinionGraded.name())
        tick.grades.append(OpinionGraded.caused_by(opinion, source=NAME, id=event_id, time=moment, data=grade))

    async def _trade(self, trigger: str) -> TradeRequested | None:
        body = await self.store.get(trigger)
        event = decode(body) if body is not None else None
        return event if isinstance(event, TradeRequested) else None

    async def _earned(self, trade: TradeRequested, now: datetime) -> float | None:
        """Give what the trade earned over the horizon; None where no bar has closed in it."""
        symbol, end = trade.data.symbol, trade.time + timedelta(days=HORIZON_DAYS)
        # Both as known now: in between a split may have changed the scale.
        before = await self.bars.read(symbol, now, until=trade.time, limit=1)
        after = await self.bars.read(symbol, now, after=trade.time, until=end, limit=1)
        if not before or not after:
            return None
        change = after[0].close / before[0].close - 1
        return change if trade.data.side == "buy" else -change

    async def _regime(self, trade: TradeRequested) -> Regime | None:
        body = await self.views.latest(market_analyst.NAME, trade.data.symbol, trade.time)
        regime: Regime | None = None if body is None else json.loads(body)["data"].get("regime")
        return regime


def _graded(
    opinion: OpinionFormed,
    trade: TradeRequested,
    earned: float,
    regime: Regime | None,
    records: Mapping[str, AgentRecord],
) -> Grade:
    vote = opinion.data
    score = calibration.brier(calibration.probability(vote.stance, vote.confidence), happened=earned > 0)
    hit = vote.stance * earned > 0
    before = records.get(vote.agent, AgentRecord(overall=Outcomes()))
    regimes = dict(before.regimes)
    if regime is not None:
        regimes[regime] = _with(regimes.get(regime, Outcomes()), hit, score, vote.stance * earned)
    overall = _with(before.overall, hit, score, vote.stance * earned)
    return Grade(
        opinion=opinion.id,
        agent=vote.agent,
        symbol=trade.data.symbol,
        side=trade.data.side,
        stance=vote.stance,
        confidence=vote.confidence,
        horizon_days=HORIZON_DAYS,
        trade_return=earned,
        hit=hit,
        brier=score,
        regime=regime,
        record=AgentRecord(overall=overall, regimes=regimes),
    )


def _with(before: Outcomes, hit: bool, brier: float, earned: float) -> Outcomes:
    count = before.count + 1
    return Outcomes(
        count=count,
        hits=before.hits + hit,
        brier=before.brier + (brier - before.brier) / count,
        mean_return=before.mean_return + (earned - before.mean_return) / count,
    )

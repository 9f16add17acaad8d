"""The read side of the API: what frontends ask for, answered from the log and the projections."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from shared.agents.oracle import NAME as ORACLE
from shared.agents.own_state import OwnState
from shared.agents.portfolio_optimizer import NAME as OPTIMIZER
from shared.agents.registry import CANDIDATES, STATES, STEPS, TRADE, handlers, judges
from shared.agents.step import CONSENSUS, Round, Rounds, StepDeps
from shared.bus.topology import Topology
from shared.callers.asked import asked
from shared.callers.caller import Caller
from shared.clock import Clock
from shared.errors import MissingError
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.explanation import ExplanationWritten
from shared.events.forecast import ForecastPublished
from shared.events.market import Bar
from shared.events.options import OptionsRequested, OptionsSuggested
from shared.events.portfolio import PortfolioChanged
from shared.events.question import AnswerWritten, QuestionAsked, ResearchCompleted
from shared.events.rebalance import RebalanceSuggested
from shared.events.trade import ConsensusReached, OpinionFormed, TradeRequested
from shared.profile import Profile, Reads, profile
from shared.projections.bar import BarHistory
from shared.projections.happening import Happenings
from shared.projections.portfolio import Portfolios
from shared.projections.view import Views
from shared.store.port import EventStore, Filter, Page
from shared.vitals import Vitals

_WHOLE_STREAM = 1_000


@dataclass(frozen=True, slots=True)
class Queries:
    """Answers questions about the desk."""

    store: EventStore
    clock: Clock
    bars: BarHistory
    portfolios: Portfolios
    views: Views
    happenings: Happenings
    vitals: Vitals
    topology: Topology
    step_deps: StepDeps
    feed: str

    async def events(self, wanted: Filter, after: str, limit: int, wait_seconds: float = 0) -> Page:
        """Give a page of events after a cursor; when there is none yet, wait for one until the time is up.

        Parameters
        ----------
        after : str
            A cursor; empty for the beginning of the log, `latest` for its end.
        """
        start = await self.store.end() if after == "latest" else after
        page = await self.store.page(wanted, start, limit)
        ends = asyncio.get_running_loop().time() + wait_seconds
        while not page.events and (left := ends - asyncio.get_running_loop().time()) > 0:
            await self.store.wait(page.cursor, left, wanted)
            page = await self.store.page(wanted, page.cursor, limit)
        return page

    async def newest(self, wanted: Filter, limit: int) -> Page:
        """Give the newest events, oldest of them first, and the cursor behind them."""
        return await self.store.newest(wanted, limit)

    async def event(self, caller: Caller, event_id: str, stream: str | None = None) -> bytes:
        """Give one event's JSON; in Azure it costs less where its stream is named.

        Raises
        ------
        MissingError
            There is none with this id that the caller may read.
        """
        body = await self.store.get(event_id, stream)
        if body is None or not _reads(caller, body):
            raise MissingError(f"there is no event {event_id}")
        return body

    async def trade(self, caller: Caller, trade_id: str) -> dict[str, Any]:
        """Give a trade's request, its votes so far and its consensus.

        Raises
        ------
        MissingError
            There is no such trade that the caller may read.
        """
        request = await asked(self.store, caller, TradeRequested, "trade", trade_id, f"trade-{trade_id}")
        page = await self.store.page(Filter(stream=request.stream, audiences=caller.audiences), "", _WHOLE_STREAM)
        happened = [decode(body) for body in page.events]
        consensus = next((event for event in happened if isinstance(event, ConsensusReached)), None)
        counted = {vote.opinion for vote in consensus.data.votes} if consensus else set()
        return {
            "id": trade_id,
            "state": "decided" if consensus else "open",
            "requested_at": request.time,
            "deadline": await self._deadline(request),
            "trade": request.data.model_dump(mode="json", exclude_none=True),
            "opinions": [
                _opinion(event, late=consensus is not None and event.id not in counted)
                for event in happened
                if isinstance(event, OpinionFormed)
            ],
            "consensus": _consensus(consensus),
            **_narrative(happened),
        }

    async def options(self, caller: Caller, request_id: str) -> dict[str, Any]:
        """Give a request for an option strategy and its answer.

        Raises
        ------
        MissingError
            There is no such request that the caller may read.
        """
        request = await asked(
            self.store, caller, OptionsRequested, "request for options", request_id, f"options-{request_id}"
        )
        wanted = Filter(stream=request.stream, types=(OptionsSuggested.name(), ExplanationWritten.name()))
        happened = [decode(body) for body in (await self.store.page(wanted, "", 2)).events]
        answer = next((event for event in happened if isinstance(event, OptionsSuggested)), None)
        return {
            "id": request_id,
            "state": "answered" if answer else "open",
            "requested_at": request.time,
            "request": request.data.model_dump(mode="json", exclude_none=True),
            "suggestion": answer and {**answer.data.model_dump(mode="json", exclude_none=True), "event": answer.id},
            **_narrative(happened),
        }

    async def question(self, caller: Caller, question_id: str) -> dict[str, Any]:
        """Give a question and its answer.

        Raises
        ------
        MissingError
            There is no such question that the caller may read.
        """
        stream = f"question-{question_id}"
        question = await asked(self.store, caller, QuestionAsked, "question", question_id, stream)
        wanted = Filter(stream=stream, types=(ResearchCompleted.name(), AnswerWritten.name()))
        page = await self.store.page(wanted, "", 2)
        found = {event["type"]: event for event in map(json.loads, page.events)}
        answer, written = found.get(ResearchCompleted.name()), found.get(AnswerWritten.name())
        return {
            "id": question_id,
            "state": "answered" if answer else "open",
            "asked_at": question.time,
            "question": question.data.model_dump(mode="json"),
            "research": answer and {**answer["data"], "event": answer["id"]},
            "written": written and _prose(written),
        }

    async def portfolios_of(self, caller: Caller) -> list[str]:
        """Give the names of the portfolios that the caller may read, sorted."""
        names = [name for owner in caller.owners for name in await self.portfolios.names(owner)]
        return sorted(set(names))

    async def portfolio(self, caller: Caller, name: str, as_of: datetime) -> PortfolioChanged:
        """Give the event that says what a portfolio holds; the caller's own goes before the desk's.

        Raises
        ------
        MissingError
            The caller knows of none at `as_of`.
        """
        for owner in caller.owners:
            if (changed := await self.portfolios.get(owner, name, as_of)) is not None:
                return changed
        raise MissingError(f"there is no portfolio {name}")

    async def risk(self, changed: PortfolioChanged, as_of: datetime) -> dict[str, Any] | None:
        """Give the latest risk assessment of a portfolio, or None."""
        body = await self.views.latest("risk_manager", changed.data.portfolio, as_of, changed.owner)
        return None if body is None else {**json.loads(body)["data"], "event": json.loads(body)["id"]}

    async def rebalance(self, caller: Caller, name: str, as_of: datetime) -> RebalanceSuggested:
        """Give the event of the latest suggestion how to rebalance a portfolio.

        Raises
        ------
        MissingError
            The caller knows of no such portfolio at `as_of`, or nothing was suggested.
        """
        changed = await self.portfolio(caller, name, as_of)
        body = await self.views.latest(OPTIMIZER, name, as_of, changed.owner)
        if body is None:
            raise MissingError(f"no rebalance of {name} was suggested")
        suggested = decode(body, RebalanceSuggested.name())
        assert isinstance(suggested, RebalanceSuggested)
        return suggested

    async def forecast(self, caller: Caller, symbol: str, as_of: datetime) -> ForecastPublished:
        """Give the event of the latest forecasts, narrowed to a symbol's.

        Raises
        ------
        MissingError
            There is none as of then.
        """
        published = decode(await self.view(caller, ORACLE, symbol, as_of), ForecastPublished.name())
        assert isinstance(published, ForecastPublished)
        return published

    async def history(self, symbol: str, start: datetime | None, end: datetime, as_of: datetime) -> list[Bar]:
        """Give the newest 5,000 bars known at `as_of`, of those that closed after `start` and not after `end`."""
        return await self.bars.read(symbol, as_of, after=start, until=end, limit=5_000)

    async def agents(self, caller: Caller) -> list[dict[str, Any]]:
        """Give each agent with what it reacts to, the steps that it votes in, and what it has views on."""
        return [
            {
                "name": name,
                "reacts_to": sorted(kind.name() for kind in handlers(name)),
                "votes_in": [step.name for step in STEPS if name in judges(step)],
                "views_on": await self._subjects(caller, name),
                **({"candidate_for": CANDIDATES[name].of} if name in CANDIDATES else {}),
            }
            for name in (*STATES, *CANDIDATES)
        ]

    async def agent(self, caller: Caller, name: str, as_of: datetime) -> Profile:
        """Give what an agent is, and how it does as of a moment.

        Raises
        ------
        MissingError
            There is no such agent.
        """
        if name not in STATES:
            raise MissingError(f"there is no agent {name}")
        reads = Reads(self.views, self.happenings, self.step_deps.records, self.topology)
        return await profile(name, caller, await self._subjects(caller, name), as_of, reads)

    async def view(self, caller: Caller, agent: str, subject: str, as_of: datetime) -> bytes:
        """Give the event with an agent's latest view of a subject; of the caller's own before the desk's.

        Raises
        ------
        MissingError
            It has none as of then that the caller may read.
        """
        for owner in _own_and_desk(caller):
            body = await self.views.latest(agent, subject, as_of, owner)
            if body is not None and _reads(caller, body):
                return body
        raise MissingError(f"{agent} has no view of {subject}")

    async def health(self) -> dict[str, Any]:
        """Say whether the desk should be given work, what waits and since when, and how the last ticks went."""
        signs = await self.vitals.signs()
        return {
            "status": signs.status,
            "problems": [*signs.problems, *filter(None, [signs.overload])],
            "feed": self.feed,
            "desk_time": self.clock.now(),
            "pace": self.clock.pace,
            "backlog": signs.backlog,
            "waits": {name: round(seconds, 1) for name, seconds in signs.waits.items()},
            "dead_letters": sum(signs.dead_letters.values()),
            "ticks": {
                name: {"succeeded_at": status.succeeded_at, "problem": status.problem}
                for name, status in self.vitals.ticks().items()
            },
        }

    async def _subjects(self, caller: Caller, agent: str) -> list[str]:
        found = [await self._readable_subjects(caller, agent, owner) for owner in _own_and_desk(caller)]
        return sorted(set(chain.from_iterable(found)))

    async def _readable_subjects(self, caller: Caller, agent: str, owner: str | None) -> list[str]:
        # An agent's views are of one kind: whoever may read one of the desk's may read all.
        subjects = await self.views.subjects(agent, owner)
        if owner is not None or not caller.audiences or not subjects:
            return subjects
        body = await self.views.latest(agent, subjects[0], self.clock.now())
        return subjects if body is not None and _reads(caller, body) else []

    async def _deadline(self, request: TradeRequested) -> datetime:
        rounds = (await OwnState(self.store, CONSENSUS, Rounds).read(request.stream)).rounds
        opened = rounds.get(request.id, Round())
        return opened.deadline or TRADE.deadline_of(request, self.step_deps)


def _reads(caller: Caller, body: bytes) -> bool:
    return not caller.audiences or caller.reads(decode(body))


def _own_and_desk(caller: Caller) -> tuple[str | None, ...]:
    return (caller.owner, None) if caller.owner else (None,)


def _prose(written: dict[str, Any]) -> dict[str, Any]:
    data = written["data"]
    kept = {name: data[name] for name in ("text", "findings", "looked_up", "abstained") if name in data}
    return {**kept, "model": data["calls"][-1]["model"], "event": written["id"]}


def _opinion(event: OpinionFormed, *, late: bool) -> dict[str, Any]:
    return {**event.data.model_dump(mode="json", exclude_none=True), "event": event.id, "late": late}


def _narrative(happened: Iterable[Event]) -> dict[str, Any]:
    """Give the prose that a language model wrote on what was concluded, or why it wrote none; nothing unless asked."""
    written = next((event for event in happened if isinstance(event, ExplanationWritten)), None)
    if written is None:
        return {}
    said = written.data.model_dump(mode="json", exclude_none=True, include={"text", "notes", "abstained"})
    return {"narrative": {**said, "event": written.id}}


def _consensus(event: Event | None) -> dict[str, Any] | None:
    return None if event is None else {**event.data.model_dump(mode="json", exclude_none=True), "event": event.id}

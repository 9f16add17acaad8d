"""The map of the system: which agent does what on which event, and which steps ask several agents at once.

A new handler is a line here; a new step is a declaration here.
"""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from shared.agents import (
    consensus,
    market_analyst,
    narrator,
    options_strategist,
    oracle,
    portfolio_optimizer,
    research_agent,
    risk_manager,
    sentiment_tracker,
)
from shared.agents.candidate import Candidate, unheard
from shared.agents.decision import Decision, Handler, Stateless
from shared.agents.step import CONSENSUS, Judge, Rounds, Step, StepDeps
from shared.errors import InvalidError
from shared.events.envelope import Event
from shared.events.forecast import ForecastPublished
from shared.events.market import MarketCrashDetected, MarketDataReceived
from shared.events.news import HeadlineRead, NewsReceived, RegulationChanged
from shared.events.options import OptionsRequested, OptionsSuggested
from shared.events.portfolio import PortfolioChanged, RiskAssessed
from shared.events.question import QuestionAsked, ResearchCompleted
from shared.events.trade import ConsensusReached, OpinionFormed, TradeDeadlineReached, TradeRequested

TRADE = Step(
    name="trade",
    trigger=TradeRequested,
    deadline=TradeDeadlineReached,
    judges={
        market_analyst.NAME: market_analyst.judge_trade,
        risk_manager.NAME: risk_manager.judge_trade,
        sentiment_tracker.NAME: sentiment_tracker.judge_trade,
        oracle.NAME: oracle.judge_trade,
    },
    aggregate=consensus.weigh,
    quorum=2,
    vetoes=(risk_manager.NAME,),
    graded=(market_analyst.NAME, oracle.NAME, sentiment_tracker.NAME),
)

STEPS: tuple[Step, ...] = (TRADE,)

STATES: Mapping[str, type[BaseModel]] = {
    market_analyst.NAME: market_analyst.AnalystState,
    risk_manager.NAME: Stateless,
    sentiment_tracker.NAME: sentiment_tracker.SentimentState,
    options_strategist.NAME: Stateless,
    oracle.NAME: oracle.OracleState,
    portfolio_optimizer.NAME: Stateless,
    research_agent.NAME: Stateless,
    CONSENSUS: Rounds,
    narrator.NAME: Stateless,
}

REACTIONS: Mapping[type[Event], Mapping[str, Handler]] = {
    MarketDataReceived: {
        market_analyst.NAME: market_analyst.on_market_data_received,
        oracle.NAME: oracle.on_market_data_received,
    },
    MarketCrashDetected: {risk_manager.NAME: risk_manager.on_market_crash_detected},
    RegulationChanged: {risk_manager.NAME: risk_manager.on_regulation_changed},
    NewsReceived: {
        sentiment_tracker.NAME: sentiment_tracker.on_news_received,
        narrator.NAME: narrator.on_news_received,
    },
    HeadlineRead: {sentiment_tracker.NAME: sentiment_tracker.on_headline_read},
    PortfolioChanged: {risk_manager.NAME: risk_manager.on_portfolio_changed},
    RiskAssessed: {
        portfolio_optimizer.NAME: portfolio_optimizer.on_risk_assessed,
        narrator.NAME: narrator.on_risk_assessed,
    },
    ForecastPublished: {portfolio_optimizer.NAME: portfolio_optimizer.on_forecast_published},
    OptionsRequested: {options_strategist.NAME: options_strategist.on_options_requested},
    QuestionAsked: {research_agent.NAME: research_agent.on_question_asked},
    ResearchCompleted: {research_agent.NAME: research_agent.on_research_completed},
    OptionsSuggested: {narrator.NAME: narrator.on_options_suggested},
    ConsensusReached: {narrator.NAME: narrator.on_consensus_reached},
}

CANDIDATES: Mapping[str, Candidate] = {}
"""Other versions of agents, tried out beside them, by name."""


def handlers(agent: str, steps: tuple[Step, ...] = STEPS) -> dict[type[Event], Handler]:
    """Give what an agent or a candidate does on which event, its votes in steps included."""
    if agent == CONSENSUS:
        return _consensus_handlers(steps)
    own = _reactions(agent)
    votes = {step.trigger: step.voter(agent, judges(step)[agent]) for step in steps if agent in judges(step)}
    return own | votes


def _reactions(agent: str) -> dict[type[Event], Handler]:
    if agent in CANDIDATES:
        return {kind: unheard(handler) for kind, handler in CANDIDATES[agent].reactions.items()}
    return {kind: reactions[agent] for kind, reactions in REACTIONS.items() if agent in reactions}


def check_agents(names: Collection[str]) -> None:
    """Refuse what is the name of no agent or candidate.

    Raises
    ------
    InvalidError
        Names who there is.
    """
    known = sorted({*STATES, *CANDIDATES})
    if unknown := sorted(set(names) - set(known)):
        raise InvalidError(f"agents: no agent is named {', '.join(unknown)}; there are {', '.join(known)}")


def promoted(names: Collection[str], steps: tuple[Step, ...] = STEPS) -> tuple[Step, ...]:
    """Give the steps as the consensus counts them, with candidates in the place of those whose versions they are.

    Raises
    ------
    InvalidError
        A name is of no candidate, or two are versions of one agent.
    """
    if unknown := sorted(set(names) - CANDIDATES.keys()):
        known = ", ".join(sorted(CANDIDATES)) or "none is declared"
        raise InvalidError(f"no candidate is named {', '.join(unknown)}: {known}")
    replaced = {CANDIDATES[name].of: name for name in names}
    if len(replaced) < len(set(names)):
        raise InvalidError(f"of {', '.join(sorted(names))} two are versions of one agent")
    return tuple(step.with_voters(replaced) for step in steps)


def judges(step: Step) -> dict[str, Judge]:
    """Give how each agent answers in a step, and each candidate, whether its votes count or not."""
    tried = {name: each.judges[step.name] for name, each in CANDIDATES.items() if step.name in each.judges}
    return {**step.judges, **tried}


def is_graded(agent: str, step: Step) -> bool:
    """Say whether the market can tell what an agent's votes in a step are worth; a candidate's as its original's."""
    return (CANDIDATES[agent].of if agent in CANDIDATES else agent) in step.graded


def _consensus_handlers(steps: tuple[Step, ...]) -> dict[type[Event], Handler]:
    by_name = {step.name: step for step in steps}
    if len({step.trigger for step in steps}) < len(steps):
        raise InvalidError("two steps have the same trigger, and so the same consensus")

    async def on_opinion_formed(event: OpinionFormed, state: Rounds, deps: StepDeps) -> Decision[Any]:
        """Count the vote in the step that it names; an undeclared one is refused."""
        if event.data.step not in by_name:
            raise InvalidError(f"step: no step {event.data.step!r} is declared")
        return await by_name[event.data.step].on_opinion(event, state, deps)

    opened: dict[type[Event], Handler] = {step.trigger: step.on_trigger for step in steps}
    ended: dict[type[Event], Handler] = {step.deadline: step.on_deadline for step in steps}
    return {**opened, **ended, OpinionFormed: on_opinion_formed}

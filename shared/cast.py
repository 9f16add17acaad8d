"""The agents, live or replayed, each with the ports that it reads through: a new agent has a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.agents import (
    market_analyst,
    narrator,
    options_strategist,
    oracle,
    portfolio_optimizer,
    research_agent,
    risk_manager,
    sentiment_tracker,
)
from shared.agents.market_analyst import AnalystDeps, AnalystState
from shared.agents.narrator import NarratorDeps
from shared.agents.options_strategist import OptionsDeps
from shared.agents.oracle import OracleDeps
from shared.agents.own_state import OwnState
from shared.agents.portfolio_optimizer import OptimizerDeps
from shared.agents.rebalance_plan import Limits
from shared.agents.registry import TRADE
from shared.agents.research_agent import ResearchDeps
from shared.agents.research_evidence import Sources
from shared.agents.risk_manager import RiskDeps
from shared.agents.risk_measure import RiskLimits
from shared.agents.sentiment_tracker import SentimentDeps, SentimentState
from shared.agents.step import CONSENSUS, StepDeps
from shared.chain.port import ChainSource
from shared.llm.port import LanguageModel
from shared.memory.port import OwnMemory, Recalling
from shared.projections.bar import BarHistory
from shared.projections.happening import Happenings
from shared.projections.port import ProjectionStore
from shared.projections.portfolio import Portfolios
from shared.projections.record import Records
from shared.projections.view import Views
from shared.role import roles
from shared.runtime import Role
from shared.settings import Settings
from shared.source import chain_source
from shared.store.port import EventStore
from shared.watchlist import Watchlist


@dataclass(frozen=True, slots=True)
class Reads:
    """What agents, timers and queries read through: the log, projections, what they are asked about, whom they ask."""

    store: EventStore
    bars: BarHistory
    portfolios: Portfolios
    views: Views
    happenings: Happenings
    memories: Recalling
    watchlist: Watchlist
    step_deps: StepDeps
    chains: ChainSource
    model: LanguageModel | None


def reading(
    settings: Settings,
    store: EventStore,
    projections: ProjectionStore,
    pace: float,
    memories: Recalling,
    model: LanguageModel | None = None,
) -> Reads:
    """Give what agents read through, over a log and its projections; `pace` is in desk seconds a second."""
    bars = BarHistory(projections, settings.interval)
    return Reads(
        store=store,
        bars=bars,
        portfolios=Portfolios(projections, store),
        views=Views(projections),
        happenings=Happenings(projections),
        memories=memories,
        watchlist=Watchlist(settings.symbols),
        step_deps=StepDeps(pace, settings.deadline_seconds, Records(projections)),
        chains=chain_source(settings, bars),
        model=model,
    )


def cast(settings: Settings, reads: Reads, own: Callable[[str, type[Any]], OwnState[Any]]) -> dict[str, Role]:
    """Give the agents, live or replayed, by their names: a new agent has a line here; `own` reads its states."""
    bars, portfolios, views, watchlist = reads.bars, reads.portfolios, reads.views, reads.watchlist
    mine = {name: OwnMemory(reads.memories, name) for name in TRADE.judges}
    deps: dict[str, object] = {
        market_analyst.NAME: AnalystDeps(
            bars, own(market_analyst.NAME, AnalystState), watchlist, mine[market_analyst.NAME]
        ),
        risk_manager.NAME: RiskDeps(bars, portfolios, _limits(settings), watchlist.symbols, mine[risk_manager.NAME]),
        sentiment_tracker.NAME: SentimentDeps(
            own(sentiment_tracker.NAME, SentimentState), mine[sentiment_tracker.NAME]
        ),
        options_strategist.NAME: OptionsDeps(reads.chains, bars, views, portfolios),
        oracle.NAME: OracleDeps(bars, views, mine[oracle.NAME]),
        portfolio_optimizer.NAME: OptimizerDeps(
            bars, portfolios, views, Limits(settings.max_weight, settings.max_var_95)
        ),
        research_agent.NAME: ResearchDeps(
            Sources(views, reads.happenings, reads.store, watchlist, reads.memories), portfolios, reads.model
        ),
        narrator.NAME: NarratorDeps(reads.model, reads.store),
        CONSENSUS: reads.step_deps,
    }
    return roles(deps, settings.promoted)


def _limits(settings: Settings) -> RiskLimits:
    return RiskLimits(settings.max_weight, settings.max_var_95, settings.max_gross, settings.max_drawdown)

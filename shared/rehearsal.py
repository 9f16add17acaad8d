"""What a replay is put together of: the desk's own agents, the history they are played, and where results are kept."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.agents.registry import check_agents
from shared.agents.step import CONSENSUS
from shared.cast import cast, reading
from shared.chain.synthetic import SyntheticChainSource
from shared.events.envelope import Event
from shared.events.market import Interval
from shared.events.replay import Backtest
from shared.grading import DUE_AFTER, Grading
from shared.market.port import MarketSource
from shared.memories import replay_memories
from shared.projections.bar import BarHistory
from shared.projections.view import Views
from shared.replay.backtest import Watcher
from shared.replay.cache import CachedMarketSource
from shared.replay.job import perform
from shared.replay.report import Report
from shared.replay.shelf import Shelf
from shared.replay.world import Collected, World
from shared.runtime import Role
from shared.settings import Settings
from shared.source import market_source, recorded_market


def replayed(settings: Settings, world: World) -> dict[str, Role]:
    """Give the agents as they read through a replay's world; what they ask of vendors is what history has."""
    memories = replay_memories(settings, world)
    reads = reading(settings, world.store, world.projections, world.clock.pace, memories, world.model)
    return cast(settings, replace(reads, chains=SyntheticChainSource(reads.bars)), world.own)


def backtested(asked: Backtest, world: World) -> tuple[dict[str, Role], Callable[[], Awaitable[Sequence[Event]]]]:
    """Give the agents of a backtest, and the grading of their opinions, which gives what it would emit.

    Raises
    ------
    InvalidError
        There is no such agent.
    """
    limits = {name: getattr(asked, name) for name in ("max_weight", "max_var_95", "max_gross", "max_drawdown")}
    settings = Settings.model_validate(
        {str(Settings.model_fields[name].alias): value for name, value in limits.items()}
        | {"FINAGENT_SYMBOLS": ",".join(asked.symbols), "FINAGENT_INTERVAL": asked.interval}
    )
    everyone = replayed(settings, world)
    check_agents(asked.agents)
    chosen = {name: role for name, role in everyone.items() if name in (*(asked.agents or everyone), CONSENSUS)}
    return chosen, graded(world, asked.interval)


def graded(world: World, interval: Interval) -> Callable[[], Awaitable[Sequence[Event]]]:
    """Give the grading of the opinions in a replay's world, which gives what it would emit."""
    said = Collected()
    bars = BarHistory(world.projections, interval)
    grading = Grading(world.store, world.clock, said, bars, Views(world.projections))

    async def tick() -> Sequence[Event]:
        """Grade what is due, and give what is told of it."""
        if world.has_opinion(world.clock.now() - DUE_AFTER):
            await grading.tick()
        return said.take()

    return tick


def history(settings: Settings) -> tuple[MarketSource, str]:
    """Give the source of a backtest's history, and its name; what a vendor gave is kept on disk."""
    if settings.is_live and settings.cosmos_endpoint:
        return market_source(settings), "alpaca"
    if settings.is_live:
        return CachedMarketSource(market_source(settings), settings.data / "history"), "alpaca"
    return recorded_market(), "recorded"


def shelf(settings: Settings) -> Shelf:
    """Give where the results of replays are kept."""
    return Shelf(settings.data / "replays")


async def backtest(settings: Settings, asked: Backtest, run: str, watch: Watcher) -> Report:
    """Play a backtest that was asked for of a desk with these settings."""
    source, origin = history(settings)
    if settings.cosmos_endpoint is None:
        return await perform(asked, source, origin, backtested, shelf(settings), run, watch)
    # In Azure the report is what is kept: a disk there is an instance's own.
    with TemporaryDirectory(prefix="replay-") as folder:
        return await perform(asked, source, origin, backtested, Shelf(Path(folder)), run, watch)

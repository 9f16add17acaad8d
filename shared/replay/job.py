"""A backtest from its configuration to its kept result."""

from collections.abc import Sequence
from hashlib import sha256

from shared.broker.simulated import CorporateAction
from shared.events.replay import Backtest
from shared.market.port import MarketSource
from shared.replay.backtest import Cast, Run, Watcher
from shared.replay.manifest import check_vintage, code_hash, configuration_hash, manifest
from shared.replay.report import Report, report
from shared.replay.shelf import Shelf


def run_of(asked: Backtest, source: str) -> str:
    """Give the name of the run that a configuration makes by this code: the same each time."""
    return sha256(f"{code_hash()} {configuration_hash(asked)} {source}".encode()).hexdigest()[:16]


async def perform(
    asked: Backtest,
    source: MarketSource,
    origin: str,
    cast: Cast,
    shelf: Shelf,
    run: str,
    watch: Watcher | None = None,
    actions: Sequence[CorporateAction] = (),
) -> Report:
    """Play a backtest, keep its result, and give its report.

    Parameters
    ----------
    origin : str
        What the source is called in the manifest.
    actions : sequence of CorporateAction
        For prices that are not adjusted.

    Raises
    ------
    InvalidError
        The source has no such data, or the result cannot be written; nothing is kept then.
    """
    with shelf.drafting(run) as draft:
        played = await Run(asked, source, cast, record=draft.record, watch=watch, actions=actions).play()
        made = manifest(asked, origin, played.outcome.data_hash)
        warning = check_vintage(shelf.folder / "vintages.json", made)
        found = report(played, made, [warning] if warning else [])
        draft.finish(played.outcome, found)
        return found

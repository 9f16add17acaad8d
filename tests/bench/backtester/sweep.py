"""One backtest of a sweep, as a worker process plays it."""

import asyncio
import time
from datetime import date

from shared import rehearsal
from shared.events.replay import Backtest
from shared.market.recorded import RecordedMarketSource
from shared.replay.backtest import Run


def backtest(max_weight: float) -> tuple[int, str, float]:
    """Play 2008 with a limit; give the bars, the hash of the run, and the seconds of processor time."""
    begun = time.process_time()
    asked = Backtest(first_day=date(2008, 1, 1), last_day=date(2008, 12, 31), max_weight=max_weight)
    played = asyncio.run(Run(asked, RecordedMarketSource(), rehearsal.backtested).play())
    return played.diary.bars, played.outcome.hash, time.process_time() - begun

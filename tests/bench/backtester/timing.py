"""How a backtester is timed: by the processor time of its process, from the first bar to the end."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """What the block took."""

    seconds: float = 0.0


@contextmanager
def took() -> Iterator[Clock]:
    """Time a block."""
    clock, begun = Clock(), time.process_time()
    yield clock
    clock.seconds = time.process_time() - begun


def told(bars: int, fills: int, seconds: float, run_hash: str = "") -> None:
    """Tell the process that asked."""
    sys.stdout.write("\n" + json.dumps({"bars": bars, "fills": fills, "seconds": seconds, "hash": run_hash}) + "\n")

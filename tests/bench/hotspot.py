"""Where a process spends its time: samples of the stack, each counted for the innermost function of ours in it."""

from collections import Counter
from pathlib import Path
from typing import Any

from pyinstrument import Profiler

from tests.e2e.process import ROOT

INTERVAL_SECONDS = 0.0005
OUTSIDE = "no function of ours (asyncio)"
WAITING = "waiting"
_OURS = ("functions", "local", "shared", "tests")


class Hotspots:
    """Samples this thread from `start` to `stop`."""

    def __init__(self) -> None:
        self._profiler = Profiler(interval=INTERVAL_SECONDS, async_mode="disabled")
        self._own: Counter[str] = Counter()
        self._beneath: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self._profiler.start()

    def stop(self) -> dict[str, tuple[float, float]]:
        """End, and give for each function the seconds in itself and the seconds in libraries that it called."""
        session = self._profiler.stop()
        root = session.root_frame(trim_stem=False)
        if root is not None:
            self._count(root, OUTSIDE, is_own=False)
        return {owner: (self._own[owner], self._beneath[owner]) for owner in self._own | self._beneath}

    def _count(self, frame: Any, owner: str, *, is_own: bool) -> None:
        if not frame.is_synthetic:  # such a frame is the part of its parent that no other frame is
            ours = _name(frame)
            owner, is_own = ours or owner, bool(ours)
        spent = frame.time - sum(child.time for child in frame.children)
        (self._own if is_own else self._beneath)[owner] += spent
        for child in frame.children:
            self._count(child, owner, is_own=is_own)


def _name(frame: Any) -> str:
    """Give `module:function`, or nothing where it is not our code; a module that runs is what holds the event loop."""
    path = Path(frame.file_path or "/")
    if path.name == "selectors.py":
        return WAITING
    if frame.function == "<module>" or not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in _OURS:
        return ""
    return f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:{frame.function}"

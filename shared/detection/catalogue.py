"""The detectors that the market analyst runs over every bar, in the order of what they say of one."""

from collections.abc import Mapping, Sequence

from shared.detection import crash, whale
from shared.detection.detector import Detector, Memory, Seen
from shared.events.envelope import Event
from shared.events.market import Alarm

DETECTORS: tuple[Detector, ...] = (crash.DROP, crash.DRAWDOWN, crash.BREADTH, whale.WHALE)

type Memories = Mapping[str, Memory]
"""By the names of detectors."""
type Finding = tuple[type[Event], Alarm]

NOTHING: Memories = {}
"""What is remembered before the first bar."""


def follow(memories: Memories, seen: Seen) -> tuple[Memories, list[Finding]]:
    """Show every detector the next bar of a symbol: what they remember now, and what they found."""
    kept, found = dict[str, Memory](), list[Finding]()
    for detector in DETECTORS:
        if detector.follow is not None:
            kept[detector.name], fact = detector.follow(memories.get(detector.name, ()), seen)
            found += [(detector.event, fact)] if fact is not None else []
    return kept, found


def compare(seen: Sequence[Seen]) -> list[Finding]:
    """Show every detector one interval's bars of a shard: what they found."""
    facts = [(detector.event, detector.compare(seen)) for detector in DETECTORS if detector.compare is not None]
    return [(event, fact) for event, fact in facts if fact is not None]

"""What an agent concludes when it is asked to judge, before it becomes a vote."""

from dataclasses import dataclass

from shared.events.trade import Evidence


@dataclass(frozen=True, slots=True)
class Judgment:
    """Support for what is proposed, with its reasons.

    Attributes
    ----------
    stance : float
        -1 (fully against) to +1 (fully for).
    confidence : float
        0 to 1.
    veto : str or None
        Why it must not be done, whatever the others say.
    """

    stance: float
    confidence: float
    rationale: str
    evidence: tuple[Evidence, ...] = ()
    veto: str | None = None

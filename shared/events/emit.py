"""An event that is to be published, now or at a later moment."""

from dataclasses import dataclass
from datetime import datetime

from shared.events.envelope import Event


@dataclass(frozen=True, slots=True)
class Emit:
    """An event to publish.

    Attributes
    ----------
    deliver_at : datetime or None
        Desk time at which it happens; until then it is a scheduled message and not in the log.
    """

    event: Event
    deliver_at: datetime | None = None

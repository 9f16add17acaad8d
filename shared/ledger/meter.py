"""Who is charged: the execution that is running, or the desk itself where none is."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from shared.ledger.port import Usage

STEP_BYTES = 64 * 1024
"""A message is one Service Bus operation for each 64 KB that it has begun."""


def operations(size_bytes: int) -> int:
    """Give the Service Bus operations that a message of this size is, each time it is sent or received."""
    return max(1, -(-size_bytes // STEP_BYTES))


@dataclass(slots=True, eq=False)
class Meter:
    """What one execution has used so far, and what it belongs to; times in seconds, the rest as in `Usage`."""

    agent: str
    event: str = ""
    type: str = ""
    correlation: str = ""
    owner: str = ""
    wait: float = 0.0
    handler: float = 0.0
    store: float = 0.0
    model: float = 0.0
    milli_units: int = 0
    sent: int = 0
    received: int = 0
    settled: int = 0
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_open: bool = True
    is_mixed: bool = False

    def usage(self, executions: int, billed_us: int) -> Usage:
        """Give what was used, without the tokens."""
        return Usage(
            executions,
            billed_us,
            int(self.wait * 1e6),
            int(self.handler * 1e6),
            int(self.store * 1e6),
            int(self.model * 1e6),
            self.milli_units,
            self.sent,
            self.received,
            self.settled,
        )


running: ContextVar[Meter | None] = ContextVar("meter", default=None)
"""The meter of the execution that this task, or the one that made it, belongs to."""


class Metering:
    """Finds the meter that is to be charged.

    Attributes
    ----------
    desk : Meter
        Charged for what no execution causes, or what goes on after its end: the ledger's own writing, above all.
    """

    def __init__(self) -> None:
        self.desk = Meter("desk")

    @property
    def current(self) -> Meter:
        """The meter to charge now."""
        meter = running.get()
        return meter if meter is not None and meter.is_open else self.desk

    def request_units(self, operation: str, units: float) -> None:
        """Charge the request units of a call to Cosmos."""
        self.current.milli_units += round(units * 1_000)

    def sent(self, size_bytes: int) -> None:
        """Charge a message that was sent."""
        self.current.sent += operations(size_bytes)

    def model(self, name: str, input_tokens: int, output_tokens: int, seconds: float) -> None:
        """Charge a call of a language model, and the time that it was waited for."""
        meter = self.current
        before_in, before_out = meter.tokens.get(name, (0, 0))
        meter.tokens[name] = before_in + input_tokens, before_out + output_tokens
        meter.model += seconds

    def story(self, event_id: str, kind: str, correlation: str, owner: str) -> None:
        """Say which story a request or a timer's tick began or went on with; of several it belongs to none."""
        meter = self.current
        if meter is self.desk or meter.received or meter.is_mixed:
            return
        if meter.correlation in ("", correlation):
            meter.event, meter.type, meter.correlation, meter.owner = event_id, kind, correlation, owner
        else:
            meter.event = meter.type = meter.correlation = ""
            meter.is_mixed = True

    def take_desk(self) -> Meter:
        """Give what the desk itself has used since the last time."""
        taken, self.desk = self.desk, Meter("desk")
        return taken

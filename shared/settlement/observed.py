"""Settlement as telemetry sees it: what is emitted carries the trace on, and what is new is counted."""

from collections.abc import Sequence
from dataclasses import replace

from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.step import StepFailed
from shared.events.trade import OpinionFormed
from shared.settlement.port import Settlement
from shared.store.port import Commit
from shared.telemetry.port import Telemetry


class ObservedSettlement:
    """A `Settlement` around another, for a desk whose telemetry is on."""

    def __init__(self, settlement: Settlement, telemetry: Telemetry) -> None:
        self._settlement = settlement
        self._telemetry = telemetry

    async def settle(self, commit: Commit | None, outputs: Sequence[Emit]) -> list[Event]:
        """Make a decision durable and its outputs known, and give the events that were new to the log."""
        # Outputs that a receipt kept have their trace: what was decided once is not decided by the one who repeats it.
        emits = [self._traced(output, anew=commit is not None) for output in outputs]
        if commit is not None:
            commit = replace(commit, outputs=tuple(emits))
        with self._telemetry.span("settle", "internal", {"finagent.outputs": len(emits)}) as span:
            fresh = await self._settlement.settle(commit, emits)
            span.set("finagent.new_events", len(fresh))
        for event in fresh:
            self._count(event)
        return fresh

    def _traced(self, output: Emit, *, anew: bool) -> Emit:
        traceparent = self._telemetry.traceparent()
        if traceparent is None or (output.event.traceparent is not None and not anew):
            return output
        return replace(output, event=output.event.model_copy(update={"traceparent": traceparent}))

    def _count(self, event: Event) -> None:
        if isinstance(event, StepFailed):
            self._telemetry.count("finagent.failures", {"finagent.agent": event.data.agent})
        elif isinstance(event, OpinionFormed):
            abstained = event.data.abstained is not None
            self._telemetry.count(
                "finagent.opinions", {"finagent.agent": event.source, "finagent.abstained": abstained}
            )

"""Silence: who abstains more often than not, and that it is told once.

Each agent's newest answers are counted, whatever they are about: an answer is any event whose data may say `abstained`.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from shared.events.envelope import Event, derive_id
from shared.events.step import AgentSilenceDetected, Silence

ANSWERS = 20
"""How many of an agent's newest answers are looked at; with fewer nothing is said."""
ALARM_SHARE, CALM_SHARE = 0.5, 0.25
"""Of abstentions: from which it is told, and under which it may be told anew."""


class Tally(BaseModel):
    """An agent's newest answers, the last at the end: `x` for an abstention, `.` for another."""

    model_config = ConfigDict(frozen=True)

    answers: str = ""
    is_told: bool = False


class Watch:
    """Counts answers as they come in the log.

    Attributes
    ----------
    tallies : dict of str to Tally
        By agent, and apart what a model answered for it; what to go on with the next time.
    alarms : list of AgentSilenceDetected
        What is to be told; their ids derive from the answer that led to them.
    """

    def __init__(self, tallies: Mapping[str, Tally]) -> None:
        self.tallies = dict(tallies)
        self.alarms: list[AgentSilenceDetected] = []

    def see(self, event: Event) -> None:
        """Count an event, if it is an answer."""
        if "abstained" not in type(event.data).model_fields:
            return
        reason = event.data.abstained
        # Apart: what rules of an agent still answer would hide that its model does not.
        voice = f"{event.source}, by a model" if getattr(event.data, "calls", ()) else event.source
        before = self.tallies.get(voice, Tally())
        answers = (before.answers + ("." if reason is None else "x"))[-ANSWERS:]
        share = answers.count("x") / ANSWERS
        is_silent = len(answers) == ANSWERS and share >= ALARM_SHARE
        if is_silent and not before.is_told:
            self.alarms.append(_alarm(event, answers.count("x"), str(reason)))
        self.tallies[voice] = Tally(answers=answers, is_told=is_silent or (before.is_told and share >= CALM_SHARE))


def _alarm(event: Event, abstained: int, reason: str) -> AgentSilenceDetected:
    return AgentSilenceDetected.first(
        id=derive_id(event.id, AgentSilenceDetected.name()),
        source="sweep",
        stream=f"agent-{event.source}",
        time=event.time,
        data=Silence(agent=event.source, abstained=abstained, of=ANSWERS, reason=reason[:500]),
    )

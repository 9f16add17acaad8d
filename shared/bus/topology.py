"""The topology: which topics and subscriptions exist, read from `infra/topology.json`, the only place that says so."""

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.errors import ConflictError

FILE = Path(__file__).parents[2] / "infra" / "topology.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Subscription(_Part):
    """A subscription and the event types that its filter lets through."""

    name: str
    subjects: tuple[str, ...] = Field(min_length=1)


class Topic(_Part):
    """A topic; with sessions, messages of one session are handled one at a time and in order."""

    name: str
    requires_session: bool
    subscriptions: tuple[Subscription, ...]


class Topology(_Part):
    """All topics, and what holds for each of their subscriptions."""

    lock_seconds: float = Field(gt=0)
    max_delivery_count: int = Field(ge=1)
    duplicate_detection_seconds: float = Field(gt=0)
    topics: tuple[Topic, ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a topology from its JSON."""
        return cls.model_validate(json.loads(text))

    def wanting(self, topic: str, subject: str) -> tuple[str, ...]:
        """Give the subscriptions of `topic` that want `subject`, as `topic/subscription`; empty when nobody does."""
        return self._routes.get((topic, subject), ())

    def check_wanted(self, topic: str, subject: str) -> None:
        """Return when some subscription wants `subject`.

        Raises
        ------
        ConflictError
            None does any more: what is published would be gone.
        """
        if not self.wanting(topic, subject):
            raise ConflictError(f"nobody wants {subject} on {topic} any more")

    def without(self, name: str) -> "Topology":
        """Give the topology without one subscription."""
        topics = [
            topic.model_copy(update={"subscriptions": tuple(each for each in topic.subscriptions if each.name != name)})
            for topic in self.topics
        ]
        # Not a copy, which would keep the routes of this one.
        return Topology.model_validate({**dict(self), "topics": topics})

    def has(self, topic: str, name: str) -> bool:
        """Say whether a topic has a subscription."""
        return any(each.name == name for known in self.topics if known.name == topic for each in known.subscriptions)

    @cached_property
    def _routes(self) -> dict[tuple[str, str], tuple[str, ...]]:
        routes: dict[tuple[str, str], tuple[str, ...]] = {}
        for topic in self.topics:
            for subscription in topic.subscriptions:
                for subject in subscription.subjects:
                    known = routes.get((topic.name, subject), ())
                    routes[topic.name, subject] = (*known, f"{topic.name}/{subscription.name}")
        return routes


def agent_of(subscription: str) -> str:
    """Give the name of who listens to a subscription, for example `risk_manager` for `events/risk-manager`."""
    return subscription.rpartition("/")[2].replace("-", "_")


@cache
def topology() -> Topology:
    """Give the desk's topology."""
    return Topology.read(FILE.read_text("utf-8"))

"""Topics, subscriptions and filters are those of `topology.json`."""

from collections.abc import Iterable, Iterator

from shared.bus.topology import Subscription, Topic, Topology
from tools.infra.deployment import Expansion, Resource
from tools.infra.finding import Finding
from tools.infra.policy.view import at, of, the
from tools.infra.value import Value

NAMESPACE = "Microsoft.ServiceBus/namespaces"
TOPIC, SUBSCRIPTION = f"{NAMESPACE}/topics", f"{NAMESPACE}/topics/subscriptions"
RULE = f"{SUBSCRIPTION}/rules"


def topology(expansion: Expansion) -> Iterator[Finding]:
    """Give where the bus is not as the topology says."""
    wanted = Topology.read((expansion.root / "topology.json").read_text())
    namespace = the(expansion, NAMESPACE)
    yield from _is(namespace, {"sku.name": "Standard", "sku.tier": "Standard"})
    topics = {topic.name: topic for topic in wanted.topics}
    made = of(expansion, TOPIC)
    yield from _same(namespace, "topics", topics, [each.name for each in made])
    for each in made:
        if each.name in topics:
            yield from _topic(expansion, wanted, topics[each.name], each)


def _topic(expansion: Expansion, all_: Topology, topic: Topic, made: Resource) -> Iterator[Finding]:
    window = f"PT{all_.duplicate_detection_seconds:g}S"
    yield from _is(
        made,
        {
            "properties.requiresDuplicateDetection": True,
            "properties.duplicateDetectionHistoryTimeWindow": window,
        },
    )
    subscriptions = {each.name: each for each in topic.subscriptions}
    found = [each for each in of(expansion, SUBSCRIPTION) if each.parent == made.id]
    yield from _same(made, f"subscriptions of {topic.name}", subscriptions, [each.name for each in found])
    for each in found:
        yield from _is(
            each,
            {
                "properties.requiresSession": topic.requires_session,
                "properties.lockDuration": f"PT{all_.lock_seconds:g}S",
                "properties.maxDeliveryCount": all_.max_delivery_count,
                "properties.deadLetteringOnMessageExpiration": True,
                "properties.deadLetteringOnFilterEvaluationExceptions": True,
            },
        )
        if each.name in subscriptions:
            yield from _filter(expansion, subscriptions[each.name], each)


def _filter(expansion: Expansion, wanted: Subscription, made: Resource) -> Iterator[Finding]:
    rules = [each for each in of(expansion, RULE) if each.parent == made.id]
    if [each.name for each in rules] != ["$Default"]:
        yield Finding(made.place, f"{made.name} should have one rule, $Default, which Azure makes to let all through")
    subjects = ", ".join(f"'{subject}'" for subject in wanted.subjects)
    for each in rules:
        yield from _is(
            each,
            {
                "properties.filterType": "SqlFilter",
                "properties.sqlFilter.sqlExpression": f"sys.Label IN ({subjects})",
            },
        )


def _is(made: Resource, wanted: dict[str, Value]) -> Iterator[Finding]:
    for path, value in wanted.items():
        if (found := at(made.body, path)) != value:
            yield Finding(made.place, f"{made.name}: {path} is {found!r}, and topology.json wants {value!r}")


def _same(made: Resource, what: str, wanted: Iterable[str], found: Iterable[str]) -> Iterator[Finding]:
    if sorted(wanted) != sorted(found):
        yield Finding(made.place, f"{what}: {sorted(found)}, and topology.json has {sorted(wanted)}")

"""How hypothesis runs in a contract suite, whose tests every adapter's class inherits."""

from hypothesis import HealthCheck, settings

ORDERINGS = settings(
    max_examples=25,
    deadline=None,
    # An ordering that broke one adapter is worth trying on the others, so they may share what was found.
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)

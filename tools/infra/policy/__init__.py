"""What no type can see. Each policy looks at an expanded deployment and gives what is wrong with it."""

from collections.abc import Callable, Iterator

from tools.infra.deployment import Expansion
from tools.infra.finding import Finding
from tools.infra.policy import access, app, bus, order, setting, store, watch

type Policy = Callable[[Expansion], Iterator[Finding]]

POLICIES: tuple[Policy, ...] = (
    access.closed,
    access.roles,
    access.outputs,
    order.names_and_tags,
    bus.topology,
    store.containers,
    app.flex,
    app.authentication,
    setting.settings,
    setting.secrets,
    watch.diagnostics,
    watch.alerts,
)

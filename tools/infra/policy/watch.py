"""Whoever operates a desk learns of what goes wrong with it, and of what it costs."""

import re
from collections.abc import Iterator

from tools.infra.deployment import Expansion
from tools.infra.finding import Finding
from tools.infra.policy.view import at, of, the
from tools.infra.value import Runtime, Value

LOGGED = {
    "Microsoft.CognitiveServices/accounts",
    "Microsoft.DocumentDB/databaseAccounts",
    "Microsoft.KeyVault/vaults",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Web/sites",
}
ALERTS = {"abstentions", "backlog", "dead-letters", "failures", "prices", "silence", "spend", "ticks"}


def diagnostics(expansion: Expansion) -> Iterator[Finding]:
    """Give what logs to nowhere, and a workspace without a cap."""
    settings = of(expansion, "Microsoft.Insights/diagnosticSettings")
    for resource in expansion.resources:
        mine = [each for each in settings if each.parent == resource.id]
        if resource.type.name in LOGGED and not mine:
            yield Finding(resource.place, f"{resource.type.name} has no diagnostic settings")
    for each in settings:
        if not isinstance(at(each.body, "properties.workspaceId"), Runtime):
            yield Finding(each.place, "logs should go to the desk's workspace")
    workspace = the(expansion, "Microsoft.OperationalInsights/workspaces")
    cap = at(workspace.body, "properties.workspaceCapping.dailyQuotaGb")
    if not isinstance(cap, int) or cap <= 0:
        yield Finding(workspace.place, "logs have no daily cap")


def alerts(expansion: Expansion) -> Iterator[Finding]:
    """Give the alerts that are missing, or tell nobody."""
    group = the(expansion, "Microsoft.Insights/actionGroups")
    rules = [
        *of(expansion, "Microsoft.Insights/metricAlerts"),
        *of(expansion, "Microsoft.Insights/scheduledQueryRules"),
    ]
    named = {name for name in ALERTS for each in rules if each.name.startswith(f"alert-finagent-{name}-")}
    for name in sorted(ALERTS - named):
        yield Finding("alerts.json", f"there is no alert of {name}")
    for each in rules:
        if group.id not in _told(at(each.body, "properties.actions")):
            yield Finding(each.place, f"{each.name} tells nobody")
    for budget in of(expansion, "Microsoft.Consumption/budgets"):
        start = str(at(budget.body, "properties.timePeriod.startDate"))
        if not re.fullmatch(r"\d{4}-\d\d-01", start):
            yield Finding(budget.place, f"a budget starts on the first of a month, not on {start}")
        notifications = at(budget.body, "properties.notifications")
        for name, notification in notifications.items() if isinstance(notifications, dict) else ():
            if group.id not in _told(at(notification, "contactGroups")):
                yield Finding(budget.place, f"the notification {name} tells nobody")


def _told(actions: Value) -> list[Value]:
    """Give the action groups, however the kind of rule writes them."""
    if isinstance(actions, dict):
        return _told(actions.get("actionGroups"))
    each = actions if isinstance(actions, list) else []
    return [at(action, "actionGroupId") if isinstance(action, dict) else action for action in each]

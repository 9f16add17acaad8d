"""Names by convention, and tags, by which azd finds its resources and people their costs."""

import re
from collections.abc import Iterator

from tools.infra.deployment import Expansion
from tools.infra.finding import Finding
from tools.infra.policy.view import at, the

PREFIXES = {
    "Microsoft.CognitiveServices/accounts": "oai-finagent-",
    "Microsoft.Consumption/budgets": "budget-finagent-",
    "Microsoft.DocumentDB/databaseAccounts": "cosmos-finagent-",
    "Microsoft.Insights/actionGroups": "ag-finagent-",
    "Microsoft.Insights/components": "appi-finagent-",
    "Microsoft.Insights/metricAlerts": "alert-finagent-",
    "Microsoft.Insights/scheduledQueryRules": "alert-finagent-",
    "Microsoft.KeyVault/vaults": "kv-",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "id-finagent-",
    "Microsoft.OperationalInsights/workspaces": "log-finagent-",
    "Microsoft.Resources/resourceGroups": "rg-finagent-",
    "Microsoft.ServiceBus/namespaces": "sbns-finagent-",
    "Microsoft.Storage/storageAccounts": "stfinagent",
    "Microsoft.Web/serverfarms": "plan-finagent-",
    "Microsoft.Web/sites": "func-finagent-",
}
"""Microsoft's abbreviations, the product, and what makes the name unique."""

_SERVICE = re.compile(r"^services:\n  (\w+):$", re.M)


def names_and_tags(expansion: Expansion) -> Iterator[Finding]:
    """Give the resources that are named or tagged otherwise."""
    for resource in expansion.resources:
        prefix = PREFIXES.get(resource.type.name, "")
        if not resource.name.startswith(prefix):
            yield Finding(resource.place, f"{resource.name} should begin with {prefix}")
        if prefix and "tags" in resource.type.body.properties and not at(resource.body, "tags.azd-env-name"):
            yield Finding(resource.place, f"{resource.type.name} lacks the tag azd-env-name")
    site = the(expansion, "Microsoft.Web/sites")
    services = _SERVICE.findall((expansion.root.parent / "azure.yaml").read_text())
    if at(site.body, "tags.azd-service-name") not in services:
        yield Finding(site.place, f"azd-service-name should be {' or '.join(services)}, the service of azure.yaml")

"""Who may do what: keys are off, the transport is TLS 1.2, and the one identity has the roles it needs and no other."""

import json
from collections.abc import Iterator

from tools.infra.deployment import Expansion, Resource
from tools.infra.finding import Finding
from tools.infra.policy.view import at, of
from tools.infra.value import Runtime, Value, runtimes

CLOSED: dict[str, dict[str, Value]] = {
    "Microsoft.CognitiveServices/accounts": {"properties.disableLocalAuth": True},
    "Microsoft.DocumentDB/databaseAccounts": {
        "properties.disableLocalAuth": True,
        "properties.disableKeyBasedMetadataWriteAccess": True,
        "properties.minimalTlsVersion": "Tls12",
    },
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
    "Microsoft.KeyVault/vaults": {
        "properties.enableRbacAuthorization": True,
        "properties.enableSoftDelete": True,
        "properties.accessPolicies": None,
    },
    "Microsoft.OperationalInsights/workspaces": {"properties.features.disableLocalAuth": True},
    "Microsoft.ServiceBus/namespaces": {"properties.disableLocalAuth": True, "properties.minimumTlsVersion": "1.2"},
    "Microsoft.Storage/storageAccounts": {
        "properties.allowBlobPublicAccess": False,
        "properties.allowCrossTenantReplication": False,
        "properties.allowSharedKeyAccess": False,
        "properties.minimumTlsVersion": "TLS1_2",
        "properties.supportsHttpsTrafficOnly": True,
    },
    "Microsoft.Storage/storageAccounts/blobServices/containers": {"properties.publicAccess": "None"},
    "Microsoft.Web/sites": {
        "properties.httpsOnly": True,
        "properties.siteConfig.minTlsVersion": "1.2",
        "properties.siteConfig.scmMinTlsVersion": "1.2",
    },
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
}
"""What closes each service; the spellings differ from one to the next."""

BUILT_IN = {
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "Azure Service Bus Data Sender",
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": "Azure Service Bus Data Receiver",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "00000000-0000-0000-0000-000000000002": "Cosmos DB Built-in Data Contributor",
}
"""Azure's names of the roles (learn.microsoft.com/azure/role-based-access-control/built-in-roles)."""

NEEDED = {
    "Microsoft.CognitiveServices/accounts": {"Cognitive Services OpenAI User"},
    "Microsoft.DocumentDB/databaseAccounts": {"Cosmos DB Built-in Data Contributor"},
    "Microsoft.Insights/components": {"Monitoring Metrics Publisher"},
    "Microsoft.KeyVault/vaults": {"Key Vault Secrets User"},
    "Microsoft.ServiceBus/namespaces": {"Azure Service Bus Data Sender", "Azure Service Bus Data Receiver"},
    "Microsoft.Storage/storageAccounts": {"Storage Blob Data Owner"},
}
"""The roles that the app has on each resource: these, and no other."""

_ASSIGNMENTS = ("Microsoft.Authorization/roleAssignments", "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments")


def closed(expansion: Expansion) -> Iterator[Finding]:
    """Give what is open that should be closed."""
    for resource in expansion.resources:
        for path, wanted in CLOSED.get(resource.type.name, {}).items():
            if at(resource.body, path) != wanted:
                yield Finding(resource.place, f"{resource.type.name}: {path} should be {json.dumps(wanted)}")


def roles(expansion: Expansion) -> Iterator[Finding]:
    """Give roles that are missing, that are too many, and that go by another name than Azure's."""
    yield from _named(expansion)
    assignments = [each for kind in _ASSIGNMENTS for each in of(expansion, kind)]
    for resource in expansion.resources:
        given = {_role(each) for each in assignments if each.parent == resource.id}
        wanted = NEEDED.get(resource.type.name, set())
        for role in sorted(wanted - given):
            yield Finding(resource.place, f"the app lacks the role {role} on {resource.type.name}")
        for role in sorted(given - wanted):
            yield Finding(resource.place, f"the app should not have the role {role} on {resource.type.name}")
    for each in assignments:
        yield from _sound(each)


def outputs(expansion: Expansion) -> Iterator[Finding]:
    """Give the outputs that show a secret: they stay readable in the deployment's history."""
    for name, value in expansion.outputs.items():
        if any(found.secret for found in runtimes(value)):
            yield Finding("main.bicep", f"the output {name} shows a secret")


def _named(expansion: Expansion) -> Iterator[Finding]:
    for name, guid in json.loads((expansion.root / "roles.json").read_text()).items():
        known = BUILT_IN.get(guid, "no role that is known here")
        if known.replace(" ", "").removeprefix("Azure").lower() != name.lower():
            yield Finding("roles.json", f"{name} has the id of {known}")


def _role(assignment: Resource) -> str:
    definition = str(at(assignment.body, "properties.roleDefinitionId"))
    return BUILT_IN.get(definition.rpartition("/")[2], definition)


def _sound(assignment: Resource) -> Iterator[Finding]:
    if not assignment.parent:
        yield Finding(assignment.place, "a role on the whole resource group, and not on one resource")
    if not isinstance(at(assignment.body, "properties.principalId"), Runtime):
        yield Finding(assignment.place, "a role for someone else than the app's identity")
    if not assignment.type.name.endswith("sqlRoleAssignments"):
        if at(assignment.body, "properties.principalType") != "ServicePrincipal":
            yield Finding(assignment.place, "principalType should be ServicePrincipal: a new identity is not found yet")
    elif at(assignment.body, "properties.scope") != assignment.parent:
        yield Finding(assignment.place, "the role should hold for its account")

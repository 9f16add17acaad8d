"""The function app as Flex Consumption wants it, and closed to whom it should be."""

import re
from collections.abc import Iterator

from tools.infra.deployment import Expansion
from tools.infra.finding import Finding
from tools.infra.policy.view import at, the
from tools.infra.value import Value

SITE, PLAN = "Microsoft.Web/sites", "Microsoft.Web/serverfarms"
MEMORY_MB = (512, 2048, 4096)
FEWEST_INSTANCES, MOST_INSTANCES = 40, 1_000
ELSEWHERE = {
    "alwaysOn",
    "appSettings",
    "functionAppScaleLimit",
    "javaVersion",
    "linuxFxVersion",
    "minimumElasticInstanceCount",
    "netFrameworkVersion",
    "nodeVersion",
    "powerShellVersion",
    "preWarmedInstanceCount",
    "pythonVersion",
    "use32BitWorkerProcess",
    "websiteTimeZone",
    "windowsFxVersion",
}
"""What other plans have in siteConfig, and Flex Consumption in functionAppConfig, in `appsettings`, or not at all."""


def flex(expansion: Expansion) -> Iterator[Finding]:
    """Give what Flex Consumption would refuse or ignore."""
    site, plan = the(expansion, SITE), the(expansion, PLAN)
    config = "properties.functionAppConfig"
    version = (expansion.root.parent / ".python-version").read_text().strip()
    wanted: dict[str, Value] = {
        "kind": "functionapp,linux",
        "identity.type": "UserAssigned",
        f"{config}.runtime": {"name": "python", "version": version},
        f"{config}.deployment.storage.type": "blobContainer",
        f"{config}.deployment.storage.authentication.type": "UserAssignedIdentity",
    }
    for path, value in wanted.items():
        if at(site.body, path) != value:
            yield Finding(site.place, f"{path} is {at(site.body, path)!r}, and should be {value!r}")
    if (
        at(plan.body, "sku") != {"name": "FC1", "tier": "FlexConsumption"}
        or at(plan.body, "properties.reserved") is not True
    ):
        yield Finding(plan.place, "the plan should be FC1 of FlexConsumption on Linux (reserved)")
    given = at(site.body, "properties.siteConfig")
    for name in sorted(ELSEWHERE & given.keys()) if isinstance(given, dict) else ():
        yield Finding(site.place, f"siteConfig.{name} is not for Flex Consumption")
    yield from _scale(site.place, at(site.body, f"{config}.scaleAndConcurrency"))


def _scale(place: str, scale: Value) -> Iterator[Finding]:
    memory, most = at(scale, "instanceMemoryMB"), at(scale, "maximumInstanceCount")
    if memory not in MEMORY_MB:
        yield Finding(place, f"instanceMemoryMB is {memory!r}, none of {MEMORY_MB}")
    if not (isinstance(most, int) and FEWEST_INSTANCES <= most <= MOST_INSTANCES):
        yield Finding(place, f"maximumInstanceCount is {most!r}, not from {FEWEST_INSTANCES} to {MOST_INSTANCES}")
    ready = at(scale, "alwaysReady")
    for name in [str(at(each, "name")) for each in ready] if isinstance(ready, list) else []:
        if not re.fullmatch(r"http|durable|blob|function:[a-z][a-z0-9_]*", name):
            yield Finding(place, f"alwaysReady: {name!r} is neither http nor function:NAME in lower case")


def authentication(expansion: Expansion) -> Iterator[Finding]:
    """Give where App Service authentication is off, and where browsers or probes could not get through."""
    auth = the(expansion, f"{SITE}/config", "authsettingsV2")
    site = the(expansion, SITE)
    enabled = at(auth.body, "properties.platform.enabled")
    required = at(auth.body, "properties.globalValidation.requireAuthentication")
    action = at(auth.body, "properties.globalValidation.unauthenticatedClientAction")
    if required or action != "AllowAnonymous":
        yield Finding(auth.place, "who is not signed in should get the page that asks them to")
    provider = at(auth.body, "properties.identityProviders.azureActiveDirectory")
    client, audiences = at(provider, "registration.clientId"), at(provider, "validation.allowedAudiences")
    if enabled and audiences != [client, f"api://{client}"]:
        yield Finding(auth.place, "tokens should be for the registration alone")
    origins = at(site.body, "properties.siteConfig.cors.allowedOrigins")
    if not isinstance(origins, list) or "*" in origins:
        yield Finding(site.place, "origins should be named one by one")

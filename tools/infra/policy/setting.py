"""The app settings: what `Settings` reads and the platform needs, no other, and no secret in the open."""

import re
from collections.abc import Iterator
from pathlib import Path

from shared.errors import InvalidError
from shared.settings import Settings
from tools.infra.deployment import Expansion, Resource
from tools.infra.finding import Finding
from tools.infra.policy.view import at, of, the
from tools.infra.value import Runtime, Value

CODE = Path(__file__).parents[3]

NOT_IN_AZURE = {
    "ALPACA_DATA_URL": "the usual address",
    "ALPACA_TRADING_URL": "the usual address",
    "AZURE_OPENAI_API_KEY": "by identity",
    "COSMOS_KEY": "by identity",
    "FINAGENT_CORS": "the platform answers preflights itself",
    "FINAGENT_DATA": "the embedded desk's folder",
    "FINAGENT_EMBEDDER": "the extra that it takes is not deployed",
    "FINAGENT_LOG": "of the embedded host; the platform takes log records itself",
    "FINAGENT_PRICES": "the table that is shipped",
    "FINAGENT_SPEED": "of the recorded feed, which is not deployed",
    "FINAGENT_START": "of the recorded feed, which is not deployed",
    "OPENAI_API_KEY": "Azure OpenAI instead, by identity",
    "OPENAI_BASE_URL": "Azure OpenAI instead",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Application Insights instead",
    "OTEL_TRACES_EXPORTER": "Application Insights instead",
    "SERVICEBUS": "by identity",
    "SERVICEBUS_ADMINISTRATION_URL": "the usual address",
}
"""Settings that the deployment does not give, and why."""

PLATFORM = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "AZURE_CLIENT_ID",
    "AzureWebJobsDisableHomepage",
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "OPENBLAS_NUM_THREADS",
    "SERVICEBUS__clientId",
    "SERVICEBUS__credential",
}
"""What the Functions host, Azure's SDKs and numpy read: all of it is needed."""

REFUSED = {
    "AzureWebJobsStorage": "a connection string holds a key",
    "ENABLE_ORYX_BUILD": "azure.yaml says remoteBuild",
    "FUNCTIONS_EXTENSION_VERSION": "Flex Consumption has one version",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY": "functionAppConfig has it",
    "FUNCTIONS_WORKER_RUNTIME": "functionAppConfig has it",
    "FUNCTIONS_WORKER_RUNTIME_VERSION": "functionAppConfig has it",
    "SCM_DO_BUILD_DURING_DEPLOYMENT": "azure.yaml says remoteBuild",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING": "Flex Consumption mounts a package",
    "WEBSITE_CONTENTSHARE": "Flex Consumption mounts a package",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT": "functionAppConfig has it",
    "WEBSITE_RUN_FROM_PACKAGE": "functionAppConfig has it",
    "WEBSITE_TIME_ZONE": "Flex Consumption has UTC alone",
}
"""What Flex Consumption refuses or does otherwise, by Microsoft's reference of app settings."""

_PERCENT = re.compile(r'"%(\w+)%"')
_CONNECTION = re.compile(r'connection="(\w+)"')
_REFERENCE = re.compile(r"<@Microsoft\.KeyVault\(SecretUri=<vault\.outputs\.uri>secrets/([a-z-]+)\)>")


def settings(expansion: Expansion) -> Iterator[Finding]:
    """Give the settings that are missing, unknown, refused or malformed."""
    made = the(expansion, "Microsoft.Web/sites/config", "appsettings")
    given = at(made.body, "properties")
    assert isinstance(given, dict)
    read = {str(field.alias) for field in Settings.model_fields.values()} | _of_functions(_PERCENT)
    for name in sorted(read - given.keys() - NOT_IN_AZURE.keys()):
        yield Finding(
            made.place,
            f"{name} is read and not given: add it to the settings of infra/profiles/*.json (or, if it rests on a"
            " resource, to deskSettings in infra/modules/app.bicep); where Azure has no use for it, to NOT_IN_AZURE in"
            " tools/infra/policy/setting.py with the reason",
        )
    for name in sorted(PLATFORM - given.keys()):
        yield Finding(made.place, f"the platform needs {name}")
    for name in sorted(given.keys() - read - PLATFORM):
        why = REFUSED.get(name, "nothing reads it; a new setting belongs into shared/settings.py and README first")
        yield Finding(made.place, f"{name} should not be given: {why}")
    for name in sorted(NOT_IN_AZURE.keys() & (given.keys() | (NOT_IN_AZURE.keys() - read))):
        yield Finding(made.place, f"{name} is in NOT_IN_AZURE, and is given or is no setting any more")
    yield from _sound(made, given)


def _sound(made: Resource, given: dict[str, Value]) -> Iterator[Finding]:
    for name in sorted(_of_functions(_CONNECTION)):
        if not {f"{name}__fullyQualifiedNamespace", f"{name}__clientId", f"{name}__credential"} <= given.keys():
            yield Finding(made.place, f"the functions' connection {name} is not given for an identity")
    if given.get("AzureWebJobsDisableHomepage") != "true":
        yield Finding(made.place, "the home page should be off: the API answers at /")
    for name in (name for name, value in given.items() if name.endswith("__credential") and value != "managedidentity"):
        yield Finding(made.place, f"{name} should be managedidentity")
    try:
        Settings.from_env({name: _sample(name, value) for name, value in given.items()})
    except InvalidError as error:
        yield Finding(made.place, f"the desk refuses these settings: {error}")


def secrets(expansion: Expansion) -> Iterator[Finding]:
    """Give the secrets that the vault lacks or the app has in the open."""
    made = the(expansion, "Microsoft.Web/sites/config", "appsettings")
    given = at(made.body, "properties")
    assert isinstance(given, dict)
    held = {each.name for each in of(expansion, "Microsoft.KeyVault/vaults/secrets")}
    for name, field in ((str(field.alias), field) for field in Settings.model_fields.values()):
        if name in given and "SecretStr" in str(field.annotation):
            found = _REFERENCE.fullmatch(str(given[name]))
            if not found:
                yield Finding(made.place, f"{name} should be a reference to a secret of the vault")
            elif held and found[1] not in held:
                yield Finding(made.place, f"{name}: the vault has no secret {found[1]}")


def _of_functions(pattern: re.Pattern[str]) -> set[str]:
    return {name for path in (CODE / "functions").rglob("*.py") for name in pattern.findall(path.read_text())}


def _sample(name: str, value: Value) -> str:
    """Give a setting as it may look like in Azure where only Azure knows it."""
    if not isinstance(value, Runtime):
        return str(value)
    return "https://account.example" if name.endswith("ENDPOINT") else "made-by-azure"

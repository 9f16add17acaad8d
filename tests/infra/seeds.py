"""Mistakes that people make in Bicep: what to write instead of what, and what the check must say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seed:
    """A mistake: `old`, which is once in `file`, becomes `new`, and a finding has `found` in it."""

    file: str
    old: str
    new: str
    found: str


APP, BUS, TOPIC, STORE = (f"modules/{name}.bicep" for name in ("app", "bus", "topic", "store"))
STORAGE, VAULT, ALERT, WATCH = (f"modules/{name}.bicep" for name in ("storage", "vault", "alert", "monitoring"))
MODEL, MAIN = "modules/model.bicep", "main.bicep"

TYPES = (
    Seed(STORAGE, "allowSharedKeyAccess: false", "allowSharedKey: false", "allowSharedKey: unknown property"),
    Seed(STORAGE, "minimumTlsVersion: ", "minimumTLSVersion: ", "it is spelt minimumTlsVersion"),
    Seed(STORAGE, "'TLS1_2'", "'1.2'", "'1.2' is none of TLS1_0"),
    Seed(
        STORAGE, "supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: 'true'", "is string, and should be bool"
    ),
    Seed(STORAGE, "accessTier: 'Hot'", "primaryLocation: 'here'", "primaryLocation: is read-only"),
    Seed(STORAGE, "  sku: { name: skuName }\n", "", "sku: is required and missing"),
    Seed(STORAGE, "storageAccounts@2025-01-01'", "storageAccounts@2023-01-01'", "known at 2025-01-01, not 2023-01-01"),
    Seed(
        STORAGE,
        "Microsoft.Storage/storageAccounts@",
        "Microsoft.Storage/accounts@",
        "the type Microsoft.Storage/accounts",
    ),
    Seed(STORAGE, "primaryEndpoints.blob", "primaryEndpoint.blob", "account.properties has no primaryEndpoint"),
    Seed(STORAGE, "publicAccess: 'None'", "publicAccess: 'none'", "'none' is none of Container"),
    Seed(STORAGE, "  parent: account\n", "", "needs a parent of Microsoft.Storage/storageAccounts"),
    Seed(
        STORAGE, "  parent: blobs\n", "  parent: account\n", "needs a parent of Microsoft.Storage/storageAccounts/blobS"
    ),
    Seed(BUS, "tier: 'Standard'", "tier: 'standard'", "'standard' is none of Basic"),
    Seed(BUS, "maxDeliveryCount: topology.maxDeliveryCount", "maxDeliveryCount: '10'", "is string, and should be int"),
    Seed(TOPIC, "lockDuration: 'PT", "lockDurations: 'PT", "lockDurations: unknown property"),
    Seed(TOPIC, "filterType: 'SqlFilter'", "filterType: 'Sql'", "'Sql' is none of SqlFilter"),
    Seed(STORE, "OfferType: 'Standard'", "OfferType: 'Premium'", "'Premium' is none of Standard"),
    Seed(STORE, "    databaseAccountOfferType: 'Standard'\n", "", "databaseAccountOfferType: is required and missing"),
    Seed(STORE, "type: 'Continuous',", "type: 'Sometimes',", "'Sometimes' is none of Continuous, Periodic"),
    Seed(STORE, "failoverPriority: 0", "failoverPriority: -1", "-1 is beyond minValue 0"),
    Seed(STORE, "resource: { id: databaseName }", "resource: {}", "properties.resource.id: is required and missing"),
    Seed(STORE, "properties.documentEndpoint", "properties.endpoint", "account.properties has no endpoint"),
    Seed("containers.json", '"paths": ["/home"], "kind": "Hash"', '"paths": "/home"', "should be string[]"),
    Seed("containers.json", '"paths": ["/home"], "kind": "Hash"', '"kind": "Hashed"', "'Hashed' is none of Hash"),
    Seed("containers.json", '"defaultTtl"', '"default_ttl"', "default_ttl: unknown property"),
    Seed(VAULT, "family: 'A'", "family: 'B'", "'B' is none of A"),
    Seed(VAULT, "    tenantId: tenant().tenantId\n", "", "tenantId: is required and missing"),
    Seed(VAULT, "name: 'alpaca-api-key'", "name: 'alpaca_api_key'", "'alpaca_api_key' does not match"),
    Seed(VAULT, "softDeleteRetentionInDays: 7", "softDeleteRetentionInDays: 7.5", "syntax"),
    Seed(MAIN, "'kv-${token}'", "'kv-finagent-${token}'", "does not match"),
    Seed(MAIN, "'stfinagent${token}'", "'stfinagent${environmentName}${token}'", "is beyond maxLength 24"),
    Seed(ALERT, "operator: 'Include'", "operator: 'Only'", "'Only' is none of Include"),
    Seed(ALERT, "groupShortName: 'finagent'", "groupShortName: 'finagent-alerts'", "15 is beyond maxLength 12"),
    Seed(ALERT, "SingleResourceMultipleMetricCriteria", "MetricCriteria", "is none of Microsoft.Azure.Monitor.Single"),
    Seed(ALERT, "    amount: monthlyBudget\n", "    amount: '25'\n", "properties.amount: is string, and should be int"),
    Seed(ALERT, "    timeGrain: 'Monthly'\n", "", "timeGrain: is required and missing"),
    Seed("alerts.json", '"threshold": 20,', '"threshold": "20",', "threshold: is string, and should be int"),
    Seed(APP, "instanceMemoryMB: ", "instanceMemoryMb: ", "it is spelt instanceMemoryMB"),
    Seed(APP, "'authsettingsV2'", "'authsettingsV3'", "'authsettingsV3' is none of"),
    Seed(APP, "'AllowAnonymous'", "'Allow'", "'Allow' is none of RedirectToLoginPage"),
    Seed(APP, "type: 'UserAssignedIdentity'", "type: 'UserAssigned'", "'UserAssigned' is none of"),
    Seed(APP, "settings, platformSettings", "settings, { X: 1 }, platformSettings", "is int, and should be string"),
    Seed(WATCH, "    DisableLocalAuth", "    disableLocalAuth", "it is spelt DisableLocalAuth"),
    Seed(WATCH, "principalType: 'ServicePrincipal'", "principalType: 'App'", "'App' is none of"),
    Seed(WATCH, "  kind: 'web'\n", "  kind: 'web'\n  scope: workspace\n", "cannot be put on another resource"),
    Seed(MODEL, "'OnceCurrentVersionExpired'", "'Never'", "'Never' is none of OnceNew"),
    Seed(
        MAIN,
        "targetScope = 'subscription'\n",
        "",
        "Microsoft.Resources/resourceGroups cannot be deployed to a ResourceG",
    ),
    Seed("profiles/prod.json", '"instances": 100', '"instances": "100"', "maximumInstanceCount: is string"),
)
"""What the types tell."""

SYMBOLS = (
    Seed(BUS, "in topology.topics", "in topology.topic", "topology has no topic"),
    Seed(BUS, "topic: topic\n", "topic: topics_\n", "topics_ is not declared"),
    Seed(BUS, "    topic: topic\n", "", "modules/topic.bicep needs the parameter topic"),
    Seed(BUS, "    topic: topic\n", "    topic: topic\n    colour: 'red'\n", "has no parameter colour"),
    Seed(BUS, "topic: topic\n", "topic: topic.name\n", "topic is string, and should be object"),
    Seed(BUS, "'topic.bicep'", "'topics.bicep'", "topics.bicep: there is no such file"),
    Seed(BUS, "topology.json'", "topologies.json'", "topologies.json cannot be read"),
    Seed(
        TOPIC,
        "requiresSession: topic.requiresSession\n",
        "requiresSession: topic.requireSession\n",
        "no requireSession",
    ),
    Seed(TOPIC, "subscriptions[i]", "subscriptions[i", "syntax"),
    Seed(TOPIC, "subscriptions[i]", "subscriptions[i][0]", "subscriptions[i][0]: there is no"),
    Seed(STORAGE, "param skuName string", "param skuName string\nparam other string = ''", "param other is not used"),
    Seed(STORAGE, "param skuName string", "param skuName string\nvar other = 1", "var other is not used"),
    Seed(STORAGE, "param skuName string", "param skuName int", "skuName is string, and should be int"),
    Seed(
        STORAGE,
        "output name string = account.name",
        "output name int = account.name",
        "name is string, and should be int",
    ),
    Seed(STORAGE, "name: name\n", "name: account.properties.creationTime\n", "account depends on itself"),
    Seed(
        STORAGE,
        "guid(account.id, ",
        "guid(account.properties.creationTime, ",
        "is not known when the deployment begins",
    ),
    Seed(VAULT, "tenant().tenantId", "tenant().id", "tenant() has no id"),
    Seed(VAULT, "guid(", "newGuid(", "knows no function newGuid"),
    Seed(VAULT, "!empty(alpacaApiKey)", "!empty(alpacaApiKey, 1)", "empty takes 1 to 1 arguments, not 2"),
    Seed(VAULT, "@secure()\nparam alpacaApiKey", "param alpacaApiKey", "is given a secret and is not @secure()"),
    Seed(MAIN, "bus.outputs.id\n", "bus.outputs.namespaceId\n", "the module bus has no output namespaceId"),
    Seed(MAIN, "empty(allowedOrigins) ?", "empty(app.outputs.url) ?", "app depends on itself"),
    Seed(MAIN, "empty(allowedOrigins) ?", "empty(bus.outputs.id) ?", "a condition is a bool known at the start"),
    Seed(MAIN, "@allowed(['dev', 'prod'])", "@allowed(['dev', 'test'])", "profileName is 'prod', none of dev, test"),
    Seed(MAIN, "if (withOpenAi)", "if (withOpenAi && profileName == 'dev')", "model is made in no case"),
    Seed(
        MAIN,
        "'modules/model.bicep' = if (withOpenAi)",
        "'modules/vault.bicep' = if (false)",
        "modules/model.bicep: no module",
    ),
    Seed(MAIN, "profile.monthlyBudget", "profile.monthlybudget", "profile has no monthlybudget"),
    Seed(MAIN, "  scope: group\n  params: { name: 'id", "  params: { name: 'id", "is for a resourceGroup"),
    Seed("main.parameters.json", '"alertEmail"', '"alertMail"', "main.bicep has no parameter alertMail"),
    Seed(
        "main.parameters.json",
        "${FINAGENT_OPENAI=false}",
        "${FINAGENT_OPENAI=no}",
        "withOpenAi is string, and should be bool",
    ),
    Seed(
        "main.parameters.json",
        "FINAGENT_PROFILE=dev",
        "FINAGENT_PROFILE=test",
        "profileName is 'test', none of dev, prod",
    ),
)
"""What names tell, and what nothing is known of."""

POLICIES = (
    Seed(STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "allowSharedKeyAccess should be false"),
    Seed(STORAGE, "    allowSharedKeyAccess: false\n", "", "allowSharedKeyAccess should be false"),
    Seed(STORAGE, "'TLS1_2'", "'TLS1_0'", 'minimumTlsVersion should be "TLS1_2"'),
    Seed(STORAGE, "publicAccess: 'None'", "publicAccess: 'Blob'", 'publicAccess should be "None"'),
    Seed(STORE, "disableLocalAuth: true", "disableLocalAuth: false", "disableLocalAuth should be true"),
    Seed(STORE, "'Tls12'", "'Tls11'", 'minimalTlsVersion should be "Tls12"'),
    Seed(STORE, ", { name: 'EnableNoSQLVectorSearch' }", "", "capabilities should be"),
    Seed(
        STORE,
        "var dataContributor = '00000000-0000-0000-0000-000000000002'",
        "var dataContributor = '00000000-0000-0000-0000-000000000001'",
        "lacks the role Cosmos DB Built-in Data Contributor",
    ),
    Seed(STORE, "resource: container }", "resource: { id: container.id } }", "not those of containers.json"),
    Seed(STORE, "    scope: account.id\n", "    scope: '/'\n", "should hold for its account"),
    Seed(
        "containers.json", '  {\n    "id": "state",', '  { "id": "all" },\n  {\n    "id": "state",', "index everything"
    ),
    Seed(BUS, "disableLocalAuth: true", "disableLocalAuth: false", "disableLocalAuth should be true"),
    Seed(BUS, "'1.2'", "'1.0'", 'minimumTlsVersion should be "1.2"'),
    Seed(BUS, "name: 'Standard', tier: 'Standard'", "name: 'Basic', tier: 'Basic'", "sku.name is 'Basic'"),
    Seed(BUS, ", roles.serviceBusDataReceiver]", "]", "lacks the role Azure Service Bus Data Receiver"),
    Seed(
        BUS,
        "roles.serviceBusDataReceiver]",
        "roles.serviceBusDataReceiver, roles.keyVaultSecretsUser]",
        "should not have the role Key Vault Secrets User",
    ),
    Seed(
        BUS,
        "  scope: namespace\n  properties: {\n    roleDef",
        "  properties: {\n    roleDef",
        "on the whole resource group",
    ),
    Seed(TOPIC, "name: topic.name", "name: '${topic.name}s'", "topology.json has ['events', 'market']"),
    Seed(BUS, "lockSeconds: topology.lockSeconds", "lockSeconds: 1 == 1 ? 60 : 30", "30 is taken in no case"),
    Seed(BUS, "lockSeconds: topology.lockSeconds", "lockSeconds: 30", "lockDuration is 'PT30S'"),
    Seed(TOPIC, "'$Default'", "'subjects'", "should have one rule, $Default"),
    Seed(TOPIC, "join(each.subjects, ", "join([each.name], ", "sqlExpression is"),
    Seed(
        TOPIC,
        "requiresDuplicateDetection: true",
        "requiresDuplicateDetection: false",
        "requiresDuplicateDetection is False",
    ),
    Seed(TOPIC, "requiresSession: topic.requiresSession\n", "requiresSession: false\n", "requiresSession is False"),
    Seed(
        TOPIC,
        "deadLetteringOnMessageExpiration: true",
        "deadLetteringOnMessageExpiration: false",
        "OnMessageExpiration is F",
    ),
    Seed(
        "roles.json",
        "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
        "090c5cfd-751d-490a-894a-3ce6f1109419",
        "no role that is known",
    ),
    Seed(
        "roles.json",
        "4633458b-17de-408a-b874-0445c86b69e6",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "Storage Blob Data Owner",
    ),
    Seed(
        VAULT,
        "enableRbacAuthorization: true",
        "enableRbacAuthorization: false",
        "enableRbacAuthorization should be true",
    ),
    Seed(VAULT, "name: 'alpaca-secret-key'", "name: 'alpaca-secret'", "the vault has no secret alpaca-secret-key"),
    Seed(
        VAULT,
        "scope: vault\n  properties: {\n    workspaceId",
        "scope: reader\n  properties: {\n    workspaceId",
        "Microsoft.KeyVault/vaults has no diagnostic settings",
    ),
    Seed(
        MAIN,
        "output FINAGENT_VAULT string = vault.outputs.name",
        "output FINAGENT_KEY string = alpacaApiKey",
        "shows a secret",
    ),
    Seed(
        MAIN,
        "output AZURE_LOCATION string = location",
        "output AZURE_LOCATION string = 'key=${alpacaApiKey}'",
        "shows a secret",
    ),
    Seed(MAIN, "'sbns-finagent-${token}'", "'sb-${token}'", "should begin with sbns-finagent-"),
    Seed(MAIN, "'azd-env-name': environmentName", "env: environmentName", "lacks the tag azd-env-name"),
    Seed(APP, "'azd-service-name': 'desk'", "'azd-service-name': 'api'", "azd-service-name should be desk"),
    Seed(APP, "version: '3.13'", "version: '3.12'", "functionAppConfig.runtime is"),
    Seed(APP, "'FC1', tier: 'FlexConsumption'", "'Y1', tier: 'Dynamic'", "the plan should be FC1"),
    Seed(APP, "httpsOnly: true", "httpsOnly: false", "properties.httpsOnly should be true"),
    Seed(APP, "properties: { allow: false }", "properties: { allow: true }", "properties.allow should be false"),
    Seed(
        APP,
        "      scmMinTlsVersion",
        "      linuxFxVersion: 'PYTHON|3.13'\n      scmMinTlsVersion",
        "siteConfig.linuxFxVersion",
    ),
    Seed(
        APP,
        "allowedOrigins: allowedOrigins,",
        "allowedOrigins: union(allowedOrigins, ['*']),",
        "origins should be named one by one",
    ),
    Seed(APP, "'Return401'", "'RedirectToLoginPage'", "authentication should be enabled, required"),
    Seed(APP, "['/api/health']", "['/api']", "only /api/health should be open"),
    Seed(
        APP,
        "allowedAudiences: [authClientId, ",
        "allowedAudiences: ['api://all', ",
        "tokens should be for the registration",
    ),
    Seed(APP, "  AzureWebJobsDisableHomepage: 'true'\n", "", "the platform needs AzureWebJobsDisableHomepage"),
    Seed(APP, "Homepage: 'true'", "Homepage: 'false'", "the home page should be off"),
    Seed(
        APP, "SERVICEBUS__credential: 'managedidentity'", "SERVICEBUS__credential: 'key'", "should be managedidentity"
    ),
    Seed(APP, "  SERVICEBUS__clientId: identityClientId\n", "", "the functions' connection SERVICEBUS is not given"),
    Seed(
        APP,
        "ALPACA_API_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/alpaca-api-key)'",
        "ALPACA_API_KEY: 'PK123'",
        "ALPACA_API_KEY should be a reference",
    ),
    Seed(
        APP,
        "AZURE_CLIENT_ID: ident",
        "FUNCTIONS_WORKER_RUNTIME: 'python'\n  AZURE_CLIENT_ID: ident",
        "FUNCTIONS_WORKER_RUNTIME should not",
    ),
    Seed(
        APP,
        "AZURE_CLIENT_ID: ident",
        "WEBSITE_RUN_FROM_PACKAGE: '1'\n  AZURE_CLIENT_ID: ident",
        "WEBSITE_RUN_FROM_PACKAGE should not",
    ),
    Seed(
        APP,
        "AZURE_CLIENT_ID: ident",
        "WEBSITE_TIME_ZONE: 'UTC'\n  AZURE_CLIENT_ID: ident",
        "Flex Consumption has UTC alone",
    ),
    Seed(
        APP,
        "AZURE_CLIENT_ID: ident",
        "SCM_DO_BUILD_DURING_DEPLOYMENT: '1'\n  AZURE_CLIENT_ID: ident",
        "azure.yaml says remoteBuild",
    ),
    Seed(
        APP,
        "AZURE_CLIENT_ID: ident",
        "SERVICEBUS: 'Endpoint='\n  AZURE_CLIENT_ID: ident",
        "in NOT_IN_AZURE, and is given",
    ),
    Seed("profiles/dev.json", '    "FINAGENT_TICK": "0 * * * * *",\n', "", "FINAGENT_TICK is read and not given"),
    Seed("profiles/dev.json", '    "FINAGENT_MAX_WEIGHT": "0.4",\n', "", "FINAGENT_MAX_WEIGHT is read and not given"),
    Seed(
        "profiles/dev.json",
        '"FINAGENT_INTERVAL": "1Day"',
        '"FINAGENT_INTERVAL": "1day"',
        "the desk refuses these settings",
    ),
    Seed(
        "profiles/dev.json",
        '"FINAGENT_TICK"',
        '"FINAGENT_TOCK": "1",\n    "FINAGENT_TICK"',
        "FINAGENT_TOCK should not be given",
    ),
    Seed("profiles/dev.json", '"memoryMb": 512', '"memoryMb": 1024', "instanceMemoryMB is 1024"),
    Seed("profiles/prod.json", '"instances": 100', '"instances": 2000', "maximumInstanceCount is 2000"),
    Seed("profiles/prod.json", '"name": "http"', '"name": "function:Api"', "alwaysReady: 'function:Api'"),
    Seed("profiles/dev.json", '"dailyQuotaGb": 1', '"dailyQuotaGb": -1', "logs have no daily cap"),
    Seed(WATCH, "features: { disableLocalAuth: true, ", "features: { ", "features.disableLocalAuth should be true"),
    Seed(ALERT, "actions: { actionGroups: [operators.id] }", "actions: { actionGroups: [] }", "tells nobody"),
    Seed(ALERT, "startDate: budgetStart", "startDate: '2026-11-15'", "a budget starts on the first of a month"),
    Seed("alerts.json", '"name": "dead-letters"', '"name": "dead"', "there is no alert of dead-letters"),
)
"""What the policies tell."""

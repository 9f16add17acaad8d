// The function app on Flex Consumption. Runtime, package and scale are in functionAppConfig; the settings that say so on
// other plans are refused on this one.
param token string
param location string
param tags object
@description('memoryMb, instances, httpConcurrency and alwaysReady, as in a profile.')
param scale object
@description('What the profile says the desk does, by environment variable.')
param settings object
param identityId string
param identityClientId string
param storageName string
param packages string
param busHost string
param cosmosEndpoint string
param database string
param vaultUri string
param insightsConnection string
param authClientId string
param allowedOrigins array
@description('Address of Azure OpenAI; empty where there is none.')
param modelEndpoint string
param modelName string
param workspaceId string

var name = 'func-finagent-${token}'
var platformSettings = {
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
  // The exporter reports on itself to Microsoft, and into this desk's logs, unless it is told not to.
  APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED: 'true'
  APPLICATIONINSIGHTS_SDKSTATS_DISABLED: 'true'
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsDisableHomepage: 'true'
  AzureWebJobsStorage__accountName: storageName
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
  // numpy's second thread spins while it waits for a processor that others need.
  OPENBLAS_NUM_THREADS: '1'
  SERVICEBUS__clientId: identityClientId
  SERVICEBUS__credential: 'managedidentity'
}
var deskSettings = {
  ALPACA_API_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/alpaca-api-key)'
  ALPACA_SECRET_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/alpaca-secret-key)'
  AZURE_OPENAI_ENDPOINT: modelEndpoint
  COSMOS_DATABASE: database
  COSMOS_ENDPOINT: cosmosEndpoint
  FINAGENT_AUTH: empty(authClientId) ? 'key' : 'entra'
  FINAGENT_MODEL: modelName
  SERVICEBUS__fullyQualifiedNamespace: busHost
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-finagent-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'desk' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packages
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: scale.memoryMb
        maximumInstanceCount: scale.instances
        alwaysReady: scale.alwaysReady
        triggers: { http: { perInstanceConcurrency: scale.httpConcurrency } }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      cors: { allowedOrigins: allowedOrigins, supportCredentials: false }
    }
  }
}

resource variables 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: site
  name: 'appsettings'
  properties: union(settings, platformSettings, deskSettings)
}

resource authentication 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: !empty(authClientId) }
    // Whoever is not signed in needs the page that asks them to, and probes carry no token: the desk itself refuses all else.
    globalValidation: { requireAuthentication: false, unauthenticatedClientAction: 'AllowAnonymous' }
    httpSettings: { requireHttps: true }
    identityProviders: {
      azureActiveDirectory: {
        enabled: !empty(authClientId)
        registration: {
          clientId: authClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: { allowedAudiences: [authClientId, 'api://${authClientId}'] }
      }
    }
  }
}

resource byFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'ftp'
  properties: { allow: false }
}

resource byPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'scm'
  properties: { allow: false }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: site
  properties: {
    workspaceId: workspaceId
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output name string = site.name
output url string = 'https://${site.properties.defaultHostName}'

// A desk in one resource group of its own. Every name derives from the environment's, so that a second run changes
// nothing; what costs money or differs between a trial and the real thing is in profiles/.
targetScope = 'subscription'

@description('Name of the azd environment; all names derive from it.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Azure region; it must offer Flex Consumption.')
@minLength(1)
param location string

@description('Which of profiles/ to follow.')
@allowed(['dev', 'prod'])
param profileName string = 'dev'

@description('Key of Alpaca; empty leaves what the vault holds.')
@secure()
param alpacaApiKey string = ''

@description('Its secret; empty leaves what the vault holds.')
@secure()
param alpacaSecretKey string = ''

@description('Application (client) id of an Entra registration: callers need its tokens. Empty: no authentication by App Service.')
param authClientId string = ''

@description('Origins whose pages may call, separated by commas.')
param allowedOrigins string = ''

@description('Who is told of alerts; empty: nobody.')
param alertEmail string = ''

@description('First day of the month in which the budget was first made, as 2026-11-01. Azure refuses to move it; empty: no budget.')
param budgetStart string = ''

@description('Whether to make an Azure OpenAI account with one deployment.')
param withOpenAi bool = false

var profiles = {
  dev: loadJsonContent('profiles/dev.json')
  prod: loadJsonContent('profiles/prod.json')
}
var profile = profiles[profileName]
var token = uniqueString(subscription().id, environmentName, location)
var tags = { 'azd-env-name': environmentName, application: 'finagent', profile: profileName }

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-finagent-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: 'id-finagent-${token}', location: location, tags: tags }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    dailyQuotaGb: profile.logs.dailyQuotaGb
    retentionDays: profile.logs.retentionDays
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stfinagent${token}'
    location: location
    tags: tags
    skuName: profile.storageSku
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module bus 'modules/bus.bicep' = {
  name: 'bus'
  scope: group
  params: {
    name: 'sbns-finagent-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module store 'modules/store.bicep' = {
  name: 'store'
  scope: group
  params: {
    name: 'cosmos-finagent-${token}'
    location: location
    tags: tags
    backupTier: profile.backupTier
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    purgeProtected: profile.purgeProtected
    alpacaApiKey: alpacaApiKey
    alpacaSecretKey: alpacaSecretKey
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module model 'modules/model.bicep' = if (withOpenAi) {
  name: 'model'
  scope: group
  params: {
    name: 'oai-finagent-${token}'
    location: location
    tags: tags
    model: profile.model
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    scale: profile.scale
    settings: profile.settings
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    packages: storage.outputs.packages
    busHost: bus.outputs.host
    cosmosEndpoint: store.outputs.endpoint
    database: store.outputs.database
    vaultUri: vault.outputs.uri
    insightsConnection: monitoring.outputs.insightsConnection
    authClientId: authClientId
    // By its subdomain, which is its name: outputs of a module that may not be there are no good.
    modelEndpoint: withOpenAi ? 'https://oai-finagent-${token}.openai.azure.com' : ''
    modelName: profile.model.name
    allowedOrigins: empty(allowedOrigins) ? [] : split(allowedOrigins, ',')
    workspaceId: monitoring.outputs.workspaceId
  }
}

module alert 'modules/alert.bicep' = {
  name: 'alert'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    email: alertEmail
    budgetStart: budgetStart
    monthlyBudget: profile.monthlyBudget
    busId: bus.outputs.id
    insightsId: monitoring.outputs.insightsId
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output FINAGENT_URL string = app.outputs.url
output FINAGENT_APP string = app.outputs.name
output FINAGENT_VAULT string = vault.outputs.name
output SERVICEBUS__fullyQualifiedNamespace string = bus.outputs.host
output COSMOS_ENDPOINT string = store.outputs.endpoint

// The vendors' keys, read by the app through references. A key that is not given leaves what the vault holds.
param name string
param location string
param tags object
param purgeProtected bool
@secure()
param alpacaApiKey string
@secure()
param alpacaSecretKey string
param principalId string
param workspaceId string

var roles = loadJsonContent('../roles.json')

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    // Azure refuses false here: protection can only be left out, and never taken back.
    enablePurgeProtection: purgeProtected ? true : null
    publicNetworkAccess: 'Enabled'
  }
}

resource apiKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(alpacaApiKey)) {
  parent: vault
  name: 'alpaca-api-key'
  properties: { value: alpacaApiKey }
}

resource secretKey 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(alpacaSecretKey)) {
  parent: vault
  name: 'alpaca-secret-key'
  properties: { value: alpacaSecretKey }
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, roles.keyVaultSecretsUser)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}

output name string = vault.name
output uri string = vault.properties.vaultUri

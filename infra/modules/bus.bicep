// The namespace with the topics of topology.json. The app may send and receive, not manage: how many messages wait is
// read from Azure Monitor, and /api/health tells of none.
param name string
param location string
param tags object
param principalId string
param workspaceId string

var topology = loadJsonContent('../topology.json')
var roles = loadJsonContent('../roles.json')
var needed = [roles.serviceBusDataSender, roles.serviceBusDataReceiver]

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Enabled'
  }
}

module topics 'topic.bicep' = [for topic in topology.topics: {
  name: 'topic-${topic.name}'
  params: {
    namespaceName: namespace.name
    topic: topic
    lockSeconds: topology.lockSeconds
    maxDeliveryCount: topology.maxDeliveryCount
    duplicateDetectionSeconds: topology.duplicateDetectionSeconds
  }
}]

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in needed: {
  name: guid(namespace.id, principalId, role)
  scope: namespace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'OperationalLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = namespace.id
output host string = '${namespace.name}.servicebus.windows.net'

// A topic with its subscriptions. Each has one rule, under the name of the one that Azure makes by itself: so nothing
// but the listed subjects gets through, and a subject that is taken off the list is gone after the next deployment.
param namespaceName string
@description('name, requiresSession, subscriptions with name and subjects, as in topology.json.')
param topic object
param lockSeconds int
param maxDeliveryCount int
param duplicateDetectionSeconds int

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: namespaceName
}

resource owner 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' = {
  parent: namespace
  name: topic.name
  properties: {
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT${duplicateDetectionSeconds}S'
    defaultMessageTimeToLive: topic.requiresSession ? 'P1D' : 'P14D'
    supportOrdering: topic.requiresSession
  }
}

resource subscriptions 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2024-01-01' = [for each in topic.subscriptions: {
  parent: owner
  name: each.name
  properties: {
    requiresSession: topic.requiresSession
    lockDuration: 'PT${lockSeconds}S'
    maxDeliveryCount: maxDeliveryCount
    deadLetteringOnMessageExpiration: true
    deadLetteringOnFilterEvaluationExceptions: true
  }
}]

resource filters 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2024-01-01' = [for (each, i) in topic.subscriptions: {
  parent: subscriptions[i]
  name: '$Default'
  properties: {
    filterType: 'SqlFilter'
    sqlFilter: { sqlExpression: 'sys.Label IN (\'${join(each.subjects, '\', \'')}\')' }
  }
}]

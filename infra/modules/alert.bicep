// Who is told of what: dead letters and waiting messages from the bus, the rest by the queries of alerts.json.
param token string
param location string
param tags object
param email string
param budgetStart string
param monthlyBudget int
param busId string
param insightsId string

var alerts = loadJsonContent('../alerts.json')

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-finagent-${token}'
  location: 'Global'
  tags: tags
  properties: {
    groupShortName: 'finagent'
    enabled: true
    emailReceivers: empty(email) ? [] : [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource counts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for each in alerts.metrics: {
  name: 'alert-finagent-${each.name}-${token}'
  location: 'Global'
  tags: tags
  properties: {
    description: each.description
    severity: each.severity
    enabled: true
    scopes: [busId]
    evaluationFrequency: 'PT5M'
    windowSize: each.window
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: each.name
          metricName: each.metric
          operator: 'GreaterThan'
          threshold: each.threshold
          timeAggregation: each.aggregation
          dimensions: [{ name: 'EntityName', operator: 'Include', values: ['*'] }]
        }
      ]
    }
    actions: [{ actionGroupId: operators.id }]
  }
}]

resource queries 'Microsoft.Insights/scheduledQueryRules@2021-08-01' = [for each in alerts.queries: {
  name: 'alert-finagent-${each.name}-${token}'
  location: location
  tags: tags
  properties: {
    displayName: each.name
    description: each.description
    severity: each.severity
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: each.window
    windowSize: each.window
    criteria: {
      allOf: [
        {
          query: each.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: each.threshold
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    autoMitigate: true
    actions: { actionGroups: [operators.id] }
  }
}]

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = if (!empty(budgetStart)) {
  name: 'budget-finagent-${token}'
  properties: {
    category: 'Cost'
    amount: monthlyBudget
    timeGrain: 'Monthly'
    timePeriod: { startDate: budgetStart }
    notifications: {
      half: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 50
        thresholdType: 'Actual'
        contactEmails: []
        contactGroups: [operators.id]
      }
      all: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: []
        contactGroups: [operators.id]
      }
    }
  }
}

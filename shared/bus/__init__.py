"""Port to the event bus: topics, subscriptions with filters, and messages held under a lock until they are settled."""

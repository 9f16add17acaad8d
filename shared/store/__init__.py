"""Port to the event store: the log of all events, agents' snapshots, and receipts."""

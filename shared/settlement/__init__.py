"""Port to settlement: how a decision becomes durable and known."""

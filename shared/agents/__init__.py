"""Who decides: one module per agent, pure; and the registry, which is the map of the system."""

"""What each agent remembers of its own conclusions, and how they turned out: a projection of the log."""

"""Dated read models folded from stored events: rebuildable, never written by an agent, read only as of a moment."""

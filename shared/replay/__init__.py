"""Replay: events of the past through the handlers that run live."""

"""Broker: where what was decided is bought and sold."""

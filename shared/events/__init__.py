"""What happens: every event type of the desk, as frozen, validated models."""

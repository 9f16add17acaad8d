"""Port to telemetry: what an operator sees of the desk from outside. Off, it costs nothing and imports nothing."""

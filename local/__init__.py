"""The embedded host: runs the function app's own registrations on one machine."""

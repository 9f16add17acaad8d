"""Where the `finagent` command begins: the rest takes most of a second to load, and may be stopped meanwhile."""

import sys

STOPPED = 130
"""Exit code of a command that was stopped by Ctrl-C."""
SAID = "finagent: stopped before the end"


def main() -> None:
    """Load the command and run it."""
    try:
        from local.cli import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write(f"{SAID}\n")
        sys.exit(STOPPED)

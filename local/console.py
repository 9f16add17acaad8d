"""What all commands have in common: JSON on request, and complaints in one line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from local.entry import SAID, STOPPED
from shared.errors import FinAgentError

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document a line.")]


@contextmanager
def complaints() -> Iterator[None]:
    """Say in one line what is wrong, and exit with 2; or that the command was stopped, with 130 as shells do."""
    try:
        yield
    except FinAgentError as error:
        typer.echo(f"finagent: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo(SAID, err=True)
        raise typer.Exit(STOPPED) from error


def print_json(document: Any) -> None:
    """Print a document in one line."""
    typer.echo(json.dumps(document, separators=(",", ":")))

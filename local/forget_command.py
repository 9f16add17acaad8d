"""`finagent forget`: deletes what is an owner's, while no host runs on the desk."""

import asyncio
from typing import Annotated

import typer

from local import app_settings
from local.console import Json, complaints, print_json
from shared.forget import forget

Owner = Annotated[str, typer.Option(help="Whose events, portfolios, costs and keys are meant.")]
Yes = Annotated[bool, typer.Option("--yes", help="Delete it; without this, only say what there is.")]


def forget_command(owner: Owner, yes: Yes = False, as_json: Json = False) -> None:
    """Say what is kept of an owner's, and with --yes delete it; if stopped, do it again. Stop the host first."""
    with complaints():
        found = asyncio.run(_forgotten(owner, is_trial=not yes))
        if as_json:
            print_json({"owner": owner, "deleted": yes, "found": found})
            return
        for kind, count in found.items():
            typer.echo(f"{count:>10,}  {kind}")
        typer.echo(f"Deleted what was {owner}'s." if yes else "Nothing was deleted: --yes does.", err=True)


async def _forgotten(owner: str, *, is_trial: bool) -> dict[str, int]:
    from local.host import ROOT
    from shared.engine import engine
    from shared.rehearsal import shelf
    from shared.replay.forget import ReplayHolder
    from shared.settings import Settings

    app_settings.load(ROOT)
    settings = Settings.from_env()
    opened = engine(settings)
    try:
        replays = ReplayHolder(shelf(settings), opened.store)
        return await forget((replays, *opened.holders), owner, is_trial=is_trial)
    finally:
        await opened.close()

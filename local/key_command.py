"""`finagent keys`: who may call a desk with `FINAGENT_AUTH=key`, whether a host runs on it or not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from local import app_settings
from local.console import Json, complaints, print_json
from shared.callers.caller import Role
from shared.callers.key import Key, new_key
from shared.callers.port import KeyRing
from shared.clock import WallClock

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the keys that callers show the desk.")


@app.command()
def create(
    owner: Annotated[
        str | None, typer.Option(help="Whose portfolios and trades it sees and makes; none for the desk itself.")
    ] = None,
    role: Annotated[list[Role] | None, typer.Option(help="What it may do; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once: the desk keeps only its hash. Without roles it may read."""
    with complaints():
        key, text = new_key(owner, frozenset(role or [Role.READER]), WallClock().now())
        _on_ring(lambda ring: ring.add(key))
        print_json(_described(key) | {"key": text}) if as_json else typer.echo(text)


@app.command(name="list")
def list_keys(as_json: Json = False) -> None:
    """Print all keys, those that were revoked too, without what makes them work."""
    with complaints():
        for key in _on_ring(lambda ring: ring.keys()):
            print_json(_described(key)) if as_json else typer.echo(_line(key))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id, as `list` prints it.")], as_json: Json = False) -> None:
    """Let a key prove nothing any more; running hosts refuse it within seconds."""
    with complaints():
        _on_ring(lambda ring: ring.revoke(key_id, WallClock().now()))
        print_json({"revoked": key_id}) if as_json else typer.echo(f"Revoked {key_id}.")


def _on_ring[T](work: Callable[[KeyRing], Awaitable[T]]) -> T:
    from local.host import ROOT
    from shared.engine import key_ring
    from shared.settings import Settings

    app_settings.load(ROOT)

    async def done() -> T:
        async with key_ring(Settings.from_env()) as ring:
            return await work(ring)

    return asyncio.run(done())


def _described(key: Key) -> dict[str, Any]:
    roles = sorted(key.roles)
    return {
        "id": key.id,
        "owner": key.owner,
        "roles": roles,
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(timespec="seconds"),
    }


def _line(key: Key) -> str:
    roles = ", ".join(sorted(key.roles))
    whose = f"{key.id}  {key.owner or 'the desk itself':<24} {roles:<24} {key.created_at:%Y-%m-%d %H:%M} UTC"
    return whose if key.revoked_at is None else f"{whose}, revoked {key.revoked_at:%Y-%m-%d %H:%M} UTC"

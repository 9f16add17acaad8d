"""`finagent replay recover`: what was never handled since a moment is handled.

On a desk in a file that is stopped, this process runs the functions until nothing waits. A host that has the file is
asked to do it; a desk in Azure runs its own functions.
"""

import asyncio
import os
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from local import app_settings, host_json
from local.client import DEFAULT_PORT, DeskClient
from local.console import Json, complaints, print_json
from local.pump import Pump
from local.registration import listeners, registrations
from shared.errors import InvalidError
from shared.events.envelope import FIRST_YEAR, LAST_YEAR
from shared.replay.recover import Recovery
from shared.settings import Settings
from shared.sqlite import InUseError
from shared.wiring import Desk

_POLL_SECONDS = 0.05


def recover(
    since: Annotated[str, typer.Option(help="Desk time, for example 2008-09-15 or 2008-09-15T14:30Z; UTC if no zone.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the host, where one runs.")] = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Have the agents handle what they never did since a moment, whether a host runs or not."""
    with complaints():
        begin = moment("--since", since)
        try:
            done = asyncio.run(_recover(begin))
        except InUseError:
            client = DeskClient(f"http://127.0.0.1:{port}", os.environ.get("FINAGENT_KEY", ""))
            done = client.post(f"/api/recoveries?since={begin:%Y-%m-%dT%H:%M:%S.%fZ}", {})
        print_json(done) if as_json else typer.echo(_told(done))


def moment(option: str, text: str) -> datetime:
    """Read a desk time.

    Raises
    ------
    InvalidError
        It is none, or beyond what an event may have.
    """
    try:
        read = datetime.fromisoformat(text)
        moment = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidError(f"{option}: {text!r} is no time such as 2008-09-15 or 2008-09-15T14:30Z") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidError(f"{option}: {text} is beyond the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment


async def _recover(since: datetime) -> dict[str, Any]:
    from local.host import ROOT
    from shared.wiring import desk

    settings = app_settings.load(ROOT)
    _check_there(Settings.from_env())
    current = desk()
    try:
        recovery = Recovery(current.sweep, current.projector)
        done = await recovery.recover(since)
        told = {"since": since.isoformat(), "events": done.events, "sent": done.sent}
        if current.database is None:
            return told
        await _work(current, settings)
        _, left = await recovery.find(since)
        return told | {"left": Counter(each.agent or "consensus" for each in left)}
    finally:
        await current.close()


def _check_there(settings: Settings) -> None:
    # To open a desk is to make one, in which nothing is left to do.
    if settings.cosmos_endpoint is None and not settings.file.exists():
        raise InvalidError(f"there is no desk in {settings.data}: FINAGENT_DATA names its folder")


async def _work(current: Desk, settings: dict[str, str]) -> None:
    """Run the functions that handle messages until none waits; those that are not due yet are left."""
    from function_app import app
    from local.host import DRAIN_SECONDS, ROOT

    options, routes = host_json.read(ROOT / "host.json", settings), current.queries.topology
    functions = listeners(registrations(app, settings), routes)
    pumps = [Pump(each, current.bus, options, routes.lock_seconds) for each in functions]
    running = [asyncio.create_task(pump.run()) for pump in pumps]
    # A bus does not tell when it is empty.
    while any((await current.bus.backlog()).values()) and not any(task.done() for task in running):  # noqa: ASYNC110
        await asyncio.sleep(_POLL_SECONDS)
    for task in running:
        task.cancel()
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    async with asyncio.timeout(DRAIN_SECONDS):
        await asyncio.gather(*(pump.drain() for pump in pumps))
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


def _told(done: dict[str, Any]) -> str:
    found = f"{done['events']} events since {done['since'][:16]} UTC"
    if not done["sent"]:
        return f"{found}: all were handled."
    sent = ", ".join(f"{agent} {count}" for agent, count in done["sent"].items())
    lines = [f"{found}; sent again: {sent}."]
    if "left" not in done:
        return "\n".join([*lines, "The desk handles them as it does all others."])
    left = ", ".join(f"{agent} {count}" for agent, count in done["left"].items())
    return "\n".join([*lines, f"Left for the next host: {left}." if left else "All were handled."])

"""`finagent replay fork`: what would have been, had one thing been otherwise."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from local.console import Json, complaints, print_json
from local.replay_debug_command import Owner, caller, recorded
from local.report import event_line
from shared.callers.caller import Caller
from shared.errors import InvalidError, MissingError
from shared.events.envelope import Event
from shared.replay import debug_case
from shared.replay.debug_case import Case
from shared.replay.fork import Difference, Fork
from shared.replay.fork import fork as forked
from shared.settings import Settings

_SETTING = "FINAGENT_"

Changes = Annotated[
    list[str],
    typer.Option(
        "--set",
        help="PATH=VALUE within the event, for example data.headline=Nothing or data.bars.0.close=90, the value as"
        " JSON or text; or SETTING=VALUE from the event on, for example FINAGENT_MAX_WEIGHT=0.2. May be repeated.",
    ),
]


def fork(
    event: Annotated[str, typer.Argument(help="Id of the event that is to be otherwise.")],
    changes: Changes,
    case: Annotated[
        Path | None, typer.Option(help="Play this file, as `replay debug --export` writes it, not the desk's log.")
    ] = None,
    owner: Owner = None,
    as_json: Json = False,
) -> None:
    """Play the log with one thing changed, and show what differs; nothing is written. A desk in a file must be stopped.

    Only handlers that saw something else are asked again.
    """
    with complaints():
        within, settings = split(changes)
        done = asyncio.run(_fork(event, within, settings, case, caller(owner)))
        print_json(_described(done)) if as_json else typer.echo(_told(done))


def split(changes: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Give what is changed within an event, and which settings."""
    within, settings = dict[str, Any](), dict[str, str]()
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or not name:
            raise InvalidError(f"--set: {change!r} is not PATH=VALUE")
        if name.startswith(_SETTING):
            settings[name] = text
        else:
            within[name] = _value(text)
    return within, settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _fork(
    event: str, within: dict[str, Any], settings: dict[str, str], file: Path | None, asking: Caller
) -> Fork:
    from shared.rehearsal import replayed

    check(settings)
    case = debug_case.read(file) if file is not None else await recorded(_whole_log)
    seen = next((each for each in case.came + case.played if each.id == event), None)
    if file is None and (seen is None or not asking.reads(seen)):
        raise MissingError(f"{event}: the log has no such event, or it is another's")
    done = await forked(case, replayed, event, within, settings)
    return replace(done, differences=tuple(each for each in done.differences if asking.reads(each.event)))


def check(settings: dict[str, str]) -> None:
    """Refuse settings that change nothing in a replay."""
    if unknown := sorted(settings.keys() - debug_case.decisive(Settings.from_env({})).keys()):
        raise InvalidError(f"--set: no decision rests on {', '.join(unknown)}")


async def _whole_log(desk: Any) -> Case:
    return (await debug_case.recorded(desk.store, desk.settings, lambda event: True))[0]


def _described(done: Fork) -> dict[str, Any]:
    return {
        "rerun": done.rerun,
        "of": done.of,
        "unlike": done.unlike,
        "differences": [_difference(each) for each in done.differences],
    }


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "event": each.event.id,
        "type": each.event.type,
        "source": each.event.source,
        "kind": _kind(each),
        "changes": [{"path": path, "before": before, "after": after} for path, before, after in each.changes],
    }


def _kind(each: Difference) -> str:
    if each.before is None:
        return "new"
    return "gone" if each.after is None else "changed"


def _told(done: Fork) -> str:
    lines = [f"{done.rerun} of {done.of} handlers saw something else; {len(done.differences)} events differ."]
    if done.unlike:
        lines.append(
            f"Without the change {done.unlike} recorded events come out otherwise, as where messages were under way:"
            " what is shown as before is the replay's."
        )
    for each in done.differences:
        lines += [f"{sign} {_line(event)}" for sign, event in (("-", each.before), ("+", each.after)) if event]
    return "\n".join(lines)


def _line(event: Event) -> str:
    return f"{event_line(json.loads(event.json_bytes))}  [{event.source}]"

"""`finagent replay diff`: two versions on the same inputs; a gate for a continuous integration."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from local.console import Json, complaints, print_json
from local.replay_fork_command import check, split
from shared.errors import InvalidError
from shared.events.trade import ConsensusReached
from shared.replay import debug_case
from shared.replay.debug_case import Case
from shared.replay.diff import Decided, Flip, Version, flips, moved, version

FLIPPED = 1
"""Exit code where decisions flipped."""


def diff(
    case: Annotated[Path, typer.Argument(help="Inputs and what came of them, such as tests/golden/autumn-2008.jsonl.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="SETTING=VALUE of the other version, for example FINAGENT_PROMOTED=name."),
    ] = None,
    code: Annotated[Path | None, typer.Option(help="The other version: another checkout of this program.")] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Write what comes of it now into the file.")] = False,
    as_json: Json = False,
) -> None:
    """Compare what this version decides with what is recorded, or with another version; exit with 1 if any flips."""
    with complaints():
        if renew and (changes or code):
            raise InvalidError("--renew: writes what this version decides, and compares nothing")
        settings = _settings(changes or [])
        _check_code(code)
        known = debug_case.read(case)
        now, renewed = asyncio.run(_decide(known))
        if renew:
            debug_case.write(renewed, case)
        before, after = _versions(known, case, now, settings, code)
        if not (before.decisions or after.decisions):
            raise InvalidError(f"{case}: neither version decides anything in it")
        flipped = flips(before, after)
        document = _described(before, after, flipped)
        print_json(document) if as_json else typer.echo(_told(before, after, flipped))
    if flipped:
        raise typer.Exit(FLIPPED)


async def _decide(case: Case) -> tuple[Version, Case]:
    """Give what this version decides, and the case with that as what came of it, as far as it kept it before."""
    from shared.rehearsal import replayed

    came = (await debug_case.play(case, replayed)).came
    kinds = {event.type for event in case.came} or {ConsensusReached.name()}
    kept = tuple(event for event in came if event.type in kinds)
    return version(case.played, came, len(came)), replace(case, came=kept, made=len(came))


def _settings(changes: list[str]) -> dict[str, str]:
    within, settings = split(changes)
    if within:
        raise InvalidError(f"--set: {', '.join(within)} is no setting; `replay fork` changes events")
    check(settings)
    return settings


def _check_code(code: Path | None) -> None:
    if code is not None and not (code / "local" / "cli.py").is_file():
        raise InvalidError(f"--code: {code} is no checkout of this program")


def _versions(
    case: Case, file: Path, now: Version, settings: dict[str, str], code: Path | None
) -> tuple[Version, Version]:
    if code is not None:
        return now, _elsewhere(code, file, settings)
    if settings:
        return now, asyncio.run(_decide(replace(case, settings={**case.settings, **settings})))[0]
    return version(case.played, case.came, case.made), now


def _elsewhere(code: Path, file: Path, settings: dict[str, str]) -> Version:
    """Give what another checkout makes of the same, in a process of its own."""
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "local.cli", "replay", "diff", str(file.absolute()), "--json", *options]
    ran = subprocess.run(command, cwd=code, capture_output=True, text=True, check=False)
    try:
        return Version.model_validate(json.loads(ran.stdout)["after"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidError(f"--code: {code} cannot play this: {ran.stderr.strip()[-400:]}") from error


def _described(before: Version, after: Version, flipped: list[Flip]) -> dict[str, Any]:
    return {
        "flipped": [each.trade for each in flipped],
        "moved": moved(before, after),
        "before": before.model_dump(mode="json"),
        "after": after.model_dump(mode="json"),
    }


def _told(before: Version, after: Version, flipped: list[Flip]) -> str:
    rows = [
        ("decisions", len(before.decisions), len(after.decisions)),
        ("approved", before.approved, after.approved),
        ("profit in 7 days, USD", before.profit, after.profit),
        ("worst trade, USD", before.worst, after.worst),
        ("deviation, USD", before.deviation, after.deviation),
        ("events made", before.events, after.events),
    ]
    lines = [f"{'':<24}{'before':>14}{'after':>14}"]
    lines += [f"{name:<24}{one:>14,.10g}{other:>14,.10g}" for name, one, other in rows]
    scores = moved(before, after)
    lines.append(f"{len(flipped)} of {len(before.decisions)} decisions flipped, {len(scores)} scores moved.")
    return "\n".join([*lines, *(f"  {_flip(each)}" for each in flipped)])


def _flip(flip: Flip) -> str:
    some = flip.before or flip.after
    assert some is not None
    return f"{some.side} {some.quantity:g} {some.symbol}: {_side(flip.before)} -> {_side(flip.after)}  [{flip.trade}]"


def _side(decided: Decided | None) -> str:
    return "none" if decided is None else f"{decided.decision} ({decided.score:+.2f}, earns {decided.profit:,.2f} USD)"

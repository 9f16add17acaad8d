"""`finagent replay debug`: step through one decision as a tree, and take it away as a test that reproduces it."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from local import app_settings
from local.console import Json, complaints, print_json
from local.report import event_line
from shared.agents.registry import CANDIDATES, STATES
from shared.callers.caller import LOCAL, Caller, Role
from shared.errors import InvalidError
from shared.events.catalogue import EVENTS
from shared.events.envelope import Event
from shared.replay import debug_case
from shared.replay.debug import Step, as_replayed, differences, reproduced, steps, story, used_by
from shared.replay.debug_case import Case
from shared.replay.whole_file import write_whole

_MOST_CHANGES = 8
_WIDEST = 80
_SEEN = ("memories", "recalled", "prompt", "model", "answer")
"""What else of an event says how it was concluded, where it carries that."""
_ASK = "-- Enter: next step, c: to the next breakpoint, q: enough "
_EXPORTED = '''"""{title}: what the desk concluded, and how, to be reproduced without it.

Written by `finagent replay debug {correlation} --export`.{note}
"""

import asyncio
from pathlib import Path

import pytest

from shared.replay.debug import Step, differences, steps
from shared.replay.debug_case import Case, Run, read
from shared.rehearsal import replayed

CORRELATION = "{correlation}"


@pytest.fixture
def case() -> Case:
    """Give what had happened."""
    return read(Path(__file__).with_suffix(".jsonl"))


@pytest.fixture
def story(case: Case) -> tuple[Run, list[Step]]:
    """Give what the agents make of it, step by step."""
    return asyncio.run(steps(case, CORRELATION, replayed))


def test_decision_when_played_again_is_the_same(case: Case, story: tuple[Run, list[Step]]) -> None:
    assert differences(case, story[0], CORRELATION) == []
'''

_AS_REPLAYED = """
In {count} places the desk said otherwise then, as where messages were under way: this is what the replay said."""

Owner = Annotated[
    str | None, typer.Option(help="As whose: sees no more than that owner may.", show_default="the desk's operator")
]


def debug(
    correlation: Annotated[str, typer.Argument(help="Id of the event that it began with, such as a trade's.")],
    breaks: Annotated[
        list[str] | None, typer.Option("--break", help="Stop at an event type or agent; may be repeated.")
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="Stop after every step.")] = False,
    export: Annotated[Path | None, typer.Option(help="A test file to write, with its events beside it.")] = None,
    owner: Owner = None,
    as_json: Json = False,
) -> None:
    """Play a recorded decision again, and show each step; a desk in a file must be stopped."""
    with complaints():
        breakpoints = _checked(breaks or [])
        _check_export(export)
        case, found, different = asyncio.run(_debug(correlation, caller(owner)))
        if export is not None:
            _write(export, correlation, case, different)
        if as_json:
            print_json({"correlation": correlation, "steps": list(map(_described, found)), "differences": different})
            return
        if _walk(found, breakpoints, step):
            same = "The replay concludes what the log has." if not different else "The replay differs from the log:"
            typer.echo("\n".join([same, *(f"  {line}" for line in different)]))
        if export is not None:
            typer.echo(f"Wrote {export} and {export.with_suffix('.jsonl')}.")


def caller(owner: str | None) -> Caller:
    """Give who asks: whoever sits at the desk, or no more than an owner."""
    return LOCAL if owner is None else Caller("local", owner, frozenset({Role.READER}))


async def recorded(wanted: Any) -> Any:
    """Open the desk, let `wanted` read it, and close it."""
    from local.host import ROOT
    from shared.wiring import desk

    app_settings.load(ROOT)
    current = desk()
    try:
        return await wanted(current)
    finally:
        await current.close()


async def _debug(correlation: str, asking: Caller) -> tuple[Case, list[Step], list[str]]:
    from shared.rehearsal import replayed

    async def read(desk: Any) -> Any:
        cases = await story(desk.store, desk.settings, correlation, asking)
        return cases, await used_by(desk.book.ledger, correlation)

    cases, used = await recorded(read)
    case = await reproduced(cases, correlation, replayed, asking)
    run, found = await steps(case, correlation, replayed, used, asking)
    different = differences(case, run, correlation)
    return as_replayed(case, run, correlation) if different else case, found, different


def _checked(breaks: list[str]) -> frozenset[str]:
    if unknown := sorted(set(breaks) - EVENTS.keys() - STATES.keys() - CANDIDATES.keys()):
        raise InvalidError(f"--break: {', '.join(unknown)} is no event type and no agent")
    return frozenset(breaks)


def _check_export(export: Path | None) -> None:
    if export is not None and (export.suffix != ".py" or not export.name.startswith("test_")):
        raise InvalidError(f"--export: {export.name} is no name of a test file such as test_trade.py")


def _write(export: Path, correlation: str, case: Case, different: list[str]) -> None:
    debug_case.write(case, export.with_suffix(".jsonl"))
    first = next(event for event in case.played if event.id == correlation)
    title = f"{first.type} of {first.time:%Y-%m-%d %H:%M} UTC"
    note = _AS_REPLAYED.format(count=len(different)) if different else ""
    text = _EXPORTED.format(title=title[:1].upper() + title[1:], correlation=correlation, note=note)
    write_whole(export, text.encode())


def _walk(found: list[Step], breakpoints: frozenset[str], step: bool) -> bool:
    """Print the steps, and stop where that is asked for; say whether it came to the end."""
    pausing, told = step, set[str]()
    for each in found:
        for line in _lines(each, told):
            typer.echo(line)
        if not (pausing or each.stops_at(breakpoints)):
            continue
        typer.echo(_ASK, nl=not sys.stdin.isatty())
        match sys.stdin.readline():
            case "q\n":
                return False
            case "c\n" | "":
                pausing = False
            case _:
                pausing = True
    return True


def _lines(step: Step, told: set[str]) -> Iterator[str]:
    handled, indent = step.handled, "  " * step.depth
    if handled.event.id not in told:
        told.add(handled.event.id)
        yield f"{indent}{event_line(_document(handled.event))}  [{handled.event.id}]"
    yield f"{indent}  {handled.agent}"
    for path, before, after in step.changes[:_MOST_CHANGES]:
        yield f"{indent}    state {path}: {_short(before)} -> {_short(after)}"
    if len(step.changes) > _MOST_CHANGES:
        yield f"{indent}    state: {len(step.changes) - _MOST_CHANGES} more changes; --json shows all"
    if handled.problem:
        yield f"{indent}    concluded nothing: {handled.problem}"
    for emit in handled.emits:
        yield from _emitted(indent, emit.event)
    if (usage := step.usage) is not None:
        spent = f"{usage.handler_us / 1000:.1f} ms thinking, {usage.store_us / 1000:.1f} ms store"
        model = f", {usage.input_tokens} + {usage.output_tokens} tokens" if usage.input_tokens else ""
        yield f"{indent}    live: {spent}, waited {usage.wait_us / 1000:.1f} ms{model}"


def _emitted(indent: str, event: Event) -> Iterator[str]:
    data = _document(event)["data"]
    yield f"{indent}    says {event_line(_document(event))}"
    if "rationale" in data:
        yield f"{indent}      {data['rationale']}"
    for item in data.get("evidence", ()):
        yield f"{indent}      {item['name']} = {_short(item['value'])} {item.get('unit', '')}".rstrip()
    for name in _SEEN:
        if name in data:
            yield f"{indent}      {name}: {_short(data[name])}"


def _described(step: Step) -> dict[str, Any]:
    handled = step.handled
    return {
        "depth": step.depth,
        "event": _document(handled.event),
        "agent": handled.agent,
        "before": handled.before.model_dump(mode="json"),
        "after": handled.after and handled.after.model_dump(mode="json"),
        "changes": [{"path": path, "before": before, "after": after} for path, before, after in step.changes],
        "emits": [_document(emit.event) for emit in handled.emits],
        "problem": handled.problem,
        "live": step.usage and step.usage._asdict(),
    }


def _document(event: Event) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(event.json_bytes)
    return document


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."

"""`finagent export` and `finagent import`: the event log as a file, while no host runs on the desk."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from local import app_settings
from local.console import Json, complaints, print_json
from shared.archive import export_log, import_log
from shared.errors import InvalidError
from shared.store.port import EventStore

STANDARD = "-"

File = Annotated[str, typer.Argument(help="JSON, one event a line; - for standard output or input.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.command(name="export")(export_command)
    app.command(name="import")(import_command)


def export_command(file: File, as_json: Json = False) -> None:
    """Write the event log to a file, which appears when it is whole; a desk on this machine must be stopped."""
    with complaints(), _written(file) as out:
        count = _on_store(lambda store: export_log(store, out))
        if not count:  # as where FINAGENT_DATA names another folder: an earlier file is not given for that
            raise InvalidError("export: this desk has no events")
    _tell(as_json, {"events": count}, f"Exported {count} events.")


def import_command(file: File, as_json: Json = False) -> None:
    """Read a log into a desk on which no host ever ran; if stopped, do it again. Then `finagent rebuild`."""
    with complaints(), _read(file) as lines:
        done = _on_store(lambda store: import_log(store, lines))
    told = f"Imported {done.fresh} of {done.read} events; {done.read - done.fresh} were there. Now: finagent rebuild"
    _tell(as_json, {"read": done.read, "imported": done.fresh}, told)


def _tell(as_json: bool, document: dict[str, int], line: str) -> None:
    # Beside standard output, where the log itself may go.
    print_json(document) if as_json else typer.echo(line, err=True)


def _on_store[T](work: Callable[[EventStore], Awaitable[T]]) -> T:
    from local.host import ROOT
    from shared.wiring import desk

    app_settings.load(ROOT)
    current = desk()

    async def done() -> T:
        try:
            return await work(current.store)
        finally:
            await current.close()

    return asyncio.run(done())


@contextmanager
def _written(file: str) -> Iterator[BinaryIO]:
    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = Path(f"{file}.part")
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        raise InvalidError(f"{file}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _read(file: str) -> Iterator[BinaryIO]:
    if file == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield lines
    except OSError as error:
        raise InvalidError(f"{file}: cannot be read: {error.strerror}") from error

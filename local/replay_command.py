"""`finagent replay`: play the past through the desk's agents, on this machine and beside no host."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from local import replay_debug_command, replay_diff_command, replay_fork_command, replay_recover_command
from local.console import Json, complaints, print_json
from shared.errors import InvalidError
from shared.events.catalogue import describe
from shared.events.replay import Backtest
from shared.replay.backtest import Watcher
from shared.replay.report import Report

app = typer.Typer(no_args_is_help=True, help="Play the past through the desk's agents.")


app.command(name="recover")(replay_recover_command.recover)
app.command(name="debug")(replay_debug_command.debug)
app.command(name="fork")(replay_fork_command.fork)
app.command(name="diff")(replay_diff_command.diff)


_OPTIONS = frozenset({"first_day", "last_day", "symbols", "cash", "rebalance", "benchmark", "agents", "news"})


@app.command()
def backtest(
    first_day: Annotated[str, typer.Option("--from", help="First trading day, YYYY-MM-DD.")] = "2008-01-01",
    last_day: Annotated[str, typer.Option("--to", help="Last trading day, YYYY-MM-DD.")] = "2008-12-31",
    symbols: Annotated[str, typer.Option(help="Separated by commas.")] = "AAPL,GOOG,IBM,MSFT",
    cash: Annotated[float, typer.Option(help="US dollars that the portfolio is worth at first.")] = 100_000,
    rebalance: Annotated[str, typer.Option(help="Take up a suggestion daily, weekly or monthly at most.")] = "weekly",
    benchmark: Annotated[str, typer.Option(help="buy_and_hold, equal_weight, or a symbol.")] = "buy_and_hold",
    agents: Annotated[str, typer.Option(help="Who takes part, separated by commas.", show_default="all")] = "",
    bars: Annotated[Path | None, typer.Option(help="A CSV file with the bars instead of the desk's source.")] = None,
    actions: Annotated[
        Path | None, typer.Option(help="A CSV file with the splits and dividends that the file's prices have in them.")
    ] = None,
    news: Annotated[bool, typer.Option("--news", help="Play headlines, too; the sample's are hindsight.")] = False,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of any other part of the configuration.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Backtest the desk: what its agents suggest and approve is bought and sold at the next bar."""
    with complaints():
        given: dict[str, Any] = dict(_pair(each) for each in setting or [])
        if own := sorted(given.keys() & _OPTIONS):
            raise InvalidError(f"--set: {own[0]} has an option of its own")
        given |= {"first_day": _day("--from", first_day), "last_day": _day("--to", last_day)}
        given |= {
            "symbols": tuple(dict.fromkeys(map(str.strip, symbols.upper().split(",")))),
            "cash": cash,
            "rebalance": rebalance,
        }
        given |= {"agents": tuple(filter(None, agents.split(",")))}
        asked = _configuration(given | {"benchmark": benchmark, "news": news})
        if actions and not bars:
            raise InvalidError("--actions: goes with --bars; the desk's own prices are adjusted")
        made, folder = _played(asked, bars, actions, quiet=as_json)
        print_json(made.model_dump(mode="json") | {"folder": str(folder)}) if as_json else _tell(made, folder)


def _pair(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidError(f"--set: {text!r} is not NAME=VALUE, for example slippage=0.001")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{name}: {text!r} is no day as in 2008-01-31") from error


def _configuration(given: dict[str, Any]) -> Backtest:
    try:
        return Backtest.model_validate(given)
    except ValidationError as error:
        raise InvalidError(describe(error)) from error


def _played(asked: Backtest, bars: Path | None, acted: Path | None, *, quiet: bool) -> tuple[Report, Path]:
    from local import app_settings
    from local.host import ROOT
    from shared import rehearsal
    from shared.replay.action_file import actions, origin_with
    from shared.replay.bar_file import CsvMarketSource
    from shared.replay.job import perform, run_of
    from shared.settings import Settings

    app_settings.load(ROOT)
    settings = Settings.from_env()
    source, origin = (CsvMarketSource(bars), "file") if bars else rehearsal.history(settings)
    happened = actions(acted) if acted else []
    origin = origin_with(origin, happened)
    shelf, run = rehearsal.shelf(settings), run_of(asked, origin)
    with _progress(quiet) as watch:
        made = asyncio.run(perform(asked, source, origin, rehearsal.backtested, shelf, run, watch, happened))
    return made, shelf.path(run)


@contextmanager
def _progress(quiet: bool) -> Iterator[Watcher | None]:
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("warming up", total=1.0)

        def watch(reached: datetime, share: float) -> None:
            shown.update(task, completed=share, description=f"{reached:%Y-%m-%d}")

        yield watch


def _tell(made: Report, folder: Path) -> None:
    desk, against = made.desk, made.benchmark
    for label in made.labels:
        typer.echo(f"Note: {label}")
    typer.echo(f"{'':24}{'desk':>12}  {made.benchmark_name}")
    for name in ("total_return", "volatility", "max_drawdown", "sharpe", "sortino"):
        one, other = getattr(desk, name), getattr(against, name)
        typer.echo(f"{name.replace('_', ' '):24}{_number(name, one):>12}  {_number(name, other)}")
    low, high = made.intervals["annual_return"]
    if low is not None and high is not None:
        typer.echo(f"Return per year, 90 % interval: {low:+.1%} to {high:+.1%}.")
    fills, decisions = len(made.fills), ", ".join(f"{count} {name}" for name, count in made.decisions.items())
    typer.echo(
        f"{made.bars:,} bars, {made.played + made.emitted:,} events; trades {decisions or 'none'}; {fills} fills."
    )
    typer.echo(f"Hash {made.hash}\nReport: {folder / 'report.html'}")


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if name in ("sharpe", "sortino") else f"{value:+.1%}"

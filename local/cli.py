"""The `finagent` command."""

import asyncio
import logging
import math
import os
import sys
from typing import Annotated

import typer

from local import cost_command, forget_command, key_command, log_command, replay_command, report
from local.client import DEFAULT_PORT, DeskClient
from local.console import Json, complaints, print_json
from local.invocation import LOG_FORMAT, InvocationFilter
from local.log_line import JsonLine
from shared.errors import InvalidError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="An event-driven team of finance agents.")
app.add_typer(key_command.app, name="keys")
app.add_typer(replay_command.app, name="replay")
log_command.add_to(app)
app.command(name="cost")(cost_command.cost)
app.command(name="forget")(forget_command.forget_command)


Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; `run` takes any free one for 0.")]


@app.callback()
def begin() -> None:
    """Have numpy, which no command has loaded yet, use one thread, unless the environment says otherwise."""
    # A second one spins while it waits for a processor: beside a busy desk each recall took five times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _client(port: int) -> DeskClient:
    return DeskClient(f"http://127.0.0.1:{port}", os.environ.get("FINAGENT_KEY", ""))


@app.command()
def run(
    port: Port = DEFAULT_PORT,
    speed: Annotated[float | None, typer.Option(help="Feed seconds per second on the recorded feed.")] = None,
    start: Annotated[str | None, typer.Option(help="Day on which the recorded feed starts, YYYY-MM-DD.")] = None,
    as_json: Json = False,
) -> None:
    """Run a desk on this machine until Ctrl-C."""
    for name, value in (("FINAGENT_SPEED", speed), ("FINAGENT_START", start)):
        if value is not None:
            os.environ[name] = str(value)
    console = logging.StreamHandler()
    console.addFilter(InvocationFilter())
    console.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[console])
    logging.getLogger("azure").setLevel(logging.WARNING)  # its packages tell of every link and request
    for noisy in ("uvicorn", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with complaints():
        from local.host import Host  # the other commands do not load the function app

        host = Host(port)
        if host.desk.settings.log == "json":
            console.setFormatter(JsonLine())

        def ready() -> None:
            print_json(report.described(host)) if as_json else typer.echo(report.banner(host))
            sys.stdout.flush()

        asyncio.run(host.run(ready))


@app.command()
def demo(as_json: Json = False) -> None:
    """Do the main job once: play bars, hold a portfolio, ask for a trade, wait for the consensus."""
    from local.demo import play

    with complaints():
        play(print_json if as_json else None)


@app.command()
def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events happen.")] = False,
    types: Annotated[str, typer.Option(help="Event types, separated by commas.")] = "",
    after: Annotated[
        str | None,
        typer.Option(
            help="A cursor; empty for the beginning of the log, `latest` for its end.",
            show_default="the beginning; with --follow the end",
        ),
    ] = None,
    port: Port = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Print the events of a running desk."""
    with complaints():
        start = ("latest" if follow else "") if after is None else after
        for event in _client(port).follow(start, types, forever=follow):
            print_json(event) if as_json else typer.echo(report.event_line(event))


@app.command()
def trade(
    side: Annotated[str, typer.Argument(help="buy or sell")],
    quantity: Annotated[float, typer.Argument(help="Shares.")],
    symbol: Annotated[str, typer.Argument(help="For example AAPL.")],
    portfolio: Annotated[str | None, typer.Option(help="The portfolio that it would change.")] = None,
    port: Port = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Ask the agents about a trade and wait for their consensus; nothing is bought or sold."""
    with complaints():
        request = {"symbol": symbol.upper(), "side": side, "quantity": _finite("quantity", quantity)}
        decided = _client(port).ask(request | ({"portfolio": portfolio} if portfolio else {}))
        print_json(decided) if as_json else typer.echo(report.trade(decided))


@app.command()
def options(
    symbol: Annotated[str, typer.Argument(help="For example AAPL.")],
    budget: Annotated[float, typer.Option(help="US dollars that may be lost.")],
    view: Annotated[
        float | None, typer.Option(help="-1 (down) to 1 (up).", show_default="the market analyst's")
    ] = None,
    horizon: Annotated[int, typer.Option(help="Days until the options should expire.")] = 30,
    portfolio: Annotated[str | None, typer.Option(help="Whose shares and cash may cover what is sold.")] = None,
    port: Port = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Ask for an option strategy on a share; nothing is bought or sold."""
    with complaints():
        request = {"symbol": symbol.upper(), "risk_budget": _finite("--budget", budget), "horizon_days": horizon}
        request |= {"view": _finite("--view", view)} if view is not None else {}
        answered = _client(port).ask_options(request | ({"portfolio": portfolio} if portfolio else {}))
        print_json(answered) if as_json else typer.echo(report.options(answered))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help='In plain words, for example "Why did Apple fall last month?"')],
    port: Port = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Ask the desk a question and print what its own events say to that."""
    with complaints():
        answered = _client(port).ask_question(question)
        print_json(answered) if as_json else typer.echo(report.research(answered))


@app.command()
def portfolio(
    name: Annotated[str, typer.Argument(help="The portfolio's name.")] = "main",
    cash: Annotated[float | None, typer.Option(help="US dollars to hold from now on.")] = None,
    position: Annotated[
        list[str] | None, typer.Option(help="SYMBOL=SHARES to hold from now on, 0 for none; may be repeated.")
    ] = None,
    port: Port = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Show a portfolio and its risk; --cash and --position change what they name and leave the rest."""
    with complaints():
        client = _client(port)
        if cash is None and not position:
            held = client.portfolio(name)
        else:
            money = None if cash is None else _finite("--cash", cash)
            held = client.change_portfolio(name, money, _shares(position or []))
        print_json(held) if as_json else typer.echo(report.portfolio(held))


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Rebuild bars, portfolios, views and memories from the log, while no host runs; if stopped, do it again."""
    with complaints():
        from local import app_settings
        from local.host import ROOT
        from shared.wiring import desk

        app_settings.load(ROOT)
        current = desk()
        if not as_json:
            typer.echo("Rebuilding. If this is stopped half-way, run it again before a host: it starts anew.", err=True)

        async def rebuilt() -> int:
            try:
                return await current.projector.rebuild()
            finally:
                await current.close()

        count = asyncio.run(rebuilt())
        print_json({"events": count}) if as_json else typer.echo(f"Read models rebuilt from {count} events.")


def _finite(name: str, number: float) -> float:
    if not math.isfinite(number):
        raise InvalidError(f"{name}: {number} is not a finite number")
    return number


def _shares(pairs: list[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for pair in pairs:
        symbol, _, quantity = pair.partition("=")
        try:
            number = float(quantity)
        except ValueError as error:
            raise InvalidError(f"--position: {pair!r} is not SYMBOL=SHARES, for example AAPL=100") from error
        if symbol.upper() in shares:
            raise InvalidError(f"--position: {symbol.upper()} is given twice")
        shares[symbol.upper()] = _finite(f"--position {symbol}", number)
    return shares


if __name__ == "__main__":
    app()

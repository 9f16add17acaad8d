"""The `finagent` command."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from local import report
from local.client import DeskClient
from shared.errors import FinAgentError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="An event-driven team of finance agents.")

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; `run` takes any free one for 0.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document a line.")]

DEFAULT_PORT = 7071


@contextmanager
def _complaints() -> Iterator[None]:
    """Say what is wrong in one line, and exit with 2."""
    try:
        yield
    except FinAgentError as error:
        typer.echo(f"finagent: {error}", err=True)
        raise typer.Exit(2) from error


def _client(port: int) -> DeskClient:
    return DeskClient(f"http://127.0.0.1:{port}")


def _print(document: Any) -> None:
    typer.echo(json.dumps(document, separators=(",", ":")))


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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("uvicorn", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with _complaints():
        from local.host import Host  # the other commands do not load the function app

        host = Host(port)

        def ready() -> None:
            _print(report.described(host)) if as_json else typer.echo(report.banner(host))
            sys.stdout.flush()

        asyncio.run(host.run(ready))


@app.command()
def demo(as_json: Json = False) -> None:
    """Do the main job once: play bars, hold a portfolio, ask for a trade, wait for the consensus."""
    from local.demo import play

    with _complaints():
        play(_print if as_json else None)


@app.command()
def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events happen.")] = False,
    types: Annotated[str, typer.Option(help="Event types, separated by commas.")] = "",
    after: Annotated[str, typer.Option(help="A cursor; `latest` for the end of the log.")] = "",
    port: Port = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Print the events of a running desk."""
    with _complaints():
        for event in _client(port).follow(after, types, forever=follow):
            _print(event) if as_json else typer.echo(report.event_line(event))


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
    request = {"symbol": symbol.upper(), "side": side, "quantity": quantity}
    with _complaints():
        client = _client(port)
        asked = client.post("/api/trades", request | ({"portfolio": portfolio} if portfolio else {}))
        decided = client.decided_trade(asked["id"])
        _print(decided) if as_json else typer.echo(report.trade(decided))


@app.command()
def portfolio(
    name: Annotated[str, typer.Argument(help="The portfolio's name.")] = "main",
    cash: Annotated[float | None, typer.Option(help="US dollars; sets the portfolio's content.")] = None,
    position: Annotated[list[str] | None, typer.Option(help="SYMBOL=SHARES; once for each holding.")] = None,
    port: Port = DEFAULT_PORT,
    as_json: Json = False,
) -> None:
    """Show a portfolio and its risk; with --cash or --position, set what it holds."""
    with _complaints():
        client = _client(port)
        if cash is not None or position:
            held = client.put(f"/api/portfolios/{name}", {"cash": cash or 0, "positions": _positions(position or [])})
        else:
            held = client.get(f"/api/portfolios/{name}")
        _print(held) if as_json else typer.echo(report.portfolio(held))


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Rebuild the read models (bars, portfolios, views) from the log, while no host runs."""
    with _complaints():
        from shared.wiring import desk

        current = desk()
        count = asyncio.run(current.projector.rebuild())
        current.close()
        _print({"events": count}) if as_json else typer.echo(f"Read models rebuilt from {count} events.")


def _positions(pairs: list[str]) -> list[dict[str, Any]]:
    positions = []
    for pair in pairs:
        symbol, _, shares = pair.partition("=")
        try:
            positions.append({"symbol": symbol.upper(), "quantity": float(shares)})
        except ValueError as error:
            raise typer.BadParameter(f"{pair}: expected SYMBOL=SHARES, for example AAPL=100") from error
    return positions


if __name__ == "__main__":
    app()

"""`finagent cost`: what a desk in Azure would cost in a month."""

import math
from dataclasses import asdict, fields, replace
from typing import Annotated, Any

import typer

from local.console import Json, complaints, print_json
from shared.calculator import DESKS, Estimate, Measured, Plan, estimate, limits, savings
from shared.costs import PriceTable
from shared.errors import InvalidError
from shared.settings import Settings


def cost(
    desk: Annotated[str, typer.Option(help="Where to start from: hobby, team or firm.")] = "hobby",
    symbols: Annotated[int | None, typer.Option(help="Symbols that are watched.")] = None,
    interval: Annotated[str | None, typer.Option(help="Of bars: 1m, 5m, 15m, 1h or 1d.")] = None,
    trades: Annotated[str | None, typer.Option(help="Trades a trading day, as 500 or 500/day.")] = None,
    pages: Annotated[int | None, typer.Option(help="Pages that hold a long poll open.")] = None,
    hours: Annotated[float | None, typer.Option(help="Hours a day for which they do.")] = None,
    tick_seconds: Annotated[int | None, typer.Option(help="How often bars, news and positions are asked for.")] = None,
    memory_mb: Annotated[int | None, typer.Option(help="Of an instance: 512, 2048 or 4096.")] = None,
    model: Annotated[str | None, typer.Option(help="Language model of the price table.")] = None,
    input_tokens: Annotated[int | None, typer.Option(help="That a trade sends to it.")] = None,
    output_tokens: Annotated[int | None, typer.Option(help="That it answers to a trade.")] = None,
    as_json: Json = False,
) -> None:
    """Reckon what a desk in Azure would cost in a month, from measured work and dated prices."""
    given = locals()
    with complaints():
        if desk not in DESKS:
            raise InvalidError(f"--desk: {desk!r} is none of {', '.join(DESKS)}")
        said = {name: given[name] for name in (field.name for field in fields(Plan)) if given[name] is not None}
        said |= {"trades": _daily(trades)} if trades is not None else {}
        prices, measured = PriceTable.load(Settings.from_env().prices), Measured.load()
        found = estimate(replace(DESKS[desk], **said).checked(prices), measured.kinds, prices)
        print_json(_document(found)) if as_json else typer.echo(described(found, measured, prices))


def described(found: Estimate, measured: Measured, prices: PriceTable) -> str:
    """Give the report of a month."""
    plan, money = found.plan, prices.currency
    lines = [
        f"{plan.symbols} symbols, bars of {plan.interval}, {plan.trades:g} trades a trading day,"
        f" {plan.pages} open pages for {plan.hours:g} h a day, timers every {plan.tick_seconds} s, {plan.memory_mb} MB:"
        f" {found.total:,.2f} {money} a month",
        "",
        f"{'a month of':<12}{'RU':>14}{'bus operations':>16}{'executions':>13}{'GB-s':>12}",
    ]
    for name, part in found.parts.items():
        seconds = part.billed_seconds * plan.memory_mb / 1_024
        lines.append(
            f"{name:<12}{part.request_units:>14,.0f}{part.operations:>16,.0f}{part.executions:>13,.0f}{seconds:>12,.0f}"
        )
    lines += ["", f"{'for':<34}{money:>10}", *(f"{name:<34}{value:>10,.2f}" for name, value in _bill(found).items())]
    lines += [f"of it, open long polls: {found.poll_cost:,.2f} before what is free", ""]
    spared = savings(plan, measured.kinds, prices)
    lines += ["To spend less, a month:", *(f"{less:>10,.2f}  {name}" for name, less in spared)]
    lines += ["", "Limits:", *(f"  {name}: {how}" for name, how in limits(plan, measured.kinds))]
    lines += [
        "",
        f"Work as measured on {measured.measured} by `{measured.by}`. {measured.note}",
        f"{prices.name}, seen {prices.oldest} or later. Not in it: logs and traces, alerts, cold starts, receivers that"
        " wait, always-ready instances, forecasts and rebalances, backup beyond 7 days, the network.",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _bill(found: Estimate) -> dict[str, float]:
    return {
        "Cosmos DB, requests": found.cost.cosmos or 0.0,
        "Cosmos DB, storage after a year": found.storage,
        "Service Bus, with its base charge": found.cost.service_bus,
        "Functions": found.cost.functions,
        "language models": found.cost.models,
        "all": found.total,
    }


def _document(found: Estimate) -> dict[str, Any]:
    parts = {name: part.model_dump() for name, part in found.parts.items()}
    return {"plan": asdict(found.plan), "work": parts, "bill": _bill(found), "long_polls": found.poll_cost}


def _daily(text: str) -> float:
    try:
        number = float(text.removesuffix("/day"))
    except ValueError as error:
        raise InvalidError(f"--trades: {text!r} is no number of trades a day, for example 500 or 500/day") from error
    if not math.isfinite(number):
        raise InvalidError(f"--trades: {text!r} is not a finite number")
    return number

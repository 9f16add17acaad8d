"""What the command line prints for people."""

import re
from typing import TYPE_CHECKING, Any

from local.client import DEFAULT_PORT

if TYPE_CHECKING:
    from local.host import Host

NO_DASHBOARD = "nothing yet: with Node 20 or later, `make web` builds the dashboard"
_RANGE = re.compile(r"\S+ to \S+")
_BOUNDS = ("max_gain", "max_loss")
_SIDES = {True: "for", False: "against"}


def described(host: "Host") -> dict[str, Any]:
    """Give what runs, for programs."""
    settings = host.desk.settings
    return {
        "url": host.url,
        "feed": host.desk.queries.feed,
        "desk_time": host.desk.clock.now().isoformat(),
        "speed": host.desk.clock.pace,
        "symbols": list(settings.symbols),
        "file": str(settings.file),
        "functions": [function.name for function in host.functions],
    }


def banner(host: "Host") -> str:
    """Say in at most 15 lines what runs, what to open and what to try."""
    from functions.api.web import is_built  # the other commands do not load the function app

    about, url, settings = described(host), host.url, host.desk.settings
    port = "" if url.endswith(f":{DEFAULT_PORT}") else f" --port {url.rpartition(':')[2]}"
    left = "" if settings.is_live or host.desk.ingest.opened_at == settings.feed_start else ", where it was left"
    feed = "live from Alpaca" if settings.is_live else f"recorded, one second is {about['speed']:g} s"
    return "\n".join(
        [
            f"FinAgent desk at {url} ({len(about['functions'])} functions, log in {about['file']})",
            f"Market data: {feed}; the desk's clock says {host.desk.clock.now():%Y-%m-%d %H:%M} UTC{left}",
            f"Watching: {', '.join(about['symbols'])}",
            "",
            f"Open   {url if is_built() else NO_DASHBOARD}",
            f"API    {url}/api/docs",
            f"Watch  .venv/bin/finagent events --follow{port}",
            "Try",
            f"  curl '{url}/api/events?types=analysis.completed&limit=3'",
            f"  curl -X PUT {url}/api/portfolios/main -H 'Content-Type: application/json' \\",
            """    -d '{"cash": 50000, "positions": [{"symbol": "IBM", "quantity": 200}]}'""",
            f"  curl {url}/api/trades -H 'Content-Type: application/json' \\",
            """    -d '{"symbol": "AAPL", "side": "buy", "quantity": 100, "portfolio": "main"}'""",
            "",
            "Ctrl-C stops it; nothing is lost.",
        ]
    )


def event_line(event: dict[str, Any]) -> str:
    """Give an event in one line."""
    return f"{event['time'][:16].replace('T', ' ')}  {event['type']:<24} {_gist(event)}"


def portfolio(held: dict[str, Any]) -> str:
    """Give a portfolio and its risk."""
    lines = [f"Portfolio {held['portfolio']} since {held['changed_at'][:16]}: {held['cash']:,.2f} USD in cash"]
    lines += [f"  {position['quantity']:>10,.2f} {position['symbol']}" for position in held["positions"]]
    risk = held.get("risk")
    if risk is None:
        return "\n".join([*lines, "  Risk: not measured yet"])
    return "\n".join([*lines, *_risk(risk)])


def trade(decided: dict[str, Any]) -> str:
    """Give a trade's consensus: who said what, on which evidence, and how risk voted."""
    asked, consensus = decided["trade"], decided["consensus"]
    place = f" for portfolio {asked['portfolio']}" if asked.get("portfolio") else ""
    lines = [
        f"{asked['side'].capitalize()} {asked['quantity']:g} {asked['symbol']}{place},"
        f" asked at {decided['requested_at'][:16]} UTC (desk time)",
        f"=> {consensus['decision'].upper()}  {consensus['explanation']}",
    ]
    for opinion in decided["opinions"]:
        lines += _opinion(opinion)
    return "\n".join(lines)


def options(answered: dict[str, Any]) -> str:
    """Give what the options strategist suggests, and why not the rest."""
    found = answered["suggestion"]
    suggested = found.get("suggested")
    lines = [f"Options on {found['symbol']}, asked at {answered['requested_at'][:16]} UTC (desk time)"]
    lines += _suggested(suggested) if suggested else ["=> NOTHING"]
    lines += [f"  {found['rationale']}"]
    return "\n".join(lines + [f"  not {each['strategy']}: {each['reason']}" for each in found.get("rejected", [])])


def research(answered: dict[str, Any]) -> str:
    """Give what the research agent found, with the beginning of each event's id, and what it cannot say."""
    found = answered["research"]
    lines = [f"Asked at {answered['asked_at'][:16]} UTC (desk time), answered as of {found['until'][:16]} UTC"]
    findings = found.get("findings", [])
    lines += [f"=> NO ANSWER  {found['abstained']}" if "abstained" in found else f"=> {len(findings)} FINDINGS"]
    for number, each in enumerate(findings, 1):
        events = ", ".join(event[:8] for event in each["events"])
        lines.append(f"  [{number}] {each['text']}  [event {events}]")
    if written := answered.get("written"):
        lines.append(f"  {written['model']}: {written['text'] or 'no answer, ' + written['abstained']}")
    return "\n".join(lines + [f"  ? {gap}" for gap in found.get("unanswered", []) if "abstained" not in found])


def _suggested(suggested: dict[str, Any]) -> list[str]:
    gain, loss = (f"{suggested[name]:,.2f} USD" if name in suggested else "no bound" for name in _BOUNDS)
    premium = suggested["net_premium"]
    return [
        f"=> {suggested['strategy'].upper()} x {suggested['contracts']}",
        *(_leg(leg) for leg in suggested["legs"]),
        f"  {'costs' if premium > 0 else 'brings'} {abs(premium):,.2f} USD; gains at most {gain}, loses at most {loss}",
        f"  Break-even at {', '.join(f'{price:,.2f}' for price in suggested['break_evens'])} USD;"
        f" probability of profit {suggested['probability_of_profit']:.0%}",
    ]


def _leg(leg: dict[str, Any]) -> str:
    side = "buy " if leg["shares"] > 0 else "sell"
    if leg["kind"] == "stock":
        return f"  hold {leg['shares']:g} shares at {leg['price']:,.2f} USD"
    return f"  {side} {abs(leg['shares']) / 100:g} {leg['kind']} {leg['strike']:g} at {leg['price']:,.2f} USD a share"


def _opinion(opinion: dict[str, Any]) -> list[str]:
    late = " (late, not counted)" if opinion["late"] else ""
    if "abstained" in opinion:
        return [f"  {opinion['agent']:<18} abstained: {opinion['abstained']}{late}"]
    side = _SIDES[opinion["stance"] > 0] if opinion["stance"] else "indifferent"
    veto = "  VETO" if "veto" in opinion else ""
    head = f"{side} {opinion['stance']:+.2f} at confidence {opinion['confidence']:.2f}{veto}{late}"
    return [
        f"  {opinion['agent']:<18} {head}",
        f"    {opinion['rationale']}",
        *(_evidence(item) for item in opinion["evidence"]),
    ]


def _evidence(item: dict[str, Any]) -> str:
    value = item["value"]
    shown = f"{value:,.4g}" if isinstance(value, int | float) else str(value)
    source = f"  [event {item['event'][:8]}]" if "event" in item else ""
    unit = f"({item['unit']})" if _RANGE.fullmatch(item["unit"]) else item["unit"]
    return f"      {item['name']} = {shown} {unit}".rstrip() + source


def _risk(risk: dict[str, Any]) -> list[str]:
    prices = f" at prices of {risk['prices_as_of'][:10]}" if risk.get("prices_as_of") else ""
    lines = [f"  Value {risk['value']:,.2f} USD{prices}, {risk['observations']} days of history"]
    if risk.get("unpriced"):
        lines.append(f"  Without a price, left out: {', '.join(risk['unpriced'])}")
    if risk.get("unmeasured"):
        lines.append(f"  Without enough history, measured as cash: {', '.join(risk['unmeasured'])}")
    lines += [f"    {name} = {value:.4f}" for name, value in risk["measures"].items()]
    breaches = [
        f"  Over the limit: {b['limit']} is {b['value']:.3f}, allowed {b['allowed']:.3f}" for b in risk["breaches"]
    ]
    return lines + (breaches or ["  Within all limits"])


def _gist(event: dict[str, Any]) -> str:
    data = event["data"]
    match event["type"]:
        case "market.data.received":
            return "  ".join(f"{bar['symbol']} {bar['close']:.2f}" for bar in data["bars"])
        case "analysis.completed":
            return f"{data['symbol']} {data['trend']}, view {data['view']:+.2f}, moved by {', '.join(data['moved_by'])}"
        case "news.received":
            return f"{','.join(data['symbols']) or 'market'}: {data['headline']}"
        case "sentiment.scored":
            return f"{data['symbol']} {data['score']:+.2f} from {len(data['headlines'])} headlines"
        case "portfolio.changed":
            return f"{data['portfolio']}: {data['cash']:,.2f} USD and {len(data['positions'])} positions"
        case "risk.assessed":
            return f"{data['portfolio']}: {data['value']:,.2f} USD, {len(data['breaches'])} limits passed"
        case "trade.requested":
            return f"{data['side']} {data['quantity']:g} {data['symbol']}"
        case "opinion.formed":
            return f"{data['agent']} {data['stance']:+.2f}{' abstained' if 'abstained' in data else ''}"
        case "consensus.reached":
            return f"{data['decision']}: {data['explanation']}"
        case "options.requested":
            return f"{data['symbol']}: at most {data['risk_budget']:,.2f} USD at risk, {data['horizon_days']} days"
        case "options.suggested":
            return f"{data['symbol']} {data['suggested']['strategy'] if 'suggested' in data else 'nothing suggested'}"
        case "question.asked":
            return f"{data['text']}"
        case "research.completed":
            return f"{data.get('answer') or data['abstained']}"
        case "step.failed":
            return f"{data['agent']}: {data['reason']}"
        case _:
            return str(event["stream"])

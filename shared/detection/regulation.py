"""Regulation: a headline in which an authority does something, and to whom.

Owns the authorities, their actions and the few sentence shapes in which headlines put them::

    <authority> ... <action>              SEC bans short selling of 799 financial stocks
    <action> by [the] <authority>         Bank fined $40 million by the FTC
    <wins|gets|...> <authority> <nod>     Google wins European approval for its purchase
    <settles|faces|...> ... <authority>   Broker settles with the SEC

What an authority may, could or is expected to do, does not do or only says is no change. It is pattern matching: it
finds what is put plainly in English, and misses what is put otherwise. The text is untrusted and never more than data.
"""

import re
from functools import cache

from shared.events.news import NewsItem, Regulation, RegulatoryAction

MAX_CHARS = 500
_AUTHORITIES: dict[str, str] = {
    "SEC": r"SEC|Securities and Exchange Commission",
    "Federal Reserve": r"Federal Reserve|New York Fed|Fed",
    "Treasury": r"Treasury Department|US Treasury|Treasury",
    "Justice Department": r"Justice Department|Department of Justice|DOJ",
    "FTC": r"FTC|Federal Trade Commission",
    "FCC": r"FCC|Federal Communications Commission",
    "FDA": r"FDA|Food and Drug Administration",
    "FDIC": r"FDIC",
    "CFTC": r"CFTC",
    "CFPB": r"CFPB",
    "FINRA": r"FINRA",
    "NHTSA": r"NHTSA",
    "FAA": r"FAA|Federal Aviation Administration",
    "European Commission": r"European Commission|EU Commission|EU regulators?|EU|European regulators?|European",
    "European Central Bank": r"European Central Bank|ECB",
    "Bank of England": r"Bank of England|BoE",
    "Bank of Japan": r"Bank of Japan|BoJ",
    "Congress": r"House of Representatives|the House|Senate|Congress|Parliament|lawmakers",
    "President": r"President \w+|White House",
    "court": r"Supreme Court|[Aa]ppeals court|[Ff]ederal judge|US judge|[Cc]ourt|[Jj]udge",
    "regulators": r"(?:US |UK |China's |Chinese |Japanese |federal |state |banking |antitrust )?"
    r"(?:[Rr]egulators?|authorities)|US government|(?:[Cc]entral )banks?",
}
_ACTIONS: dict[RegulatoryAction, str] = {
    "set_rate": r"(?:cuts?|raises?|lowers?|lifts?|hikes?|increases?|reduces?|slash(?:es)?|keeps?|holds?|leaves?)(?:ed)?"
    r"(?=(?:\s+[\w'-]+){0,4}\s+(?:interest |benchmark |policy |discount )?rates?\b)",
    "ease": r"eases?|eased|repeals?|repealed|relaxe?s?|relaxed|scraps?|scrapped"
    r"|(?:lifts?|lifted|ends?|ended)(?=(?:\s+[\w'-]+){0,4}\s+(?:ban|restrictions?|sanctions?|curbs?)\b)",
    "ban": r"bans?|banned|prohibits?|prohibited|outlaws?|outlawed|suspends?|suspended|halts?|halted|grounds|grounded",
    "fine": r"fines?|fined|penali[sz]es?|penali[sz]ed",
    "sue": r"sues?|sued|charges|charged|indicts?|indicted|accuses?|accused"
    r"|files (?:suit|charges|a lawsuit|an antitrust)",
    "investigate": r"investigates?|investigated|probes?|probed|probing|investigating|subpoenas?|subpoenaed"
    r"|raids?|raided|opens? (?:an? |its )?(?:\w+ )?(?:investigation|inquiry|probe)"
    r"|launche?s? (?:an? )?(?:\w+ )?(?:investigation|inquiry|probe)",
    "approve": r"approves?|approved|clears?|cleared|authori[sz]es?|authori[sz]ed|green-?lights?|grants?|granted",
    "block": r"blocks?|blocked|rejects?|rejected|vetoe?s?|vetoed|denies|denied|bars|barred|strikes down|overturns?",
    "rescue": r"bails out|bailed out|takes? control of|took control of|seizes?|seized|rescues?|rescued"
    r"|nationali[sz]es?|nationali[sz]ed|guarantees?|guaranteed|lends?|to lend|opens emergency lending",
    "propose": r"proposes?|proposed|drafts?|drafted|unveils?|unveiled",
    "adopt": r"adopts?|adopted|passes|passed|enacts?|enacted|imposes?|imposed|orders?|ordered|mandates?|mandated"
    r"|requires?|required|tightens?|tightened|signs?|signed|toughens?|revokes?|revoked|fails to approve",
}
_UNSETTLED = re.compile(
    r"\b(?:may|might|could|would|should|can|expected|likely|unlikely|not|never|won't|doesn't|didn't|declines?d?|refuses?d?"
    r"|delays?|delayed|says?|said|drops?|dropped|considers|weighs|mulls|urged|asked|pressed|pushed|if|whether|filings?"
    r"|nominee|who|sources|chairman's|hopes|wants|seen|poised|fails|dismisse[sd]|request|by)\b"
)
_NO_DECISION = re.compile(r"(?<!agrees)(?<!agreed)(?<!threatens)(?<!moves)(?<!votes)(?<!voted)(?<!decides)\sto\b|^to\b")
"""A `to` before the action that belongs to no decision: `is told to`, not `agrees to`."""
_WORD = r"[\w$%&.'’/-]+"
_NOD = r"(?:regulatory |antitrust |merger |final |conditional )?(?:approval|clearance|green light|nod|go-ahead)"


def find(item: NewsItem, event_id: str) -> Regulation | None:
    """Find what an authority does in a headline.

    Parameters
    ----------
    event_id : str
        Of the event that brought the headline.

    Returns
    -------
    Regulation or None
        The first authority whose action is plain, and that action; None where there is none.
    """
    text = item.headline[:MAX_CHARS].replace("’", "'")
    found = _active(text) or _passive(text) or _nod(text) or _answered(text)
    if found is None:
        return None
    authority, action = found
    symbols = tuple(dict.fromkeys(item.symbols))
    return Regulation(authority=authority, action=action, headline=item.headline, news=event_id, symbols=symbols)


type _Found = tuple[str, RegulatoryAction]


def _active(text: str) -> _Found | None:
    for match in _patterns()[0].finditer(text):
        between = match["between"].lower()
        if not _UNSETTLED.search(between) and not _NO_DECISION.search(between):
            return _named(match)
    return None


def _passive(text: str) -> _Found | None:
    match = _patterns()[1].search(text)
    if match is None or _UNSETTLED.search(" ".join(text[: match.start()].lower().split()[-3:])):
        return None
    return _named(match)


def _nod(text: str) -> _Found | None:
    match = _patterns()[2].search(text)
    return None if match is None else (_authority(match), "approve")


def _answered(text: str) -> _Found | None:
    match = _patterns()[3].search(text)
    if match is None:
        return None
    if match["settles"]:
        return _authority(match), "settle"
    return _authority(match), "sue" if match["what"] in {"lawsuit", "suit", "charges"} else "investigate"


def _named(match: re.Match[str]) -> _Found:
    return _authority(match), next(name for name in _ACTIONS if match[f"do_{name}"] is not None)


def _authority(match: re.Match[str]) -> str:
    return next(name for number, name in enumerate(_AUTHORITIES) if match[f"by_{number}"] is not None)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    who = "|".join(f"(?P<by_{number}>{pattern})" for number, pattern in enumerate(_AUTHORITIES.values()))
    done = "|".join(f"(?P<do_{name}>{pattern})" for name, pattern in _ACTIONS.items())
    by = rf"(?<![\w-])(?:{who})(?![\w-])"
    return (
        re.compile(rf"{by}(?P<between>(?:'s)?(?:,?\s+{_WORD}){{0,6}}?)\s+(?:{done})(?![\w-])"),
        re.compile(rf"(?<![\w-])(?:{done})(?![\w-])(?:\s+{_WORD}){{0,6}}?\s+by\s+(?:the\s+)?(?:US\s+)?{by}"),
        re.compile(rf"(?i:wins|gets|receives|secures|gains|won|received|secured)\s+(?:the\s+)?{by}(?:'s?)?\s+{_NOD}"),
        re.compile(
            rf"(?:(?P<settles>settles?|settled|settlement)(?:\s+{_WORD}){{0,5}}?\s+(?:the\s+|US\s+)?"
            rf"|(?:faces?|hit with|under)\s+(?:an?\s+)?(?:US\s+)?){by}(?:'s)?"
            r"(?:\s+(?:\w+\s+)?(?P<what>lawsuit|suit|charges|probe|investigation|inquiry|scrutiny))?"
        ),
    )

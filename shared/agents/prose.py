"""What prose of a language model must hold to: words, no number that is not in the facts, no links, no mark-up."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-+])?(?P<digits>\d+(?:,\d{3})*(?:\.\d+)?)(?P<exponent>[eE][-+]?\d+)?"
    r"(?P<percent>\s?%| percent\b)?"
)
_WORDS = {
    word: value
    for value, word in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=2
    )
}
_SPELLED = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_AMOUNT = re.compile(
    r"\b(?:dozen|hundred|thousand|million|billion|trillion|half|quarter|doubl\w+|tripl\w+|twice"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)s?\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[<>\[\]{}`|\\@]|://|[A-Za-z]\.[A-Za-z]{2,}|\*\*|^\s*#", re.MULTILINE)
_IN_A_NAME = re.compile(r"_(\d+)")
_EXACT_BELOW = 10
_TINY = 1e-9


class _Number(NamedTuple):
    """A number as it is written."""

    value: float
    decimals: int
    is_signed: bool
    is_percent: bool


def flaw(prose: str, facts: str) -> str | None:
    """Say what is wrong with prose on some facts; None where nothing is.

    Notes
    -----
    A number holds if it is one of the facts', and a percentage if it is one of theirs or one of their fractions times
    100, rounded to the decimals that it is written with; whole numbers below 10 are not rounded. A sign that is written
    must be the fact's. Numbers may be spelled up to twelve ("one" counts as a pronoun); larger or vaguer ones must be
    digits.
    """
    if not any(character.isalpha() for character in prose):
        return "no words"
    if not all(character.isprintable() or character.isspace() for character in prose):
        return "characters that nobody sees"
    if _MARKUP.search(prose):
        return "links or mark-up"
    # Names hold numbers, too, such as that of a value at risk of 95 %.
    known = [(each.value, each.is_percent) for each in _numbers(_IN_A_NAME.sub(r" \1%", facts))]
    if _AMOUNT.search(prose):
        return "amounts in words"
    rest = _NUMBER.sub("", _plain(prose))
    if any(character.isnumeric() for character in rest):
        return "numbers that cannot be checked"
    counts = {abs(value) for value, _ in known}
    spelled = all(_WORDS[each.casefold()] in counts for each in _SPELLED.findall(prose))
    if not spelled or not all(_holds(each, known) for each in _numbers(prose)):
        return "numbers that are not in the facts"
    return None


def _plain(text: str) -> str:
    return text.replace("−", "-").replace("\u2009", " ").replace("\xa0", " ").replace("\u202f", " ")


def _numbers(text: str) -> Iterator[_Number]:
    for match in _NUMBER.finditer(_plain(text)):
        digits = match["digits"].replace(",", "")
        value = float(f"{match['sign'] or ''}{digits}{match['exponent'] or ''}")
        yield _Number(value, len(digits.partition(".")[2]), bool(match["sign"]), bool(match["percent"]))


def _holds(number: _Number, known: Iterable[tuple[float, bool]]) -> bool:
    return any(
        _is(number, fact) or (number.is_percent and not is_percent and _is(number, 100 * fact))
        for fact, is_percent in known
        if is_percent or not number.is_percent or abs(fact) <= 1
    )


def _is(number: _Number, fact: float) -> bool:
    value, fact = (number.value, fact) if number.is_signed else (abs(number.value), abs(fact))
    is_exact = number.decimals == 0 and abs(fact) < _EXACT_BELOW
    return abs(value - fact) <= (_TINY if is_exact else 0.5 * 10**-number.decimals + _TINY)

"""What the tone of a text is read from: the names of its features.

Owns how a headline is cleaned and taken apart: events and their order ("profit fell", "loss narrowed"), word grams and
character grams. A text is untrusted: it is only ever counted, never run, stored or echoed, and all that is read of it
is bounded by `MAX_CHARS`.
"""

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

MAX_CHARS = 400

type Event = tuple[int, str]

_NOISE = re.compile(
    r"(?i)<[^<>]{0,200}>|(?:https?:|www\.|t\.co/|pic\.twitter)\S*|@\w+|\$[a-z]{1,6}(?:[.:-][a-z]{1,3})?\b"
    r"|\((?:nyse|nasdaq\w*|amex|otc|lon|tsx|asx|hel)[^)]{0,15}\)|\b(?:nyse|nasdaq|lon|asx|tse|epa|etr|tsx|cve):\w+"
    r"|[#…]|^[\s\-:–—|]+"
)
_TOKEN = re.compile(r"[+-]?[$€£¥]?\d[\d,]*(?:\.\d+)?%?|[^\W\d_]+(?:['-][^\W\d_]+)*|[.,;:!?()]")
_AMOUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?(%|percent|per cent|mn|m|million|bn|b|billion|k|thousand)?\b")
_COMPARED = re.compile(r"\b(?:from|vs\.?|versus|against|compared (?:to|with)|than)(?= |$)")
_ADVERSE = re.compile(r"\b(loss|losses|cost|costs|debt|unemployment|deficit|expenses|inflation|claims|provisions)\b")
_PROFIT = re.compile(r"profit|income|earnings")
_YEAR = re.compile(r"(19|20)\d\d")
_PERCENTS = frozenset({"%", "percent", "per cent"})
_SIGNED = {"<pct+>": 1, "<num+>": 1, "<pct->": -1, "<num->": -1}
_NEAR = 4
_MOST_COMPARISONS = 8
_MILLIONS = {"bn": 1e3, "b": 1e3, "billion": 1e3, "k": 1e-3, "thousand": 1e-3}
_MARKS = frozenset(".,;:!?()")
_BREAKS = _MARKS | {"as", "while", "but", "after", "because", "amid", "whereas", "when", "and"}
_CONCESSIONS = frozenset({"despite", "although", "though", "defying", "notwithstanding"})
_BARRIERS = frozenset({"on", "over", "by", "after", "amid", "as", "due", "for", "with", "to", "at", "from"})
_NEGATORS = frozenset({"not", "no", "never", "without", "cannot", "fails", "failed", "unable"})
_FRAMES = frozenset({"to", "by", "from", "at", "on", "of", "in", "for"})
_SOFT = frozenset({"g", "b", "U_", "D_", "n"})


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words by class and the phrases that stand for one of them.

    A class is a string of letters: U up, D down, G/g good, B/b bad (capitals: strong), P what should rise (profit),
    C what should fall (cost), S what ends something bad, K what ends something good, N negation.
    """

    classes: dict[str, str]
    phrases: tuple[tuple[re.Pattern[str], str], ...]

    @classmethod
    def from_json(cls, data: str) -> "Lexicon":
        """Build it from the JSON object of `classes` and `phrases` that the model file holds."""
        parts = json.loads(data)
        return cls(parts["classes"], tuple((re.compile(pattern), word) for pattern, word in parts["phrases"]))


def features(text: str, lexicon: Lexicon) -> tuple[list[str], list[str], list[str]]:
    """Give the names of a text's features: its cues (events and their order), word 1-3-grams, character 3-5-grams."""
    plain = _clean(text)
    words = _tokens(plain)
    phrased = plain
    for pattern, word in lexicon.phrases:
        phrased = pattern.sub(word, phrased)
    return _cues(phrased, lexicon), _word_grams(words), _char_grams(words)


def buckets(names: Iterable[str], width: int) -> NDArray[np.int64]:
    """Hash names into `width` (a power of two) rows, each at most once and in ascending order."""
    return np.array(sorted({crc32(name.encode(errors="replace")) & (width - 1) for name in names}), dtype=np.int64)


def _clean(text: str) -> str:
    # Normalising can lengthen a text eighteen-fold, hence a cut before, for the time, and after, for the promise.
    raw = unicodedata.normalize("NFKC", html.unescape(text[: 2 * MAX_CHARS]))[: 2 * MAX_CHARS]
    return " ".join(_NOISE.sub(" ", raw.strip()).replace("’", "'").split()).lstrip("-:–—| ")[:MAX_CHARS].lower()


def _tokens(plain: str) -> list[str]:
    return [_number(token) if token[0] in "+-$€£¥" or token[0].isdigit() else token for token in _TOKEN.findall(plain)]


def _number(token: str) -> str:
    sign = token[0] if token[0] in "+-" else ""
    if token.endswith("%"):
        return f"<pct{sign}>"
    if not sign and token[0] in "$€£¥":
        return "<money>"
    return "<year>" if _YEAR.fullmatch(token) else f"<num{sign}>"


def _word_grams(tokens: list[str]) -> list[str]:
    words, reach = [], 0
    for token in tokens:
        if token in _MARKS:
            reach = 0
            continue
        words.append(f"not_{token}" if reach and token[0] != "<" else token)
        reach = 3 if token in _NEGATORS or token.endswith("n't") else max(0, reach - 1)
    runs = (zip(*(words[start:] for start in range(n)), strict=False) for n in (1, 2, 3))
    return list(dict.fromkeys(" ".join(gram) for run in runs for gram in run))


def _char_grams(tokens: list[str]) -> list[str]:
    padded = [f" {token} " for token in tokens if token[0].isalpha()]
    return list({word[i : i + n]: None for word in padded for n in (3, 4, 5) for i in range(len(word) - n + 1)})


def _cues(plain: str, lexicon: Lexicon) -> list[str]:
    tokens = _tokens(plain)
    events = [*_events(tokens, lexicon), *_comparisons(plain, lexicon)]
    ups, downs = sum(sign > 0 for sign, _ in events), sum(sign < 0 for sign, _ in events)
    hard = sum(sign for sign, kind in events if kind not in _SOFT)
    names = [f"net{max(-3, min(3, ups - downs))}", f"hard{max(-2, min(2, hard))}", f"ups{min(ups, 3)}"]
    names += [f"downs{min(downs, 3)}", f"ups{min(ups, 2)}downs{min(downs, 2)}", f"length{min(len(tokens) // 5, 8)}"]
    names += [f"question{'?' in tokens}", f"percent{'<pct>' in tokens}", *(f"{sign}{kind}" for sign, kind in events)]
    if events:
        names += [f"first{events[0]}", f"first{events[0][0]}", f"last{events[-1][0]}"]
    return list(dict.fromkeys(names + _class_grams(tokens, lexicon)))


def _class_grams(tokens: list[str], lexicon: Lexicon) -> list[str]:
    marks = [lexicon.classes.get(t, "")[:1] or (t if t in _FRAMES or t[0] == "<" else "") for t in tokens]
    kept = [mark for mark in marks if mark]
    triples = zip(kept, kept[1:], kept[2:], strict=False)
    return ["2" + "".join(pair) for pair in pairwise(kept)] + ["3" + "".join(triple) for triple in triples]


def _events(tokens: list[str], lexicon: Lexicon) -> Iterator[Event]:
    for conceded, clause in _clauses(tokens):
        classes = ["|" if word in _BARRIERS else lexicon.classes.get(word, "") for word in clause]
        for sign, kind in _clause_events(clause, classes):
            # 'Profit falls despite higher sales' is about the profit: what is conceded is seen but not counted.
            yield (0, f"~{sign}{kind}") if conceded else (sign, kind)


def _clauses(tokens: list[str]) -> list[tuple[bool, list[str]]]:
    clauses: list[tuple[bool, list[str]]] = [(False, [])]
    for token in tokens:
        if token in _BREAKS or token in _CONCESSIONS:
            clauses.append((token in _CONCESSIONS, []))
        if token not in _MARKS:
            clauses[-1][1].append(token)
    return clauses


def _clause_events(words: list[str], classes: list[str]) -> Iterator[Event]:
    relieved = any("S" in letters for letters in classes)
    negators = [i for i, word in enumerate(words) if "N" in classes[i] or word.endswith("n't")]
    for i, word in enumerate(words):
        if word in _SIGNED:
            yield _SIGNED[word], "n"
        elif event := _ending(classes, i) or _movement(classes, i) or _judgment(classes[i], relieved):
            sign, kind = event
            yield (-sign, f"N{kind}") if any(0 < i - j <= _NEAR for j in negators) else event


def _ending(classes: list[str], i: int) -> Event | None:
    ended = _moved(classes, i) == "P" or any("G" in letters for letters in classes[i + 1 : i + 1 + _NEAR])
    return (-1, "K") if "K" in classes[i] and ended else None


def _movement(classes: list[str], i: int) -> Event | None:
    if not {"U", "D"} & set(classes[i]):
        return None
    letter = "U" if "U" in classes[i] else "D"
    noun, sign = _moved(classes, i), 1 if letter == "U" else -1
    if noun == "_" and any({"B", "b"} & set(letters) for letters in classes[max(0, i - 2) : i]):
        return -sign, f"{letter}_B"
    return -sign if noun == "C" else sign, letter + noun


def _judgment(letters: str, relieved: bool) -> Event | None:
    letter = next((letter for letter in "GgBb" if letter in letters), "_")
    if letter in "Bb" and relieved and not {"S", "P"} & set(letters):
        return 1, f"S{letter}"
    return None if letter == "_" else (-1 if letter in "Bb" else 1, letter)


def _moved(classes: list[str], i: int) -> str:
    # The object comes before the subject: in 'costs cut profit' it is the profit that moves.
    objects = takewhile(lambda letters: not {"|", "U", "D"} & set(letters), classes[i + 1 : i + 1 + _NEAR])
    nouns = (letters for letters in [*objects, *reversed(classes[max(0, i - 7) : i])] if {"P", "C"} & set(letters))
    return "C" if "C" in (first := next(nouns, "")) else "P" if first else "_"


def _comparisons(plain: str, lexicon: Lexicon) -> Iterator[Event]:
    for match in islice(_COMPARED.finditer(plain), _MOST_COMPARISONS):
        left, right = plain[max(0, match.start() - 60) : match.start()], plain[match.end() : match.end() + 45]
        if pair := _pair(left, right, match[0]):
            yield _compared(left, right, *pair, lexicon)


def _pair(left: str, right: str, link: str) -> tuple[float, float] | None:
    before, after = [list(_AMOUNT.finditer(side)) for side in (left, right)]
    if link == "from" and after[1:] and right[after[0].end() :].lstrip().startswith("to "):
        return _in_one_unit(after[1], after[0])
    return _in_one_unit(before[-1], after[0]) if before and after else None


def _in_one_unit(new: re.Match[str], old: re.Match[str]) -> tuple[float, float] | None:
    first, second = new[2] or "", old[2] or ""
    years = any(_YEAR.fullmatch(amount[1]) and not amount[2] for amount in (new, old))
    if years or (first in _PERCENTS) != (second in _PERCENTS):
        return None
    values = [float(amount[1].replace(",", "")) for amount in (new, old)]
    return values[0] * _MILLIONS.get(first or second, 1.0), values[1] * _MILLIONS.get(second or first, 1.0)


def _compared(left: str, right: str, new: float, old: float, lexicon: Lexicon) -> Event:
    lead = re.split(r"\d", right, maxsplit=1)[0]
    if _PROFIT.search(left) and "loss" in lead and "loss" not in left:
        return 1, "turned"
    if "loss" in left and _PROFIT.search(lead):
        return -1, "turned"
    sign = (new > old) - (new < old)
    if _ADVERSE.search(left):
        return -sign, "comparedC"
    return sign, "comparedP" if any("P" in lexicon.classes.get(word, "") for word in left.split()) else "compared_"

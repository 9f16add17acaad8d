"""The tone of a headline: how likely it is bearish, neutral or bullish, by a linear model over hashed features.

Owned here: what is read out of a text, and how the weights turn it into probabilities. The weights and the word lists
come from `sentiment_model.npz`, which `tools/train_sentiment.py` writes. A text is untrusted: it is only ever counted,
never run, stored or echoed, and all that is read of it is bounded by `MAX_CHARS`.
"""

import html
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from shared.errors import MissingError

MAX_CHARS = 600
MODEL_PATH = Path(__file__).with_name("sentiment_model.npz")
type Event = tuple[int, str]

_NOISE = re.compile(
    r"<[^<>]{0,200}>|(?:https?:|www\.|t\.co/|pic\.twitter)\S*|@\w+|\$[a-z]{1,6}(?:[.:-][a-z]{1,3})?\b"
    r"|\((?:nyse|nasdaq\w*|amex|otc|lon|tsx|asx|hel)[^)]{0,15}\)|\b(?:nyse|nasdaq|lon|asx|tse|epa|etr|tsx|cve):\w+"
    r"|[#…]|^[\s\-:–—|]+",
    re.I,
)
_TOKEN = re.compile(r"[+-]?[$€£¥]?\d[\d,]*(?:\.\d+)?%?|[^\W\d_]+(?:['-][^\W\d_]+)*|[.,;:!?()]")
_NUMBER = re.compile(r"[+-]?[$€£¥]?\d")
_AMOUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?(%|percent|mn|m|million|bn|b|billion|k|thousand)?\b")
_COMPARED = re.compile(r"\b(?:from|vs\.?|versus|against|compared (?:to|with)|than)(?= |$)")
_ADVERSE = re.compile(r"\b(loss|losses|cost|costs|debt|unemployment|deficit|expenses|inflation|claims|provisions)\b")
_PROFIT = re.compile(r"profit|income|earnings")
_MILLIONS = {"bn": 1e3, "b": 1e3, "billion": 1e3, "k": 1e-3, "thousand": 1e-3}
_MARKS = frozenset(".,;:!?()")
_BREAKS = _MARKS | set("as while but after because amid whereas when and".split())
_CONCESSIONS = frozenset("despite although though defying notwithstanding".split())
_BARRIERS = frozenset("on over by after amid as due for with to at from following because that which".split())
_NEGATORS = frozenset("not no never without cannot fails failed unable".split())
_FRAMES = frozenset("to by from at on of in for".split())
_SOFT = frozenset({"g", "b", "U_", "D_", "n"})


@dataclass(frozen=True, slots=True)
class Tone:
    """Probabilities of the three tones of a text, which sum to one."""

    bearish: float
    neutral: float
    bullish: float

    @property
    def value(self) -> float:
        """Give bullish less bearish, in [-1, 1]."""
        return self.bullish - self.bearish


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


@dataclass(frozen=True, slots=True)
class _Model:
    lexicon: Lexicon
    weights: tuple[NDArray[np.int16], ...]
    scales: tuple[float, ...]
    bias: tuple[float, ...]


def score(text: str) -> Tone:
    """Score one text.

    Parameters
    ----------
    text : str
        Any string, untrusted. Mark-up, addresses, tickers and user names are dropped; the rest is cut to `MAX_CHARS`.

    Returns
    -------
    Tone
        Calibrated probabilities; never NaN. A text with nothing to read gets the model's prior, which is neutral.

    Raises
    ------
    MissingError
        The model file is not there or cannot be read.

    Notes
    -----
    English only. Sums are of integers, so the result is the same to the bit in every run. Learned from headlines and
    posts of up to 300 characters about listed companies and markets: it does not know who holds what.
    """
    model = _model()
    logits = list(model.bias)
    for group, names in enumerate(features(text, model.lexicon)):
        weights = model.weights[group]
        total = weights[buckets(names, len(weights))].sum(axis=0, dtype=np.int64).tolist()
        scale = model.scales[group] / (math.sqrt(len(names)) if group and names else 1.0)
        logits = [logit + scale * part for logit, part in zip(logits, total, strict=True)]
    return Tone(*_softmax(logits))


def features(text: str, lexicon: Lexicon) -> tuple[list[str], list[str], list[str]]:
    """Give the names of a text's features: its cues (events and their order), word 1-3-grams, character 3-5-grams."""
    plain = _clean(text)
    words = _tokens(plain)
    return _cues(_with_phrases(plain, lexicon), lexicon), _word_grams(words), _char_grams(words)


def buckets(names: Iterable[str], width: int) -> NDArray[np.int64]:
    """Hash names into `width` (a power of two) rows, each at most once and in ascending order."""
    return np.array(sorted({crc32(name.encode(errors="replace")) & (width - 1) for name in names}), dtype=np.int64)


@cache
def _model() -> _Model:
    try:
        with np.load(MODEL_PATH, allow_pickle=False) as parts:
            lexicon = Lexicon.from_json(parts["lexicon"].tobytes().decode())
            weights = tuple(parts[name] for name in ("cues", "words", "chars"))
            return _Model(lexicon, weights, tuple(parts["scales"].tolist()), tuple(parts["bias"].tolist()))
    except (OSError, BadZipFile, KeyError, ValueError) as e:
        raise MissingError(f"no readable sentiment model at {MODEL_PATH.name}") from e


def _softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    powers = [math.exp(logit - top) for logit in logits]
    return [power / sum(powers) for power in powers]


def _clean(text: str) -> str:
    # Normalising can lengthen a text eighteen-fold, hence a cut before, for the time, and after, for the promise.
    raw = unicodedata.normalize("NFKC", html.unescape(text[: 4 * MAX_CHARS]))[: 4 * MAX_CHARS]
    return " ".join(_NOISE.sub(" ", raw.strip()).replace("’", "'").split()).lstrip("-:–—| ")[:MAX_CHARS].lower()


def _tokens(plain: str) -> list[str]:
    return [_number(token) if _NUMBER.match(token) else token for token in _TOKEN.findall(plain)]


def _number(token: str) -> str:
    sign = token[0] if token[0] in "+-" else ""
    if token.endswith("%"):
        return f"<pct{sign}>"
    if not sign and token[0] in "$€£¥":
        return "<money>"
    return "<year>" if re.fullmatch(r"(19|20)\d\d", token) else f"<num{sign}>"


def _with_phrases(plain: str, lexicon: Lexicon) -> str:
    for pattern, word in lexicon.phrases:
        plain = pattern.sub(word, plain)
    return plain


def _word_grams(tokens: list[str]) -> list[str]:
    words, reach = [], 0
    for token in tokens:
        if token in _MARKS:
            reach = 0
            continue
        words.append(f"not_{token}" if reach and token[0] != "<" else token)
        reach = 3 if token in _NEGATORS or token.endswith("n't") else max(0, reach - 1)
    runs = [words, zip(words, words[1:]), zip(words, words[1:], words[2:])]  # noqa
    return list(dict.fromkeys(gram if isinstance(gram, str) else " ".join(gram) for run in runs for gram in run))


def _char_grams(tokens: list[str]) -> list[str]:
    padded = [f" {token} " for token in tokens if token[0].isalpha()]
    return list({word[i : i + n]: None for word in padded for n in (3, 4, 5) for i in range(len(word) - n + 1)})

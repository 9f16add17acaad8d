"""The tone of a headline: how likely it is bearish, neutral or bullish, by a linear model over hashed features.

Owns how weights turn what is read out of a text (`tone_feature.py`) into probabilities. The weights and the word lists
come from `sentiment_model.npz`, which `tools/train_sentiment.py` writes.
"""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from shared.errors import MissingError
from shared.quant.tone_feature import Lexicon, buckets, features

MODEL_PATH = Path(__file__).with_name("sentiment_model.npz")


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
    English only. The weights are summed as integers: the same to the bit in every run. The tone is that of the news,
    not of its worth to a holder: a takeover is good for the one bought and may be bad for the buyer.
    """
    model = _model()
    logits = list(model.bias)
    for group, names in enumerate(features(text, model.lexicon)):
        weights = model.weights[group]
        total = weights[buckets(names, len(weights))].sum(axis=0, dtype=np.int64).tolist()
        scale = model.scales[group] / (math.sqrt(len(names)) if group and names else 1.0)
        logits = [logit + scale * part for logit, part in zip(logits, total, strict=True)]
    return Tone(*_softmax(logits))


@cache
def _model() -> _Model:
    try:
        with MODEL_PATH.open("rb") as file, np.load(file, allow_pickle=False) as parts:
            lexicon = Lexicon.from_json(parts["lexicon"].tobytes().decode())
            weights = tuple(parts[name] for name in ("cues", "words", "chars"))
            return _Model(lexicon, weights, tuple(parts["scales"].tolist()), tuple(parts["bias"].tolist()))
    except (OSError, BadZipFile, KeyError, ValueError) as e:
        raise MissingError(f"no readable sentiment model at {MODEL_PATH.name}") from e


def _softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    powers = [math.exp(logit - top) for logit in logits]
    return [power / sum(powers) for power in powers]

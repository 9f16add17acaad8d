"""What the stand-in answers where texts are to be embedded: vectors of length one, alike where the texts are."""

import math
import zlib
from collections.abc import Mapping
from typing import Any

from tests.standins.openai.answer import tokens

DIMENSIONS = 1_536
"""Where a request names no other length."""
_LETTERS = 3


def embeddings(request: Mapping[str, Any]) -> dict[str, Any]:
    """Give a vector for each text; in another order than asked, told apart by their index."""
    texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
    length = request.get("dimensions", DIMENSIONS)
    rows = [
        {"object": "embedding", "index": index, "embedding": _vector(text, length)} for index, text in enumerate(texts)
    ]
    used = sum(map(tokens, texts))
    usage = {"prompt_tokens": used, "total_tokens": used}
    return {"object": "list", "model": request["model"], "data": rows[::-1], "usage": usage}


def _vector(text: str, length: int) -> list[float]:
    counts = [0.0] * length
    for begin in range(len(text)):
        counts[zlib.crc32(text[begin : begin + _LETTERS].encode()) % length] += 1
    norm = math.hypot(*counts) or 1.0
    return [count / norm for count in counts]

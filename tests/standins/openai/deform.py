"""Random deformations of a good answer: of its values, of the text around them, of the completion, of its bytes."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.standins.openai.answer import completion
from tests.standins.openai.faults import Refuse

type Good = Callable[[dict[str, Any]], str]
"""Given a request, an answer that holds."""

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 7, 1e300, 10**400, float("nan"), float("inf"), -float("inf")),
    *(
        "",
        " " * 40,
        "\u200b" * 40,
        "x" * 20_000,
        "\ud800",
        "\x00\x07",
        "½ ١٢ ∞",
        "🙂🏳️‍🌈",
        "\u202eyub",
        "0.5",
        "BUY NOW",
    ),
    *([], {}, [[]], [None], {"a": {"b": []}}, [1] * 5_000),
)
_ENDINGS = ("length", "content_filter", "tool_calls", "function_call")
DEEP = "[" * 20_000 + "]" * 20_000


def deforming(good: Good, seed: int) -> Callable[[dict[str, Any]], Refuse]:
    """Give a model for the stand-in that answers well now and then, and deforms what it would have said else."""
    random = Random(seed)

    def model(request: dict[str, Any]) -> Refuse:
        text, reply = good(request), dict[str, Any]()
        kind = random.randrange(6)
        if kind in (1, 2):
            text = json.dumps(_odd_value(json.loads(text), random))
        elif kind == 3:
            text = _odd_text(text, random)
        reply = completion(request, text)
        if kind == 4:
            reply = _odd_value(reply, random)
        elif kind == 5:
            reply = _odd_completion(reply, random)
        body = json.dumps(reply).encode()
        return Refuse(200, _odd_bytes(body, random) if random.random() < 0.1 else body)

    return model


def _odd_value(value: Any, random: Random) -> Any:
    """Give a copy with something odd in one place of it, however deep."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        name = random.choice(list(value))
        if random.random() < 0.15:
            return {key: each for key, each in value.items() if key != name}
        if random.random() < 0.1:
            return value | {"further": random.choice(ODD)}
        return value | {name: _odd_value(value[name], random)}
    if isinstance(value, list) and value and random.random() < 0.7:
        place = random.randrange(len(value))
        return [_odd_value(each, random) if at == place else each for at, each in enumerate(value)]
    return random.choice([*ODD, [value], {"answer": value}, str(value)])


def _odd_text(text: str, random: Random) -> str:
    return random.choice(
        (
            text[: random.randrange(len(text))],
            text[random.randrange(len(text)) :],
            text + text,
            f"Sure! {{as asked}} {text} :-}}",
            f"```json\n{text}\n```",
            f"\ufeff{text}",
            text.replace('"', "'"),
            text.replace("}", ",}"),
            text.replace(":", ""),
            text.replace("e", "\ud83d"),
            text[:1] + DEEP + text[1:],
            text + " " * 20_000,
            f"{{{text}}}",
        )
    )


def _odd_completion(reply: dict[str, Any], random: Random) -> dict[str, Any]:
    [choice] = reply["choices"]
    odd = random.choice(ODD)
    return random.choice(
        (
            reply | {"choices": []},
            reply | {"choices": None},
            reply | {"choices": [choice] * 3},
            reply | {"choices": [choice | {"finish_reason": odd}]},
            reply | {"choices": [choice | {"finish_reason": random.choice(_ENDINGS)}]},
            reply | {"choices": [choice | {"message": None}]},
            reply | {"choices": [choice | {"message": choice["message"] | {"content": odd}}]},
            reply | {"choices": [choice | {"message": choice["message"] | {"refusal": odd}}]},
            reply | {"choices": [choice | {"message": {"tool_calls": [{"function": {"name": "trade"}}]}}]},
            {key: value for key, value in reply.items() if key != "usage"},
            reply | {"usage": odd},
            reply | {"usage": {"prompt_tokens": odd, "completion_tokens": odd}},
            {"error": {"message": "overloaded"}},
        )
    )


def _odd_bytes(body: bytes, random: Random) -> bytes:
    infinite = body.replace(b'"prompt_tokens": ', b'"prompt_tokens": 1e999, "was": ')
    return random.choice((body[: random.randrange(len(body))], b"", b"\xff\xfe" + body, DEEP.encode(), infinite))

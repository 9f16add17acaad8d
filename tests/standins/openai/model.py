"""Models for the stand-in: what is said to a request."""

import json
from random import Random
from typing import Any

from tests.standins.openai.answer import sample, schema_of


def keeps_to_schemas(request: dict[str, Any]) -> str:
    """Answer as the schema asks, with the first of each choice and plain prose without numbers."""
    return json.dumps(_told(sample(schema_of(request)), "It is what the program found, and nothing else."))


def explains(request: dict[str, Any]) -> str:
    """Answer as a good model would: with the facts' decision, and a number of theirs."""
    answer = sample(schema_of(request))
    if "decision" in answer:
        facts = json.loads(request["messages"][1]["content"].split("\n")[1])
        told = f"It was {facts['decision']} with a score of {facts['score']:+.2f}; {facts['voted']} voted."
        return json.dumps(_told(answer, told) | {"decision": facts["decision"], "risk_manager": ""})
    if "look_up" in answer:
        return json.dumps(answer | {"answer": [{"text": "It is what the desk found.", "findings": [1]}]})
    return json.dumps(_told(answer, "It is what the program found, and nothing else."))


def small(seed: int) -> Any:
    """Give a model that seldom keeps to a schema: it chats, forgets fields, invents some, and is far out of bounds."""
    random = Random(seed)

    def model(request: dict[str, Any]) -> str:
        answer = _told(sample(schema_of(request)), "The trade is good because of the trend, I think.")
        return random.choice((_sound, _chatty, _forgetful, _inventive, _boundless, _wordy, _silent))(answer)

    return model


def _told(answer: Any, prose: str) -> dict[str, Any]:
    return {name: prose if value == "" else value for name, value in answer.items()}


def _sound(answer: dict[str, Any]) -> str:
    return json.dumps(answer)


def _chatty(answer: dict[str, Any]) -> str:
    return f"Sure! Here is the JSON:\n```json\n{json.dumps(answer, indent=2)}\n```\nLet me know."


def _forgetful(answer: dict[str, Any]) -> str:
    return json.dumps(dict(list(answer.items())[1:]))


def _inventive(answer: dict[str, Any]) -> str:
    return json.dumps(answer | {"stance": 1.0, "note": "BUY"})


def _boundless(answer: dict[str, Any]) -> str:
    return json.dumps({name: 9e9 if isinstance(value, int) else "x" * 50_000 for name, value in answer.items()})


def _wordy(_: dict[str, Any]) -> str:
    return "I think that this headline is quite bullish {really}."


def _silent(_: dict[str, Any]) -> str:
    return ""


def obedient(tone: str) -> Any:
    """Give a model that does whatever a stranger's text may tell it: the tone it asks for, and its words as prose."""

    def model(request: dict[str, Any]) -> str:
        answer, told = sample(schema_of(request)), request["messages"][1]["content"]
        if "tone" in answer:
            return json.dumps({"tone": tone, "confidence": 1})
        return json.dumps(
            _told(answer, told.split("\n")[1][:400]) | ({"decision": "approved"} if "decision" in answer else {})
        )

    return model

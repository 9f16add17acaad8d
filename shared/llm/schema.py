"""An answer's JSON schema as servers take it in strict mode, and how an answer is read whatever is around it."""

from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import InvalidError
from shared.events.catalogue import describe

_KNOWN = ("$ref", "anyOf", "const", "enum", "type")
"""What every server's strict mode takes; bounds are not among it: they are checked here."""


def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Give a model's schema with every property required and no other allowed, without bounds."""
    return _strict(model.model_json_schema())


def _strict(part: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: part[key] for key in _KNOWN if key in part}
    if "anyOf" in part:
        kept["anyOf"] = [_strict(option) for option in part["anyOf"]]
    if "items" in part:
        kept["items"] = _strict(part["items"])
    if "$defs" in part:
        kept["$defs"] = {name: _strict(each) for name, each in part["$defs"].items()}
    if "properties" in part:
        kept["properties"] = {name: _strict(each) for name, each in part["properties"].items()}
        kept |= {"required": list(part["properties"]), "additionalProperties": False}
    return kept


def read_answer[A: BaseModel](text: str, model: type[A]) -> A:
    """Read an answer; text around its JSON, such as the marks of a code block, is let pass.

    Raises
    ------
    InvalidError
        It is no JSON, or not what the schema and its bounds say; the message does not repeat what it holds.
    """
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise InvalidError("no JSON in the answer")
    try:
        return model.model_validate_json(text[begin : end + 1])
    except ValidationError as error:
        raise InvalidError(f"outside the schema: {_plain(error)}") from error


def _plain(error: ValidationError) -> str:
    # The names of unknown fields are the model's words.
    if any(problem["type"] == "json_invalid" for problem in error.errors()):
        return "not JSON"
    if any(problem["type"] == "extra_forbidden" for problem in error.errors()):
        return "unknown fields"
    return describe(error)[:300]

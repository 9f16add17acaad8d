"""What the stand-in answers: values made from a schema, or whatever a test wants, in the shape of a chat completion."""

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokens(text: str) -> int:
    """Give how many tokens a text is, roughly: words and signs, a long word in parts of four letters."""
    return sum(-(-len(part) // 4) if part.isascii() else len(part) for part in _TOKEN.findall(text))


def completion(
    request: Mapping[str, Any], text: str | None, *, finish: str = "stop", refusal: str | None = None, **message: Any
) -> dict[str, Any]:
    """Give a chat completion, with its use of tokens."""
    read = sum(tokens(str(each.get("content") or "")) + 3 for each in request["messages"])
    written = tokens(text or refusal or json.dumps(message))
    return {
        "id": "chatcmpl-standin",
        "object": "chat.completion",
        "created": 1_200_000_000,
        "model": request["model"],
        "system_fingerprint": "fp_standin",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "logprobs": None,
                "message": {"role": "assistant", "content": text, "refusal": refusal, **message},
            }
        ],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def sample(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """Give a value that a schema allows: the first of each choice, and empty texts."""
    whole = root or schema
    if "$ref" in schema:
        return sample(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], whole)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: sample(part, whole) for name, part in schema.get("properties", {}).items()}
        case "array":
            return []
        case "number" | "integer":
            return 0
        case "boolean":
            return False
        case _:
            return ""


def schema_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Give the schema that a request names; an empty one where it names none."""
    form = request.get("response_format") or {}
    found: dict[str, Any] = form.get("json_schema", {}).get("schema", {})
    return found

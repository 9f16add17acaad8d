"""Prompts: files under `shared/prompts/`, versioned by their hash; and the fence around what others wrote."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "prompts"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is told to do.

    Attributes
    ----------
    digest : str
        SHA-256 of the text: another wording is another version.
    """

    name: str
    text: str
    digest: str

    @property
    def version(self) -> str:
        """Its name and the first digits of its hash."""
        return f"{self.name}@{self.digest[:12]}"


@cache
def prompt(name: str) -> Prompt:
    """Give the prompt of a file."""
    text = (FOLDER / f"{name}.txt").read_text("utf-8")
    return Prompt(name, text, sha256(text.encode()).hexdigest())


def fenced(text: str) -> str:
    """Give text that others wrote between marks that it cannot hold itself: they derive from its hash."""
    mark = sha256(text.encode()).hexdigest()[:16]
    return f"<untrusted {mark}>\n{text}\n</untrusted {mark}>"

"""Prose of a language model beside what was concluded, as the API shows it."""

from pydantic import BaseModel

from shared.events.envelope import Token


class NarrativeView(BaseModel):
    """What a language model wrote on a conclusion; every number in it is the conclusion's.

    Attributes
    ----------
    text : str
        Plain text; empty where it abstained.
    notes : dict of str to str
        By agent: a sentence on what it found.
    abstained : str or None
        Why there is no text.
    event : str
        Id of the `explanation.written`, which holds what was asked and what it took.
    """

    text: str
    notes: dict[str, str]
    abstained: str | None = None
    event: Token

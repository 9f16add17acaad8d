"""Question events: somebody asks the desk something in plain words, and what the research agent found."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.events.envelope import Event, Fact, Share, Symbol, Token, UtcTime
from shared.events.explanation import ModelCall

Topic = Literal[
    "trend",
    "forecast",
    "risk",
    "news",
    "crash",
    "volume",
    "regulation",
    "decision",
    "rebalance",
    "options",
    "record",
    "price",
    "memory",
]
LONGEST_QUESTION, LONGEST_SENTENCE = 500, 2_000
Words = Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S")]


class Question(Fact):
    """What somebody wants to know. Its text is untrusted: it is data, never an instruction.

    Attributes
    ----------
    text : str
        In plain words, at most 500 characters.
    """

    text: Words


class QuestionAsked(Event):
    """`question.asked`: somebody asks the desk something."""

    type: Literal["question.asked"] = "question.asked"
    data: Question


class Finding(Fact):
    """One sentence that the desk's own events say, and where it can be followed to.

    Attributes
    ----------
    subject : str
        The symbol, portfolio or agent that it is about.
    text : str
        A plain sentence with its numbers. Headlines in it are quoted.
    events : tuple of str
        Ids of the events that it rests on.
    happened_at : datetime
        Of the latest of them.
    relevance : float
        To the question, 0 to 1.
    """

    topic: Topic
    subject: str
    text: str = Field(max_length=LONGEST_SENTENCE)
    events: tuple[Token, ...] = Field(min_length=1)
    happened_at: UtcTime
    relevance: Share


class Research(Fact):
    """What the research agent understood and found, or why it has no answer.

    Attributes
    ----------
    symbols, portfolios : tuple of str
        What the question is about, as understood.
    topics : tuple of str
        Those that it names; empty where it names none.
    since : datetime or None
        Nothing that happened before is told, unless it is somebody's latest view.
    until : datetime
        Nothing that became known later is told; never after the question.
    answer : str or None
        Sentences of the findings, each with its number in them, from 1: `[1]`.
    findings : tuple of Finding
        The most relevant first.
    unanswered : tuple of str
        What the desk cannot say of what was asked.
    abstained : str or None
        Why there is no answer; then there is no `answer`, and the other way round.
    """

    symbols: tuple[Symbol, ...] = ()
    portfolios: tuple[Token, ...] = ()
    topics: tuple[Topic, ...] = ()
    since: UtcTime | None = None
    until: UtcTime
    answer: str | None = None
    findings: tuple[Finding, ...] = ()
    unanswered: tuple[str, ...] = ()
    abstained: str | None = None

    @model_validator(mode="after")
    def _answers_or_abstains(self) -> "Research":
        if (self.abstained is None) == (self.answer is None):
            raise ValueError("either there is an answer or the reason is given why there is none")
        if (self.answer is None) == bool(self.findings):
            raise ValueError("an answer rests on findings")
        return self


class ResearchCompleted(Event):
    """`research.completed`: the research agent answered, if only that it cannot."""

    type: Literal["research.completed"] = "research.completed"
    data: Research


class LookUp(Fact):
    """What a language model looked up, and how much was new to it.

    Attributes
    ----------
    subject : str
        A symbol or a portfolio of whoever asked; `unknown` for anything else.
    """

    topic: Topic
    subject: str = Field(max_length=200)
    found: int = Field(ge=0)


class Written(Fact):
    """A language model's answer to a question, held against what it cites, or why there is none.

    Attributes
    ----------
    research : str
        Id of the `research.completed` that it begins with.
    text : str
        Each sentence with the findings that say it, by their places here: `[1]`. Empty when abstained.
    findings : tuple of Finding
        Those that are cited; every number of a sentence stands in its own.
    abstained : str or None
        Why there is no text.
    """

    research: Token
    text: str = Field(default="", max_length=5_000)
    findings: tuple[Finding, ...] = ()
    looked_up: tuple[LookUp, ...] = ()
    abstained: str | None = Field(default=None, max_length=500)
    calls: tuple[ModelCall, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _cites_or_abstains(self) -> "Written":
        if (self.abstained is None) != bool(self.text and self.findings):
            raise ValueError("either there is a text with its findings or the reason why there is none")
        return self


class AnswerWritten(Event):
    """`answer.written`: a language model answered a question in its words, or it is said why it could not."""

    type: Literal["answer.written"] = "answer.written"
    data: Written

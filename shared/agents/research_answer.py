"""Composes an answer from what was gathered: ranks the pieces by the question, and puts the best into sentences."""

from collections.abc import Sequence
from datetime import datetime

from shared.agents.research_evidence import Gathered, Piece
from shared.agents.research_question import Understood, words_of
from shared.events.question import Finding, Research
from shared.quant.decay import decayed
from shared.quant.relevance import bm25

MOST_FINDINGS = 20
MOST_SENTENCES = 8
"""Of the findings, those that are in the answer."""
TOPIC_SHARE, WORDS_SHARE, RECENCY_SHARE = 0.5, 0.3, 0.2
"""What of the relevance each makes: they sum to 1."""
ELSEWHERE = 0.6
"""What the topic counts for where it is not about what the question names, but for example the market."""
HALF_LIFE_HOURS = 14 * 24.0
_NOTHING_NAMED = (
    "The question names no symbol that the desk follows, no portfolio of yours, and no topic that the desk knows."
)


def compose(asked: Understood, gathered: Gathered) -> Research:
    """Give the answer, or the reason why there is none; nothing in it is not in what was gathered."""
    ranked = rank(asked, gathered.pieces)[:MOST_FINDINGS]
    gaps = tuple(dict.fromkeys(gathered.gaps))
    return Research(
        symbols=asked.symbols,
        portfolios=asked.portfolios,
        topics=asked.topics,
        since=asked.period.since,
        until=asked.period.until,
        findings=tuple(ranked),
        unanswered=gaps,
        answer=_answer(ranked) if ranked else None,
        abstained=None if ranked else _reason(asked, gaps),
    )


def rank(asked: Understood, pieces: Sequence[Piece]) -> list[Finding]:
    """Give the pieces with their relevance, the most relevant first, and of equal ones the latest.

    Notes
    -----
    Relevance is half whether the topic was asked for; then the BM25 score by the best one's; then the age, with a
    half-life of 14 days.
    """
    scores = bm25(asked.words, [words_of(f"{piece.topic} {piece.subject} {piece.text}") for piece in pieces])
    best = max(scores, default=0.0) or 1.0
    weighed = [(_relevance(asked, piece, score / best), piece) for piece, score in zip(pieces, scores, strict=True)]
    weighed.sort(key=lambda each: (-each[0], -each[1].at.timestamp(), each[1].events, each[1].text))
    return [
        Finding(
            topic=piece.topic,
            subject=piece.subject,
            text=piece.text,
            events=piece.events,
            happened_at=piece.at,
            relevance=relevance,
        )
        for relevance, piece in weighed
    ]


def _relevance(asked: Understood, piece: Piece, words: float) -> float:
    named = (*asked.symbols, *asked.portfolios)
    topic = 1.0 if piece.topic in asked.topics or not asked.topics else 0.0
    topic *= 1.0 if piece.subject in named or not named else ELSEWHERE
    recency = decayed(1.0, _age_hours(piece.at, asked.period.until), HALF_LIFE_HOURS)
    return min(1.0, TOPIC_SHARE * topic + WORDS_SHARE * words + RECENCY_SHARE * recency)


def _age_hours(at: datetime, until: datetime) -> float:
    return max(0.0, (until - at).total_seconds() / 3600)


def _answer(ranked: Sequence[Finding]) -> str:
    # Each topic and subject is heard once before any is heard twice: ten headlines are not ten answers.
    first = {(finding.topic, finding.subject): place for place, finding in reversed(list(enumerate(ranked)))}
    rest = [place for place in range(len(ranked)) if place not in first.values()]
    told = sorted([*sorted(first.values()), *rest][:MOST_SENTENCES])
    return " ".join(f"{ranked[place].text} [{place + 1}]" for place in told)


def _reason(asked: Understood, gaps: tuple[str, ...]) -> str:
    return " ".join(gaps) or (_NOTHING_NAMED if asked.is_empty else "Nothing of what the question names is known.")

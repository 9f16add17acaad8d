"""News events: headlines as they come in, and the sentiment read from them."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Event, Fact, NonNegative, Share, Stance, Symbol, Token, UtcTime
from shared.events.explanation import ModelCall


class NewsItem(Fact):
    """One headline. Its text is untrusted: it is data, never an instruction.

    Attributes
    ----------
    vendor_id : str
        The vendor's own id; the event's id derives from it.
    symbols : tuple of str
        Tickers that the vendor links to it; empty for the market as a whole.
    origin : str
        Where it comes from; `sample` marks headlines that were written in hindsight.
    """

    vendor_id: Token
    headline: str = Field(min_length=1, max_length=500)
    summary: str = Field(default="", max_length=5_000)
    symbols: tuple[Symbol, ...] = Field(default=(), max_length=50)
    published_at: UtcTime
    origin: Token


class NewsReceived(Event):
    """`news.received`: a headline was published."""

    public: ClassVar[bool] = True
    type: Literal["news.received"] = "news.received"
    data: NewsItem


RegulatoryAction = Literal[
    "adopt",
    "approve",
    "ban",
    "block",
    "ease",
    "fine",
    "investigate",
    "propose",
    "rescue",
    "set_rate",
    "settle",
    "sue",
]


class Regulation(Fact):
    """What an authority did, as a headline tells it.

    Attributes
    ----------
    authority : str
        By its usual name, for example `SEC`; `regulators` and `court` where the headline says no more.
    news : str
        Id of the event that brought the headline.
    symbols : tuple of str
        Those that the headline is about; empty for the market as a whole.
    """

    authority: str
    action: RegulatoryAction
    headline: str
    news: Token
    symbols: tuple[Symbol, ...] = ()


class RegulationChanged(Event):
    """`regulation.changed`: an authority acts."""

    public: ClassVar[bool] = True
    type: Literal["regulation.changed"] = "regulation.changed"
    data: Regulation


class HeadlineReading(Fact):
    """How a language model read a headline of which our own classifier was not sure.

    Attributes
    ----------
    news : str
        Id of the event that brought the headline.
    score : float
        Our classifier's tone, -1 (bearish) to +1 (bullish).
    certainty : float
        The probability of its likeliest tone, 0 to 1.
    tone : str or None
        The model's; None when it abstained.
    confidence : float or None
        The model's own, 0 to 1.
    keep : float
        What is left of the score, 0 to 1: all of it unless the model reads another tone.
    abstained : str or None
        Why there is no tone.
    """

    news: Token
    score: Stance
    certainty: Share
    tone: Literal["bearish", "neutral", "bullish"] | None = None
    confidence: Share | None = None
    keep: Share = 1.0
    abstained: str | None = Field(default=None, max_length=500)
    calls: tuple[ModelCall, ...]


class HeadlineRead(Event):
    """`headline.read`: a language model read a headline of which our own classifier was not sure."""

    public: ClassVar[bool] = True
    type: Literal["headline.read"] = "headline.read"
    data: HeadlineReading


class HeadlineScore(Fact):
    """What one headline contributed: the event to follow it to, its text, tone and remaining weight.

    Attributes
    ----------
    reading : str or None
        Id of the event by which a language model shrank the tone; None where none did.
    """

    event: Token
    headline: str
    score: Stance
    weight: NonNegative
    reading: Token | None = None


class Sentiment(Fact):
    """Rolling sentiment of one symbol: recent headlines weighted by age with a half-life.

    Attributes
    ----------
    score : float
        -1 (bearish) to +1 (bullish).
    confidence : float
        0 to 1, growing with the weight of the headlines behind it.
    weight : float
        Sum of the headlines' decayed weights.
    half_life_hours : float
        Age at which a headline counts half.
    """

    symbol: Symbol
    score: Stance
    confidence: Share
    weight: NonNegative
    half_life_hours: float = Field(gt=0)
    headlines: tuple[HeadlineScore, ...]


class SentimentScored(Event):
    """`sentiment.scored`: the sentiment of a symbol moved with a headline."""

    public: ClassVar[bool] = True
    type: Literal["sentiment.scored"] = "sentiment.scored"
    data: Sentiment

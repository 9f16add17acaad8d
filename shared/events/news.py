"""News events: headlines as they come in, and the sentiment read from them."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Event, Fact, NonNegative, Share, Stance, Symbol, Token, UtcTime


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


class HeadlineScore(Fact):
    """What one headline contributed: the event to follow it to, its text, tone and remaining weight."""

    event: Token
    headline: str
    score: Stance
    weight: NonNegative


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

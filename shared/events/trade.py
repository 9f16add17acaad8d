"""Trade events: a request, what each agent thinks of it, and the consensus."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Event, Fact, Finite, NonNegative, Quantity, Share, Stance, Symbol, Token, UtcTime
from shared.events.market import Regime


class Trade(Fact):
    """A proposal to trade; nothing is bought or sold by it.

    Attributes
    ----------
    quantity : float
        Shares.
    portfolio : str or None
        The portfolio whose risk it would change.
    """

    symbol: Symbol
    side: Literal["buy", "sell"]
    quantity: Quantity
    portfolio: Token | None = None


class TradeRequested(Event):
    """`trade.requested`: somebody asks whether to trade."""

    type: Literal["trade.requested"] = "trade.requested"
    data: Trade


class Deadline(Fact):
    """The end of a step's patience: which step, and the event that it began with."""

    step: Token
    trigger: Token


class TradeDeadlineReached(Event):
    """`trade.deadline.reached`: the consensus closes with the votes that are in."""

    scheduled: ClassVar[bool] = True
    type: Literal["trade.deadline.reached"] = "trade.deadline.reached"
    data: Deadline


class Evidence(Fact):
    """One number or text that an opinion rests on, and where it comes from.

    Attributes
    ----------
    event : str or None
        Id of the event that it can be followed to.
    unit : str
        For example `USD`, `fraction`, `fraction per day`; empty where it is a plain number or a text.
    """

    name: str
    value: Finite | str
    unit: str = ""
    event: Token | None = None


class Opinion(Fact):
    """One agent's vote in a step.

    Attributes
    ----------
    stance : float
        Support for what is proposed, -1 to +1; 0 when abstained.
    veto : str or None
        Why this must not be done whatever the others say; only the risk manager's counts.
    abstained : str or None
        Why the agent has no view; never the same as an indifferent stance.
    """

    step: Token
    trigger: Token
    agent: Token
    stance: Stance
    confidence: Share
    rationale: str = Field(max_length=2_000)
    evidence: tuple[Evidence, ...] = ()
    veto: str | None = None
    abstained: str | None = None


class OpinionFormed(Event):
    """`opinion.formed`: an agent voted or abstained."""

    type: Literal["opinion.formed"] = "opinion.formed"
    data: Opinion


class Outcomes(Fact):
    """How a number of opinions turned out.

    Attributes
    ----------
    hits : int
        Those whose stance had the sign of the trade's return.
    brier : float
        Mean Brier score of the probabilities that they gave, 0 to 1; 0.25 is a coin's.
    mean_return : float
        Mean of stance times the trade's return over the horizon, a fraction.
    """

    count: int = Field(default=0, ge=0)
    hits: int = Field(default=0, ge=0)
    brier: Share = 0.0
    mean_return: Finite = 0.0


class AgentRecord(Fact):
    """An agent's outcomes so far, overall and by the regime that the symbol was in when it voted."""

    overall: Outcomes
    regimes: dict[str, Outcomes] = Field(default_factory=dict)


class Grade(Fact):
    """What the market said of one opinion.

    Attributes
    ----------
    opinion : str
        Id of the event with the opinion.
    horizon_days : int
        Days from the vote to the price that it was graded by.
    trade_return : float
        What the trade would have earned by then, a fraction of its price; before costs.
    hit : bool
        Whether the stance had its sign.
    brier : float
        Of the probability `(1 + stance x confidence) / 2` that the trade earns.
    record : AgentRecord
        The agent's record with this one in it.
    """

    opinion: Token
    agent: Token
    symbol: Symbol
    side: Literal["buy", "sell"]
    stance: Stance
    confidence: Share
    horizon_days: int = Field(ge=1)
    trade_return: Finite
    hit: bool
    brier: Share
    regime: Regime | None = None
    record: AgentRecord


class OpinionGraded(Event):
    """`opinion.graded`: the market has shown what an opinion was worth."""

    type: Literal["opinion.graded"] = "opinion.graded"
    data: Grade


class Vote(Fact):
    """An opinion as the consensus counted it."""

    agent: Token
    opinion: Token
    stance: Stance
    confidence: Share
    weight: NonNegative
    veto: str | None = None
    abstained: str | None = None


class Consensus(Fact):
    """What the agents concluded together, by arithmetic.

    Attributes
    ----------
    decision : str
        `approved`, `rejected`, or `no_quorum` when too few had a view in time.
    score : float
        Mean stance weighted by weight times confidence, -1 to +1.
    dispersion : float
        Weighted standard deviation of the stances, 0 to 1.
    closed_by : str
        `quorum` when everybody had answered, `deadline` when time was up.
    dissent : tuple of str
        Agents whose stance points against the decision.
    missing : tuple of str
        Agents that had not answered when it closed; their votes are kept as late.
    """

    step: Token
    trigger: Token
    decision: Literal["approved", "rejected", "no_quorum"]
    score: Stance
    dispersion: Share
    closed_by: Literal["quorum", "deadline"]
    votes: tuple[Vote, ...]
    vetoes: tuple[str, ...]
    dissent: tuple[Token, ...]
    missing: tuple[Token, ...]
    explanation: str
    decided_at: UtcTime


class ConsensusReached(Event):
    """`consensus.reached`: a step is decided; there is exactly one per step."""

    type: Literal["consensus.reached"] = "consensus.reached"
    data: Consensus

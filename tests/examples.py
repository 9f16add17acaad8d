"""One example of every event type with all that it can hold, and of some with as little as they may."""

from shared.events.change import Change, ChangeMade
from shared.events.envelope import Event
from shared.events.explanation import Explanation, ExplanationWritten, ModelCall, Took
from shared.events.memory import MemoryRevoked, Revocation
from shared.events.news import HeadlineRead, HeadlineReading
from shared.events.options import OptionsSuggested, OptionsSuggestion
from shared.events.portfolio import RiskAssessed, RiskAssessment
from shared.events.question import AnswerWritten, Finding, LookUp, Research, ResearchCompleted, Written
from shared.events.rebalance import Rebalance, RebalanceSuggested
from shared.events.replay import Replay, ReplayCompleted, TradeFill, TradeFilled
from shared.events.step import AgentSilenceDetected, Failure, Silence, StepFailed
from shared.events.trade import (
    AgentRecord,
    Consensus,
    ConsensusReached,
    Grade,
    Opinion,
    OpinionFormed,
    OpinionGraded,
    Outcomes,
    Vote,
)
from tests.builders import (
    CLOSE,
    DAY,
    a_bar,
    a_deadline,
    a_headline,
    a_portfolio,
    a_question,
    a_replay_request,
    a_trade_request,
    an_opinion,
    an_options_request,
    market_data,
)
from tests.conclusions import CONCLUSIONS, EVIDENCE

REQUEST = a_trade_request(portfolio="main")

VOTES = (
    Vote(agent="a", opinion="o-1", stance=0.1, confidence=0.2, weight=1, veto="no"),
    Vote(agent="b", opinion="o-2", stance=0, confidence=0, weight=1, abstained="no data"),
)
CALL = ModelCall(
    question="0" * 64,
    prompt="narrate@0123456789ab",
    model="gpt-4.1-mini",
    seed=1,
    answer='{"text":"Up"}',
    took=Took(attempts=2, input_tokens=300, output_tokens=20, cost=1e-4, latency_ms=812.5),
)
NO_CALL = ModelCall(
    question="f" * 64,
    prompt="narrate@0123456789ab",
    model="m",
    seed=0,
    abstained="too late",
    took=Took(attempts=0, input_tokens=0, output_tokens=0, latency_ms=0),
)
FULL: tuple[Event, ...] = (
    market_data(a_bar("AAPL", open=99.5), a_bar("IBM")),
    a_headline(summary="With more of it.", symbols=("AAPL", "BRK.B")),
    a_portfolio(holdings={"AAPL": 1.5, "IBM": 2.0}),
    REQUEST,
    an_opinion(REQUEST, veto="too heavy"),
    a_deadline(REQUEST),
    OpinionFormed.caused_by(
        REQUEST,
        source="a",
        data=Opinion(
            step="trade", trigger="t", agent="a", stance=0.1, confidence=0.3, rationale="Up.", evidence=EVIDENCE
        ),
    ),
    MemoryRevoked.first(
        id="revoked-1",
        source="api",
        stream="memory:anna",
        time=CLOSE,
        owner="anna",
        data=Revocation(source="news-1", everyone=False, memories=("memory-1",), influenced=("opinion-1",)),
    ),
    ChangeMade.first(
        id="change-1",
        source="api",
        stream="audit:anna",
        time=CLOSE,
        owner="anna",
        data=Change(caller="key:0123456789ab", action="POST /api/trades", made="/api/trades/trade-1", at=CLOSE),
    ),
    OpinionGraded.caused_by(
        an_opinion(REQUEST),
        source="grading",
        data=Grade(
            opinion="o-1",
            agent="a",
            symbol="AAPL",
            side="sell",
            stance=-0.5,
            confidence=0.5,
            horizon_days=7,
            trade_return=-0.01,
            hit=True,
            brier=0.1,
            regime="trend",
            record=AgentRecord(
                overall=Outcomes(count=2, hits=1, brier=0.2, mean_return=-1e-9),
                regimes={"trend": Outcomes(count=1, hits=1, brier=0.1, mean_return=0.005)},
            ),
        ),
    ),
    ConsensusReached.caused_by(
        REQUEST,
        source="consensus",
        data=Consensus(
            step="trade",
            trigger=REQUEST.id,
            decision="rejected",
            score=0.1,
            dispersion=0.2,
            closed_by="deadline",
            votes=VOTES,
            vetoes=("no",),
            dissent=("a",),
            missing=("c",),
            explanation="Rejected.",
            decided_at=CLOSE,
        ),
    ),
    TradeFilled.caused_by(
        REQUEST,
        source="trader",
        data=TradeFill(
            portfolio="main",
            trade=REQUEST.id,
            consensus="c-1",
            symbol="AAPL",
            side="buy",
            quantity=10,
            price=100.05,
            slippage=0.5,
            fee=0.1,
            remaining=0,
            decided_at=CLOSE,
            bar_closed_at=CLOSE + DAY,
        ),
    ),
    ReplayCompleted.first(
        id="r-1",
        source="replay",
        stream="replay-1",
        time=CLOSE,
        data=Replay(hash="0" * 64, data_hash="a" * 64, played=10, emitted=5, problem="no", report="{}"),
    ),
    a_replay_request(),
    an_options_request(portfolio="main"),
    a_question(),
    ResearchCompleted.caused_by(
        a_question(),
        source="research_agent",
        data=Research(
            symbols=("AAPL",),
            portfolios=("main",),
            topics=("forecast",),
            since=CLOSE - DAY,
            until=CLOSE,
            answer="It rises ✓. [1]",
            findings=(
                Finding(
                    topic="forecast",
                    subject="AAPL",
                    text="It rises ✓.",
                    events=("e-1", "e-2"),
                    happened_at=CLOSE,
                    relevance=1 / 3,
                ),
            ),
            unanswered=("Nothing is known on options.",),
        ),
    ),
    HeadlineRead.caused_by(
        a_headline(),
        source="narrator",
        data=HeadlineReading(
            news="n-1", score=0.3, certainty=0.5, tone="neutral", confidence=0.25, keep=0.75, calls=(CALL,)
        ),
    ),
    AnswerWritten.caused_by(
        a_question(),
        source="research_agent",
        data=Written(
            research="r-1",
            text="It rose ✓ [1]",
            findings=(
                Finding(
                    topic="price", subject="AAPL", text="It rose.", events=("e-1",), happened_at=CLOSE, relevance=0.5
                ),
            ),
            looked_up=(LookUp(topic="memory", subject="AAPL", found=3),),
            calls=(CALL, CALL),
        ),
    ),
    ExplanationWritten.caused_by(
        REQUEST,
        source="narrator",
        data=Explanation(
            explains="c-1", kind="consensus.reached", text="Up ✓ 😀", notes={"oracle": "It saw 0.5."}, calls=(CALL,)
        ),
    ),
    StepFailed.first(
        id="f-1",
        source="risk_manager",
        stream="failure-risk_manager",
        time=CLOSE,
        data=Failure(
            agent="risk_manager", reason="", message_id="", subject="", payload="\x00{", encoding="utf-8", attempts=1
        ),
    ),
    AgentSilenceDetected.first(
        id="s-1",
        source="sweep",
        stream="agent-oracle",
        time=CLOSE,
        data=Silence(agent="oracle", abstained=10, of=20, reason=""),
    ),
    *CONCLUSIONS,
)
LEAST: tuple[Event, ...] = (
    HeadlineRead.caused_by(
        a_headline(),
        source="narrator",
        data=HeadlineReading(news="n-1", score=0, certainty=0.5, abstained="too late", calls=(NO_CALL,)),
    ),
    AnswerWritten.caused_by(
        a_question(),
        source="research_agent",
        data=Written(research="r-1", abstained="too late", calls=(NO_CALL,)),
    ),
    ExplanationWritten.caused_by(
        REQUEST,
        source="narrator",
        data=Explanation(explains="c-1", kind="risk.assessed", abstained="too late", calls=(NO_CALL,)),
    ),
    a_headline(symbols=()),
    a_portfolio(holdings={}, cash=0),
    a_trade_request(),
    an_options_request(view=None),
    ResearchCompleted.caused_by(
        a_question(), source="research_agent", data=Research(until=CLOSE, abstained="It names nothing.")
    ),
    OptionsSuggested.caused_by(
        an_options_request(),
        source="options_strategist",
        data=OptionsSuggestion(symbol="AAPL", rationale="No price.", abstained="no price"),
    ),
    RebalanceSuggested.caused_by(
        a_portfolio(),
        source="portfolio_optimizer",
        data=Rebalance(portfolio="main", rationale="No price.", abstained="no price"),
    ),
    RiskAssessed.caused_by(
        a_portfolio(),
        source="risk_manager",
        data=RiskAssessment(portfolio="main", value=0, weights={}, measures={}, observations=0, breaches=()),
    ),
)

import type * as schema from "../generated/schema";

interface Kinds {
  "market.data.received": schema.MarketDataReceived;
  "analysis.completed": schema.AnalysisCompleted;
  "market.crash.detected": schema.MarketCrashDetected;
  "market.whale.detected": schema.MarketWhaleDetected;
  "forecast.published": schema.ForecastPublished;
  "news.received": schema.NewsReceived;
  "sentiment.scored": schema.SentimentScored;
  "regulation.changed": schema.RegulationChanged;
  "portfolio.changed": schema.PortfolioChanged;
  "risk.assessed": schema.RiskAssessed;
  "rebalance.suggested": schema.RebalanceSuggested;
  "trade.requested": schema.TradeRequested;
  "trade.deadline.reached": schema.TradeDeadlineReached;
  "opinion.formed": schema.OpinionFormed;
  "opinion.graded": schema.OpinionGraded;
  "consensus.reached": schema.ConsensusReached;
  "options.requested": schema.OptionsRequested;
  "options.suggested": schema.OptionsSuggested;
  "question.asked": schema.QuestionAsked;
  "research.completed": schema.ResearchCompleted;
  "headline.read": schema.HeadlineRead;
  "explanation.written": schema.ExplanationWritten;
  "answer.written": schema.AnswerWritten;
  "memory.revoked": schema.MemoryRevoked;
  "change.made": schema.ChangeMade;
  "agent.silence.detected": schema.AgentSilenceDetected;
  "replay.requested": schema.ReplayRequested;
  "replay.completed": schema.ReplayCompleted;
  "trade.filled": schema.TradeFilled;
  "step.failed": schema.StepFailed;
}

/** The name of a type of event that this program knows; a desk may know more. */
export type EventType = keyof Kinds;
/** An event of a known type. */
export type EventOf<T extends EventType> = Kinds[T];
/** Any event, with content that is not looked into. */
export type DeskEvent = schema.Event;

/** Say whether an event is of a type, which then tells its content. */
export function isOf<T extends EventType>(event: DeskEvent, type: T): event is DeskEvent & EventOf<T> {
  return event.type === type;
}

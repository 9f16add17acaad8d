import type { DeskEvent, EventOf, EventType } from "../client/event";
import { count, counted, percent, plain, price, short, stance, usd, words } from "./number-text";
import { moment } from "./time-text";

/** What an event says in one line. */
export interface EventText {
  /** What it is about: a symbol, a portfolio, a step. */
  subject: string;
  text: string;
  tone: "up" | "down" | "warn" | "";
}

const tone = (value: number) => (value > 0 ? "up" : value < 0 ? "down" : "");

type Tellers = { [T in EventType]: (event: EventOf<T>) => EventText };

const TELLERS: Tellers = {
  "market.data.received": ({ data }) => ({
    subject: "Prices",
    text: data.bars.map((bar) => `${bar.symbol} ${price(bar.close)}`).join(" · "),
    tone: "",
  }),
  "analysis.completed": ({ data }) => ({
    subject: data.symbol,
    text: `${words(data.trend)}, view ${stance(data.view)} at ${percent(data.confidence, 0)} confidence${data.moved_by.length ? `; moved by ${data.moved_by.map((name) => name.replaceAll("_", " ")).join(", ")}` : ""}`,
    tone: tone(data.view),
  }),
  "market.crash.detected": ({ data }) => ({
    subject: data.symbol,
    text: `${words(data.severity)} ${data.kind}: −${percent(data.fall)}, called so from ${percent(data.threshold)}`,
    tone: "down",
  }),
  "market.whale.detected": ({ data }) => ({
    subject: data.symbol,
    text: `${words(data.side)} of ${short(data.volume)} shares, usually ${short(data.usual_volume)}; price ${percent(data.change, 1, true)}`,
    tone: "warn",
  }),
  "forecast.published": ({ data }) => ({
    subject: "Forecast",
    text: data.forecasts
      .map(
        (each) =>
          `${each.symbol} ${percent(each.horizons.at(-1)?.mean, 1, true)} ± ${percent(each.horizons.at(-1)?.deviation)}`,
      )
      .join(" · "),
    tone: "",
  }),
  "news.received": ({ data }) => ({ subject: data.symbols?.join(" ") || "Market", text: data.headline, tone: "" }),
  "sentiment.scored": ({ data }) => ({
    subject: data.symbol,
    text: `Sentiment ${stance(data.score)} from ${counted(data.headlines.length, "headline", "headlines")}`,
    tone: tone(data.score),
  }),
  "regulation.changed": ({ data }) => ({
    subject: data.symbols?.join(" ") || "Market",
    text: `${data.authority}, ${data.action.replaceAll("_", " ")}: ${data.headline}`,
    tone: "warn",
  }),
  "portfolio.changed": ({ data }) => ({
    subject: data.portfolio,
    text: `Holds ${data.positions?.map((each) => `${count(each.quantity)} ${each.symbol}`).join(", ") || "nothing"} and ${usd(data.cash)}`,
    tone: "",
  }),
  "risk.assessed": ({ data }) => ({
    subject: data.portfolio,
    text: `${usd(data.value)}, one-day VaR 95 ${percent(data.measures["ewma_var_95"], 2)}${data.breaches.length ? `; over ${counted(data.breaches.length, "limit", "limits")}` : ""}`,
    tone: data.breaches.length ? "warn" : "",
  }),
  "rebalance.suggested": ({ data }) => ({ subject: data.portfolio, text: data.abstained ?? data.rationale, tone: "" }),
  "trade.requested": ({ data }) => ({
    subject: data.symbol,
    text: `${words(data.side)} ${count(data.quantity)}?${data.portfolio ? ` For ${data.portfolio}` : ""}`,
    tone: "",
  }),
  "trade.deadline.reached": ({ data }) => ({ subject: data.step, text: "Time is up for votes", tone: "" }),
  "opinion.formed": ({ data }) => ({
    subject: words(data.agent),
    text: data.abstained ? `Abstains: ${data.abstained}` : `${stance(data.stance)}: ${data.rationale}`,
    tone: data.veto ? "down" : tone(data.stance),
  }),
  "opinion.graded": ({ data }) => ({
    subject: words(data.agent),
    text: `${data.hit ? "Was right" : "Was wrong"} on ${data.symbol} after ${data.horizon_days} days: ${percent(data.trade_return, 1, true)}`,
    tone: data.hit ? "up" : "down",
  }),
  "consensus.reached": ({ data }) => ({
    subject: words(data.step),
    text: `${words(data.decision)}, score ${stance(data.score)}. ${data.explanation}`,
    tone: data.decision === "approved" ? "up" : data.decision === "rejected" ? "down" : "",
  }),
  "options.requested": ({ data }) => ({
    subject: data.symbol,
    text: `Options with at most ${usd(data.risk_budget)} at risk, ${data.horizon_days ?? 30} days?`,
    tone: "",
  }),
  "options.suggested": ({ data }) => ({ subject: data.symbol, text: data.abstained ?? data.rationale, tone: "" }),
  "question.asked": ({ data }) => ({ subject: "Question", text: data.text, tone: "" }),
  "research.completed": ({ data }) => ({ subject: "Research", text: data.answer ?? data.abstained ?? "", tone: "" }),
  "headline.read": ({ data }) => ({
    subject: "Headline",
    text: data.abstained
      ? `The model abstains: ${data.abstained}`
      : `The model reads it as ${data.tone}; ${percent(data.keep, 0)} of our score is kept`,
    tone: "",
  }),
  "explanation.written": ({ data }) => ({
    subject: "Narrator",
    text: data.abstained ? `Abstains: ${data.abstained}` : (data.text ?? ""),
    tone: "",
  }),
  "answer.written": ({ data }) => ({
    subject: "Research",
    text: data.abstained ? `The model abstains: ${data.abstained}` : (data.text ?? ""),
    tone: "",
  }),
  "memory.revoked": ({ data }) => ({
    subject: "Memory",
    text: `Forgot ${counted(data.memories?.length ?? 0, "memory", "memories")} that rested on ${data.source}`,
    tone: "warn",
  }),
  "change.made": ({ data }) => ({ subject: data.caller, text: `${data.action} ${data.made ?? ""}`.trim(), tone: "" }),
  "agent.silence.detected": ({ data }) => ({
    subject: words(data.agent),
    text: `Abstained from ${data.abstained} of its last ${data.of} answers, the last time: ${data.reason}`,
    tone: "warn",
  }),
  "replay.requested": ({ data }) => ({
    subject: "Replay",
    text: `${data.symbols.join(", ")} from ${data.first_day} to ${data.last_day}?`,
    tone: "",
  }),
  "replay.completed": ({ data }) => ({
    subject: "Replay",
    text: data.problem
      ? `Failed: ${data.problem}`
      : `Played ${counted(data.played, "event", "events")}, of which came ${count(data.emitted)}`,
    tone: data.problem ? "warn" : "",
  }),
  "trade.filled": ({ data }) => ({
    subject: data.symbol,
    text: `${data.side === "buy" ? "Bought" : "Sold"} ${count(data.quantity)} at ${usd(data.price)} for ${data.portfolio}`,
    tone: "",
  }),
  "step.failed": ({ data }) => ({
    subject: words(data.agent),
    text: `Gave up ${data.subject}: ${data.reason}`,
    tone: "warn",
  }),
};

/** Tell an event in one line; of a type that is not known here, its source and stream. */
export function eventText(event: DeskEvent): EventText {
  const tell = TELLERS[event.type as EventType] as ((event: DeskEvent) => EventText) | undefined;
  return tell ? tell(event) : { subject: event.stream, text: `From ${event.source}`, tone: "" };
}

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*Z$/;

/** A value inside an event as text. */
export function valueText(value: unknown): string {
  if (typeof value === "string" && INSTANT.test(value)) return moment(value);
  if (typeof value === "number") return plain(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

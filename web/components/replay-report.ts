import type { ReplayView } from "../generated/schema";

/** What a portfolio earned and risked; null where a number is not defined. */
export interface Measures {
  total_return: number | null;
  annual_return: number | null;
  volatility: number | null;
  sharpe: number | null;
  sortino: number | null;
  calmar: number | null;
  max_drawdown: number | null;
  drawdown_days: number;
}

/** What was bought or sold of a trade at one bar. */
export interface Fill {
  trade: string;
  consensus: string;
  symbol: string;
  side: "buy" | "sell";
  quantity: number;
  price: number;
  fee: number;
  decided_at: string;
  bar_closed_at: string;
}

/** A vote that was counted; `abstained` says why it has no stance. */
export interface VoteCast {
  agent: string;
  stance: number;
  confidence: number;
  abstained: string | null;
}

/** A trade that was decided on. */
export interface Decided {
  trade: string;
  symbol: string;
  side: "buy" | "sell";
  quantity: number;
  decision: "approved" | "rejected" | "no_quorum";
  score: number;
  vetoes: string[];
  decided_at: string;
  votes: VoteCast[];
}

/** What an agent thought of a subject: from which of the series' moments on, by place. */
export interface ViewChanges {
  agent: string;
  subject: string;
  name: string;
  unit: string;
  changes: [place: number, value: number | string][];
}

/** What an agent's votes were worth. */
export interface Advice {
  profit: number;
  graded: number;
  hits: number;
  brier: number | null;
}

type Bounds = [number | null, number | null];

/** A replay's report, as far as it is shown: the API's document leaves open what is in it. */
export interface Report {
  hash: string;
  labels: string[];
  desk: Measures;
  benchmark: Measures;
  benchmark_name: string;
  symbols_held: Record<string, number>;
  intervals: { annual_return: Bounds; sharpe: Bounds };
  exposure: number;
  turnover: number;
  fees: number;
  slippage: number;
  hit_rate: number | null;
  var_breaches: { days: number; observed: number; expected: number };
  decisions: Record<string, number>;
  by_agent: Record<string, Advice>;
  fills: Fill[];
  decided: Decided[];
  views: ViewChanges[];
  /** Values by moment, US dollars; the first moment is the opening. */
  series: {
    moments: string[];
    equity: number[];
    benchmark: number[];
    /** Fall from the highest so far, as a fraction of it. */
    drawdown: number[];
    symbols: Record<string, number[]>;
  };
  bars: number;
}

/** Give the report of a replay that was played; undefined of any other. */
export function reportOf(view: ReplayView): Report | undefined {
  if (view.state !== "completed") return undefined;
  const report = view.report as unknown as Report;
  // One that was played by an earlier version has no votes and views.
  return { ...report, decided: report.decided ?? [], views: report.views ?? [] };
}

/** Give the fall from the highest so far at each value, 0 or below, as a fraction. */
export function falls(values: readonly number[]): number[] {
  let highest = Number.NEGATIVE_INFINITY;
  return values.map((value) => {
    highest = Math.max(highest, value);
    return value / highest - 1;
  });
}

/** Give the fills up to a moment, the newest first. */
export function fillsUntil(fills: readonly Fill[], moment: string): Fill[] {
  const until = Date.parse(moment);
  return fills.filter(({ bar_closed_at }) => Date.parse(bar_closed_at) <= until).reverse();
}

/** Give what was decided until one of the series' moments, the newest first. */
export function decidedUntil({ decided, series }: Report, at: number): Decided[] {
  const until = Date.parse(series.moments[at] ?? "");
  return decided.filter(({ decided_at }) => Date.parse(decided_at) <= until).reverse();
}

/** Give what was thought at one of the series' moments; undefined before it was first thought. */
export function valueAt({ changes }: ViewChanges, at: number): number | string | undefined {
  return changes.filter(([place]) => place <= at).at(-1)?.[1];
}

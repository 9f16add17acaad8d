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
  return view.state === "completed" ? (view.report as unknown as Report) : undefined;
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

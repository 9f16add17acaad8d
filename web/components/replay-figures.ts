import { html } from "lit";
import { count, NONE, percent, plain, usd, words } from "./number-text";
import type { Measures, Report } from "./replay-report";

type Shown = (value: number | null) => string;
const signed: Shown = (value) => percent(value, 1, true);
const ratio: Shown = (value) => (value === null ? NONE : value.toFixed(2).replace("-", "−"));

const MEASURES: [name: keyof Measures, title: string, meaning: string, shown: Shown][] = [
  ["total_return", "Total return", "From the opening to the last close", signed],
  ["annual_return", "Return per year", "The same, as if it had lasted a year", signed],
  ["volatility", "Volatility per year", "Standard deviation of daily returns, for a year", (value) => percent(value)],
  ["max_drawdown", "Largest fall", "From the highest value to the lowest after it", signed],
  [
    "drawdown_days",
    "Longest below a high",
    "Trading days until a high was reached again, or the end",
    (value) => `${value} d`,
  ],
  ["sharpe", "Sharpe ratio", "Mean return by its standard deviation, per year", ratio],
  ["sortino", "Sortino ratio", "Mean return by the deviation of losses, per year", ratio],
  ["calmar", "Calmar ratio", "Return per year by the largest fall", ratio],
];

/** What whoever reads a replay's numbers must know, the report's own words first. */
export function labels({ labels: told, intervals, symbols_held }: Report) {
  const [low, high] = intervals.annual_return;
  const own = `${Object.keys(symbols_held).length} names that are known to have survived, over one stretch of time: the 90 % interval of the return per year goes from ${signed(low)} to ${signed(high)}.`;
  return html`<ul class="labels">${told.map((each) => html`<li class="warn">${each}</li>`)}<li>${own}</li></ul>`;
}

/** The report: beside the benchmark, what else, and whose advice. */
export function figures(report: Report) {
  return html`<div class="pair">${measures(report)}${more(report)}</div>${advice(report)}`;
}

function measures({ desk, benchmark, benchmark_name }: Report) {
  return html`<div class="scroll" tabindex="0"><table class="measures">
    <thead><tr><th scope="col">Beside the benchmark</th><th scope="col" class="number">Desk</th><th scope="col" class="number">${words(benchmark_name)}</th></tr></thead>
    <tbody>${MEASURES.map(([name, title, meaning, shown]) => html`<tr><td title=${meaning}>${title}</td><td class="number">${shown(desk[name])}</td><td class="number">${shown(benchmark[name])}</td></tr>`)}</tbody>
  </table></div>`;
}

function more(report: Report) {
  const { observed, days, expected } = report.var_breaches;
  const decisions = Object.entries(report.decisions).map(([name, many]) => `${many} ${name.replaceAll("_", " ")}`);
  const rows: [string, string][] = [
    ["Invested on average", percent(report.exposure)],
    ["Traded in a year", `${report.turnover.toFixed(2)} times the value`],
    ["Fees, slippage", `${usd(report.fees)}, ${usd(report.slippage)}`],
    ["Sold above what was paid", report.hit_rate === null ? "none sold" : percent(report.hit_rate, 0)],
    ["Days worse than value at risk", `${observed} of ${days}, ${expected.toFixed(1)} to expect`],
    ["Decisions", decisions.join(", ") || "none"],
    ...Object.entries(report.symbols_held).map(([name, held]): [string, string] => [
      `${name} held throughout`,
      signed(held),
    ]),
  ];
  return html`<div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">More of it</th><th scope="col"></th></tr></thead>
    <tbody>${rows.map(([title, text]) => html`<tr><td>${title}</td><td class="number">${text}</td></tr>`)}</tbody></table></div>`;
}

function advice({ by_agent }: Report) {
  return html`<div><h3>Whose advice</h3><div class="scroll" tabindex="0"><table>
    <thead><tr><th scope="col">Agent</th><th scope="col" class="number" title="Of each fill what it gained until the end, times the agent's stance on it">Profit of its votes</th>
      <th scope="col" class="number">Graded</th><th scope="col" class="number" title="Graded votes whose direction was right">Right</th>
      <th scope="col" class="number" title="0 is certain and right, 0.25 a coin, 1 certain and wrong">Brier score</th></tr></thead>
    <tbody>${Object.entries(by_agent).map(
      ([
        name,
        { profit, graded, hits, brier },
      ]) => html`<tr><td class="name">${words(name)}</td><td class="number ${profit < 0 ? "down" : "up"}">${usd(profit, true)}</td>
      <td class="number">${graded ? count(graded) : NONE}</td><td class="number">${graded ? percent(hits / graded, 0) : NONE}</td><td class="number">${brier === null ? NONE : plain(brier)}</td></tr>`,
    )}</tbody></table></div></div>`;
}

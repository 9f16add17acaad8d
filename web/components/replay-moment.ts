import { html, nothing } from "lit";
import { count, percent, price, stance, words } from "./number-text";
import { leaning } from "./picture";
import {
  type Decided,
  decidedUntil,
  type Fill,
  fillsUntil,
  type Report,
  type ViewChanges,
  type VoteCast,
  valueAt,
} from "./replay-report";
import { day } from "./time-text";

/** As many subjects as an agent's thoughts are shown of, unless one is chosen. */
const MOST_SUBJECTS = 4;
const MOST_ROWS = 200;

/** What every agent thought at a moment of a replay, and how it voted last. */
export function agentsAt(report: Report, at: number, chosen: string) {
  const names = agentsOf(report);
  if (!names.length) return nothing;
  const until = decidedUntil(report, at).filter(({ symbol }) => !chosen || symbol === chosen);
  return html`<div class="agents"><h3>What the agents thought then${chosen ? ` of ${chosen}` : ""}</h3>
    <div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Agent</th><th scope="col">Thought</th><th scope="col">Its last vote</th><th scope="col" class="bar"></th></tr></thead>
      <tbody>${names.map((name) => html`<tr><td class="name">${words(name)}</td><td class="thought">${thought(report, name, at, chosen)}</td>${lastVote(name, until)}</tr>`)}</tbody>
    </table></div></div>`;
}

/** What was decided until a moment, the newest first, with each agent's vote. */
export function decisionsAt(report: Report, at: number, chosen: string) {
  const found = decidedUntil(report, at).filter(({ symbol }) => !chosen || symbol === chosen);
  const voters = [...new Set(report.decided.flatMap(({ votes }) => votes.map(({ agent }) => agent)))].sort();
  return html`<div class="decided"><h3>Voted on until then: ${found.length}</h3>
    ${
      found.length
        ? html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Day</th><th scope="col">What</th><th scope="col" class="number">Shares</th><th scope="col">Decision</th><th scope="col" class="number" title="Weighted mean of the stances, −1 against to +1 for">Score</th>
        ${voters.map((name) => html`<th scope="col" class="number">${words(name)}</th>`)}</tr></thead>
      <tbody>${found.slice(0, MOST_ROWS).map((each) => decisionRow(each, voters))}</tbody></table></div>`
        : nothing
    }</div>`;
}

/** What was bought and sold until a moment, the newest first. */
export function fillsAt(report: Report, at: number, chosen: string) {
  const found = fillsUntil(report.fills, report.series.moments[at] ?? "").filter(
    ({ symbol }) => !chosen || symbol === chosen,
  );
  return html`<div class="fills"><h3>Bought and sold until then: ${found.length}</h3>
    ${
      found.length
        ? html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Approved</th><th scope="col">Bar of</th><th scope="col">What</th><th scope="col" class="number">Shares</th><th scope="col" class="number">Price, USD</th><th scope="col" class="number">Fee, USD</th></tr></thead>
      <tbody>${found.map(fillRow)}</tbody></table></div>`
        : nothing
    }</div>`;
}

function agentsOf({ decided, views }: Report): string[] {
  const voted = decided.flatMap(({ votes }) => votes.map(({ agent }) => agent));
  return [...new Set([...voted, ...views.map(({ agent }) => agent)])].sort();
}

function thought({ views, series }: Report, name: string, at: number, chosen: string) {
  const own = views.filter(({ agent }) => agent === name);
  const subjects = [...new Set(own.map(({ subject }) => subject))];
  const wanted = subjects.filter((each) => !chosen || each === chosen || !(each in series.symbols));
  const parts = wanted.slice(0, MOST_SUBJECTS).flatMap((subject) => {
    const said = own.filter((each) => each.subject === subject).flatMap((each) => phrase(each, at));
    const title = subject in series.symbols ? subject : "Portfolio";
    return said.length
      ? [html`<span class="subject"><span class="name">${title}</span> ${said.join(", ")}</span>`]
      : [];
  });
  const more = wanted.length - MOST_SUBJECTS;
  return html`${parts.length ? parts : html`<span class="quiet">Nothing yet</span>`}${more > 0 ? html`<span class="quiet">and ${more} more: choose one beside</span>` : nothing}`;
}

function phrase(view: ViewChanges, at: number): string[] {
  const value = valueAt(view, at);
  if (value === undefined) return [];
  if (typeof value === "string") return [value.replaceAll("_", " ")];
  switch (view.name) {
    case "expected_return":
      return [`${percent(value, 1, true)} expected ${view.unit}`];
    case "loss_probability":
      return [`${percent(value, 0)} likely to lose`];
    case "var_95":
      return [`loses more than ${percent(value, 1)} on one day in twenty`];
    case "orders":
      return [value ? `${count(value)} ${value === 1 ? "order" : "orders"} suggested` : "nothing to change"];
    default:
      return [stance(value)];
  }
}

function lastVote(name: string, decided: readonly Decided[]) {
  for (const each of decided) {
    const vote = each.votes.find(({ agent }) => agent === name);
    if (vote)
      return html`<td class="voted">${said(vote)} <span class="quiet">on ${each.side} ${count(each.quantity)} ${each.symbol}, ${day(each.decided_at)}</span></td>
        <td class="bar">${vote.abstained ? nothing : leaning(vote.stance, vote.confidence, `Stance ${stance(vote.stance)}, confidence ${percent(vote.confidence, 0)}`)}</td>`;
  }
  return html`<td class="voted quiet">None yet</td><td class="bar"></td>`;
}

function said({ stance: value, abstained }: VoteCast) {
  if (abstained) return html`<span class="quiet" title=${abstained}>Abstained</span>`;
  return html`<span class=${value < 0 ? "down" : "up"}>${stance(value)}</span>`;
}

function decisionRow(
  { decided_at, side, symbol, quantity, decision, score, votes, vetoes }: Decided,
  voters: string[],
) {
  const tone = decision === "approved" ? "up" : decision === "rejected" ? "down" : "quiet";
  return html`<tr><td>${day(decided_at)}</td><td><span class=${side === "buy" ? "up" : "down"}>${words(side)}</span> ${symbol}</td>
    <td class="number">${count(quantity)}</td><td class=${tone} title=${vetoes.join("; ")}>${words(decision)}</td><td class="number">${stance(score)}</td>
    ${voters.map((name) => html`<td class="number">${votes.filter(({ agent }) => agent === name).map(said)}</td>`)}</tr>`;
}

function fillRow({ decided_at, bar_closed_at, side, symbol, quantity, price: paid, fee }: Fill) {
  return html`<tr><td>${day(decided_at)}</td><td>${day(bar_closed_at)}</td>
    <td><span class=${side === "buy" ? "up" : "down"}>${words(side)}</span> ${symbol}</td>
    <td class="number">${count(quantity)}</td><td class="number">${price(paid)}</td><td class="number">${price(fee)}</td></tr>`;
}

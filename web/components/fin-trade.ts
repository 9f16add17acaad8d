import { css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { DeskEvent } from "../client/event";
import type { OpinionView, TradeView } from "../generated/schema";
import { DeskElement } from "./desk-element";
import "./fin-decision";
import { count, inUnit, percent, stance, words } from "./number-text";
import { leaning } from "./picture";
import { Choices, choice, Submission } from "./request-form";
import { Resource } from "./resource";
import { ago, moment } from "./time-text";

/**
 * `<fin-trade trade-id symbol>`: ask for a trade, see the votes come in, the consensus, who dissents, and why.
 *
 * Fires `fin-trade` with the id of what was asked for, and `fin-event` with the id of an event that is chosen.
 */
@customElement("fin-trade")
export class FinTrade extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .verdict { display: flex; flex-wrap: wrap; gap: 2px 16px; align-items: baseline; min-height: 30px; }
      .verdict strong { font-size: 18px; }
      .bar { width: 26%; min-width: 84px; }
      details summary { cursor: pointer; }
      details table { margin: 4px 0 8px; }
      .why { max-width: 60ch; }
      .voter { white-space: nowrap; }
      @media (max-width: 600px) {
        .votes thead { display: none; }
        .votes > tbody > tr { display: grid; grid-template-columns: minmax(0, 1fr) 60px 56px; gap: 0 8px; padding: 6px 0; border-bottom: 1px solid var(--line); }
        .votes > tbody > tr > td { border: 0; padding: 0; }
        .votes > tbody > tr > td:first-child { grid-column: 1 / -1; }
        .votes > tbody > tr > td.why { grid-column: 1 / -1; }
        .votes .bar { width: auto; align-self: center; }
      }
    `,
  ];

  /** The trade to show; none, unless given. */
  @property({ attribute: "trade-id" }) tradeId = "";
  /** The symbol that the form begins with. */
  @property() symbol = "";
  /** The event that is shown elsewhere. */
  @property() chosen = "";
  readonly #trade = new Resource<TradeView>(this);
  readonly #choices = new Choices(this);
  readonly #submission = new Submission(this);

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("tradeId")) this.#read(true);
  }

  protected override refresh(): void {
    this.#choices.read();
    this.#read(false);
  }

  protected override heard(events: readonly DeskEvent[]): void {
    if (events.some(({ correlationid }) => correlationid === this.tradeId)) this.#read(false);
    if (events.some(({ type }) => type === "portfolio.changed")) this.refresh();
  }

  #read(isOther: boolean): void {
    const id = this.tradeId;
    if (isOther) this.#trade.clear();
    if (id)
      void this.#trade.load(`trade:${id}`, (client) =>
        client.get("/api/trades/{trade_id}", { path: { trade_id: id } }),
      );
  }

  async #ask(event: Event): Promise<void> {
    const asked = await this.#submission.send(event, (fields, idempotencyKey) =>
      this.connection.client.post("/api/trades", {
        idempotencyKey,
        body: {
          symbol: String(fields.get("symbol")),
          side: fields.get("side") === "sell" ? "sell" : "buy",
          quantity: Number(fields.get("quantity")),
          portfolio: String(fields.get("portfolio") ?? "") || undefined,
        },
      }),
    );
    if (!asked) return;
    this.tradeId = asked.id;
    this.choose("trade", asked.id);
  }

  protected override render() {
    return this.panel(
      "Trade",
      "A question to the agents: nothing is bought or sold",
      html`
      <div class="body sections">
        ${this.#form()}
        ${this.tradeId ? this.shown(this.#trade, "There is no such trade, or it is not yours to read.", (trade) => this.#view(trade)) : nothing}
      </div>`,
    );
  }

  #form() {
    const { symbols, portfolios } = this.#choices;
    return html`<form @submit=${this.#ask}>
      ${choice("side", "Side", ["buy", "sell"], "buy")}
      <label class="field">Shares <input name="quantity" type="number" min="0.01" step="any" value="100" required /></label>
      ${choice("symbol", "Symbol", symbols, this.symbol)}
      ${choice("portfolio", "Portfolio", portfolios, portfolios[0] ?? "", "none")}
      <button class="main" ?disabled=${this.#submission.isSent || !symbols.length}>Ask the agents</button>
    </form>${this.#submission.note}`;
  }

  #view(trade: TradeView) {
    return html`${this.#verdict(trade)} ${this.#votes(trade)}
      <div><h3>How it came about</h3>
        <fin-decision .base=${this.base} .view=${trade} .chosen=${this.chosen}></fin-decision></div>`;
  }

  #verdict({ trade, consensus, opinions, requested_at, deadline }: TradeView) {
    const title = `${words(trade.side)} ${count(trade.quantity)} ${trade.symbol}${trade.portfolio ? ` for ${trade.portfolio}` : ""}`;
    const asked = html`<span class="quiet" title=${moment(requested_at)}>asked ${ago(requested_at, this.now)}</span>`;
    if (!consensus) {
      return html`<div role="status"><div class="verdict"><strong>Open</strong><span>${title}</span>${asked}</div>
        <p>${opinions.length} voted so far. The consensus closes by ${moment(deadline)}.</p></div>`;
    }
    const tone = consensus.decision === "approved" ? "up" : consensus.decision === "rejected" ? "down" : "";
    return html`<div role="status"><div class="verdict"><strong class=${tone}>${words(consensus.decision)}</strong><span>${title}</span>${asked}</div>
      <p class="why">${consensus.explanation}</p>
      <p class="quiet">Score ${stance(consensus.score)}, from −1 to +1; the votes differ by ${consensus.dispersion.toFixed(2)} (standard deviation).
        ${consensus.closed_by === "quorum" ? "All had answered." : "Time was up."}
        ${consensus.dissent.length ? `Dissents: ${consensus.dissent.map(words).join(", ")}.` : ""}
        ${consensus.missing.length ? `Did not answer in time: ${consensus.missing.map(words).join(", ")}.` : ""}</p>
      ${consensus.vetoes.map((veto) => html`<p class="down">Veto: ${veto}</p>`)}</div>`;
  }

  #votes({ opinions, consensus }: TradeView) {
    if (!opinions.length) return nothing;
    return html`<div><h3>Votes</h3><div class="scroll" tabindex="0"><table class="votes">
      <thead><tr><th scope="col">Agent</th><th scope="col">Against, for</th><th scope="col" class="number">Stance</th><th scope="col" class="number">Confidence</th><th scope="col">Why</th></tr></thead>
      <tbody>${opinions.map((opinion) => this.#vote(opinion, consensus?.dissent.includes(opinion.agent) ?? false))}</tbody>
    </table></div></div>`;
  }

  #vote(opinion: OpinionView, isDissent: boolean) {
    const { agent, stance: value, confidence, abstained, veto, late } = opinion;
    const bar = abstained
      ? html`<span class="quiet">abstains</span>`
      : leaning(value, confidence, `${stance(value)} at ${percent(confidence, 0)} confidence`);
    return html`<tr>
      <td><button class="link voter" @click=${() => this.choose("event", opinion.event)}>${words(agent)}</button>
        ${isDissent ? html`<div class="quiet">dissents</div>` : nothing}${late ? html`<div class="warn">late</div>` : nothing}</td>
      <td class="bar">${bar}</td>
      <td class="number">${abstained ? "" : stance(value)}</td>
      <td class="number">${abstained ? "" : percent(confidence, 0)}</td>
      <td class="why">${veto ? html`<p class="down">Veto: ${veto}</p>` : nothing}${opinion.rationale} ${this.#evidence(opinion)}</td>
    </tr>`;
  }

  #evidence({ evidence = [] }: OpinionView) {
    if (!evidence.length) return nothing;
    return html`<details><summary class="quiet">${evidence.length} numbers</summary><table><tbody>
      ${evidence.map(
        ({
          name,
          value,
          unit = "",
          event,
        }) => html`<tr><td>${name.replaceAll("_", " ")}</td><td class="number">${inUnit(value, unit)}</td>
        <td>${event ? html`<button class="link" @click=${() => this.choose("event", event)}>from</button>` : nothing}</td></tr>`,
      )}
    </tbody></table></details>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-trade": FinTrade;
  }
}
